package kerneltest

import (
	"math"

	"deepprune/kernels"
)

// rotary compares the rotation with its formula. Normalising has the error of
// RMSNorm, the rotation adds two roundings of each product.
func (h *harness) rotary() {
	for _, g := range []geometry{
		{layers: 1, heads: 2, kvHeads: 1, dim: 32}, {layers: 1, heads: 4, kvHeads: 2, dim: 48},
		{layers: 1, heads: 3, kvHeads: 3, dim: 80}, {layers: 1, heads: 8, kvHeads: 1, dim: 128},
	} {
		for _, normed := range []bool{false, true} {
			h.rotaryOf(g, normed)
		}
	}
}

func (h *harness) rotaryOf(g geometry, normed bool) {
	w := newWorld(h, g, 4)
	const positions, eps, rows = 64, 1e-6, 37
	half := g.dim / 2
	cos, sin := make([]float32, positions*half), make([]float32, positions*half)
	for i := range cos {
		s, c := math.Sincos(10 * h.rng.NormFloat64())
		cos[i], sin[i] = float32(c), float32(s)
	}
	spec := w.spec
	spec.Cos, spec.Sin, spec.Eps = h.upload(cos, positions, half), h.upload(sin, positions, half), eps
	qNorm, kNorm := h.floats(g.dim), h.floats(g.dim)
	if normed {
		spec.QNorm, spec.KNorm = h.upload(qNorm, 1, g.dim), h.upload(kNorm, 1, g.dim)
	}
	data := h.floats(rows * w.cols())
	qkv := h.upload(data, rows, w.cols())
	start := h.between(0, 16)
	var b kernels.Batch
	b.Add(make([]int32, rows), start, []int32{2, 0, 3, 1}, false)
	b.Plan()
	h.d.RotaryWriteKV(qkv, &spec, w.kv, 0, &b)
	got := h.read(qkv, rows)
	for r := range rows {
		for head := range g.heads + 2*g.kvHeads {
			at := r*w.cols() + head*g.dim
			x, y := data[at:at+g.dim], got[at:at+g.dim]
			if head >= g.heads+g.kvHeads {
				h.same("values", y, x)
				continue
			}
			n := make([]float64, g.dim)
			squares := 0.0
			for i, v := range x {
				n[i] = float64(v)
				squares += n[i] * n[i]
			}
			if normed {
				weight := qNorm
				if head >= g.heads {
					weight = kNorm
				}
				for i := range n {
					n[i] *= float64(weight[i]) / math.Sqrt(squares/float64(g.dim)+eps)
				}
			}
			for i := range half {
				c, s := float64(cos[(start+r)*half+i]), float64(sin[(start+r)*half+i])
				a, b := n[i], n[i+half]
				bound := (float64(g.dim)/2 + 12) * u
				h.near("rotated", at+i, y[i], a*c-b*s, bound*(math.Abs(a*c)+math.Abs(b*s)))
				h.near("rotated", at+i+half, y[i+half], b*c+a*s, bound*(math.Abs(b*c)+math.Abs(a*s)))
			}
		}
	}
}

var geometries = []geometry{
	{layers: 3, heads: 6, kvHeads: 2, dim: 32},
	{layers: 1, heads: 3, kvHeads: 3, dim: 48},
	{layers: 2, heads: 8, kvHeads: 1, dim: 64},
	{layers: 1, heads: 4, kvHeads: 4, dim: 80},
	{layers: 1, heads: 8, kvHeads: 2, dim: 128},
	{layers: 2, heads: 2, kvHeads: 2, dim: 16},
	{layers: 2, heads: 8, kvHeads: 2, dim: 64, window: 50, sinks: true},
	{layers: 1, heads: 4, kvHeads: 2, dim: 32, window: 1},
	{layers: 2, heads: 3, kvHeads: 1, dim: 48, window: 64},
	{layers: 1, heads: 2, kvHeads: 2, dim: 80, window: 75, sinks: true},
	{layers: 1, heads: 2, kvHeads: 1, dim: 32, window: 1 << 40},
	{layers: 2, heads: 6, kvHeads: 2, dim: 32, format: kernels.BF16},
	{layers: 2, heads: 4, kvHeads: 2, dim: 128, window: 77, sinks: true, format: kernels.BF16},
	{layers: 1, heads: 5, kvHeads: 1, dim: 48, window: 33, format: kernels.BF16},
	{layers: 2, heads: 4, kvHeads: 2, dim: 64, window: 50, sinks: true, format: kernels.Int8},
	{layers: 1, heads: 3, kvHeads: 1, dim: 48, format: kernels.Int8},
}

// attention runs several groups of sequences that share their beginnings, at
// prompts and chunks of any length beside single rows, and checks every row
// against the reference and against the same rows in a batch of their own.
func (h *harness) attention() {
	for _, g := range geometries {
		w := newWorld(h, g, 120)
		w.add(nil, 1)
		for range 2 {
			question := w.add(nil, h.between(1, 150))
			for range h.between(1, 4) {
				w.add(question, h.between(1, 40))
			}
		}
		for w.left() {
			parts := w.batch()
			out := w.compute(parts)
			w.check(parts, out)
			for _, p := range parts {
				h.same("attention alone", w.compute([]part{p}), w.of(p, parts, out))
				p.done += p.rows
			}
		}
	}
}

// of returns what out, the result of parts, holds of p.
func (w *world) of(p part, parts []part, out []float32) []float32 {
	rows, first := 0, 0
	for _, q := range parts {
		if q.sequence == p.sequence {
			first = rows
		}
		rows += q.rows
	}
	cols := w.heads * w.dim
	var mine []float32
	for layer := range w.layers {
		mine = append(mine, out[(layer*rows+first)*cols:][:p.rows*cols]...)
	}
	return mine
}

// chunks computes a sequence at once, row by row, and in chunks.
func (h *harness) chunks() {
	for _, g := range geometries {
		g.layers = 1
		w := newWorld(h, g, 120)
		whole := w.add(nil, h.between(130, 160))
		want := w.run([]part{{whole, len(whole.rows)}})
		for _, most := range []int{1, 7, 16, 100} {
			s := &sequence{rows: whole.rows}
			for len(s.blocks) < len(whole.blocks) {
				s.blocks = append(s.blocks, w.block())
			}
			w.blocks -= int32(len(s.blocks)) // the next may have them
			var got []float32
			for s.done < len(s.rows) {
				n := min(len(s.rows)-s.done, most)
				if most > 1 {
					n = min(n, h.between(1, most))
				}
				got = append(got, w.run([]part{{s, n}})...)
			}
			h.same("attention in chunks", got, want)
		}
	}
}

// causality computes a chunk whose last rows have values that are not finite: the
// rows before them have weight 0 for these, which must not make NaN of them.
func (h *harness) causality() {
	for _, g := range geometries {
		g.layers = 1
		w := newWorld(h, g, 40)
		s := w.add(nil, h.between(20, 120))
		n := h.between(1, len(s.rows)-1)
		want := w.compute([]part{{s, n}})
		for _, row := range s.rows[n:] {
			for i := (g.heads + g.kvHeads) * g.dim; i < len(row); i++ {
				row[i] = float32(math.Inf(1 - 2*h.rng.IntN(2)))
			}
		}
		got := w.compute([]part{{s, len(s.rows)}})
		h.same("attention before what is not finite", got[:len(want)], want)
	}
}

// windows computes the last rows of sequences whose blocks before the window were
// given to somebody else, who left in them what would ruin a result.
func (h *harness) windows() {
	for _, g := range geometries {
		if g.window == 0 || g.window > 100 {
			continue
		}
		g.layers = 1
		w := newWorld(h, g, 60)
		s := w.add(nil, h.between(140, 250))
		rows := h.between(1, 30)
		w.run([]part{{s, len(s.rows) - rows}})
		want := w.compute([]part{{s, rows}})
		w.check([]part{{s, rows}}, want)
		poisoned := w.block()
		for i := range max(0, s.done-g.window+1) / kernels.BlockSize {
			s.blocks[i] = poisoned
		}
		h.same("attention after the window moved on", w.compute([]part{{s, rows}}), want)
	}
}

// crowds computes the next row of a trace beside those of up to 255 others of the
// same question, and of another.
func (h *harness) crowds() {
	for _, format := range kernels.KVFormats() {
		w := newWorld(h, geometry{layers: 1, heads: 4, kvHeads: 2, dim: 32, window: 90, format: format}, 600)
		first, second := w.add(nil, h.between(70, 130)), w.add(nil, h.between(1, 70))
		w.run([]part{{first, len(first.rows)}, {second, len(second.rows)}})
		var all []part
		for i := range 256 {
			question := first
			if i%5 == 4 {
				question = second
			}
			s := w.add(question, h.between(1, 3))
			all = append(all, part{s, len(s.rows) - s.done})
		}
		want := w.compute(all)
		w.check(all[:8], w.compute(all[:8]))
		for _, k := range []int{1, 2, 3, 7, 8, 9, 16, 31, 64, 100, 128, 255} {
			from := h.rng.IntN(len(all) - k + 1)
			some := all[from : from+k]
			got := w.compute(some)
			for _, p := range some {
				h.same("attention in a crowd", w.of(p, some, got), w.of(p, all, want))
			}
		}
	}
}

// sharing computes sequences that share blocks together, and then sequences of
// the same content that each have their own.
func (h *harness) sharing() {
	for _, g := range geometries {
		w := newWorld(h, g, 400)
		question := w.add(nil, h.between(100, 150))
		w.run([]part{{question, len(question.rows)}})
		var shared, private []part
		for range 5 {
			s := w.add(question, h.between(1, 20))
			shared = append(shared, part{s, len(s.rows) - s.done})
			own := &sequence{rows: s.rows, done: s.done}
			for _, block := range s.blocks {
				own.blocks = append(own.blocks, w.block())
				w.d.CopyBlock(w.kv, own.blocks[len(own.blocks)-1], block)
			}
			private = append(private, part{own, len(s.rows) - s.done})
		}
		got := w.compute(shared)
		w.check(shared, got)
		h.same("attention over private blocks", w.compute(private), got)
	}
}
