package kerneltest

import (
	"cmp"
	"math"
	"slices"

	"deepprune/kernels"
)

// kept is the reference of the filters: the tokens that may be drawn, in order of
// probability, and their probabilities. sure is false where rounding may decide
// differently.
func kept(logits []float32, p kernels.SampleParams) (tokens []int32, probs []float64, sure bool) {
	const close = 1e-4
	sure = true
	tokens = make([]int32, len(logits))
	for i := range tokens {
		tokens[i] = int32(i)
	}
	slices.SortStableFunc(tokens, func(a, b int32) int { return cmp.Compare(logits[b], logits[a]) })
	total := 0.0
	for _, t := range tokens {
		w := math.Exp(float64(logits[t]-logits[tokens[0]]) / float64(p.Temperature))
		probs = append(probs, w)
		total += w
	}
	for i := range probs {
		probs[i] /= total
	}
	n := len(tokens)
	if p.TopK > 0 {
		n = min(n, int(p.TopK))
	}
	if p.TopP > 0 && p.TopP < 1 {
		mass, sum := 0.0, 0.0
		for _, q := range probs[:n] {
			mass += q
		}
		for i, q := range probs[:n] {
			sum += q
			if math.Abs(sum/mass-float64(p.TopP)) < close*float64(p.TopP) {
				sure = false
			}
			if sum >= mass*float64(p.TopP) {
				n = i + 1
				break
			}
		}
	}
	for i, q := range probs[:n] {
		ratio := q / probs[0]
		if math.Abs(ratio-float64(p.MinP)) < close*float64(p.MinP) && i > 0 && ratio != 1 {
			sure = false
		}
		if ratio < float64(p.MinP) {
			n = i
			break
		}
	}
	sum := 0.0
	for _, q := range probs[:n] {
		sum += q
	}
	for i := range probs[:n] {
		probs[i] /= sum
	}
	return tokens[:n], probs[:n], sure
}

// logProb is the log-probability of a token under the full softmax.
func logProb(logits []float32, token int32) float64 {
	m := float64(slices.Max(logits))
	sum := 0.0
	for _, l := range logits {
		sum += math.Exp(float64(l) - m)
	}
	return float64(logits[token]) - m - math.Log(sum)
}

// draw samples rows of logits.
func (h *harness) draw(logits [][]float32, params []kernels.SampleParams) []kernels.Sampled {
	h.Helper()
	var all []float32
	for _, row := range logits {
		all = append(all, row...)
	}
	out := make([]kernels.Sampled, len(logits))
	h.d.Sample(h.upload(all, len(logits), len(logits[0])), params, out)
	for i, s := range out {
		if s.Token < 0 || int(s.Token) >= len(logits[i]) {
			h.Fatalf("Sample drew token %d of %d", s.Token, len(logits[i]))
		}
	}
	return out
}

// logits returns n logits of a spread that is different each time.
func (h *harness) logits(n int) []float32 {
	row := h.floats(n)
	spread := float32(math.Exp(h.rng.Float64()*4 - 1.5))
	for i := range row {
		row[i] *= spread
	}
	return row
}

func (h *harness) checkLogProb(row []float32, s kernels.Sampled) {
	h.Helper()
	want := logProb(row, s.Token)
	h.near("LogProb", int(s.Token), s.LogProb, want, 1e-5+4*u*math.Abs(want))
}

// confidence compares Confidence with its definition, over more tokens than there
// are as well, and makes sure that asking for it changes nothing else.
func (h *harness) confidence() {
	for _, vocabulary := range []int{1, 2, 17, 1300, 5003} {
		for _, n := range []int32{1, 2, 20, 64} {
			row := h.logits(vocabulary)
			if vocabulary > 2 {
				row[h.rng.IntN(vocabulary-1)] = row[vocabulary-1] // a tie
			}
			sorted := slices.Clone(row)
			slices.SortFunc(sorted, func(a, b float32) int { return cmp.Compare(b, a) })
			top := sorted[:min(int(n), vocabulary)]
			want := 0.0
			for _, l := range top {
				want -= logProb(row, int32(slices.Index(row, l))) / float64(len(top))
			}
			with := kernels.SampleParams{Temperature: 0.7, TopP: 0.9, Seed: 3, Confidence: n}
			without := with
			without.Confidence = 0
			out := h.draw([][]float32{row, row}, []kernels.SampleParams{with, without})
			h.near("Confidence", int(n), out[0].Confidence, want, 1e-5+4*u*math.Abs(want))
			if out[1].Confidence != 0 || out[0].Token != out[1].Token || out[0].LogProb != out[1].LogProb {
				h.Fatalf("%+v with confidence over %d tokens; without %+v", out[0], n, out[1])
			}
		}
	}
}

func (h *harness) greedy() {
	for _, vocabulary := range []int{1, 2, 17, 1300, 5003} {
		var rows [][]float32
		var want []int32
		for range 20 {
			row := h.logits(vocabulary)
			best := slices.Index(row, slices.Max(row))
			if best+1 < len(row) {
				row[best+1+h.rng.IntN(len(row)-best-1)] = row[best] // a tie
			}
			rows, want = append(rows, row), append(want, int32(best))
		}
		// Several ways to say: the most likely.
		for _, p := range []kernels.SampleParams{{}, {Temperature: -1}, {TopK: 5, TopP: 0.9}, {Temperature: 1, TopK: 1},
			{Temperature: 2, TopP: 1e-9}, {Temperature: 1e-40}} {
			params := slices.Repeat([]kernels.SampleParams{p}, len(rows))
			for i, s := range h.draw(rows, params) {
				if s.Token != want[i] {
					h.Fatalf("%+v of %d: token %d (%v); want %d (%v)", p, vocabulary, s.Token, rows[i][s.Token], want[i], rows[i][want[i]])
				}
				h.checkLogProb(rows[i], s)
			}
		}
	}
}

// filters draws often under random filters: nothing that they drop is drawn, and
// everything that they keep and that is likely enough.
func (h *harness) filters() {
	check := func(vocabulary, draws int, p kernels.SampleParams) {
		row := h.logits(vocabulary)
		if h.rng.IntN(2) == 0 { // coarse, so that there are ties
			for i := range row {
				row[i] = float32(math.Round(float64(row[i])*2) / 2)
			}
		}
		tokens, probs, sure := kept(row, p)
		if !sure {
			return
		}
		params := make([]kernels.SampleParams, draws)
		for i := range params {
			params[i] = p
			params[i].Trace = uint32(i)
		}
		keeps, drawn := make([]bool, vocabulary), make([]bool, vocabulary)
		for _, token := range tokens {
			keeps[token] = true
		}
		for _, s := range h.draw(slices.Repeat([][]float32{row}, draws), params) {
			if !keeps[s.Token] {
				h.Fatalf("%+v of %d: token %d was drawn, which is not among the %d kept", p, vocabulary, s.Token, len(tokens))
			}
			if !drawn[s.Token] {
				h.checkLogProb(row, s)
			}
			drawn[s.Token] = true
		}
		for i, token := range tokens {
			// Left out by chance once in 1e13.
			if probs[i]*float64(draws) > 30 && !drawn[token] {
				h.Fatalf("%+v of %d: token %d of probability %v was never drawn in %d", p, vocabulary, token, probs[i], draws)
			}
		}
	}
	for range 40 {
		p := kernels.SampleParams{Temperature: float32(math.Exp(h.rng.NormFloat64())), Seed: h.rng.Uint64()}
		if h.rng.IntN(2) == 0 {
			p.TopK = int32(h.between(1, 50))
		}
		if h.rng.IntN(2) == 0 {
			p.TopP = h.rng.Float32()
		}
		if h.rng.IntN(2) == 0 {
			p.MinP = h.rng.Float32() * h.rng.Float32()
		}
		check(h.between(1, 60), 1000, p)
		check(1300, 200, p)
	}
	const large = 151_936
	check(large, 3, kernels.SampleParams{Temperature: 1})
	check(large, 3, kernels.SampleParams{Temperature: 0.6, TopK: 20, TopP: 0.95})
	check(large, 3, kernels.SampleParams{Temperature: 3, TopP: 0.9})
	check(large, 3, kernels.SampleParams{Temperature: 1, TopK: 5000, MinP: 1e-3})
}

// distribution compares the frequencies of draws with the probabilities by the
// chi-square statistic. Seeds are fixed, so a device passes always or never.
func (h *harness) distribution() {
	fixed := newHarness(h, h.d, 42)
	for i, p := range []kernels.SampleParams{
		{Temperature: 1},
		{Temperature: 0.7, Seed: 1},
		{Temperature: 1.5, TopK: 10, Seed: 2},
		{Temperature: 1, TopP: 0.8, Seed: 3},
		{Temperature: 1, MinP: 0.05, Seed: 4},
		{Temperature: 1.2, TopK: 15, TopP: 0.9, MinP: 0.02, Seed: 5},
	} {
		row := fixed.floats(30)
		tokens, probs, _ := kept(row, p)
		const draws = 20_000
		counts := make(map[int32]int)
		rows, params := slices.Repeat([][]float32{row}, 1000), make([]kernels.SampleParams, 1000)
		for n := range draws / len(rows) {
			for j := range params {
				params[j] = p
				params[j].Trace, params[j].Position = uint32(n), uint32(j)
			}
			for _, s := range h.draw(rows, params) {
				counts[s.Token]++
			}
		}
		chi, freedom := 0.0, -1.0
		for j, token := range tokens {
			want := probs[j] * draws
			if want < 5 {
				continue
			}
			diff := float64(counts[token]) - want
			chi += diff * diff / want
			freedom++
		}
		if limit := freedom + 5*math.Sqrt(2*freedom); chi > limit {
			h.Errorf("case %d: chi-square %.1f of %v degrees of freedom; want at most %.1f", i, chi, freedom, limit)
		}
	}
}

// oddLogits: no logits crash, and what cannot be drawn is not.
func (h *harness) oddLogits() {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, p := range []kernels.SampleParams{{}, {Temperature: 1}, {Temperature: 1, TopK: 3}, {Temperature: 0.5, TopP: 0.9},
		{Temperature: 1e30, TopP: 0.9999}, {Temperature: 1, MinP: 1}, {Temperature: 1, TopK: 1 << 30, TopP: 2, MinP: 5},
		{Temperature: 1e-30, TopK: 2}, {Temperature: nan, TopP: nan, MinP: nan}, {Temperature: inf, TopK: 3, MinP: 0.5}} {
		for trace := range uint32(20) {
			p.Trace, p.Confidence = trace, int32(trace)
			params := slices.Repeat([]kernels.SampleParams{p}, 6)
			row := h.logits(40)
			for i := range row {
				row[i] = min(row[i], 100)
				switch h.rng.IntN(3) {
				case 0:
					row[i] = nan
				case 1:
					row[i] = -inf
				}
			}
			row[7] = 1
			out := h.draw([][]float32{
				slices.Repeat([]float32{nan}, 40),
				slices.Repeat([]float32{-inf}, 40),
				slices.Repeat([]float32{inf}, 40),
				append(slices.Repeat([]float32{-inf}, 39), -3),
				append(slices.Repeat([]float32{math.MaxFloat32, -math.MaxFloat32}, 19), inf, nan),
				row,
			}, params)
			if out[3].Token != 39 || math.Abs(float64(out[3].LogProb)) > 1e-6 {
				h.Fatalf("%+v: %+v of a single finite logit; want token 39", p, out[3])
			}
			if out[4].Token != 38 {
				h.Fatalf("%+v: token %d; want 38, of infinite logit", p, out[4].Token)
			}
			if l := row[out[5].Token]; l != l || l == -inf {
				h.Fatalf("%+v: token %d of logit %v was drawn", p, out[5].Token, l)
			}
			for i, s := range out {
				if l := float64(s.LogProb); math.IsNaN(l) || math.IsInf(l, 0) {
					h.Fatalf("%+v: row %d: LogProb %v; want a finite number", p, i, l)
				}
			}
		}
	}
}
