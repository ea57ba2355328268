package engine

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"deepprune/prune"
)

// alike scores two prefixes by what they begin with: a judge without a model.
func alike(_ context.Context, _ string, pairs []Pair) ([]float64, error) {
	scores := make([]float64, len(pairs))
	for i, p := range pairs {
		if p.Keeper[:4] == p.Trace[:4] {
			scores[i] = 0.9
		}
	}
	return scores, nil
}

// TestJudgeFunc: decisions by a JudgeFunc are the same for any number of slots, with
// little memory and however slowly it answers, and survivors are not disturbed.
func TestJudgeFunc(t *testing.T) {
	p := open(t, 2)
	p.judge = nil
	r := Request{Question: questions[1], Traces: 16, Seed: 3, Judge: alike, Params: Params{MaxTokens: 70}}
	plain := r
	plain.Judge = nil
	whole := ask(t, p.start(t, Options{}), plain)
	layout := p.reasoner.Config.KVLayout()
	for _, name := range []string{"deepprune", "deepprune-paper"} {
		r.Policy = policy(t, name, 16)
		var want string
		for i, opt := range []Options{{}, {Slots: 1}, {Slots: 3, TokenBudget: 5}, {KVBytes: 24 * layout.BlockBytes()}} {
			slow := r
			calls := atomic.Int32{}
			slow.Judge = func(ctx context.Context, question string, pairs []Pair) ([]float64, error) {
				if n := calls.Add(1); n > 1 {
					defer calls.Add(-1)
					t.Error("two calls at once")
				}
				time.Sleep(time.Duration(i) * time.Millisecond)
				calls.Add(-1)
				if question != questions[1] {
					t.Errorf("asked about %q", question)
				}
				return alike(ctx, question, pairs)
			}
			e := p.start(t, opt)
			got := ask(t, e, slow)
			if want == "" {
				want = decisions(got)
				if got.Usage.JudgePairs == 0 || got.Usage.JudgeTokens != 0 {
					t.Errorf("%d pairs, %d tokens judged; want some, without tokens", got.Usage.JudgePairs, got.Usage.JudgeTokens)
				}
			}
			if d := decisions(got); d != want {
				t.Errorf("%s, %+v:\n got %s\nwant %s", name, opt, d, want)
			}
			samePrefix(t, got, whole)
			if s := e.Stats(); s.Reasoner.Used != 0 || s.PairsWaiting != 0 {
				t.Errorf("%d blocks, %d pairs left", s.Reasoner.Used, s.PairsWaiting)
			}
		}
	}
}

func TestJudgeFuncThatFails(t *testing.T) {
	p := open(t, 2)
	p.judge = nil
	e := p.start(t, Options{})
	good, err := e.Submit(context.Background(), Request{Question: questions[0], Traces: 4, Params: Params{MaxTokens: 50}})
	if err != nil {
		t.Fatal(err)
	}
	for text, judge := range map[string]JudgeFunc{
		"out of order": func(context.Context, string, []Pair) ([]float64, error) { return nil, errors.New("out of order") },
		"0 scores":     func(context.Context, string, []Pair) ([]float64, error) { return nil, nil },
		"rogue":        func(context.Context, string, []Pair) ([]float64, error) { panic("rogue") },
	} {
		g, err := e.Submit(context.Background(), Request{Question: questions[0], Traces: 6, Policy: policy(t, "deepprune", 8), Judge: judge, Params: Params{MaxTokens: 40}})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := g.Wait(); r == nil || err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: Wait = %v, %v; want a result and an error that says so", text, r, err)
		}
	}
	if _, err := good.Wait(); err != nil {
		t.Errorf("the group beside them: %v", err)
	}
}

// TestJudgeFuncIsNotWaitedFor: a judge that never answers holds up neither other
// groups nor the end of its own.
func TestJudgeFuncIsNotWaitedFor(t *testing.T) {
	p := open(t, 2)
	p.judge = nil
	e := p.start(t, Options{})
	asked := make(chan struct{})
	left := make(chan struct{})
	stuck, err := e.Submit(context.Background(), Request{
		Question: questions[0], Traces: 4, Policy: policy(t, "deepprune", 8), Params: Params{MaxTokens: 40},
		Judge: func(ctx context.Context, _ string, _ []Pair) ([]float64, error) {
			close(asked)
			<-ctx.Done()
			close(left)
			return nil, ctx.Err()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	<-asked
	if r := ask(t, e, Request{Question: questions[1], Traces: 2, Params: Params{MaxTokens: 30}}); r.Traces[0].State == prune.Cancelled {
		t.Errorf("the other group: %v", r.Traces[0].State)
	}
	stuck.Cancel()
	if _, err := stuck.Wait(); !errors.Is(err, ErrCancelled) {
		t.Errorf("Wait: %v; want %v", err, ErrCancelled)
	}
	<-left // its context ended
}
