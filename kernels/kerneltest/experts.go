package kerneltest

import (
	"cmp"
	"math"
	"slices"

	"deepprune/kernels"
)

// router is a way of choosing experts, with its reference.
type router struct {
	experts, rows int
	spec          kernels.RouterSpec
	bias          []float32 // or nil
	logits        []float32
}

// newRouter draws logits of which many are equal.
func (h *harness) newRouter(experts, chosen, rows int) *router {
	r := &router{experts: experts, rows: rows, spec: kernels.RouterSpec{Chosen: chosen, Scale: 1}, logits: h.floats(rows * experts)}
	for i := range r.logits {
		r.logits[i] = float32(math.Round(float64(r.logits[i])*4)) / 4
	}
	return r
}

// want is the weights of a row's experts in float64, 0 for those not chosen.
func (r *router) want(row int) []float64 {
	scores, ranks := make([]float64, r.experts), make([]float64, r.experts)
	sum := 0.0
	for i, x := range r.logits[row*r.experts:][:r.experts] {
		v := float64(x)
		if math.IsNaN(v) {
			v = math.Inf(-1)
		}
		scores[i] = math.Exp(v)
		sum += scores[i]
		if r.spec.Sigmoid {
			scores[i] = 1 / (1 + math.Exp(-v))
		}
	}
	for i := range scores {
		if !r.spec.Sigmoid {
			scores[i] /= sum
		}
		ranks[i] = scores[i]
		if r.bias != nil {
			ranks[i] += float64(r.bias[i])
		}
	}
	if g := r.spec.Groups; g > 1 {
		size := r.experts / g
		sums := make([]float64, g)
		for i := range sums {
			best := slices.Sorted(slices.Values(ranks[i*size : (i+1)*size]))
			sums[i] = best[size-1] + best[size-2]
		}
		for _, i := range order(sums)[r.spec.ChosenGroups:] {
			for k := i * size; k < (i+1)*size; k++ {
				ranks[k] = math.Inf(-1)
			}
		}
	}
	weights := make([]float64, r.experts)
	total := 0.0
	for _, i := range order(ranks)[:r.spec.Chosen] {
		weights[i] = scores[i] * float64(r.spec.Scale)
		total += scores[i]
	}
	for i := range weights {
		if r.spec.Normalize {
			weights[i] /= total
		}
	}
	return weights
}

// order is the indices of the largest first, of equals the lower.
func order(x []float64) []int {
	indices := make([]int, len(x))
	for i := range indices {
		indices[i] = i
	}
	slices.SortStableFunc(indices, func(a, b int) int { return cmp.Compare(x[b], x[a]) })
	return indices
}

func (h *harness) newExperts(format kernels.Format, data []float32, count, out, in int) kernels.Experts {
	h.Helper()
	matrices := make([]kernels.Matrix, count)
	bytes := int64(0)
	for i := range matrices {
		matrices[i] = h.matrix(format, data[i*out*in:(i+1)*out*in], out, in)
		bytes += matrices[i].Bytes()
	}
	e, err := h.d.NewExperts(matrices)
	if err != nil {
		h.Fatalf("NewExperts: %v", err)
	}
	if e.Count() != count || e.Out() != out || e.In() != in || e.Bytes() < bytes {
		h.Fatalf("%d experts of %dx%d are %d of %dx%d, %d bytes", count, out, in, e.Count(), e.Out(), e.In(), e.Bytes())
	}
	return e
}

func (h *harness) newRouting(rows, experts, chosen int) kernels.Routing {
	h.Helper()
	r, err := h.d.NewRouting(rows, experts, chosen)
	if err != nil {
		h.Fatalf("NewRouting(%d, %d, %d): %v", rows, experts, chosen, err)
	}
	return r
}

// routes checks which experts are chosen, and their weights: the output of expert i
// is its bias, unit vector i, so that Combine shows the weights.
func (h *harness) routes() {
	for _, c := range []struct{ experts, chosen, groups, chosenGroups int }{
		{1, 1, 0, 0}, {2, 1, 0, 0}, {4, 4, 0, 0}, {8, 2, 0, 0}, {33, 5, 0, 0}, {128, 8, 1, 1}, {16, 4, 4, 2}, {12, 3, 6, 5}, {8, 2, 2, 1},
	} {
		for variant := range 8 {
			rows := h.between(1, 40)
			r := h.newRouter(c.experts, c.chosen, rows)
			r.spec.Sigmoid = variant&1 != 0
			r.spec.Normalize = variant&2 != 0
			r.spec.Groups, r.spec.ChosenGroups = c.groups, c.chosenGroups
			if variant&4 != 0 {
				r.bias = h.floats(c.experts)
				r.spec.Bias = h.upload(r.bias, 1, c.experts)
				r.spec.Scale = 2.5
			}
			if variant == 2 && c.experts > 4 {
				r.logits[1], r.logits[3] = float32(math.NaN()), float32(math.Inf(-1))
			}
			routing := h.newRouting(rows+3, c.experts, c.chosen)
			h.d.Route(routing, h.upload(r.logits, rows, c.experts), &r.spec, rows)
			if routing.Entries() != rows*c.chosen {
				h.Fatalf("Entries = %d; want %d", routing.Entries(), rows*c.chosen)
			}
			unit := make([]float32, c.experts*c.experts)
			for i := range c.experts {
				unit[i*c.experts+i] = 1
			}
			zero := h.newExperts(kernels.F32, make([]float32, c.experts*c.experts), c.experts, c.experts, 1)
			entries := h.tensor(rows*c.chosen, c.experts)
			h.d.ExpertLinear(entries, h.upload(make([]float32, rows*c.chosen), rows*c.chosen, 1), zero, h.upload(unit, c.experts, c.experts), routing)
			dst := h.tensor(rows, c.experts)
			h.d.Combine(dst, entries, routing, false)
			got := h.read(dst, rows)
			for row := range rows {
				for i, want := range r.want(row) {
					h.near("weight of an expert", row*c.experts+i, got[row*c.experts+i], want, 16*u*math.Abs(want)+1e-30)
				}
			}
		}
	}
}

// mixture is two linear layers of experts, one after the other.
type mixture struct {
	experts, chosen, in, inner, out int
	router                          *router
	data, already                   []float32 // a row of each for each of the batch
	first, second                   []float32
	firstBias, secondBias           []float32 // or nil
}

// want is element o of a row, and a bound of its error: each sum of n products has
// at most n roundings, and so have the weights and their sum.
func (m *mixture) want(row, o int) (want, bound float64) {
	want = float64(m.already[row*m.out+o])
	size := math.Abs(want)
	for e, weight := range m.router.want(row) {
		if weight == 0 {
			continue
		}
		sum, abs := 0.0, 0.0
		if m.secondBias != nil {
			sum = float64(m.secondBias[e*m.out+o])
			abs = math.Abs(sum)
		}
		for k := range m.inner {
			y, yAbs := 0.0, 0.0
			if m.firstBias != nil {
				y = float64(m.firstBias[e*m.inner+k])
				yAbs = math.Abs(y)
			}
			for i := range m.in {
				p := float64(m.data[row*m.in+i]) * float64(m.first[(e*m.inner+k)*m.in+i])
				y += p
				yAbs += math.Abs(p)
			}
			v := float64(m.second[(e*m.out+o)*m.inner+k])
			sum += y * v
			abs += yAbs * math.Abs(v)
		}
		want += weight * sum
		size += weight * abs
	}
	return want, float64(m.in+m.inner+m.chosen+24) * u * size
}

// experts checks a mixture, and that a row has the same bits alone, in any batch,
// and beside any other rows.
func (h *harness) experts() {
	for _, c := range []mixture{
		{experts: 3, chosen: 2, in: 5, inner: 7, out: 4}, {experts: 8, chosen: 3, in: 64, inner: 33, out: 70},
		{experts: 32, chosen: 4, in: 100, inner: 64, out: 96}, {experts: 5, chosen: 5, in: 16, inner: 32, out: 31},
	} {
		const most = 70
		m := c
		m.data, m.already = h.floats(most*c.in), h.floats(most*c.out)
		m.first, m.second = h.floats(c.experts*c.inner*c.in), h.floats(c.experts*c.out*c.inner)
		first, second := h.newExperts(kernels.F32, m.first, c.experts, c.inner, c.in), h.newExperts(kernels.F32, m.second, c.experts, c.out, c.inner)
		m.router = h.newRouter(c.experts, c.chosen, most)
		m.router.spec.Normalize = true
		routing := h.newRouting(most, c.experts, c.chosen)
		for _, biased := range []bool{false, true} {
			var firstBias, secondBias kernels.Tensor
			if biased {
				m.firstBias, m.secondBias = h.floats(c.experts*c.inner), h.floats(c.experts*c.out)
				firstBias, secondBias = h.upload(m.firstBias, c.experts, c.inner), h.upload(m.secondBias, c.experts, c.out)
			}
			run := func(lo, hi int) []float32 {
				rows := hi - lo
				h.d.Route(routing, h.upload(m.router.logits[lo*c.experts:hi*c.experts], rows, c.experts), &m.router.spec, rows)
				x, inner, entries := h.tensor(most*c.chosen, c.in), h.tensor(most*c.chosen, c.inner), h.tensor(most*c.chosen, c.out)
				h.d.Dispatch(x, h.upload(m.data[lo*c.in:hi*c.in], rows, c.in), routing)
				h.d.ExpertLinear(inner, x, first, firstBias, routing)
				h.d.ExpertLinear(entries, inner, second, secondBias, routing)
				dst := h.upload(m.already[lo*c.out:hi*c.out], rows, c.out)
				h.d.Combine(dst, entries, routing, true)
				return h.read(dst, rows)
			}
			whole := run(0, most)
			for _, row := range []int{0, h.rng.IntN(most)} {
				for o := range c.out {
					want, bound := m.want(row, o)
					h.near("mixture of experts", row*c.out+o, whole[row*c.out+o], want, bound)
				}
			}
			for _, r := range [][2]int{{0, 1}, {most - 1, most}, {0, h.between(1, most)}, {h.rng.IntN(most), most}} {
				h.same("mixture of experts of other rows", run(r[0], r[1]), whole[r[0]*c.out:r[1]*c.out])
			}
		}
	}
}

// expertFormats checks that the rows of an expert have the bits of a linear layer
// of its weights, in every format.
func (h *harness) expertFormats() {
	const experts, chosen, rows, in, out = 4, 2, 19, 130, 70
	for _, format := range kernels.Formats() {
		data := h.floats(experts * out * in)
		bias := h.floats(experts * out)
		r := h.newRouter(experts, chosen, rows)
		routing := h.newRouting(rows, experts, chosen)
		h.d.Route(routing, h.upload(r.logits, rows, experts), &r.spec, rows)
		x, entries := h.upload(h.floats(rows*in), rows, in), h.tensor(rows*chosen, in)
		h.d.Dispatch(entries, x, routing)
		got := h.tensor(rows*chosen, out)
		h.d.ExpertLinear(got, entries, h.newExperts(format, data, experts, out, in), h.upload(bias, experts, out), routing)
		all := h.read(got, rows*chosen)
		for e := range experts {
			want := h.tensor(rows, out)
			h.d.Linear(want, x, h.matrix(format, data[e*out*in:(e+1)*out*in], out, in), h.upload(bias[e*out:(e+1)*out], 1, out), rows)
			for row, values := range slices.Collect(slices.Chunk(h.read(want, rows), out)) {
				if r.want(row)[e] > 0 {
					h.same("rows of an expert in "+format.String(), all[:out], values)
					all = all[out:]
				}
			}
		}
	}
}

// clampedSwiGLU has as many roundings as SwiGLU, and one of u+1.
func (h *harness) clampedSwiGLU() {
	for _, cols := range []int{1, 3, 16, 37, 512} {
		const rows, limit = 9, 7
		alpha := float32(1.702)
		data := h.floats(rows * 2 * cols)
		for i := range data {
			data[i] *= 4
		}
		copy(data[:cols], []float32{1e30, -1e30, 7, -7, -88, 0})
		dst := h.tensor(rows+1, cols)
		h.d.ClampedSwiGLU(dst, h.upload(data, rows, 2*cols), rows, alpha, limit)
		for i, y := range h.read(dst, rows) {
			g, up := float64(data[i/cols*2*cols+i%cols]), float64(data[i/cols*2*cols+cols+i%cols])
			g, up = min(g, limit), max(min(up, limit), -limit)
			gate := g / (1 + math.Exp(-float64(alpha)*g))
			bound := (16+4*min(math.Abs(g), 100))*u*math.Abs(gate)*(math.Abs(up)+1) + 1e-35*(1+math.Abs(g))
			h.near("ClampedSwiGLU", i, y, gate*(up+1), bound)
		}
	}
}
