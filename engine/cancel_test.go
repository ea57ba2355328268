package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"deepprune/prune"
)

func TestCancelGroup(t *testing.T) {
	e := open(t, 2).start(t, Options{Slots: 8}) // so that most have not begun
	g, err := e.Submit(context.Background(), Request{Question: questions[0], Traces: 32, EventBuffer: 1 << 16, Params: Params{IgnoreEOS: true}})
	if err != nil {
		t.Fatal(err)
	}
	for ev := range g.Events() {
		if ev.Kind == EventTokens && ev.Tokens == 10 {
			g.Cancel()
			break
		}
	}
	res, err := g.Wait()
	if !errors.Is(err, ErrCancelled) || res == nil {
		t.Fatalf("Wait = %v, %v; want a result and ErrCancelled", res, err)
	}
	for _, tr := range res.Traces {
		if tr.State != prune.Cancelled {
			t.Errorf("trace %d is %v; want cancelled", tr.Index, tr.State)
		}
	}
	if s := e.Stats(); s.Reasoner.Used != 0 || s.Running != 0 || s.Groups != 0 {
		t.Errorf("%d blocks, %d slots, %d groups left", s.Reasoner.Used, s.Running, s.Groups)
	}
	g.Cancel() // of a finished group: nothing happens
	g.CancelTrace(3)
}

func TestCancelOneTrace(t *testing.T) {
	p := open(t, 2)
	params := Params{MaxTokens: 300, IgnoreEOS: true}
	e := p.start(t, Options{})
	want := ask(t, e, Request{Question: questions[0], Traces: 8, Seed: 7, Params: params})
	g, err := e.Submit(context.Background(), Request{Question: questions[0], Traces: 8, Seed: 7, EventBuffer: 1 << 16, Params: params})
	if err != nil {
		t.Fatal(err)
	}
	for ev := range g.Events() {
		if ev.Kind == EventTokens && ev.Trace == 5 && ev.Tokens == 5 {
			g.CancelTrace(5)
			g.CancelTrace(-1)
			g.CancelTrace(8)
		}
	}
	res, err := g.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if s := res.Traces[5].State; s != prune.Cancelled {
		t.Errorf("trace 5 is %v; want cancelled", s)
	}
	samePrefix(t, res, want)
}

func TestContextCancelsGroup(t *testing.T) {
	e := open(t, 2).start(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	g, err := e.Submit(ctx, Request{Question: questions[0], Traces: 1000, Params: Params{IgnoreEOS: true}})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := g.Wait(); !errors.Is(err, ErrCancelled) {
		t.Errorf("Wait: %v; want ErrCancelled", err)
	}
}

func TestCloseEndsGroups(t *testing.T) {
	p := open(t, 2)
	e, err := New(p.dev, p.reasoner, p.judge, Options{})
	if err != nil {
		t.Fatal(err)
	}
	g, err := e.Submit(context.Background(), Request{Question: questions[0], Traces: 100, Params: Params{IgnoreEOS: true}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Wait(); !errors.Is(err, ErrClosed) {
		t.Errorf("Wait: %v; want ErrClosed", err)
	}
	if _, err := e.Submit(context.Background(), Request{Question: "2 + 2"}); !errors.Is(err, ErrClosed) {
		t.Errorf("Submit: %v; want ErrClosed", err)
	}
	e.Stats() // still answers
}

func TestSlowReaderIsDropped(t *testing.T) {
	e := open(t, 2).start(t, Options{})
	g, err := e.Submit(context.Background(), Request{Question: questions[0], Traces: 8, EventBuffer: 3, Params: Params{MaxTokens: 30}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for range g.Events() {
		n++
	}
	if n != 3 {
		t.Errorf("%d events; want the 3 that fitted, then the end", n)
	}
}

// TestManyGroups has groups come and go at random, some cancelled, by groups and by
// traces, with memory for a few only. No group fails that should not, and nothing
// is left over.
func TestManyGroups(t *testing.T) {
	before := runtime.NumGoroutine()
	p := open(t, 2)
	e, err := New(p.dev, p.reasoner, p.judge, Options{Slots: 9, TokenBudget: 40, JudgeBudget: 200, KVBytes: p.blocksOf(60), CheckInvariants: true})
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	policies := []string{"none", "deepprune", "deepprune-paper"}
	type waiting struct {
		g         *Group
		cancelled bool
	}
	var all []waiting
	for range 40 {
		r := Request{
			Question: questions[rng.IntN(len(questions))], Traces: 1 + rng.IntN(20), Seed: rng.Uint64(),
			Policy: policy(t, policies[rng.IntN(3)], 5+rng.IntN(40)),
			Params: Params{MaxTokens: 1 + rng.IntN(100)},
		}
		g, err := e.Submit(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		w := waiting{g: g, cancelled: rng.IntN(4) == 0}
		if w.cancelled {
			time.AfterFunc(time.Duration(rng.IntN(300))*time.Millisecond, g.Cancel)
		} else if rng.IntN(3) == 0 {
			time.AfterFunc(time.Duration(rng.IntN(300))*time.Millisecond, func() { g.CancelTrace(r.Traces / 2) })
		}
		all = append(all, w)
	}
	for i, w := range all {
		_, err := w.g.Wait()
		if err != nil && !(w.cancelled && errors.Is(err, ErrCancelled)) {
			t.Errorf("group %d: %v", i, err)
		}
	}
	s := e.Stats()
	if s.Reasoner.Used != 0 || s.Judge.Used != 0 || s.Running != 0 || s.Groups != 0 {
		t.Errorf("left over: %+v", s)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	p.dev.Close()
	for i := 0; runtime.NumGoroutine() > before && i < 100; i++ {
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines; want %d as before", n, before)
	}
}

// TestCancelledBlocksServeTheNextStep cancels many groups at once: what they held is
// free before the next step is planned.
func TestCancelledBlocksServeTheNextStep(t *testing.T) {
	p := open(t, 2)
	e, err := newEngine(p.dev, p.reasoner, p.judge, Options{Slots: 16})
	if err != nil {
		t.Fatal(err)
	}
	var groups []*Group
	for i := range 40 {
		groups = append(groups, submit(t, e, Request{Question: questions[i%3], Traces: 1 + i%5, Policy: policy(t, "deepprune", 6), Params: Params{MaxTokens: 60}}))
	}
	for range 15 {
		e.step()
	}
	kept := groups[7]
	for _, g := range groups {
		if g != kept && !g.finished {
			e.carryOut(command{kind: commandCancel, group: g, at: time.Now()})
		}
	}
	blocks := len(kept.root.Blocks())
	for i := range kept.traces {
		blocks += kept.traces[i].blocks()
	}
	if used := e.pool.Used(); used != blocks || e.running != kept.slots || len(e.groups) != 1 {
		t.Errorf("%d blocks, %d slots, %d groups in use; want %d, %d and 1, those of the group that is left", used, e.running, len(e.groups), blocks, kept.slots)
	}
	for !kept.finished {
		e.step()
	}
	if err := e.check(); err != nil || e.pool.Used() != 0 {
		t.Errorf("afterwards: %v, %d blocks in use", err, e.pool.Used())
	}
}
