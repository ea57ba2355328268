//go:build cuda

package cuda

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"deepprune/kernels"
	"deepprune/kernels/cpu"
)

// traces is a step of traces that share a question, and a chunk of another, over more
// splits than one.
type traces struct {
	kv    kernels.KV
	spec  kernels.RotarySpec
	parts []tracePart
}

type tracePart struct {
	start  int
	blocks []int32
	rows   []float32 // q, k and v of each row
}

// newTraces fills an arena of a device; the same seed makes the same on another.
func newTraces(t *testing.T, d kernels.Device, format kernels.Format, dim, window int, seed uint64) *traces {
	t.Helper()
	const heads, kvHeads, positions, blocks = 6, 2, 2048, 400
	rng := rand.New(rand.NewPCG(seed, 1))
	floats := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return x
	}
	upload := func(x []float32, rows, cols int) kernels.Tensor {
		to, err := d.Upload(x, rows, cols)
		if err != nil {
			t.Fatal(err)
		}
		return to
	}
	layout := kernels.KVLayout{Layers: 1, KVHeads: kvHeads, HeadDim: dim, Format: format}
	w := &traces{kv: kernels.KV{KVLayout: layout, PageBytes: 7 * layout.BlockBytes()}}
	var err error
	if w.kv.Arena, err = d.NewArena(w.kv.PageBytes * (blocks/7 + 1)); err != nil {
		t.Fatal(err)
	}
	cols := (heads + 2*kvHeads) * dim
	w.spec = kernels.RotarySpec{
		AttentionSpec: kernels.AttentionSpec{Heads: heads, KVHeads: kvHeads, HeadDim: dim, Scale: float32(1 / math.Sqrt(float64(dim))),
			Window: window, Sinks: upload(floats(heads), 1, heads)},
		Cos: upload(slices.Repeat([]float32{1}, positions*dim/2), positions, dim/2),
		Sin: upload(make([]float32, positions*dim/2), positions, dim/2),
	}
	next := int32(0)
	// sequence writes the keys and values of a sequence up to position end.
	sequence := func(start, end int, table []int32) []int32 {
		table = slices.Clone(table)
		for len(table)*kernels.BlockSize < end {
			table = append(table, next)
			next++
		}
		for start < end {
			n := min(end-start, 128)
			var b kernels.Batch
			b.Add(make([]int32, n), start, table, false)
			b.Plan()
			d.RotaryWriteKV(upload(floats(n*cols), n, cols), &w.spec, w.kv, 0, &b)
			start += n
		}
		return table
	}
	question := 640 + rng.IntN(20)*kernels.BlockSize
	shared := sequence(0, question, nil)
	for i := range 5 {
		start := question + 1 + rng.IntN(300)
		rows := 1
		if i == 3 {
			rows = 20
		}
		w.parts = append(w.parts, tracePart{start, sequence(question, start+rows, shared), floats(rows * cols)})
	}
	return w
}

// batch makes a step of parts, and its rows.
func (w *traces) batch(parts []tracePart) (*kernels.Batch, []float32) {
	b := new(kernels.Batch)
	var rows []float32
	for _, p := range parts {
		n := len(p.rows) / ((w.spec.Heads + 2*w.spec.KVHeads) * w.spec.HeadDim)
		b.Add(make([]int32, n), p.start, p.blocks, false)
		rows = append(rows, p.rows...)
	}
	b.Plan()
	return b, rows
}

// attention computes a step.
func (w *traces) attention(t *testing.T, d kernels.Device, b *kernels.Batch, rows []float32) []float32 {
	t.Helper()
	cols := w.spec.Heads * w.spec.HeadDim
	qkv, err := d.Upload(append(slices.Clone(rows), make([]float32, b.Rows()*(cols+2*w.spec.KVHeads*w.spec.HeadDim)-len(rows))...),
		b.Rows(), cols+2*w.spec.KVHeads*w.spec.HeadDim)
	if err != nil {
		t.Fatal(err)
	}
	dst, err := d.NewTensor(b.Rows(), cols)
	if err != nil {
		t.Fatal(err)
	}
	d.RotaryWriteKV(qkv, &w.spec, w.kv, 0, b)
	d.Attention(dst, qkv, &w.spec.AttentionSpec, w.kv, 0, b)
	out := make([]float32, b.Rows()*cols)
	for r := range b.Rows() {
		d.Read(dst, r, out[r*cols:][:cols])
	}
	return out
}

// TestAttentionCuts computes the same step however it is cut: into pieces and rounds of
// any size, by each sequence alone, and with rows of padding.
func TestAttentionCuts(t *testing.T) {
	d := open(t)
	defer d.Close()
	host, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	seed := rand.Uint64()
	for _, c := range []struct {
		format      kernels.Format
		dim, window int
	}{
		{kernels.BF16, 64, 0}, {kernels.BF16, 128, 600}, {kernels.BF16, 256, 0}, {kernels.Int8, 80, 300}, {kernels.Int8, 256, 0}, {kernels.F32, 144, 700},
	} {
		w := newTraces(t, d, c.format, c.dim, c.window, seed)
		b, rows := w.batch(w.parts)
		want := w.attention(t, d, b, rows)
		same := func(what string, got, want []float32) {
			t.Helper()
			for i := range want {
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
					t.Fatalf("seed %d, %v, dim %d, window %d: %s: value %d = %v; want %v", seed, c.format, c.dim, c.window, what, i, got[i], want[i])
				}
			}
		}

		for _, occupy := range []int{1, 1 << 20} {
			d.attention.occupy = occupy
			same("pieces", w.attention(t, d, b, rows), want)
		}
		d.attention.memory = 20 * 4 * w.spec.Heads * c.dim
		same("rounds", w.attention(t, d, b, rows), want)
		d.attention.occupy = 0
		same("rounds", w.attention(t, d, b, rows), want)
		d.attention.memory = 0

		cols, first := w.spec.Heads*c.dim, 0
		for i := range w.parts {
			alone, rows := w.batch(w.parts[i : i+1])
			if i%3 == 0 { // a single row, and the chunk
				same("alone", w.attention(t, d, alone, rows), want[first*cols:(first+alone.Rows())*cols])
			}
			first += alone.Rows()
		}
		padded := d.graphs.pad(b, b.Rows()+5)
		got := w.attention(t, d, padded, rows)
		same("padded", got[:len(want)], want)
		same("padding", got[len(want):], make([]float32, 5*cols))

		// The CPU rounds at other places where numbers are rounded to bfloat16.
		bound := 2e-5
		if c.format != kernels.F32 {
			bound = 2e-2
		}
		other := newTraces(t, host, c.format, c.dim, c.window, seed)
		ob, orows := other.batch(other.parts)
		for i, x := range other.attention(t, host, ob, orows) {
			if diff := math.Abs(float64(x - want[i])); !(diff <= bound) {
				t.Fatalf("seed %d, %v, dim %d, window %d: value %d = %v; the CPU has %v", seed, c.format, c.dim, c.window, i, want[i], x)
			}
		}
	}
}
