package cpu

import (
	"math"
	"unsafe"

	"deepprune/kernels"
)

// The plain Go kernels. Products that are added are rounded first, by an
// explicit conversion: the compiler may otherwise fuse them on some machines and
// in some places, and a row's bits would depend on the place.

// matmulGo is the twin of the assembly: see set.matmul.
func matmulGo(rows int, c []float32, cStride int, x []float32, xStride int, b0, b1 []float32, bStride, k int, load bool) {
	for _, half := range [2][]float32{b0, b1} {
		r := 0
		for ; r+2 <= rows; r += 2 {
			x0, x1 := x[r*xStride:][:k], x[(r+1)*xStride:][:k]
			c0, c1 := c[r*cStride:][:lanes], c[(r+1)*cStride:][:lanes]
			for j := 0; j < lanes; j += 4 {
				matmul2x4(c0[j:j+4], c1[j:j+4], x0, x1, half[j:], bStride, load)
			}
		}
		if r < rows {
			x0, c0 := x[r*xStride:][:k], c[r*cStride:][:lanes]
			for j := 0; j < lanes; j += 4 {
				matmul1x4(c0[j:j+4], x0, half[j:], bStride, load)
			}
		}
		c = c[lanes:]
	}
}

// matmul2x4 is most of the arithmetic. The race detector would slow it tenfold;
// its callers' slices are seen.
//
//go:norace
func matmul2x4(c0, c1, x0, x1, b []float32, bStride int, load bool) {
	var a00, a01, a02, a03, a10, a11, a12, a13 float32
	c0, c1 = c0[:4], c1[:4]
	if load {
		a00, a01, a02, a03 = c0[0], c0[1], c0[2], c0[3]
		a10, a11, a12, a13 = c1[0], c1[1], c1[2], c1[3]
	}
	x1 = x1[:len(x0)]
	for i, v0 := range x0 {
		v1 := x1[i]
		w := b[i*bStride:][:4]
		w0, w1, w2, w3 := w[0], w[1], w[2], w[3]
		a00 += float32(v0 * w0)
		a01 += float32(v0 * w1)
		a02 += float32(v0 * w2)
		a03 += float32(v0 * w3)
		a10 += float32(v1 * w0)
		a11 += float32(v1 * w1)
		a12 += float32(v1 * w2)
		a13 += float32(v1 * w3)
	}
	c0[0], c0[1], c0[2], c0[3] = a00, a01, a02, a03
	c1[0], c1[1], c1[2], c1[3] = a10, a11, a12, a13
}

//go:norace
func matmul1x4(c, x, b []float32, bStride int, load bool) {
	var a0, a1, a2, a3 float32
	c = c[:4]
	if load {
		a0, a1, a2, a3 = c[0], c[1], c[2], c[3]
	}
	for i, v := range x {
		w := b[i*bStride:][:4]
		a0 += float32(v * w[0])
		a1 += float32(v * w[1])
		a2 += float32(v * w[2])
		a3 += float32(v * w[3])
	}
	c[0], c[1], c[2], c[3] = a0, a1, a2, a3
}

func sumSquaresGo(x []float32) float32 {
	var a [8]float32
	for ; len(x) >= 8; x = x[8:] {
		for j, v := range x[:8] {
			a[j] += float32(v * v)
		}
	}
	for j, v := range x {
		a[j] += float32(v * v)
	}
	return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))
}

func addSumSquaresGo(acc, x []float32) float32 {
	for i, v := range x {
		acc[i] += v
	}
	return sumSquaresGo(acc)
}

func scaleMulGo(dst, x, w []float32, s float32) {
	dst, w = dst[:len(x)], w[:len(x)]
	for i, v := range x {
		dst[i] = v * s * w[i]
	}
}

func axpyGo(dst, x []float32, a float32) {
	dst = dst[:len(x)]
	for i, v := range x {
		dst[i] += float32(a * v)
	}
}

func rotateGo(x, cos, sin []float32) {
	lo, hi := x[:len(cos)], x[len(cos):]
	hi, sin = hi[:len(lo)], sin[:len(lo)]
	for i, c := range cos {
		a, b, s := lo[i], hi[i], sin[i]
		lo[i] = float32(a*c) - float32(b*s)
		hi[i] = float32(b*c) + float32(a*s)
	}
}

func swigluGo(dst, g, u []float32) {
	dst, u = dst[:len(g)], u[:len(g)]
	for i, v := range g {
		dst[i] = v / (1 + exp(-v)) * u[i]
	}
}

func maximumGo(x []float32) float32 {
	m := float32(math.Inf(-1))
	for _, v := range x {
		if v > m {
			m = v
		}
	}
	return m
}

func expSumGo(dst, x []float32, shift, scale float32) float32 {
	dst = dst[:len(x)]
	var sum float32
	for i, v := range x {
		e := float32(0)
		if v = (v - shift) * scale; v >= expLow {
			e = exp(v)
		}
		dst[i] = e
		sum += e
	}
	return sum
}

func softmaxGo(scores []float32, sees []span, sums []partial) {
	for i, s := range sees {
		row := scores[i*kernels.PartitionKeys:][:kernels.PartitionKeys]
		seen := row[s.from:s.to]
		m := maximumGo(seen)
		sums[i] = partial{m, expSumGo(seen, seen, m, 1)}
		clear(row[:s.from])
		clear(row[s.to:])
	}
}

func roundGo(dst []uint32, src []float32, scale float32) {
	for i := range dst[:len(src)/2] {
		dst[i] = uint32(kernels.BFloat16(src[2*i]*scale)) | uint32(kernels.BFloat16(src[2*i+1]*scale))<<16
	}
}

func pairInt8Go(dst, src []uint32) {
	integers := unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(src))), 4*len(src))
	for i := range dst[:2*len(src)] {
		lo, hi := math.Float32bits(float32(integers[2*i])), math.Float32bits(float32(integers[2*i+1]))
		dst[i] = lo>>16 | hi&0xffff0000
	}
}

func widenGo(dst []float32, pairs []uint32) {
	for ; len(pairs) > 0; pairs, dst = pairs[lanes:], dst[2*lanes:] {
		for i, pair := range pairs[:lanes] {
			dst[i], dst[lanes+i] = widen(uint16(pair)), widen(uint16(pair>>16))
		}
	}
}

// exp is bounded to [expLow, expHigh], beyond which the result would not be a
// normal number.
const (
	expLow  = -87.33
	expHigh = 88.37
	log2e   = 1.44269504088896341
	// ln2High has few enough bits that its product with an exponent is exact.
	ln2High = 0.693359375
	ln2Low  = -2.12194440e-4
	// The polynomial of Cephes' expf (S. L. Moshier) for e^r-1-r over r², on
	// |r| <= ln(2)/2.
	exp0 = 1.9875691500e-4
	exp1 = 1.3981999507e-3
	exp2 = 8.3334519073e-3
	exp3 = 4.1665795894e-2
	exp4 = 1.6666665459e-1
	exp5 = 5.0000001201e-1
)

// exp is e^x to a relative error of 2e-7 for x in [expLow, expHigh]; outside it
// is the value at the nearer bound. It is NaN for NaN.
func exp(x float32) float32 {
	if x < expLow {
		x = expLow
	} else if x > expHigh {
		x = expHigh
	}
	n := float32(math.RoundToEven(float64(float32(x * log2e))))
	r := x - float32(n*ln2High)
	r -= float32(n * ln2Low)
	p := float32(exp0)
	p = float32(p*r) + exp1
	p = float32(p*r) + exp2
	p = float32(p*r) + exp3
	p = float32(p*r) + exp4
	p = float32(p*r) + exp5
	p = float32(p*float32(r*r)) + r
	p++
	return p * math.Float32frombits(uint32(int32(n)+127)<<23)
}
