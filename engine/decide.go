package engine

import (
	"fmt"
	"time"

	"deepprune/prune"
)

// decide tells the group's policy of an event and carries out what it answers.
func (e *Engine) decide(g *Group, ev prune.Event) {
	g.queue = append(g.queue, ev)
	e.drain(g)
}

// drain tells the policy of all that waits to be told. Carrying out an action
// never calls the policy, so events are seen one after the other.
func (e *Engine) drain(g *Group) {
	defer func() {
		// A policy may come from outside the package; what it breaks is its group.
		if r := recover(); r != nil {
			g.broken = fmt.Errorf("policy %s: %v", g.policy.Name(), r)
		}
	}()
	for i := 0; i < len(g.queue) && g.broken == nil; i++ {
		for _, a := range g.decider.Decide(g.queue[i], &g.snapshot) {
			if err := e.apply(g, a); err != nil {
				g.broken = fmt.Errorf("policy %s: %w", g.policy.Name(), err)
				break
			}
		}
	}
	g.queue = g.queue[:0]
}

// apply carries out an action. An action on a trace that has ended meanwhile is
// void, not an error: the policy could not know.
func (e *Engine) apply(g *Group, a prune.Action) error {
	if a.Kind == prune.Start {
		g.startLimit = a.Trace
		return nil
	}
	if a.Kind == prune.StopRest {
		// A trace that was allowed to start counts as stopped even if it still
		// waited for its first slot, so that the result is the same for any number
		// of slots.
		for i := range g.traces {
			if t := &g.traces[i]; !t.state.Ended() && (t.state != prune.NotStarted || i < g.startLimit) {
				e.stop(t, a)
			}
		}
		g.startLimit = 0
		e.forgetPairs(g)
		return nil
	}
	if a.Trace < 0 || a.Trace >= len(g.traces) {
		return fmt.Errorf("action on trace %d of %d", a.Trace, len(g.traces))
	}
	t := &g.traces[a.Trace]
	switch a.Kind {
	case prune.Judge:
		if g.outside != nil {
			return g.askOutside(a.Keeper, a.Trace, a.Checkpoint)
		}
		if e.judge == nil {
			return fmt.Errorf("asked for a judge, there is none")
		}
		return e.judge.ask(g, a.Keeper, a.Trace, a.Checkpoint)
	case prune.Resume:
		if t.state == prune.Held {
			t.setState(prune.Running)
			e.emit(g, Event{Kind: EventResumed, Trace: int32(t.index), Keeper: -1})
		}
	case prune.Hold:
		if t.state == prune.Running {
			e.leaveSlot(t)
			t.setState(prune.Held)
			e.emit(g, Event{Kind: EventHeld, Trace: int32(t.index), Keeper: -1, Tokens: int32(len(t.tokens))})
		}
	case prune.Stop:
		if !t.state.Ended() {
			e.stop(t, a)
		}
	default:
		return fmt.Errorf("unknown action %d", a.Kind)
	}
	return nil
}

// forgetPairs drops what the judge has been asked for a group.
func (e *Engine) forgetPairs(g *Group) {
	g.outside.forget(g)
	if e.judge != nil {
		e.judge.forget(g)
	}
}

// stop prunes a trace: its blocks and its slot are free when this returns.
func (e *Engine) stop(t *trace, a prune.Action) {
	g := t.group
	e.leaveSlot(t)
	freed := e.dropBlocks(t)
	t.setState(prune.Pruned)
	e.stalls = 0
	t.score, t.reason, t.prunedAt = a.Score, a.Reason, e.steps
	if a.Kind == prune.Stop {
		t.keeper = a.Keeper
	}
	g.kv.Reasoner.ReclaimedBlocks += freed
	bytes := int64(freed) * e.kv.BlockBytes()
	g.kv.ReclaimedBytes += bytes
	e.reclaim(g.policy.Name(), a.Reason, freed)
	if e.lat.prunedAt.IsZero() {
		e.lat.prunedAt = time.Now()
	}
	e.emit(g, Event{
		Kind: EventPruned, Trace: int32(t.index), Keeper: int32(t.keeper), Score: float32(t.score), Reason: t.reason,
		Tokens: int32(len(t.tokens)), Blocks: int32(freed), Bytes: bytes,
	})
}

// reap ends the groups that have nothing left to do.
func (e *Engine) reap() {
	for i := 0; i < len(e.groups); {
		g := e.groups[i]
		switch {
		case g.broken != nil:
			e.endGroup(g, prune.Failed, fmt.Errorf("engine: %w", g.broken), "")
		case g.live == 0 && g.held == 0 && g.pairs == 0 && !g.canStart():
			e.endGroup(g, prune.Cancelled, nil, "")
		default:
			i++
		}
	}
}

// canStart reports whether a trace that has not started may.
func (g *Group) canStart() bool {
	for ; g.nextStart < min(g.startLimit, len(g.traces)); g.nextStart++ {
		if g.traces[g.nextStart].state == prune.NotStarted {
			return true
		}
	}
	return false
}

// endStalled is called when no group has anything to run, twice in a row: a policy
// leaves traces held for ever, or one trace alone overfills the memory. Once may
// be because traces without room have just left their slots to those before them,
// or because a policy that was asked for room holds all that was planned.
func (e *Engine) endStalled() {
	if e.stalls++; e.stalls < 2 {
		return
	}
	e.stalls = 0
	if e.awaitsJudge() {
		e.idle = true
		return
	}
	for _, g := range e.groups {
		if g.broken != nil || g.live == 0 && g.held == 0 && g.pairs == 0 && !g.canStart() {
			return // reap will end it
		}
	}
	for _, g := range e.groups {
		if g.live == 0 && g.pairs == 0 && !g.canStart() {
			g.broken = fmt.Errorf("policy %s left %d traces held and asked for nothing", g.policy.Name(), g.held)
			return
		}
	}
	g := e.groups[0]
	g.broken = fmt.Errorf("%w: no KV block is left for a trace of %d tokens", ErrTooLarge, g.longest())
}

// longest is the length of the longest trace, prompt included.
func (g *Group) longest() int {
	n := len(g.prompt)
	for i := range g.traces {
		n = max(n, g.traces[i].length())
	}
	return n
}
