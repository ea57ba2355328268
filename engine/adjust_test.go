package engine

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"deepprune/kernels"
	"deepprune/prune"
)

// TestAdjustment compares what is counted with a map, for random tokens.
func TestAdjustment(t *testing.T) {
	prompt := []int32{7, 3, 7, 7, 1}
	for _, p := range []Params{
		{RepetitionPenalty: 1.2}, {FrequencyPenalty: 0.5}, {PresencePenalty: -1},
		{RepetitionPenalty: 1.2, LogitBias: map[int32]float32{9: 2, 4: -1}, MinTokens: 5, StopTokens: []int32{4, 8}},
		{MinTokens: 3}, {MinTokens: 3, IgnoreEOS: true, LogitBias: map[int32]float32{2: 5}},
	} {
		a := newAdjusting(&Request{Params: p}, prompt, []int32{2}).start()
		counts := make(map[int32]int32)
		for n := range 60 {
			want := make(map[int32]int32) // as Counts should have them
			if p.RepetitionPenalty != 0 {
				for _, id := range prompt {
					want[id] = 0
				}
			}
			if p.RepetitionPenalty != 0 || p.FrequencyPenalty != 0 || p.PresencePenalty != 0 {
				for id, c := range counts {
					want[id] = c
				}
			}
			if len(a.Counts) != len(want) {
				t.Fatalf("%+v after %d tokens: %d counts; want %d", p, n, len(a.Counts), len(want))
			}
			for _, c := range a.Counts {
				if want[c.Token] != c.Count {
					t.Fatalf("%+v after %d tokens: token %d counts %d; want %d", p, n, c.Token, c.Count, want[c.Token])
				}
			}
			bias := make(map[int32]float32)
			for id, add := range p.LogitBias {
				bias[id] = add
			}
			if n < p.MinTokens {
				for _, id := range p.StopTokens {
					bias[id] = float32(math.Inf(-1))
				}
				if !p.IgnoreEOS {
					bias[2] = float32(math.Inf(-1))
				}
			}
			if len(a.Bias) != len(bias) {
				t.Fatalf("%+v after %d tokens: biases %v; want %v", p, n, a.Bias, bias)
			}
			for _, b := range a.Bias {
				if bias[b.Token] != b.Add {
					t.Fatalf("%+v after %d tokens: bias %v of token %d; want %v", p, n, b.Add, b.Token, bias[b.Token])
				}
			}
			token := rand.Int32N(12)
			counts[token]++
			a.add(token, n+1)
		}
	}
	if a := newAdjusting(&Request{Params: Params{RepetitionPenalty: 1, IgnoreEOS: true, MaxTokens: 9}}, prompt, []int32{2}); a != nil {
		t.Errorf("%+v for parameters that ask for nothing", a)
	}
}

// TestAdjustedTokensDependOnSeedAndIndexAlone: with every parameter that looks at a
// trace's own tokens, a trace is what it is in any batch, and so are its
// log-probabilities.
func TestAdjustedTokensDependOnSeedAndIndexAlone(t *testing.T) {
	p := open(t, 2)
	r := Request{Question: questions[1], Traces: 12, Seed: 7, Params: Params{
		Temperature: 0.9, TopP: 0.95, FrequencyPenalty: 0.4, PresencePenalty: 0.3, RepetitionPenalty: 1.1,
		LogitBias: map[int32]float32{11: -3, 40: 1.5}, MinTokens: 60, MaxTokens: 90, LogProbs: true, TopLogProbs: 4,
	}}
	want := ask(t, p.start(t, Options{}), r)
	plain := r
	plain.Params = Params{Temperature: 0.9, TopP: 0.95, MaxTokens: 90}
	if got := ask(t, p.start(t, Options{}), plain); slices.Equal(got.Traces[0].TokenIDs, want.Traces[0].TokenIDs) {
		t.Error("the parameters change nothing; the test shows nothing")
	}
	preempted := int64(0)
	for _, c := range []struct {
		opt    Options
		k      int
		policy string
	}{
		{Options{}, 3, ""}, {Options{Slots: 1, TokenBudget: 1}, 2, ""}, {Options{Slots: 5, TokenBudget: 7}, 12, ""},
		{Options{KVBytes: p.blocksOf(30)}, 12, ""}, {Options{Slots: 4, KVBytes: p.blocksOf(20)}, 12, "deepprune"},
	} {
		e := p.start(t, c.opt)
		other, err := e.Submit(context.Background(), Request{Question: questions[0], Traces: 4, Params: Params{MaxTokens: 60}})
		if err != nil {
			t.Fatal(err)
		}
		part := r
		part.Traces = c.k
		if c.policy != "" {
			part.Policy = policy(t, c.policy, 20)
		}
		got := ask(t, e, part)
		samePrefix(t, got, want)
		for i, tr := range got.Traces {
			n := len(tr.TokenIDs)
			l := want.Traces[i].LogProbs
			sameLogProbs(t, "a trace", tr.LogProbs, LogProbs{l.Tokens[:n], tr.LogProbs.N, l.Top[:n*4]})
		}
		if _, err := other.Wait(); err != nil {
			t.Error(err)
		}
		preempted += e.Stats().Preemptions
	}
	if preempted == 0 {
		t.Error("no trace was preempted; the pools were meant to be too small")
	}
}

func TestPenaltiesAndBiases(t *testing.T) {
	p := open(t, 2)
	e := p.start(t, Options{})
	greedy := Params{Temperature: -1, MaxTokens: 60, IgnoreEOS: true, LogProbs: true, TopLogProbs: MaxTopLogProbs}
	t.Run("frequency and presence", func(t *testing.T) {
		// What OpenAI's formula makes of the log-probabilities told is largest for the
		// token taken.
		params := greedy
		params.FrequencyPenalty, params.PresencePenalty = 0.7, 0.9
		tr := ask(t, e, Request{Question: questions[1], Params: params}).Traces[0]
		counts := make(map[int32]float64)
		score := func(id int32, l float32) float64 {
			s := float64(l) - counts[id]*0.7
			if counts[id] > 0 {
				s -= 0.9
			}
			return s
		}
		for i, id := range tr.TokenIDs {
			taken := score(id, tr.LogProbs.Tokens[i])
			for _, alt := range tr.LogProbs.Alternatives(i) {
				if s := score(alt.Token, alt.LogProb); s > taken+1e-4 {
					t.Fatalf("token %d is %d with %v; token %d has %v", i, id, taken, alt.Token, s)
				}
			}
			counts[id]++
		}
	})
	t.Run("a penalty that forbids what there is", func(t *testing.T) {
		params := greedy
		params.PresencePenalty = 100
		tr := ask(t, e, Request{Question: questions[1], Params: params}).Traces[0]
		ids := slices.Clone(tr.TokenIDs)
		slices.Sort(ids)
		if n := len(slices.Compact(ids)); n != tr.Tokens {
			t.Errorf("%d different tokens of %d", n, tr.Tokens)
		}
	})
	t.Run("repetition looks at the prompt", func(t *testing.T) {
		params := greedy
		params.RepetitionPenalty, params.MaxTokens = 100, 1
		base := ask(t, e, Request{Prompt: []int32{5, 6}, Params: greedy}).Traces[0].TokenIDs[0]
		id := ask(t, e, Request{Prompt: []int32{base, 5, 6}, Params: params}).Traces[0].TokenIDs[0]
		if id == base || id == 5 || id == 6 {
			t.Errorf("token %d, which is in the prompt", id)
		}
	})
	t.Run("bias", func(t *testing.T) {
		tr := ask(t, e, Request{Question: questions[0], Params: Params{MaxTokens: 9, IgnoreEOS: true, LogitBias: map[int32]float32{33: 1000}}}).Traces[0]
		if want := slices.Repeat([]int32{33}, 9); !slices.Equal(tr.TokenIDs, want) {
			t.Errorf("tokens %v; want %v", tr.TokenIDs, want)
		}
	})
	t.Run("min_tokens", func(t *testing.T) {
		base := ask(t, e, Request{Question: questions[0], Traces: 6, Seed: 2}).Traces
		for i, tr := range ask(t, e, Request{Question: questions[0], Traces: 6, Seed: 2, Params: Params{MinTokens: 150}}).Traces {
			if tr.Tokens < 150 {
				t.Errorf("trace %d: %v after %d tokens; want at least 150, then %v", i, tr.State, tr.Tokens, base[i].State)
			}
			if tr.State == prune.Finished && tr.End.Kind != EndOfText {
				t.Errorf("trace %d ended by %+v; want the end of text", i, tr.End)
			}
		}
	})
}

// TestRowsThatAskForNothing: only rows that are adjusted carry an adjustment.
func TestRowsThatAskForNothing(t *testing.T) {
	p := open(t, 1)
	e, err := newEngine(p.dev, p.reasoner, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	submit(t, e, Request{Question: questions[0], Traces: 2, Params: Params{FrequencyPenalty: 1}})
	submit(t, e, Request{Question: questions[0], Traces: 2})
	for range 4 {
		e.step()
	}
	adjusted := slices.IndexFunc(e.params, func(p kernels.SampleParams) bool { return p.Adjust == nil })
	if len(e.params) != 4 || adjusted != 2 {
		t.Errorf("of %d rows the first %d are adjusted; want 4 and 2", len(e.params), adjusted)
	}
}
