package prune_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"deepprune/prune"
	"deepprune/prune/prunetest"
)

// sureness is a trace as a plain version of deepconf sees it: the confidence of
// every token.
type sureness struct {
	tokens []float64
	answer string
}

// worth is the least confident window among those that end at the first n looks;
// of a trace shorter than a window, the mean over it. whole counts the end as well.
func (s *sureness) worth(window, stride, looks int, whole bool) float64 {
	ends := []int{}
	for i := 1; i <= looks; i++ {
		ends = append(ends, i*stride)
	}
	if whole {
		ends = append(ends, len(s.tokens))
	}
	least, any := math.Inf(1), false
	for _, end := range ends {
		start := (end - window) / stride * stride // a look, a whole window ago or more
		if end < window {
			continue
		}
		sum := 0.0
		for _, c := range s.tokens[start:end] {
			sum += c
		}
		least, any = min(least, sum/float64(end-start)), true
	}
	if !any && whole {
		sum := 0.0
		for _, c := range s.tokens {
			sum += c
		}
		return sum / float64(len(s.tokens))
	}
	return least
}

// plainDeepConf is deepconf without events: what each trace spends, and the answer.
func plainDeepConf(traces []sureness, window, warmup int, keep, confidence float64) (tokens []int, answer string) {
	stride := max(1, window/4)
	looks := func(t *sureness) int { return (len(t.tokens) - 1) / stride }
	tokens = make([]int, len(traces))
	type voter struct {
		answer string
		worth  float64
	}
	var voters []voter
	wave := min(warmup, len(traces))
	var worths []float64
	for i := range wave {
		t := &traces[i]
		tokens[i] = len(t.tokens)
		w := t.worth(window, stride, looks(t), true)
		worths = append(worths, w)
		voters = append(voters, voter{t.answer, w})
	}
	slices.Sort(worths)
	at := (1 - keep) * float64(len(worths)-1)
	lo := int(at)
	threshold := worths[lo]
	if lo+1 < len(worths) {
		threshold += (at - float64(lo)) * (worths[lo+1] - worths[lo])
	}
	voters = slices.DeleteFunc(voters, func(v voter) bool { return v.worth < threshold })
	best := func() (string, bool) {
		weights, total, first := map[string]float64{}, 0.0, []string{}
		for _, v := range voters {
			if _, ok := weights[v.answer]; !ok {
				first = append(first, v.answer)
			}
			weights[v.answer] += v.worth
			total += v.worth
		}
		top := ""
		for _, a := range first {
			if top == "" || weights[a] > weights[top]+1e-9 {
				top = a
			}
		}
		return top, top != "" && weights[top] >= confidence*total
	}
	for next := wave; next < len(traces); next += warmup {
		if _, done := best(); done {
			break
		}
		for i := next; i < min(next+warmup, len(traces)); i++ {
			t := &traces[i]
			stopped := false
			for n := 1; n <= looks(t) && !stopped; n++ {
				if t.worth(window, stride, n, false) < threshold {
					tokens[i], stopped = n*stride, true
				}
			}
			if !stopped {
				tokens[i] = len(t.tokens)
				if w := t.worth(window, stride, looks(t), true); w >= threshold {
					voters = append(voters, voter{t.answer, w})
				}
			}
		}
	}
	answer, _ = best()
	return tokens, answer
}

// TestDeepConf compares the policy with the plain version, in any order of events.
func TestDeepConf(t *testing.T) {
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 11))
		k, window := 1+rng.IntN(40), 1+rng.IntN(24)
		opt := prune.Options{Window: window, Warmup: 1 + rng.IntN(12), Keep: []float64{0.1, 0.5, 0.9}[rng.IntN(3)], Confidence: []float64{0.7, 0.95}[rng.IntN(2)]}
		p, err := prune.ByName("deepconf", opt)
		if err != nil {
			t.Fatal(err)
		}
		traces := make([]sureness, k)
		g := &prunetest.Group{Seed: seed, Traces: make([]prunetest.Trace, k)}
		for i := range traces {
			s := &traces[i]
			s.answer = fmt.Sprint(rng.IntN(3))
			level := 1 + rng.Float64()
			sums := []float64{0}
			for range 1 + rng.IntN(120) {
				// Quarters add up without rounding, in any order.
				c := math.Round(4*(level+rng.NormFloat64()/2)) / 4
				s.tokens = append(s.tokens, max(0.25, c))
				sums = append(sums, sums[len(sums)-1]+max(0.25, c))
			}
			g.Traces[i] = prunetest.Trace{Tokens: len(s.tokens), Answer: s.answer, Confidence: func(n int) float64 { return sums[n] }}
			for _, c := range p.Checkpoints() {
				if c.Tokens < len(s.tokens) {
					g.Traces[i].Checkpoints = append(g.Traces[i].Checkpoints, c.Tokens)
				}
			}
		}
		wantTokens, wantAnswer := plainDeepConf(traces, window, opt.Warmup, opt.Keep, opt.Confidence)
		out, err := prunetest.Replay(p, g, prunetest.Schedule{Slots: 1 + rng.IntN(k), Rand: rng})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range wantTokens {
			if got := out.Traces[i].Tokens; got != want {
				t.Fatalf("seed %d: trace %d of %d has %d tokens; want %d (%v)", seed, i, k, got, want, wantTokens)
			}
		}
		if out.Answer() != wantAnswer {
			t.Fatalf("seed %d: answer %q; want %q; votes %+v", seed, out.Answer(), wantAnswer, out.Votes)
		}
	}
}
