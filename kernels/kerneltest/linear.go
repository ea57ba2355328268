package kerneltest

import (
	"math"

	"deepprune/kernels"
)

// linearLayers tests the linear layers of a format: first what the device keeps
// of the weights, which Embed tells, then the sums of products with that.
func (h *harness) linearLayers(format kernels.Format) {
	type shape struct{ out, in int }
	for _, s := range []shape{{1, 1}, {3, 2}, {32, 16}, {33, 17}, {h.between(1, 70), h.between(1, 70)},
		{320, 192}, {192, 512}, {h.between(90, 200), h.between(500, 700)}, {65, 1100}} {
		weights := h.floats(s.out * s.in)
		m := h.matrix(format, weights, s.out, s.in)
		kept := h.kept(m)
		h.checkKept(format, kept, weights, s.in)
		const most = 65
		x, bias := h.floats(most*s.in), h.floats(s.out)
		for _, b := range [][]float32{nil, bias} {
			whole := h.linear(m, x, b, most, most)
			h.checkLinear(format, whole, x, kept, b, s.in)
			for _, rows := range []int{64, 9, 7, 2} {
				h.same("Linear of fewer rows", h.linear(m, x, b, rows, most), whole[:rows*s.out])
			}
			// A row alone, from anywhere in the batch.
			r := h.rng.IntN(most)
			h.same("Linear of a row alone", h.linear(m, x[r*s.in:(r+1)*s.in], b, 1, 1), whole[r*s.out:(r+1)*s.out])
		}
		const few = 9
		x = h.exact(format, few, s.in)
		h.checkLinear(format, h.linear(m, x, nil, few, few), x, kept, nil, s.in)
	}
	h.manyRows(format)
	h.oddNumbers(format)
}

// linear returns rows rows of a linear layer, x of most rows, and fails if it
// writes more than that.
func (h *harness) linear(m kernels.Matrix, x, bias []float32, rows, most int) []float32 {
	h.Helper()
	dst := h.tensor(most, m.Out())
	var b kernels.Tensor
	if bias != nil {
		b = h.upload(bias, 1, m.Out())
	}
	h.d.Linear(dst, h.upload(x, most, m.In()), m, b, rows)
	if rows < most && !math.IsNaN(float64(h.read(dst, most)[rows*m.Out()])) {
		h.Fatalf("Linear of %d rows wrote row %d", rows, rows)
	}
	return h.read(dst, rows)
}

// manyRows compares every number of rows up to 256 with the most of them.
func (h *harness) manyRows(format kernels.Format) {
	const most = 256
	out, in := h.between(33, 63), h.between(65, 100)
	m := h.matrix(format, h.floats(out*in), out, in)
	x := h.upload(h.floats(most*in), most, in)
	dst := h.tensor(most, out)
	h.d.Linear(dst, x, m, nil, most)
	whole := h.read(dst, most)
	for rows := 1; rows < most; rows++ {
		h.d.Linear(dst, x, m, nil, rows)
		h.same("Linear of fewer rows", h.read(dst, rows), whole[:rows*out])
	}
}

// oddNumbers: zeros give zeros, and what is not a number stays in its row of x or
// its output.
func (h *harness) oddNumbers(format kernels.Format) {
	const out, in, rows = 40, 130, 5
	weights, x := h.floats(out*in), h.floats(rows*in)
	const zeroOut, zeroRow, badOut, badRow = 7, 3, 35, 1
	clear(weights[zeroOut*in:][:in])
	clear(x[zeroRow*in:][:in])
	weights[badOut*in+70] = float32(math.NaN())
	x[badRow*in+101] = float32(math.Inf(1))
	for i, y := range h.linear(h.matrix(format, weights, out, in), x, nil, rows, rows) {
		finite := math.Abs(float64(y)) <= math.MaxFloat32
		switch r, o := i/out, i%out; {
		case r == badRow && o == zeroOut || r == zeroRow && o == badOut: // 0 times what is no number
		case r == badRow || o == badOut:
			if finite {
				h.Fatalf("Linear in %v: row %d, output %d = %v; want what is not finite", format, r, o, y)
			}
		case (r == zeroRow || o == zeroOut) && y != 0 || !finite:
			h.Fatalf("Linear in %v: row %d, output %d = %v", format, r, o, y)
		}
	}
}

// kept is a weight as the device keeps it.
func (h *harness) kept(m kernels.Matrix) []float32 {
	dst, tokens := h.tensor(m.Out(), m.In()), make([]int32, m.Out())
	for i := range tokens {
		tokens[i] = int32(i)
	}
	h.d.Embed(dst, m, tokens)
	return h.read(dst, m.Out())
}

// exact returns rows that a linear layer of this format need not round: small
// integers, and for integers with a scale one of the largest in every group,
// times a power of two.
func (h *harness) exact(format kernels.Format, rows, in int) []float32 {
	x := make([]float32, rows*in)
	group := max(format.Group(), 1)
	for r := range rows {
		row := x[r*in : (r+1)*in]
		for i := range row {
			row[i] = float32(h.between(-127, 127))
		}
		for lo := 0; lo < in; lo += group {
			hi := min(lo+group, in)
			row[h.between(lo, hi-1)] = float32(127 - 254*h.rng.IntN(2))
			scale := float32(math.Ldexp(1, h.between(-9, -4)))
			for i := lo; i < hi; i++ {
				row[i] *= scale
			}
		}
	}
	return x
}

// groupMax returns the largest absolute value of each element's group.
func groupMax(row []float32, group int) []float64 {
	largest := make([]float64, len(row))
	for lo := 0; lo < len(row); lo += group {
		most := 0.0
		hi := min(lo+group, len(row))
		for _, v := range row[lo:hi] {
			most = max(most, math.Abs(float64(v)))
		}
		for i := lo; i < hi; i++ {
			largest[i] = most
		}
	}
	return largest
}

// bfloat16Unit is the rounding error of bfloat16, whose significand has 8 bits.
const bfloat16Unit = 1.0 / (1 << 8)

// checkKept holds the weights that a device keeps to the rounding of their
// format. The scale of a group may be larger by a rounding to bfloat16 away from
// zero, and the end of the range of Int4 opposite to the largest is 7/8 of it.
func (h *harness) checkKept(format kernels.Format, kept, weights []float32, in int) {
	for lo := 0; lo < len(weights); lo += in {
		row := weights[lo : lo+in]
		most := groupMax(row, max(format.Group(), 1))
		for i, w := range row {
			bound := 0.0
			switch format {
			case kernels.BF16:
				bound = bfloat16Unit * math.Abs(float64(w))
			case kernels.Int8:
				bound = (1 + 2*bfloat16Unit) * most[i] / 127 / 2
			case kernels.Int4:
				bound = (1 + 2*bfloat16Unit) * most[i] / 8
			}
			h.near("weight in "+format.String(), lo+i, kept[lo+i], float64(w), bound*(1+4*u))
		}
	}
}

// checkLinear compares with the sums in float64: n = in products in any order
// have an error of at most n·u·Σ|x·w|, a bias and a scale add a few roundings, and
// x is rounded by as much as the format allows, or not at all if it need not be.
//
//go:norace
func (h *harness) checkLinear(format kernels.Format, got, x, w, bias []float32, in int) {
	out := len(w) / in
	errs := make([]float64, in)
	for i, y := range got {
		r, o := i/out, i%out
		row := x[r*in : (r+1)*in]
		if o == 0 {
			h.rounding(errs, format, row)
		}
		sum, abs, rounded := 0.0, 0.0, 0.0
		if bias != nil {
			sum = float64(bias[o])
			abs = math.Abs(sum)
		}
		for k, v := range w[o*in : (o+1)*in] {
			p := float64(row[k]) * float64(v)
			sum += p
			abs += math.Abs(p)
			rounded += errs[k] * math.Abs(float64(v))
		}
		h.near("Linear in "+format.String(), i, y, sum, float64(in+8)*u*(abs+rounded)+rounded)
	}
}

// rounding writes a bound of the error of each number of a row of x.
func (h *harness) rounding(errs []float64, format kernels.Format, row []float32) {
	clear(errs)
	switch format {
	case kernels.BF16:
		for i, v := range row {
			if math.Float32bits(v)&0xffff != 0 {
				errs[i] = bfloat16Unit * math.Abs(float64(v))
			}
		}
	case kernels.Int8, kernels.Int4:
		for i, most := range groupMax(row, format.Group()) {
			// In units of the scale a number is an integer or nearly one, unless it
			// must be rounded; the scale and the quotient have an error of u each.
			q := float64(row[i]) / most * 127
			if most > 0 && math.Abs(q-math.Round(q)) > 127*4*u {
				errs[i] = most / 127 * (0.5 + 127*4*u)
			}
		}
	}
}
