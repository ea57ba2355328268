//go:build cuda

package cuda

import (
	"cmp"

	"deepprune/kernels"
	"deepprune/kernels/cuda/driver"
)

// attentionFunctions are the kernels of attention. Those for heads have one for heads of
// up to 64, 128 and 256, see sizeOf.
type attentionFunctions struct {
	rotary map[kernels.Format]driver.Function
	attend map[kernels.Format][3]driver.Function
	merge  [3]driver.Function
}

func (f *attentionFunctions) load(l *loader) {
	f.rotary = make(map[kernels.Format]driver.Function)
	f.attend = make(map[kernels.Format][3]driver.Function)
	for format, name := range map[kernels.Format]string{kernels.F32: "f32", kernels.BF16: "bf16", kernels.Int8: "int8"} {
		f.rotary[format] = l.function("rotary_" + name)
		f.attend[format] = [3]driver.Function{
			l.function("attend_" + name + "_64"), l.function("attend_" + name + "_128"), l.function("attend_" + name + "_256"),
		}
	}
	few := l.function("attention_merge_128")
	f.merge = [3]driver.Function{few, few, l.function("attention_merge_256")}
}

func sizeOf(dim int) int {
	switch {
	case dim <= 64:
		return 0
	case dim <= 128:
		return 1
	}
	return 2
}

const (
	// sharedBytes is shared_bytes of attention.cuh.
	sharedBytes = 31 << 10
	// statesBytes bounds the memory of states: a step that needs more is computed some
	// rows at a time.
	statesBytes = 256 << 20
	// longestWindow bounds windows: a wider one leaves out nothing.
	longestWindow = 1 << 30
)

// attentionState is the work of a step for every shape of attention that was met.
type attentionState struct {
	plans   []*attentionPlan
	outs    buffer // of states
	sums    buffer
	counter buffer

	occupy int // blocks of CUDA threads that should have something to do; 0: what the GPU holds
	memory int // bytes for states; 0: statesBytes
}

// attentionPlan is the work of a step for one shape.
type attentionPlan struct {
	shape  attentionShape
	dim    int
	staged *kernels.Batch // whose work it is, in a step that has been staged
	work   attentionWork

	headers, tables []int32
	rounds          int // that have headers
	decode          int // the most of any decode step: its graphs have so many
	onDevice        struct{ headers, tables buffer }
}

// queriesOf is how many queries an item has at most: most_queries of the kernels.
func queriesOf(format kernels.Format, dim int) int {
	switch {
	case sizeOf(dim) == 2:
		return 16
	case format == kernels.F32:
		return 32
	}
	return 64
}

// stageAttention fills the tables that Attention reads, and reserves its memory.
func (d *device) stageAttention(b *kernels.Batch) {
	for _, p := range d.attention.plans {
		d.plan(p, b)
		p.staged = b
	}
}

// plan cuts a batch and copies the tables.
func (d *device) plan(p *attentionPlan, b *kernels.Batch) {
	heads := p.shape.group * p.shape.kvHeads
	limit := cmp.Or(d.attention.memory, statesBytes) / (4 * heads * p.dim)
	p.headers, p.tables, p.rounds = p.headers[:0], p.tables[:0], 0
	states := 0
	p.work.cut(p.shape, b)
	for p.work.round(limit) {
		p.headers, p.tables = p.work.appendTables(p.headers, p.tables)
		states = max(states, len(p.work.splits))
		p.rounds++
	}
	if isDecode(b) {
		if p.rounds > p.decode && p.decode > 0 {
			d.stream.Sync()
			d.dropGraphs() // they have too few
		}
		p.decode = max(p.decode, p.rounds)
		for ; p.rounds < p.decode; p.rounds++ {
			p.headers = append(p.headers, make([]int32, headerWords)...)
		}
	}
	d.reserve(&d.attention.outs, int64(states)*int64(heads)*int64(p.dim)*4)
	d.reserve(&d.attention.sums, int64(states)*int64(heads)*8)
	if d.attention.counter.bytes == 0 {
		d.stream.Zero(d.reserve(&d.attention.counter, 16), 16)
	}
	upload(d, &p.onDevice.headers, p.headers)
	upload(d, &p.onDevice.tables, p.tables)
}

// isDecode reports whether every run has one row.
func isDecode(b *kernels.Batch) bool {
	for i := range b.Runs {
		if b.Runs[i].Rows != 1 {
			return false
		}
	}
	return true
}

// planOf is the plan of a shape, made if it is new.
func (d *device) planOf(spec *kernels.AttentionSpec, format kernels.Format, b *kernels.Batch) *attentionPlan {
	shape := attentionShape{
		group: spec.Heads / spec.KVHeads, kvHeads: spec.KVHeads, window: spec.Window,
		queries: queriesOf(format, spec.HeadDim), blocks: cmp.Or(d.attention.occupy, d.attentionBlocks(spec.HeadDim)),
	}
	if shape.window > longestWindow {
		shape.window = 0
	}
	var p *attentionPlan
	for _, q := range d.attention.plans {
		if q.shape == shape && q.dim == spec.HeadDim {
			p = q
		}
	}
	if p == nil {
		p = &attentionPlan{shape: shape, dim: spec.HeadDim}
		d.attention.plans = append(d.attention.plans, p)
	}
	if !d.step.staged || p.staged != b {
		d.plan(p, b)
		p.staged = nil
		if d.step.staged {
			p.staged = b
		}
	}
	return p
}

// attentionBlocks is the number of blocks of CUDA threads that take items: what a GPU
// holds at a time, by the registers that the kernels are bounded to.
func (d *device) attentionBlocks(dim int) int {
	if sizeOf(dim) == 0 {
		return 3 * d.info.SMs
	}
	return 2 * d.info.SMs
}

func (d *device) Attention(dst, qkv kernels.Tensor, spec *kernels.AttentionSpec, kv kernels.KV, layer int, b *kernels.Batch) {
	to, x := dst.(*tensor), qkv.(*tensor)
	checkHeads(x, spec, &kv, layer, b)
	switch {
	case to.cols != spec.Heads*spec.HeadDim:
		mismatch("attention: %d heads of %d into %d columns", spec.Heads, spec.HeadDim, to.cols)
	case spec.Window < 0:
		mismatch("attention: a window of %d keys", spec.Window)
	case spec.Sinks != nil && spec.Sinks.Cols() != spec.Heads:
		mismatch("attention: %d sinks for %d heads", spec.Sinks.Cols(), spec.Heads)
	}
	to.must("attention", b.Rows())
	if b.Rows() == 0 {
		return
	}
	p := d.planOf(spec, kv.Format, b)
	const threads = 128
	size, s := sizeOf(spec.HeadDim), &d.attention
	for round := range p.rounds {
		a := kvArgs(d.args.Reset().Pointer(x.at), &kv, layer)
		a.Pointer(s.outs.at).Pointer(s.sums.at).Pointer(p.onDevice.headers.at).Int(round).Pointer(p.onDevice.tables.at).
			Pointer(s.counter.at).Int(spec.Heads).Int(spec.KVHeads).Int(spec.HeadDim).Int(p.shape.window).Float(spec.Scale)
		d.stream.Launch(d.fn.attention.attend[kv.Format][size], [3]uint32{uint32(d.attentionBlocks(spec.HeadDim)), 1, 1}, [3]uint32{threads, 1, 1}, sharedBytes, a)

		a = d.args.Reset().Pointer(to.at).Pointer(s.outs.at).Pointer(s.sums.at).Pointer(pointer(spec.Sinks)).
			Pointer(p.onDevice.headers.at).Int(round).Pointer(p.onDevice.tables.at).Pointer(s.counter.at).Int(spec.Heads).Int(spec.HeadDim)
		blocks := min(ceil(b.Rows()*spec.Heads, threads/32), 16*d.info.SMs)
		d.stream.Launch(d.fn.attention.merge[size], [3]uint32{uint32(blocks), 1, 1}, [3]uint32{threads, 1, 1}, 0, a)
	}
}
