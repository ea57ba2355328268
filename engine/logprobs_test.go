package engine

import (
	"context"
	"math"
	"slices"
	"testing"

	"deepprune/prune"
)

// sameLogProbs fails unless two lists are equal bit by bit, NaN to NaN.
func sameLogProbs(t *testing.T, what string, got, want LogProbs) {
	t.Helper()
	bits := func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }
	if !slices.EqualFunc(got.Tokens, want.Tokens, bits) {
		t.Errorf("%s: log-probabilities %v; want %v", what, got.Tokens, want.Tokens)
	}
	if got.N != want.N || !slices.Equal(got.Top, want.Top) {
		t.Errorf("%s: %d alternatives %v; want %d, %v", what, got.N, got.Top, want.N, want.Top)
	}
}

// TestPromptLogProbs: what a trace was told of its tokens is what a prompt that
// holds them is told, bit by bit, whatever the chunks, the slots and the memory.
func TestPromptLogProbs(t *testing.T) {
	p := open(t, 2)
	prompt, err := p.reasoner.Prompt(questions[1])
	if err != nil {
		t.Fatal(err)
	}
	params := Params{MaxTokens: 70, IgnoreEOS: true, LogProbs: true, TopLogProbs: 3}
	trace := ask(t, p.start(t, Options{}), Request{Prompt: prompt, Seed: 3, Params: params}).Traces[0]
	if n := len(trace.TokenIDs); len(trace.LogProbs.Tokens) != n || len(trace.LogProbs.Top) != 3*n {
		t.Fatalf("%d log-probabilities and %d alternatives of %d tokens", len(trace.LogProbs.Tokens), len(trace.LogProbs.Top), n)
	}
	for i, id := range trace.TokenIDs {
		for j, alt := range trace.LogProbs.Alternatives(i) {
			if alt.LogProb > 0 || j > 0 && alt.LogProb > trace.LogProbs.Alternatives(i)[j-1].LogProb {
				t.Errorf("token %d: alternatives %v are out of order", i, trace.LogProbs.Alternatives(i))
			}
			if alt.Token == id && alt.LogProb != trace.LogProbs.Tokens[i] {
				t.Errorf("token %d has log-probability %v, and %v as an alternative", i, trace.LogProbs.Tokens[i], alt.LogProb)
			}
		}
	}
	whole := slices.Concat(prompt, trace.TokenIDs)
	var first LogProbs
	for _, c := range []struct {
		opt   Options
		crowd int
	}{
		{Options{}, 0}, {Options{Slots: 1, TokenBudget: 1}, 0}, {Options{Slots: 2, TokenBudget: 19}, 0}, {Options{Slots: 4, TokenBudget: 40}, 9},
		{Options{Slots: 8, KVBytes: p.blocksOf(34)}, 24},
	} {
		e := p.start(t, c.opt)
		var others *Group
		if c.crowd > 0 {
			if others, err = e.Submit(context.Background(), Request{Prompt: whole, Traces: c.crowd, Params: Params{MaxTokens: 60, IgnoreEOS: true}}); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // the second time the prompt is in the cache
			r := ask(t, e, Request{Prompt: whole, PromptLogProbs: true, Params: Params{MaxTokens: 1, TopLogProbs: 3}})
			got := r.PromptLogProbs
			if !math.IsNaN(float64(got.Tokens[0])) || got.Alternatives(0)[2].Token != -1 {
				t.Errorf("the first token has %v, %v; want none", got.Tokens[0], got.Alternatives(0))
			}
			n := len(prompt)
			sameLogProbs(t, "the part that was generated", LogProbs{got.Tokens[n:], 3, got.Top[3*n:]}, trace.LogProbs)
			if first.Tokens == nil {
				first = got
			}
			sameLogProbs(t, "the prompt", got, first)
			if tr := r.Traces[0]; tr.Tokens != 1 || tr.LogProbs.Tokens != nil {
				t.Errorf("%d tokens generated, log-probabilities %v; want 1 and none", tr.Tokens, tr.LogProbs.Tokens)
			}
		}
		if others != nil {
			if _, err := others.Wait(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestPromptOnly(t *testing.T) {
	p := open(t, 2)
	e := p.start(t, Options{Slots: 2})
	full := make([]int32, p.reasoner.MaxContext())
	for i := range full {
		full[i] = int32(i % 50)
	}
	for _, c := range []struct {
		prompt []int32
		k      int
		policy string
	}{{[]int32{5}, 1, "none"}, {[]int32{5, 6}, 3, "deepprune"}, {full[:100], 1, "none"}, {full, 2, "deepprune"}} {
		g, err := e.Submit(context.Background(), Request{Prompt: c.prompt, Traces: c.k, PromptOnly: true, PromptLogProbs: true, Policy: policy(t, c.policy, 10)})
		if err != nil {
			t.Fatal(err)
		}
		for l, ok := g.PromptLogProbs(); !ok; l, ok = g.PromptLogProbs() {
			if l.Tokens != nil {
				t.Fatal("log-probabilities before they are known")
			}
			<-g.Changed()
		}
		r, err := g.Wait()
		if err != nil {
			t.Fatal(err)
		}
		if n := len(r.PromptLogProbs.Tokens); n != len(c.prompt) {
			t.Errorf("%d log-probabilities of a prompt of %d", n, len(c.prompt))
		}
		if len(r.Traces) != c.k || r.Usage.GeneratedTokens != 0 {
			t.Errorf("%d traces, %d tokens; want %d and none", len(r.Traces), r.Usage.GeneratedTokens, c.k)
		}
		for _, tr := range r.Traces {
			if tr.State != prune.Length || tr.End.Kind != EndLength || tr.Tokens != 0 || tr.Text != "" {
				t.Errorf("trace %d: %v, %v, %d tokens %q; want length, with none", tr.Index, tr.State, tr.End, tr.Tokens, tr.Text)
			}
		}
	}
	if s := e.Stats(); s.Reasoner.Used != 0 || s.Groups != 0 || e.waiting.Load() != 0 {
		t.Errorf("%d blocks, %d groups left, %d waiting", s.Reasoner.Used, s.Groups, e.waiting.Load())
	}
}
