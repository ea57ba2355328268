package kerneltest

import (
	"math"

	"deepprune/kernels"
)

type geometry struct {
	layers, heads, kvHeads, dim int
	window                      int  // of every second layer, 0 for none
	sinks                       bool // whether the heads have sinks
	format                      kernels.Format
}

// world is a KV arena with sequences in it, kept beside a plain copy of every
// key and value, so that attention can be checked against all it should see.
type world struct {
	*harness
	geometry
	kv        kernels.KV
	spec      kernels.RotarySpec // without Window
	sinks     []float32          // of each head, or nil
	blocks    int32              // handed out so far
	limit     int32
	sequences []*sequence
}

// sequence holds the inputs of a sequence; they are the whole of it from the
// start, and done of its positions have been computed.
type sequence struct {
	blocks []int32
	rows   [][]float32 // of each position: q, k and v heads side by side
	done   int
}

// newWorld makes an arena of the given number of blocks, every slot of which
// holds what would ruin a result: NaN and infinity.
func newWorld(h *harness, g geometry, blocks int32) *world {
	w := &world{harness: h, geometry: g, limit: blocks}
	layout := kernels.KVLayout{Layers: g.layers, KVHeads: g.kvHeads, HeadDim: g.dim, Format: g.format}
	const perPage = 3
	page := perPage*layout.BlockBytes() + 64 // a page has an unused rest
	pages := int64(blocks+perPage-1) / perPage
	arena, err := h.d.NewArena(pages * page)
	if err != nil {
		h.Fatal(err)
	}
	if arena.Bytes() < pages*page {
		h.Fatalf("an arena of %d bytes; want %d", arena.Bytes(), pages*page)
	}
	w.kv = kernels.KV{Arena: arena, KVLayout: layout, PageBytes: page}

	const positions = 1024
	cos := make([]float32, positions*g.dim/2)
	for i := range cos {
		cos[i] = 1
	}
	w.spec = kernels.RotarySpec{
		AttentionSpec: kernels.AttentionSpec{Heads: g.heads, KVHeads: g.kvHeads, HeadDim: g.dim, Scale: float32(1 / math.Sqrt(float64(g.dim)))},
		Cos:           h.upload(cos, positions, g.dim/2),
		Sin:           h.upload(make([]float32, len(cos)), positions, g.dim/2),
	}
	if g.sinks {
		w.sinks = h.floats(g.heads)
		w.spec.Sinks = h.upload(w.sinks, 1, g.heads)
	}
	poison := [4]float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), -math.MaxFloat32}
	data := make([]float32, kernels.BlockSize*w.cols())
	for i := range data {
		data[i] = poison[h.rng.IntN(len(poison))]
	}
	for block := range blocks {
		var b kernels.Batch
		b.Add(make([]int32, kernels.BlockSize), 0, []int32{block}, false)
		b.Plan()
		for layer := range g.layers {
			// The rotation is of the positions; what it does to poison is poison.
			h.d.RotaryWriteKV(h.upload(data, kernels.BlockSize, w.cols()), &w.spec, w.kv, layer, &b)
		}
	}
	return w
}

func (w *world) cols() int { return (w.heads + 2*w.kvHeads) * w.dim }

func (w *world) block() int32 {
	if w.blocks == w.limit {
		w.Fatalf("kerneltest: the test needs more than %d blocks", w.limit)
	}
	w.blocks++
	return w.blocks - 1
}

// add makes a sequence of n more positions than parent, if there is one, which is
// computed first: the new sequence shares its whole blocks and copies its last.
func (w *world) add(parent *sequence, n int) *sequence {
	s := new(sequence)
	if parent != nil {
		if left := len(parent.rows) - parent.done; left > 0 {
			w.run([]part{{parent, left}})
		}
		s.done = parent.done
		s.rows = append(s.rows, parent.rows...)
		s.blocks = append(s.blocks, parent.blocks[:s.done/kernels.BlockSize]...)
	}
	for range n {
		s.rows = append(s.rows, w.floats(w.cols()))
	}
	for len(s.blocks)*kernels.BlockSize < len(s.rows) {
		s.blocks = append(s.blocks, w.block())
	}
	if s.done%kernels.BlockSize != 0 {
		i := s.done / kernels.BlockSize
		w.d.CopyBlock(w.kv, s.blocks[i], parent.blocks[i])
	}
	w.sequences = append(w.sequences, s)
	return s
}

// part is the next rows of a sequence in a batch.
type part struct {
	*sequence
	rows int
}

// left reports whether anything is left to do.
func (w *world) left() bool {
	for _, s := range w.sequences {
		if s.done < len(s.rows) {
			return true
		}
	}
	return false
}

// batch returns the next rows, of chunks and of one, of all that are not done.
func (w *world) batch() []part {
	var parts []part
	for _, s := range w.sequences {
		if left := len(s.rows) - s.done; left > 0 {
			n := 1
			if w.rng.IntN(3) > 0 {
				n = w.between(1, min(left, 40))
			}
			parts = append(parts, part{s, n})
		}
	}
	return parts
}

// compute writes the parts' keys and values and returns attention's output of all
// rows, layer after layer. Layers are told apart by their sign and scale.
func (w *world) compute(parts []part) []float32 {
	var b kernels.Batch
	var data []float32
	for _, p := range parts {
		b.Add(make([]int32, p.rows), p.done, p.blocks, false)
		for _, row := range p.sequence.rows[p.done : p.done+p.rows] {
			data = append(data, row...)
		}
	}
	b.Plan()
	var out []float32
	for layer := range w.layers {
		x := make([]float32, len(data))
		for i, v := range data {
			x[i] = v * layerScale(layer)
		}
		qkv := w.upload(x, b.Rows(), w.cols())
		w.d.RotaryWriteKV(qkv, &w.spec, w.kv, layer, &b)
		w.same("rotation by nothing", w.read(qkv, b.Rows()), x)
		dst := w.tensor(b.Rows(), w.heads*w.dim)
		spec := w.spec.AttentionSpec
		spec.Window = w.windowOf(layer)
		w.d.Attention(dst, qkv, &spec, w.kv, layer, &b)
		out = append(out, w.read(dst, b.Rows())...)
	}
	return out
}

// windowOf is the window of a layer: every second has one, the first included.
func (w *world) windowOf(layer int) int { return w.window * (1 - layer%2) }

func layerScale(layer int) float32 { return 1 - 1.5*float32(layer%2) + float32(layer)/8 }

// run computes the parts and marks them as done.
func (w *world) run(parts []part) []float32 {
	out := w.compute(parts)
	for _, p := range parts {
		p.done += p.rows
	}
	return out
}

// kept is a key or a value as the arena keeps it.
func (w *world) kept(x []float32, scale float32) []float64 {
	y := make([]float64, len(x))
	var most float32
	for i, v := range x {
		y[i] = float64(v * scale)
		most = max(most, float32(math.Abs(y[i])))
	}
	unit := most / 127
	for i, v := range x {
		if w.format == kernels.Int8 {
			y[i] = float64(unit) * math.RoundToEven(float64(v*scale/unit))
		}
		if w.format == kernels.BF16 { // 8 bits
			fraction, exponent := math.Frexp(y[i])
			y[i] = math.Ldexp(math.RoundToEven(math.Ldexp(fraction, 8)), exponent-8)
		}
	}
	return y
}

// rounding is the error of a query or a weight that is rounded to match keys and
// values, relatively.
func (w *world) rounding() float64 {
	if w.format == kernels.F32 {
		return 0
	}
	return 1.0 / (1 << 9)
}

// check compares the attention of the parts, not yet marked as done, with the
// reference: softmax over all keys it sees, in float64, of keys and values as they
// are kept. A score of d products has an error of (d+2)·u·Σ|q·k|, and of rounding
// times that sum, which changes a weight by as much, relatively, and so does the
// sum of weights; sums over n keys and the exponential add to it. (The race
// detector would only slow the reference down.)
//
//go:norace
func (w *world) check(parts []part, out []float32) {
	i := 0
	for layer := range w.layers {
		f := layerScale(layer)
		for _, p := range parts {
			w.checkPart(p, layer, f, out[i:])
			i += p.rows * w.heads * w.dim
		}
	}
	if i != len(out) {
		w.Fatalf("%d values checked of %d", i, len(out))
	}
}

//go:norace
func (w *world) checkPart(p part, layer int, f float32, out []float32) {
	last := p.done + p.rows
	for head := range w.heads {
		kvHead := head / (w.heads / w.kvHeads)
		keys, values := make([][]float64, last), make([][]float64, last)
		for j, row := range p.sequence.rows[:last] {
			keys[j] = w.kept(row[(w.heads+kvHead)*w.dim:][:w.dim], f)
			values[j] = w.kept(row[(w.heads+w.kvHeads+kvHead)*w.dim:][:w.dim], f)
		}
		for row := range p.rows {
			pos := p.done + row
			q := p.sequence.rows[pos][head*w.dim:][:w.dim]
			oldest := 0
			if window := w.windowOf(layer); window > 0 {
				oldest = max(0, pos-window+1)
			}
			scores := make([]float64, pos+1-oldest)
			largest, worst, sink := math.Inf(-1), 0.0, math.Inf(-1)
			if w.sinks != nil {
				sink = float64(w.sinks[head])
				largest = sink
			}
			for j, k := range keys[oldest : pos+1] {
				dot, abs := 0.0, 0.0
				for d := range q {
					x := float64(f*q[d]) * k[d] * float64(w.spec.Scale)
					dot += x
					abs += math.Abs(x)
				}
				scores[j] = dot
				largest, worst = max(largest, dot), max(worst, abs)
			}
			want, abs := make([]float64, w.dim), make([]float64, w.dim)
			sum := math.Exp(sink - largest)
			for j, s := range scores {
				e := math.Exp(s - largest)
				sum += e
				for d, v := range values[oldest+j] {
					want[d] += e * v
					abs[d] += e * math.Abs(v)
				}
			}
			at := (row*w.heads + head) * w.dim
			for d := range want {
				bound := (2*float64(w.dim+8)*u*worst + float64(pos+32)*u) * abs[d] / sum
				bound += math.Expm1(2*w.rounding()*(worst+1)) * abs[d] / sum
				w.near("Attention", at+d, out[at+d], want[d]/sum, bound+1e-30)
			}
		}
	}
}
