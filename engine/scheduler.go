package engine

import (
	"errors"
	"time"

	"deepprune/kernels"
	"deepprune/kvcache"
	"deepprune/prune"
)

// work is what one sequence does in a step: rows [from, from+n) of the root or of
// a trace.
type work struct {
	group *Group
	trace *trace // nil for the root
	from  int    // first position
	n     int
	last  bool // the last row's logits are wanted
}

// assignSlots gives free slots to traces that wait for one: of the group that has
// the fewest slots, the lowest index. So one group of many traces does not keep
// others out.
func (e *Engine) assignSlots() {
	for e.running < e.opt.Slots {
		var next *trace
		for _, g := range e.groups {
			if t := g.waiting(); t != nil && (next == nil || g.slots < next.group.slots) {
				next = t
			}
		}
		if next == nil || !e.hasRoom(next) {
			return
		}
		e.begin(next)
	}
}

// waiting returns the lowest trace of the group that could use a slot.
func (g *Group) waiting() *trace {
	if g.rootComputed < len(g.prompt)-1 {
		return nil
	}
	if g.live > g.slots { // some lost their slot at a checkpoint or to preemption
		for i := range g.traces {
			if t := &g.traces[i]; t.state == prune.Running && !t.slot {
				return t
			}
		}
	}
	for ; g.nextStart < min(g.startLimit, len(g.traces)); g.nextStart++ {
		if t := &g.traces[g.nextStart]; t.state == prune.NotStarted {
			return t
		}
	}
	return nil
}

// hasRoom keeps a trace from starting only to be preempted again: it needs blocks
// for what it has and, for each running trace, the next block.
func (e *Engine) hasRoom(t *trace) bool {
	if t.seq != nil {
		return true
	}
	if e.running == 0 {
		return true // whoever is first may evict
	}
	own := blocksFor(t.length()+1) - (len(t.group.prompt)-1)/kernels.BlockSize
	return e.pool.Available() >= own+e.running
}

// begin gives a trace a slot, and a fork of the root if it has no blocks.
func (e *Engine) begin(t *trace) {
	g := t.group
	if t.seq == nil {
		t.seq = g.root.Fork()
		t.computed = t.seq.Len()
	}
	t.slot = true
	g.slots++
	e.running++
	if t.state == prune.NotStarted {
		if g.queued {
			g.leaveQueue()
			g.prefilled = time.Now()
			e.lat.queue.observe(g.prefilled.Sub(g.submitted))
		}
		if g.adjusting != nil {
			t.adjust = g.adjusting.start()
		}
		if g.req.Constraint != nil {
			t.language = g.newConstraint()
		}
		t.setState(prune.Running)
		e.emit(g, Event{Kind: EventStarted, Trace: int32(t.index), Keeper: -1})
	}
}

// leaveSlot takes a trace out of the decode batch.
func (e *Engine) leaveSlot(t *trace) {
	if t.slot {
		t.slot = false
		t.group.slots--
		e.running--
	}
}

// dropBlocks releases a trace's sequence and returns the blocks that came back.
func (e *Engine) dropBlocks(t *trace) int {
	if t.seq == nil {
		return 0
	}
	n := t.seq.Release()
	t.seq, t.computed = nil, 0
	return n
}

// plan reserves blocks for the rows of a step: decode rows first, then prefill
// chunks up to the token budget, oldest group first. Blocks that run out are
// taken from younger traces, so the oldest always advances.
func (e *Engine) plan() {
	e.work = e.work[:0]
	e.scores = e.opt.Slots - e.running + scoredRows
	budget := e.opt.TokenBudget
	for _, g := range e.groups {
		if g.slots == 0 {
			continue
		}
		for i := range g.traces {
			t := &g.traces[i]
			if t.slot && t.pending() == 1 && e.planTrace(t, 1) {
				budget--
			}
		}
	}
	for _, g := range e.groups {
		if pending := len(g.prompt) - 1 - g.rootComputed; pending > 0 && budget > 0 {
			if n := e.planRoot(g, min(pending, budget)); n > 0 {
				budget -= n
			}
		}
		for i := range g.traces {
			t := &g.traces[i]
			if t.slot && t.pending() > 1 && budget > 0 {
				if n := min(t.pending(), budget); e.planTrace(t, n) {
					budget -= n
				}
			}
		}
	}
}

// planTrace reserves the next n tokens of a trace. One that cannot go on leaves
// its slot to the traces before it, which may take its blocks; kept, the slot could
// be what they wait for.
func (e *Engine) planTrace(t *trace, n int) bool {
	if !e.reserve(&e.copies, &t.seq, t.computed+n, asker{group: t.group, trace: t.index}) {
		e.leaveSlot(t)
		return false
	}
	e.work = append(e.work, work{group: t.group, trace: t, from: t.computed, n: n, last: n == t.pending()})
	return true
}

// planRoot reserves the next n tokens of a prompt and returns how many rows are
// to be computed. Blocks that an earlier request left behind are adopted first.
func (e *Engine) planRoot(g *Group, n int) int {
	if g.planned.IsZero() {
		g.planned = time.Now()
	}
	if g.scoring {
		n = min(n, e.scores)
	} else if g.rootComputed == 0 && g.root.Len() == 0 {
		if hit := g.root.Match(g.prompt); hit > 0 {
			g.rootComputed = hit
			e.stalls = 0
			n = min(n, len(g.prompt)-1-hit)
		}
	}
	if n == 0 || !e.reserve(&e.copies, &g.root, g.rootComputed+n, asker{group: g, trace: -1}) {
		return 0
	}
	e.work = append(e.work, work{group: g, from: g.rootComputed, n: n})
	if g.scoring {
		e.scores -= n
	}
	return n
}

// asker is who asks for blocks: a trace of a group, a pair of it, or its root.
type asker struct {
	group *Group
	trace int   // -1: a pair or the root
	pair  *pair // nil: a trace or the root
}

// reserve makes a sequence hold at least length tokens, and makes room if it must.
// False means that the sequence cannot go on in this step; a policy that was asked
// for room may even have released it.
func (e *Engine) reserve(copies *[]kvcache.Copy, owned **kvcache.Sequence, length int, a asker) bool {
	s := *owned
	for {
		// What was reserved and not computed, because a policy held the trace, is
		// still there.
		var err error
		*copies, err = s.Extend(max(0, length-s.Len()), *copies)
		if err == nil {
			return true
		}
		if !errors.Is(err, kvcache.ErrNoBlocks) {
			panic(err)
		}
		if !e.makeRoom(a) || *owned != s {
			return false
		}
	}
}

// makeRoom takes something from those behind a by the mildest means that works;
// false if there is none. What it takes may free no block yet, such as a fork of a
// root that goes next. The first in order can take from all others, so it advances.
func (e *Engine) makeRoom(a asker) bool {
	before := e.arena.UsedBytes()
	for i := len(e.groups) - 1; i >= 0; i-- {
		e.decide(e.groups[i], prune.Event{Kind: prune.BlocksShort})
		if e.arena.UsedBytes() < before {
			return true
		}
	}
	if e.judge != nil && e.judge.dropIdle() {
		return true
	}
	if t := e.youngest(a, prune.Held); t != nil {
		freed := e.dropBlocks(t)
		e.counts.Evictions++
		e.emit(t.group, Event{Kind: EventEvicted, Trace: int32(t.index), Keeper: -1, Blocks: int32(freed)})
		return true
	}
	if e.judge != nil && e.judge.giveWay(a) {
		return true
	}
	if t := e.youngest(a, prune.Running); t != nil {
		e.leaveSlot(t)
		freed := e.dropBlocks(t)
		e.counts.Preemptions++
		e.emit(t.group, Event{Kind: EventPreempted, Trace: int32(t.index), Keeper: -1, Blocks: int32(freed)})
		return true
	}
	return e.dropRoot(a.group)
}

// youngest returns the trace of the highest index of the youngest group, that of a
// or younger, that is in the state and has something to give: blocks of its own,
// or, in a younger group, a hold on the root. Of the group of a only running traces
// behind it qualify, but any held one: a held trace needs its blocks only if it is
// resumed.
func (e *Engine) youngest(a asker, s prune.State) *trace {
	for i := len(e.groups) - 1; i >= 0; i-- {
		g := e.groups[i]
		if g.id < a.group.id {
			return nil
		}
		for j := len(g.traces) - 1; j >= 0; j-- {
			t := &g.traces[j]
			if s == prune.Running && g == a.group && j <= a.trace {
				return nil
			}
			if t.state == s && t.seq != nil && (t.blocks() > 0 || g != a.group) {
				return t
			}
		}
	}
	return nil
}

// dropRoot takes back the prompt of the youngest group younger than g whose traces
// hold nothing. It will be prefilled again.
func (e *Engine) dropRoot(g *Group) bool {
	for i := len(e.groups) - 1; i >= 0 && e.groups[i].id > g.id; i-- {
		h := e.groups[i]
		idle := h.root.Len() > 0
		for j := range h.traces {
			idle = idle && h.traces[j].seq == nil
		}
		if idle {
			h.root.Release()
			h.root, h.rootComputed = e.pool.NewSequence(), 0
			return true
		}
	}
	return false
}
