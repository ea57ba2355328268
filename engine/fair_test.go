package engine

import (
	"context"
	"errors"
	"testing"

	"deepprune/prune"
)

// TestManyTracesStarveNobody has 20 questions of one trace arrive while a group of
// 512 holds every slot. Each has its first token after the steps that all their
// prompts take in the part of a step that is theirs, and a few more.
func TestManyTracesStarveNobody(t *testing.T) {
	p := open(t, 2)
	for _, opt := range []Options{{Slots: 64}, {Slots: 64, TokenBudget: 64}, {Slots: 8, TokenBudget: 32}} {
		e, err := newEngine(p.dev, p.reasoner, nil, opt)
		if err != nil {
			t.Fatal(err)
		}
		big := submit(t, e, Request{Question: questions[0], Traces: 512, Params: Params{IgnoreEOS: true, MaxTokens: 400}})
		for range 8 {
			e.step()
		}
		if big.slots != min(e.opt.Slots, e.opt.TokenBudget) {
			t.Fatalf("%+v: the group of 512 has %d slots; want all", opt, big.slots)
		}
		// One that has a long prompt, first.
		long := make([]int32, 600)
		groups := []*Group{submit(t, e, Request{Prompt: long, Params: Params{IgnoreEOS: true, MaxTokens: 2}})}
		rows := len(long)
		const maxTokens = 4
		for i := range 20 {
			g := submit(t, e, Request{Question: questions[i%3], Seed: uint64(i), Params: Params{IgnoreEOS: true, MaxTokens: maxTokens}})
			groups = append(groups, g)
			rows += len(g.prompt) - 1
		}
		perStep := e.opt.TokenBudget - min(e.opt.Slots, e.opt.TokenBudget-e.opt.TokenBudget/4)
		bound := rows/perStep + len(groups)*maxTokens/(e.opt.Slots/2) + 10
		shortBound := (rows-len(long))*2/perStep + len(groups)*maxTokens/(e.opt.Slots/2) + 10
		for step := 1; step <= bound; step++ {
			e.step()
			if step != min(shortBound, bound) {
				continue
			}
			for i, g := range groups[1:] {
				if g.queued {
					t.Errorf("%+v: question %d still waits after %d steps, behind a long prompt", opt, i, step)
				}
			}
		}
		for i, g := range groups {
			if g.queued {
				t.Errorf("%+v: question %d still waits after %d steps", opt, i, bound)
			}
		}
		if big.finished || big.slots == 0 {
			t.Errorf("%+v: the group of 512 has %d slots, finished: %v; want it to go on beside them", opt, big.slots, big.finished)
		}
		for i := 0; i < 40 && len(e.groups) > 1; i++ {
			e.step()
		}
		if len(e.groups) != 1 || big.slots != e.opt.Slots {
			t.Errorf("%+v: %d groups left, the one of 512 has %d slots; want it alone with all of them", opt, len(e.groups), big.slots)
		}
		e.endGroup(big, prune.Cancelled, nil, "")
		if err := e.check(); err != nil || e.pool.Used() != 0 {
			t.Errorf("%+v: %v, %d blocks in use", opt, err, e.pool.Used())
		}
	}
}

func TestFairShare(t *testing.T) {
	for _, c := range []struct {
		wants  []int
		budget int
		want   int
	}{
		{[]int{100, 3, 5}, 50, 42}, {[]int{10, 10, 10}, 9, 3}, {[]int{1, 1}, 9, 1}, {[]int{5, 5, 5}, 2, 0}, {[]int{7}, 3, 3}, {[]int{0, 9, 2}, 8, 6},
	} {
		e := &Engine{}
		waiting := 0
		for _, n := range c.wants {
			e.groups = append(e.groups, &Group{toCompute: n})
			if n > 0 {
				waiting++
			}
		}
		if got := e.fairShare(c.budget, waiting); got != c.want {
			t.Errorf("%d rows among those who want %v: %d each; want %d", c.budget, c.wants, got, c.want)
		}
	}
}

func TestMaxWaiting(t *testing.T) {
	p := open(t, 2)
	e := p.start(t, Options{Slots: 1, MaxWaiting: 3})
	first, err := e.Submit(context.Background(), Request{Question: questions[0], Params: Params{IgnoreEOS: true}})
	if err != nil {
		t.Fatal(err)
	}
	for first.Progress(0).State != prune.Running {
		<-first.Changed()
	}
	var waiting []*Group
	for range 3 {
		g, err := e.Submit(context.Background(), Request{Question: questions[0], Params: Params{MaxTokens: 2}})
		if err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, g)
	}
	if _, err := e.Submit(context.Background(), Request{Question: questions[0]}); !errors.Is(err, ErrBusy) {
		t.Errorf("a fourth group: %v; want %v", err, ErrBusy)
	}
	if s := e.Stats(); s.Waiting > 3 || s.Groups < 3 {
		t.Errorf("%d groups wait of %d; want 3 of 4 at most", s.Waiting, s.Groups)
	}
	waiting[0].Cancel()
	waiting[0].Wait()
	if g, err := e.Submit(context.Background(), Request{Question: questions[0], Params: Params{MaxTokens: 2}}); err != nil {
		t.Errorf("after one was cancelled: %v", err)
	} else {
		waiting[0] = g
	}
	first.Cancel()
	for _, g := range waiting {
		if _, err := g.Wait(); err != nil {
			t.Error(err)
		}
	}
	if n := e.waiting.Load(); n != 0 {
		t.Errorf("%d groups count as waiting; want none", n)
	}
}
