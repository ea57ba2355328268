package kerneltest

import (
	"cmp"
	"math"
	"slices"

	"deepprune/kernels"
)

// adjusted is the reference of an adjustment.
func adjusted(logits []float32, a *kernels.Adjustment) []float32 {
	row := slices.Clone(logits)
	for _, c := range a.Counts {
		if row[c.Token] < 0 {
			row[c.Token] *= a.Repetition
		} else {
			row[c.Token] /= a.Repetition
		}
		if c.Count > 0 {
			frequent := float32(c.Count) * a.Frequency
			lower := frequent + a.Presence
			row[c.Token] -= lower
		}
	}
	for _, b := range a.Bias {
		row[b.Token] += b.Add
	}
	for i := range row {
		if a.Allowed != nil && (i/32 >= len(a.Allowed) || a.Allowed[i/32]>>(i%32)&1 == 0) {
			row[i] = float32(math.Inf(-1))
		}
	}
	return row
}

// adjustment returns an adjustment of a row of n logits with some of the parts.
func (h *harness) adjustment(n int) *kernels.Adjustment {
	a := &kernels.Adjustment{Repetition: 1}
	tokens := h.rng.Perm(n)
	if h.rng.IntN(2) == 0 {
		a.Repetition = 0.5 + h.rng.Float32()
		a.Presence, a.Frequency = float32(h.rng.NormFloat64()), float32(h.rng.NormFloat64())
		for _, token := range tokens[:h.rng.IntN(min(n, 500)+1)] {
			a.Counts = append(a.Counts, kernels.TokenCount{Token: int32(token), Count: int32(h.rng.IntN(4))})
		}
	}
	if h.rng.IntN(2) == 0 {
		for _, token := range tokens[:h.rng.IntN(min(n, 300)+1)] {
			add := float32(h.rng.NormFloat64() * 3)
			if h.rng.IntN(8) == 0 {
				add = float32(math.Inf(-1))
			}
			a.Bias = append(a.Bias, kernels.TokenBias{Token: int32(token), Add: add})
		}
	}
	if h.rng.IntN(3) > 0 {
		a.Allowed = make([]uint32, (n+31)/32-h.rng.IntN(2))
		share := h.rng.IntN(4) // of words and bits: few, half, most, words all or nothing
		for i := range a.Allowed {
			a.Allowed[i] = h.rng.Uint32()
			switch {
			case share == 0 && h.rng.IntN(8) > 0:
				a.Allowed[i] = 0
			case share == 1:
				a.Allowed[i] &= h.rng.Uint32() & h.rng.Uint32()
			case share == 2:
				a.Allowed[i] |= h.rng.Uint32() | h.rng.Uint32()
			case share == 3:
				a.Allowed[i] = -(a.Allowed[i] & 1)
			}
		}
	}
	return a
}

// adjustments: a draw from adjusted logits is the draw from logits that were
// adjusted before, and what is said of the raw ones does not change. Rows without
// an adjustment beside them are what they are without.
func (h *harness) adjustments() {
	for _, n := range []int{1, 2, 31, 32, 33, 700, 5003} {
		for range 12 {
			row := h.logits(n)
			p := kernels.SampleParams{Seed: h.rng.Uint64(), Confidence: int32(h.rng.IntN(3))}
			if h.rng.IntN(4) > 0 {
				p.Temperature = float32(h.rng.IntN(3)+1) / 2
			}
			if h.rng.IntN(2) == 0 {
				p.TopK, p.TopP = int32(h.rng.IntN(30)), h.rng.Float32()
			}
			if h.rng.IntN(4) == 0 {
				p.MinP = h.rng.Float32() / 4
			}
			with := p
			with.Adjust = h.adjustment(n)
			before := slices.Clone(row)
			out := h.draw([][]float32{row, row, row}, []kernels.SampleParams{p, with, p})
			want := adjusted(row, with.Adjust)
			drawn := h.draw([][]float32{want, before}, []kernels.SampleParams{p, p})
			token := drawn[0].Token
			if largest(want) == float32(math.Inf(-1)) {
				token = 0
				for i := range n {
					if w := with.Adjust.Allowed; w != nil && i/32 < len(w) && w[i/32]>>(i%32)&1 == 1 {
						token = int32(i)
						break
					}
				}
			}
			if out[1].Token != token {
				h.Fatalf("%d logits, %+v, %+v: token %d; want %d", n, with, *with.Adjust, out[1].Token, token)
			}
			h.checkLogProb(row, out[1])
			for _, i := range []int{0, 2} {
				if out[i].Token != drawn[1].Token || out[i].LogProb != drawn[1].LogProb || out[i].Confidence != drawn[1].Confidence {
					h.Fatalf("%d logits: %+v beside an adjusted row; want %+v", n, out[i], drawn[1])
				}
			}
			if out[1].Confidence != out[0].Confidence {
				h.Fatalf("confidence %v of an adjusted row; want %v, that of the raw logits", out[1].Confidence, out[0].Confidence)
			}
		}
	}
}

func largest(row []float32) float32 {
	m := float32(math.Inf(-1))
	for _, l := range row {
		if l > m {
			m = l
		}
	}
	return m
}

// alternatives compares the likeliest tokens and the log-probability of a forced
// one with sorted references.
func (h *harness) alternatives() {
	for _, n := range []int{1, 5, 300, 1300, 151_936} {
		for range 4 {
			row := h.logits(n)
			if h.rng.IntN(2) == 0 { // coarse, so that there are ties
				for i := range row {
					row[i] = float32(math.Round(float64(row[i])))
				}
			}
			order := make([]int32, n)
			for i := range order {
				order[i] = int32(i)
			}
			slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(row[b], row[a]) })
			asked := []int{0, 1, 5, 20}
			params := make([]kernels.SampleParams, len(asked))
			out := make([]kernels.Sampled, len(asked))
			for i, k := range asked {
				params[i] = kernels.SampleParams{Temperature: 1, Trace: uint32(i), Forced: 1 + int32(h.rng.IntN(n)), Confidence: int32(i)}
				out[i].Top = make([]kernels.TokenLogProb, k)
			}
			h.d.Sample(h.upload(slices.Repeat(row, len(asked)), len(asked), n), params, out)
			for i, k := range asked {
				if want := params[i].Forced - 1; out[i].Token != want {
					h.Fatalf("token %d; want %d, which was forced", out[i].Token, want)
				}
				h.checkLogProb(row, out[i])
				for j, got := range out[i].Top[:min(k, n)] {
					if got.Token != order[j] {
						h.Fatalf("alternative %d of %d among %d is token %d (%v); want %d (%v)", j, k, n, got.Token, row[got.Token], order[j], row[order[j]])
					}
					h.checkLogProb(row, kernels.Sampled{Token: got.Token, LogProb: got.LogProb})
				}
				for j, got := range out[i].Top[min(k, n):] {
					if got != (kernels.TokenLogProb{Token: -1, LogProb: -math.MaxFloat32}) {
						h.Fatalf("alternative %d of %d tokens is %+v; want none", n+j, n, got)
					}
				}
			}
		}
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	rows := [][]float32{{nan, 1, -inf}, {inf, 2, nan}, {nan, -inf, nan}}
	want := [][]kernels.TokenLogProb{
		{{Token: 1, LogProb: 0}, {Token: -1, LogProb: -math.MaxFloat32}},
		{{Token: 0, LogProb: 0}, {Token: 1, LogProb: -math.MaxFloat32}},
		{{Token: -1, LogProb: -math.MaxFloat32}, {Token: -1, LogProb: -math.MaxFloat32}},
	}
	out := make([]kernels.Sampled, len(rows))
	for i := range out {
		out[i].Top = make([]kernels.TokenLogProb, 2)
	}
	h.d.Sample(h.upload(slices.Concat(rows...), len(rows), 3), make([]kernels.SampleParams, len(rows)), out)
	for i := range out {
		if !slices.Equal(out[i].Top, want[i]) {
			h.Errorf("alternatives of %v are %v; want %v", rows[i], out[i].Top, want[i])
		}
	}
}
