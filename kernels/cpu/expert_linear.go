package cpu

import "deepprune/kernels"

func (d *device) ExpertLinear(dst, x kernels.Tensor, w kernels.Experts, bias kernels.Tensor, r kernels.Routing) {
	j := &d.expert
	to, from := dst.(*tensor), x.(*tensor)
	j.w, j.routing, j.bias = w.(*experts), r.(*routing), nil
	if j.w.Count() != len(j.routing.first)-1 || from.cols != j.w.In() || to.cols != j.w.Out() {
		mismatch("expert linear: %d columns by %d experts of %dx%d into %d columns", from.cols, j.w.Count(), j.w.Out(), j.w.In(), to.cols)
	}
	to.must("expert linear", j.routing.Entries())
	from.must("expert linear", j.routing.Entries())
	if bias != nil {
		if j.bias = bias.(*tensor); j.bias.cols != j.w.Out() || j.bias.rows != j.w.Count() {
			mismatch("expert linear: biases %dx%d of %d experts with %d outputs", j.bias.rows, j.bias.cols, j.w.Count(), j.w.Out())
		}
	}
	format := j.w.matrices[0].format
	j.product = product{multiplier: d.set.linear[format], dst: to.data}
	j.product.x, j.product.xStride = d.prepare(from, j.routing.Entries(), format)
	j.plan(len(d.pool.workers))
	d.pool.run(j, len(j.items))
}

// expertJob computes some panels of one expert, for all of its rows, per chunk: each
// expert's weights are read once, and those of an expert that nobody chose are not.
type expertJob struct {
	product product // but for the weights and the bias
	w       *experts
	bias    *tensor // or nil
	routing *routing
	items   []expertItem
}

// expertItem is panels first to last of an expert.
type expertItem struct{ expert, first, last int32 }

// plan cuts the work into items that are worth handing to another core.
func (j *expertJob) plan(threads int) {
	j.items = j.items[:0]
	panels := j.w.matrices[0].panels()
	for e := range j.w.matrices {
		lo, hi := j.routing.of(e)
		if lo == hi {
			continue
		}
		step := max(1, min(chunkWork/((hi-lo)*j.w.In()*panelWidth), ceil(panels, threads)))
		for p := 0; p < panels; p += step {
			j.items = append(j.items, expertItem{int32(e), int32(p), int32(min(p+step, panels))})
		}
	}
}

func (j *expertJob) chunk(w *worker, i int) {
	it := j.items[i]
	lo, hi := j.routing.of(int(it.expert))
	one := j.product
	one.w = j.w.matrices[it.expert]
	if j.bias != nil {
		one.bias = j.bias.row(int(it.expert))
	}
	for p := it.first; p < it.last; p++ {
		one.panel(w, int(p), lo, hi)
	}
}
