package engine

import (
	"context"
	"slices"
	"testing"

	"deepprune/prune"
)

// cut is a policy that stops one trace at its checkpoint and resumes the others.
type cut struct {
	prune.Policy
	at     int // tokens
	victim int
}

func (cut) Name() string                      { return "cut" }
func (c cut) Checkpoints() []prune.Checkpoint { return []prune.Checkpoint{{Tokens: c.at}} }
func (cut) NeedsJudge() bool                  { return false }
func (c cut) New(k int) prune.Decider         { return &cutDecider{Decider: prune.None().New(k), cut: c} }

type cutDecider struct {
	prune.Decider
	cut cut
}

func (d *cutDecider) Decide(ev prune.Event, s *prune.Snapshot) []prune.Action {
	if ev.Kind != prune.Reached {
		return nil
	}
	if ev.Trace == d.cut.victim {
		return []prune.Action{{Kind: prune.Stop, Trace: ev.Trace, Keeper: -1, Reason: "test"}}
	}
	return []prune.Action{{Kind: prune.Resume, Trace: ev.Trace}}
}

// submit makes a group part of an engine whose loop does not run.
func submit(t testing.TB, e *Engine, r Request) *Group {
	t.Helper()
	g, err := e.newGroup(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	e.accept(g)
	return g
}

// TestPrunedBlocksServeTheNextStep runs the loop by hand: there is one slot, trace
// 0 is stopped, and trace 1, which could not start, gets the slot and exactly the
// blocks of trace 0 in the very next step.
func TestPrunedBlocksServeTheNextStep(t *testing.T) {
	p := open(t, 1)
	e, err := newEngine(p.dev, p.reasoner, nil, Options{Slots: 1, CheckInvariants: true})
	if err != nil {
		t.Fatal(err)
	}
	g := submit(t, e, Request{Question: questions[0], Traces: 2, Seed: 1, Policy: cut{at: 40, victim: 0}, Params: Params{MaxTokens: 60}})
	first, second := &g.traces[0], &g.traces[1]
	var held []int32
	for first.state != prune.Pruned {
		if first.seq != nil {
			held = slices.Clone(first.seq.Blocks()[len(g.prompt)/16:])
		}
		if second.state != prune.NotStarted {
			t.Fatal("trace 1 started before there was a slot")
		}
		e.step()
	}
	if n := g.kv.Reasoner.ReclaimedBlocks; n != len(held) || n < 2 {
		t.Fatalf("reclaimed %d blocks; want the %d that trace 0 held", n, len(held))
	}
	pruned := e.steps
	e.step()
	if e.steps != pruned+1 || len(second.tokens) != 1 {
		t.Fatalf("step %d, trace 1 has %d tokens; want it to decode in step %d", e.steps, len(second.tokens), pruned+1)
	}
	own := second.seq.Blocks()[len(g.prompt)/16:]
	if !slices.Equal(own, held[:len(own)]) {
		t.Errorf("trace 1 uses blocks %v in that step; want %v, those of trace 0", own, held[:len(own)])
	}
	for !g.finished {
		if second.seq != nil {
			own = slices.Clone(second.seq.Blocks()[len(g.prompt)/16:])
			if n := min(len(own), len(held)); !slices.Equal(own[:n], held[:n]) {
				t.Fatalf("trace 1 uses blocks %v; want those of trace 0, %v, first", own, held)
			}
		}
		e.step()
	}
	if used := e.pool.Used(); used != 0 {
		t.Errorf("%d blocks in use at the end", used)
	}
}

// TestSteadyStepAllocatesNothing decodes with every slot taken.
func TestSteadyStepAllocatesNothing(t *testing.T) {
	p := open(t, 2)
	e, err := newEngine(p.dev, p.reasoner, p.judge, Options{Slots: 16, Journal: discard{}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.journal.close()
	g := submit(t, e, Request{Question: questions[1], Traces: 16, Params: Params{IgnoreEOS: true}})
	for range 60 {
		e.step()
	}
	if g.slots != 16 {
		t.Fatalf("%d traces run; want 16", g.slots)
	}
	// Tokens and text grow by doubling: give them room, which is not the step's.
	for i := range g.traces {
		g.traces[i].tokens = slices.Grow(g.traces[i].tokens, 200)
		g.traces[i].text = slices.Grow(g.traces[i].text, 4000)
	}
	if n := testing.AllocsPerRun(50, e.step); n != 0 {
		t.Errorf("a steady step allocates %v times; want 0", n)
	}
}

// discard is a journal that goes nowhere.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
