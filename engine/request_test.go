package engine

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"deepprune/prune"
)

func TestRequestsThatMakeNoSense(t *testing.T) {
	p := open(t, 1)
	e := p.start(t, Options{})
	small := p.start(t, Options{KVBytes: p.blocksOf(8)})
	alone, err := New(p.dev, p.reasoner, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	for _, c := range []struct {
		name   string
		engine *Engine
		r      Request
		want   error
		text   string
	}{
		{"empty question", e, Request{}, ErrInvalid, "question"},
		{"blank question", e, Request{Question: " \n"}, ErrInvalid, "question"},
		{"negative k", e, Request{Question: "2 + 2", Traces: -1}, ErrInvalid, "traces"},
		{"absurd k", e, Request{Question: "2 + 2", Traces: 1 << 30}, ErrInvalid, "traces"},
		{"temperature", e, Request{Question: "2 + 2", Params: Params{Temperature: math.NaN()}}, ErrInvalid, "temperature"},
		{"top_p", e, Request{Question: "2 + 2", Params: Params{TopP: 1.5}}, ErrInvalid, "top_p"},
		{"min_p", e, Request{Question: "2 + 2", Params: Params{MinP: -0.1}}, ErrInvalid, "min_p"},
		{"top_k", e, Request{Question: "2 + 2", Params: Params{TopK: -3}}, ErrInvalid, "top_k"},
		{"max_tokens", e, Request{Question: "2 + 2", Params: Params{MaxTokens: -3}}, ErrInvalid, "max_tokens"},
		{"stop", e, Request{Question: "2 + 2", Params: Params{Stop: []string{""}}}, ErrInvalid, "stop"},
		{"token out of vocabulary", e, Request{Prompt: []int32{1 << 20}}, ErrInvalid, "vocabulary"},
		{"negative token", e, Request{Prompt: []int32{-1}}, ErrInvalid, "vocabulary"},
		{"empty prompt", e, Request{Prompt: []int32{}}, ErrInvalid, "prompt"},
		{"long prompt", e, Request{Prompt: make([]int32, 100_000)}, ErrTooLarge, "context"},
		{"long question", e, Request{Question: strings.Repeat("and 3 apples ", 10_000)}, ErrTooLarge, "context"},
		{"max_tokens beyond context", e, Request{Question: "2 + 2", Params: Params{MaxTokens: 1 << 20}}, ErrTooLarge, "max_tokens"},
		{"never fits memory", small, Request{Question: "2 + 2", Params: Params{MaxTokens: 300}}, ErrTooLarge, "KV memory"},
		{"no judge", alone, Request{Question: "2 + 2", Policy: policy(t, "deepprune", 20)}, ErrInvalid, "judge"},
	} {
		_, err := c.engine.Submit(context.Background(), c.r)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v; want %v that names %q", c.name, err, c.want, c.text)
		}
	}
}

// TestCheckpointDefaults: parameters that are left out are those of the checkpoint.
func TestCheckpointDefaults(t *testing.T) {
	p := open(t, 1)
	e, err := newEngine(p.dev, p.reasoner, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := *p.reasoner
	m.Generation.Temperature, m.Generation.TopK, m.Generation.TopP = 0.7, 5, 0.9
	m.Generation.MinP, m.Generation.RepetitionPenalty = 0.1, 1.3
	e.reasoner = &m
	got, err := e.completeParams(Params{MaxTokens: 4}, 3, false)
	want := Params{Temperature: 0.7, TopK: 5, TopP: 0.9, MinP: 0.1, RepetitionPenalty: 1.3, MaxTokens: 4}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	p := open(t, 1)
	for _, c := range []struct {
		opt  Options
		text string
	}{
		{Options{Slots: -1}, "slots"},
		{Options{Slots: 1 << 30}, "slots"},
		{Options{TokenBudget: 1 << 30}, "token budget"},
		{Options{JudgeBudget: 15}, "judge budget"},
		{Options{JudgeBudget: 1 << 30}, "judge budget"},
		{Options{KVBytes: -1}, "KV memory"},
		{Options{KVBytes: 1}, "KV memory"},
		{Options{KVBytes: 1 << 62}, "KV memory"},
	} {
		if _, err := New(p.dev, p.reasoner, p.judge, c.opt); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%+v: %v; want %v that names %q", c.opt, err, ErrInvalid, c.text)
		}
	}
}

func TestLengthAndStops(t *testing.T) {
	p := open(t, 2)
	e := p.start(t, Options{})
	base := ask(t, e, Request{Question: questions[0], Seed: 5, Params: Params{MaxTokens: 40, IgnoreEOS: true}}).Traces[0]
	if base.State != prune.Length || base.Tokens != 40 {
		t.Fatalf("%v after %d tokens; want length after 40", base.State, base.Tokens)
	}
	t.Run("greedy", func(t *testing.T) {
		r := ask(t, e, Request{Question: questions[0], Traces: 2, Params: Params{Temperature: -1, MaxTokens: 30}})
		if a, b := r.Traces[0].Text, r.Traces[1].Text; a != b {
			t.Errorf("two greedy traces differ: %q and %q", a, b)
		}
	})
	t.Run("stop string", func(t *testing.T) {
		for _, from := range []int{0, 3, len(base.Text) / 2} {
			stop := base.Text[from : from+5]
			tr := ask(t, e, Request{Question: questions[0], Seed: 5, Params: Params{MaxTokens: 40, IgnoreEOS: true, Stop: []string{"never seen", stop}}}).Traces[0]
			want, _, _ := strings.Cut(base.Text, stop)
			if tr.State != prune.Finished || tr.Text != want {
				t.Errorf("stop %q: %v with %q; want %q", stop, tr.State, tr.Text, want)
			}
		}
	})
	t.Run("two stop strings that end together", func(t *testing.T) {
		stop := []string{base.Text[6:8], base.Text[5:8]}
		tr := ask(t, e, Request{Question: questions[0], Seed: 5, Params: Params{MaxTokens: 40, IgnoreEOS: true, Stop: stop}}).Traces[0]
		want := base.Text[:min(strings.Index(base.Text, stop[0]), strings.Index(base.Text, stop[1]))]
		if tr.State != prune.Finished || tr.Text != want {
			t.Errorf("stop %q: %v with %q; want %q", stop, tr.State, tr.Text, want)
		}
	})
	t.Run("stop token", func(t *testing.T) {
		id := base.TokenIDs[20]
		tr := ask(t, e, Request{Question: questions[0], Seed: 5, Params: Params{MaxTokens: 40, StopTokens: []int32{id}}}).Traces[0]
		if tr.State != prune.Finished || tr.TokenIDs[tr.Tokens-1] != id || tr.Tokens > 21 {
			t.Errorf("%v after %d tokens; want the end at token %d", tr.State, tr.Tokens, id)
		}
	})
	t.Run("prompt as tokens", func(t *testing.T) {
		prompt, err := p.reasoner.Prompt(questions[0])
		if err != nil {
			t.Fatal(err)
		}
		tr := ask(t, e, Request{Prompt: prompt, Seed: 5, Params: Params{MaxTokens: 40, IgnoreEOS: true}}).Traces[0]
		if tr.Text != base.Text {
			t.Errorf("%q; want %q as from the question", tr.Text, base.Text)
		}
	})
	t.Run("one token of prompt", func(t *testing.T) {
		ask(t, e, Request{Prompt: []int32{5}, Traces: 3, Params: Params{MaxTokens: 3}})
	})
}

func TestPrefixIsReused(t *testing.T) {
	p := open(t, 2)
	e := p.start(t, Options{})
	r := Request{Question: questions[1], Traces: 4, Seed: 9, Params: Params{MaxTokens: 30}}
	first := ask(t, e, r)
	if _, hit := e.pool.Prefix(); hit != 0 {
		t.Fatalf("%d tokens found in an empty cache", hit)
	}
	second := ask(t, e, r)
	prompt := first.Usage.PromptTokens
	if _, hit := e.pool.Prefix(); hit != int64((prompt-1)/16*16) {
		t.Errorf("%d tokens of a prompt of %d were reused; want all full blocks", hit, prompt)
	}
	samePrefix(t, second, first)
}

// rogue is a policy that misbehaves.
type rogue struct {
	cut
	decide func(prune.Event) []prune.Action
}

func (r rogue) New(k int) prune.Decider { return rogueDecider{prune.None().New(k), r} }

type rogueDecider struct {
	prune.Decider
	rogue rogue
}

func (d rogueDecider) Decide(ev prune.Event, s *prune.Snapshot) []prune.Action {
	return d.rogue.decide(ev)
}

func TestPolicyThatMisbehavesBreaksItsGroupAlone(t *testing.T) {
	p := open(t, 2)
	e := p.start(t, Options{})
	good, err := e.Submit(context.Background(), Request{Question: questions[0], Traces: 4, Params: Params{MaxTokens: 50}})
	if err != nil {
		t.Fatal(err)
	}
	for name, decide := range map[string]func(prune.Event) []prune.Action{
		"panic": func(prune.Event) []prune.Action { panic("rogue") },
		"holds for ever": func(prune.Event) []prune.Action {
			return nil
		},
		"no such trace": func(prune.Event) []prune.Action { return []prune.Action{{Kind: prune.Stop, Trace: 99}} },
		"judge too early": func(prune.Event) []prune.Action {
			return []prune.Action{{Kind: prune.Judge, Trace: 1, Keeper: 0, Checkpoint: 0}}
		},
		"no such action": func(prune.Event) []prune.Action { return []prune.Action{{Kind: 200}} },
	} {
		g, err := e.Submit(context.Background(), Request{Question: questions[0], Traces: 3, Policy: rogue{cut{at: 8}, decide}, Params: Params{MaxTokens: 20}})
		if err != nil {
			t.Fatal(err)
		}
		if res, err := g.Wait(); err == nil || res == nil || !strings.Contains(err.Error(), "policy") {
			t.Errorf("%s: Wait = %v, %v; want a result and an error that names the policy", name, res, err)
		}
	}
	if _, err := good.Wait(); err != nil {
		t.Errorf("the group beside them: %v", err)
	}
}
