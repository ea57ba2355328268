package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"deepprune/kernels"
	"deepprune/kernels/cpu"
	"deepprune/model"
	"deepprune/prune"
	"deepprune/weights"
	"deepprune/weights/embedded"
)

// pair is the embedded pair on a device of its own.
type testPair struct {
	dev      kernels.Device
	reasoner *model.Model
	judge    *Judge
}

// open loads the embedded pair; threads is the number of workers.
func open(t testing.TB, threads int) testPair {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	load := func(name string, c *weights.Checkpoint, err error) (*model.Model, *weights.Checkpoint) {
		if err != nil {
			t.Fatal(err)
		}
		m, err := model.Load(dev, c, model.Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return m, c
	}
	rc, err := weights.OpenFS(embedded.Reasoner(), "embedded")
	reasoner, _ := load("reasoner", rc, err)
	jc, err := weights.OpenFS(embedded.Judge(), "embedded")
	m, _ := load("judge", jc, err)
	j, err := NewJudge(m, jc)
	if err != nil {
		t.Fatal(err)
	}
	return testPair{dev, reasoner, j}
}

// start makes an engine that checks its books after every step.
func (p testPair) start(t testing.TB, opt Options) *Engine {
	t.Helper()
	opt.CheckInvariants = true
	e, err := New(p.dev, p.reasoner, p.judge, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return e
}

// questions are inside the domain of the embedded pair.
var questions = []string{
	"What is (12 + 7) * 3 - 8?",
	"Tom has 24 apples. He buys 3 bags with 7 apples each and gives 5 apples to his sister. How many apples does Tom have now?",
	"What is 45 - 6 * (2 + 3)?",
}

// policy makes a policy by name, cut where the test wants it.
func policy(t testing.TB, name string, tokens int) prune.Policy {
	t.Helper()
	p, err := prune.ByName(name, prune.Options{Checkpoint: prune.Checkpoint{Tokens: tokens}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ask submits a request and waits for its result.
func ask(t testing.TB, e *Engine, r Request) *Result {
	t.Helper()
	g, err := e.Submit(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	res, err := g.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// blocksOf is KV memory for n blocks of the reasoner.
func (p testPair) blocksOf(n int) int64 {
	l := p.reasoner.Config.KVLayout()
	return int64(n) * max(l.BlockBytes(), p.judge.Model.Config.KVLayout().BlockBytes())
}

// unpruned returns k full traces of a question.
func unpruned(t testing.TB, p testPair, question string, k, maxTokens int) *Result {
	t.Helper()
	e := p.start(t, Options{})
	return ask(t, e, Request{Question: question, Traces: k, Seed: 7, Params: Params{MaxTokens: maxTokens}})
}

// samePrefix fails unless every trace of got begins as the trace of want does, to
// the end unless it was stopped.
func samePrefix(t *testing.T, got, want *Result) {
	t.Helper()
	for i, tr := range got.Traces {
		w := want.Traces[i]
		n := min(len(tr.TokenIDs), len(w.TokenIDs))
		if tr.State == prune.Finished || tr.State == prune.Length {
			n = len(w.TokenIDs)
		}
		if !slices.Equal(tr.TokenIDs, w.TokenIDs[:n]) {
			t.Errorf("trace %d (%v): tokens differ from the reference's first %d of %d:\n got %v\nwant %v", i, tr.State, n, len(w.TokenIDs), tr.TokenIDs, w.TokenIDs[:n])
			return
		}
	}
}

func TestTokensDependOnSeedAndIndexAlone(t *testing.T) {
	p := open(t, 2)
	const maxTokens = 120
	for _, q := range questions[:2] {
		want := unpruned(t, p, q, 24, maxTokens)
		request := Request{Question: q, Traces: 24, Seed: 7, Params: Params{MaxTokens: maxTokens}}
		cases := []struct {
			name    string
			opt     Options
			k       int
			policy  string
			threads int
			crowd   bool // beside other groups
		}{
			{name: "one trace", k: 1},
			{name: "fewer traces", k: 9},
			{name: "one slot", opt: Options{Slots: 1, TokenBudget: 1}, k: 3},
			{name: "three slots, small chunks", opt: Options{Slots: 3, TokenBudget: 7}, k: 24},
			{name: "memory for a few", opt: Options{KVBytes: p.blocksOf(40)}, k: 24},
			{name: "memory for one", opt: Options{KVBytes: p.blocksOf(14)}, k: 6},
			{name: "one thread", threads: 1, k: 24},
			{name: "three threads", threads: 3, k: 24},
			{name: "pruned", policy: "deepprune", k: 24},
			{name: "pruned as published", policy: "deepprune-paper", k: 24},
			{name: "pruned, short of memory", policy: "deepprune", opt: Options{Slots: 5, KVBytes: p.blocksOf(24)}, k: 24},
			{name: "beside other groups", k: 24, crowd: true, opt: Options{Slots: 16}},
		}
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				pair := p
				if c.threads > 0 {
					pair = open(t, c.threads)
				}
				r := request
				r.Traces = c.k
				if c.policy != "" {
					r.Policy = policy(t, c.policy, 20)
				}
				e := pair.start(t, c.opt)
				var others []*Group
				if c.crowd {
					for i, other := range questions {
						g, err := e.Submit(context.Background(), Request{Question: other, Traces: 5 + i, Seed: uint64(i), Params: Params{MaxTokens: 90}})
						if err != nil {
							t.Fatal(err)
						}
						others = append(others, g)
					}
				}
				samePrefix(t, ask(t, e, r), want)
				for _, g := range others {
					if _, err := g.Wait(); err != nil {
						t.Error(err)
					}
				}
				if n := e.Stats().Preemptions; n == 0 && c.name == "memory for a few" {
					t.Error("no trace was preempted; the pool was meant to be too small")
				}
				if s := e.Stats(); s.Reasoner.Used != 0 || s.Judge.Used != 0 {
					t.Errorf("blocks in use afterwards: %d and %d; want none", s.Reasoner.Used, s.Judge.Used)
				}
			})
		}
	}
}

// decisions is what must not depend on how a group was run.
func decisions(r *Result) string {
	s := fmt.Sprintf("answer %q votes %v clusters %v\n", r.Answer, r.Votes, r.Clusters)
	for _, tr := range r.Traces {
		keeper := -1
		if tr.Keeper != nil {
			keeper = *tr.Keeper
		}
		s += fmt.Sprintf("%d %v keeper %d %q\n", tr.Index, tr.State, keeper, tr.Answer)
	}
	return s
}

func TestDecisionsDependOnSeedAlone(t *testing.T) {
	p := open(t, 2)
	for _, name := range []string{"deepprune", "deepprune-paper"} {
		for _, q := range questions[1:2] {
			r := Request{Question: q, Traces: 24, Seed: 3, Policy: policy(t, name, 24), Params: Params{MaxTokens: 80}}
			want := decisions(ask(t, p.start(t, Options{}), r))
			evictions := int64(0)
			for _, opt := range []Options{
				{Slots: 1}, {Slots: 2, TokenBudget: 3}, {Slots: 7, JudgeBudget: 50}, {Slots: 24, JudgeBudget: 16},
				{KVBytes: p.blocksOf(16)}, {KVBytes: p.blocksOf(20), Slots: 6}, {KVBytes: p.blocksOf(36)},
			} {
				e := p.start(t, opt)
				if got := decisions(ask(t, e, r)); got != want {
					t.Errorf("%s, %q, %+v:\n got %s\nwant %s", name, q, opt, got, want)
				}
				evictions += e.Stats().Evictions
			}
			if evictions == 0 {
				t.Errorf("%s, %q: no held trace was evicted; the pools were meant to be too small", name, q)
			}
		}
	}
}

func TestTwoEnginesInOneProcess(t *testing.T) {
	want := unpruned(t, open(t, 1), questions[0], 6, 60)
	var wg sync.WaitGroup
	for range 2 {
		e := open(t, 2).start(t, Options{Slots: 3})
		wg.Go(func() {
			g, err := e.Submit(context.Background(), Request{Question: questions[0], Traces: 6, Seed: 7, Params: Params{MaxTokens: 60}})
			if err != nil {
				t.Error(err)
				return
			}
			res, err := g.Wait()
			if err != nil {
				t.Error(err)
				return
			}
			samePrefix(t, res, want)
		})
	}
	wg.Wait()
}

func TestDeadlineReturnsBestVoteSoFar(t *testing.T) {
	e := open(t, 2).start(t, Options{Slots: 2})
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	g, err := e.Submit(ctx, Request{Question: questions[0], Traces: MaxTraces / 8})
	if err != nil {
		t.Fatal(err)
	}
	res, err := g.Wait()
	if err != nil || res == nil {
		t.Fatalf("Wait = %v, %v; want a result", res, err)
	}
	if res.Warning == "" {
		t.Error("no warning about the deadline")
	}
	if s := e.Stats(); s.Reasoner.Used != 0 || s.Running != 0 {
		t.Errorf("%d blocks, %d slots in use after the deadline", s.Reasoner.Used, s.Running)
	}
}
