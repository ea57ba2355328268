package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"deepprune/prune"
)

// erratic is a policy of random decisions: it has traces judged against up to
// pairs others, and stops some, holds some for a while and ends groups early, also
// when it is asked for room. It leaves no trace held for ever.
type erratic struct {
	seed  uint64
	at    int
	pairs int
}

func (erratic) Name() string { return "erratic" }
func (p erratic) Checkpoints() []prune.Checkpoint {
	return []prune.Checkpoint{{Tokens: p.at}, {Tokens: 40}}
}
func (p erratic) NeedsJudge() bool { return p.pairs > 0 }
func (p erratic) New(k int) prune.Decider {
	return &erraticDecider{
		Decider: prune.None().New(k), policy: p,
		rng:  rand.New(rand.NewPCG(p.seed, 0)),
		open: make([]int, k), held: make([]bool, k),
	}
}

type erraticDecider struct {
	prune.Decider
	policy  erratic
	rng     *rand.Rand
	open    []int  // verdicts that a trace waits for
	held    []bool // by a Hold
	done    bool
	actions []prune.Action
}

func (d *erraticDecider) act(kind prune.ActionKind, trace, keeper, checkpoint int) {
	d.actions = append(d.actions, prune.Action{Kind: kind, Trace: trace, Keeper: keeper, Checkpoint: checkpoint, Reason: "test"})
}

// once is true one time in n.
func (d *erraticDecider) once(n int) bool { return d.rng.IntN(n) == 0 }

func (d *erraticDecider) Decide(ev prune.Event, s *prune.Snapshot) []prune.Action {
	d.actions = d.actions[:0]
	if d.done {
		return nil
	}
	running := 0
	for i := range s.Traces {
		if s.Traces[i].State == prune.Running {
			running++
		}
	}
	for i := range d.held {
		if d.held[i] && (running == 0 || d.once(2)) {
			d.held[i] = false
			d.act(prune.Resume, i, -1, 0)
		}
	}
	i := ev.Trace
	switch ev.Kind {
	case prune.Reached:
		d.held[i] = false
		for j := range s.Traces {
			if j != i && s.Traces[j].Checkpoints > ev.Checkpoint && d.open[i] < d.policy.pairs {
				d.open[i]++
				d.act(prune.Judge, i, j, ev.Checkpoint)
			}
		}
		if d.open[i] == 0 {
			d.act(prune.Resume, i, -1, 0)
		}
	case prune.Judged:
		if d.open[i]--; d.open[i] == 0 {
			if d.once(4) {
				d.act(prune.Stop, i, ev.Keeper, 0)
			} else {
				d.act(prune.Resume, i, -1, 0)
			}
		}
		d.done = d.once(40)
	case prune.Ended:
		d.done = d.once(10)
	case prune.BlocksShort:
		i = d.rng.IntN(len(s.Traces))
		switch {
		case d.once(10):
			d.act(prune.Stop, i, -1, 0)
		case d.once(6) && running > 1 && s.Traces[i].State == prune.Running:
			d.held[i] = true
			d.act(prune.Hold, i, -1, 0)
		}
		d.done = d.once(40)
	}
	if d.done {
		d.act(prune.StopRest, -1, -1, 0)
	}
	return d.actions
}

// smallestMemory is the least KV memory with which all requests are accepted.
func (p testPair) smallestMemory(t *testing.T, requests []Request) int64 {
	t.Helper()
	for blocks := 2; ; blocks++ {
		e, err := newEngine(p.dev, p.reasoner, p.judge, Options{KVBytes: p.blocksOf(blocks), Slots: 1, TokenBudget: 1, JudgeBudget: 16})
		if err != nil {
			t.Fatal(err)
		}
		refused := func(r Request) bool { _, err := e.newGroup(context.Background(), r); return err != nil }
		if !slices.ContainsFunc(requests, refused) {
			return p.blocksOf(blocks)
		}
	}
}

// TestSmallestMemory runs groups of random shapes, under policies good and
// erratic, in no more memory than it takes to accept them: every group ends, none
// fails, no trace is disturbed and nothing is left over. The loop is run by hand, so
// that a seed is a run.
func TestSmallestMemory(t *testing.T) {
	p := open(t, 2)
	const k, maxTokens, seeds = 7, 56, 2
	want := make(map[string]*Result) // by question and seed
	full := func(q string, seed uint64) *Result {
		key := fmt.Sprint(seed, q)
		if want[key] == nil {
			want[key] = ask(t, p.start(t, Options{}), Request{Question: q, Traces: k, Seed: seed, Params: Params{MaxTokens: maxTokens, IgnoreEOS: true}})
		}
		return want[key]
	}
	preemptions, evictions := int64(0), int64(0)
	for seed := range uint64(24) {
		rng := rand.New(rand.NewPCG(seed, 0))
		opt := Options{Slots: 1 + rng.IntN(4), JudgeBudget: 16 + rng.IntN(2)*rng.IntN(1000), CheckInvariants: true}
		opt.TokenBudget = opt.Slots + rng.IntN(30)
		requests := make([]Request, 1+rng.IntN(3))
		for i := range requests {
			at := 5 + rng.IntN(25)
			policies := []prune.Policy{
				nil, policy(t, "deepprune", at), policy(t, "deepprune-paper", at),
				erratic{seed: rng.Uint64(), at: at}, erratic{seed: rng.Uint64(), at: at, pairs: 1 + rng.IntN(k)},
			}
			requests[i] = Request{
				Question: questions[rng.IntN(2)], Traces: 1 + rng.IntN(k), Seed: rng.Uint64N(seeds), Policy: policies[rng.IntN(len(policies))],
				Params: Params{MaxTokens: 10 + rng.IntN(maxTokens-9), IgnoreEOS: rng.IntN(2) == 0},
			}
		}
		opt.KVBytes = p.smallestMemory(t, requests) + p.blocksOf(rng.IntN(2)*rng.IntN(10))
		e, err := newEngine(p.dev, p.reasoner, p.judge, opt)
		if err != nil {
			t.Fatal(err)
		}
		groups := make([]*Group, 0, len(requests))
		for turn := 0; len(groups) < len(requests) || len(e.groups) > 0; turn++ {
			if turn == 4000 {
				t.Fatalf("seed %d: no end in sight", seed)
			}
			if len(groups) < len(requests) && (len(e.groups) == 0 || rng.IntN(20) == 0) {
				groups = append(groups, submit(t, e, requests[len(groups)]))
			}
			e.step()
		}
		for i, g := range groups {
			if g.err != nil {
				t.Errorf("seed %d: group %d: %v", seed, i, g.err)
			}
			ref := full(requests[i].Question, requests[i].Seed)
			for _, tr := range g.result.Traces {
				if w := ref.Traces[tr.Index].TokenIDs[:len(tr.TokenIDs)]; !slices.Equal(tr.TokenIDs, w) {
					t.Errorf("seed %d: group %d, trace %d:\n got %v\nwant %v", seed, i, tr.Index, tr.TokenIDs, w)
				}
			}
		}
		if e.arena.UsedBytes() != 0 || e.running != 0 || len(e.judge.pairs)+len(e.judge.keepers) != 0 {
			t.Errorf("seed %d: %d bytes, %d slots, %d pairs and %d keepers left over", seed, e.arena.UsedBytes(), e.running, len(e.judge.pairs), len(e.judge.keepers))
		}
		preemptions, evictions = preemptions+e.counts.Preemptions, evictions+e.counts.Evictions
	}
	if preemptions == 0 || evictions == 0 {
		t.Errorf("%d preemptions and %d evictions; the memory was meant to be too small", preemptions, evictions)
	}
}
