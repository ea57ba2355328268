package cpu

// The plain Go twins of the products with weights: see multiplier.matmul. Like
// the kernels in vector.go they round products before they add them.

// overFloats makes a multiplier of a kernel for float32.
func overFloats(rows int, matmul func(rows int, c []float32, cStride int, x []float32, xStride int, b0, b1 []float32, bStride, k int, load bool)) multiplier {
	return multiplier{rows: rows, words: 1,
		matmul: func(rows int, c []float32, cStride int, x []uint32, xStride int, b []uint32, steps int, load bool) {
			f := floats(b)
			matmul(rows, c, cStride, floats(x), xStride, f, f[lanes:], panelWidth, steps, load)
		},
	}
}

//go:norace
func matmulBF16Go(rows int, c []float32, cStride int, x []uint32, xStride int, b []uint32, steps int, load bool) {
	for r := range rows {
		cr := c[r*cStride:][:panelWidth]
		if !load {
			clear(cr)
		}
		row := floats(x[r*xStride:][:2*steps])
		for k := range steps {
			x0, x1 := row[2*k], row[2*k+1]
			for lane, w := range b[k*panelWidth:][:panelWidth] {
				cr[lane] += float32(x0 * widen(uint16(w)))
				cr[lane] += float32(x1 * widen(uint16(w>>16)))
			}
		}
	}
}

func matmulInt8Go(rows int, c []float32, cStride int, x []uint32, xStride int, b []uint32, steps int, load bool) {
	var sums [panelWidth]int32
	for r := range rows {
		cr := c[r*cStride:][:panelWidth]
		if !load {
			clear(cr)
		}
		b, row := b, x[r*xStride:]
		for range steps {
			for lane := range sums {
				sums[lane] = int32(row[int8Group/4+1])
			}
			for _, v := range row[:int8Group/4] {
				dot4(&sums, v, b)
				b = b[panelWidth:]
			}
			addScaled(cr, &sums, floats(row[int8Group/4:])[0], b)
			b, row = b[scaleWords:], row[int8Words:]
		}
	}
}

func matmulInt4Go(rows int, c []float32, cStride int, x []uint32, xStride int, b []uint32, steps int, load bool) {
	var sums [panelWidth]int32
	var low, high [panelWidth]uint32
	for r := range rows {
		cr := c[r*cStride:][:panelWidth]
		if !load {
			clear(cr)
		}
		b, row := b, x[r*xStride:]
		for range steps {
			for lane := range sums {
				sums[lane] = int32(row[int4Group/4+1])
			}
			for k := range int4Group / 8 {
				for lane, w := range b[:panelWidth] {
					low[lane], high[lane] = w&0x0f0f0f0f, w>>4&0x0f0f0f0f
				}
				dot4(&sums, row[2*k], low[:])
				dot4(&sums, row[2*k+1], high[:])
				b = b[panelWidth:]
			}
			addScaled(cr, &sums, floats(row[int4Group/4:])[0], b)
			b, row = b[scaleWords:], row[int4Words:]
		}
	}
}

// dot4 adds to each lane the product of four signed bytes of x and the lane's
// unsigned ones.
//
//go:norace
func dot4(sums *[panelWidth]int32, x uint32, b []uint32) {
	x0, x1, x2, x3 := int32(int8(x)), int32(int8(x>>8)), int32(int8(x>>16)), int32(int8(x>>24))
	for lane, w := range b[:panelWidth] {
		sums[lane] += x0*int32(w&0xff) + x1*int32(w>>8&0xff) + x2*int32(w>>16&0xff) + x3*int32(w>>24)
	}
}

// addScaled adds a group's sums to c.
func addScaled(c []float32, sums *[panelWidth]int32, scale float32, scales []uint32) {
	for lane, sum := range sums {
		c[lane] += float32(float32(sum) * float32(scale*scaleOf(scales, lane)))
	}
}
