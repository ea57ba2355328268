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

// assignSlots gives slots to traces that wait for one: of the group that has the
// fewest, the lowest index. When all are taken the group that has the most gives one
// up, of its highest index, as long as it keeps as many as the other then has. So a
// group waits for its first slot at most until its prompt is computed and there is
// room, however many traces others have, unless there are more groups than slots:
// then the older ones come first. A trace that gave up its slot keeps its blocks and
// goes on where it was.
func (e *Engine) assignSlots() {
	limit := e.slotLimit()
	for e.running > limit {
		e.leaveSlot(e.mostSlots().lastWithSlot())
	}
	for {
		var next *trace
		for _, g := range e.groups {
			if t := g.waiting(); t != nil && (next == nil || g.slots < next.group.slots) {
				next = t
			}
		}
		if next == nil {
			return
		}
		full := e.running >= limit
		rich := e.mostSlots()
		if full && (rich == nil || rich.slots <= next.group.slots+1) || !e.hasRoom(next) {
			return
		}
		if full {
			e.leaveSlot(rich.lastWithSlot())
		}
		e.begin(next)
	}
}

// slotLimit is the traces that may decode in this step. While prompts wait, decode
// rows leave them a quarter of the step.
func (e *Engine) slotLimit() int {
	for _, g := range e.groups {
		if g.rootComputed < len(g.prompt)-1 {
			return min(e.opt.Slots, e.opt.TokenBudget-e.opt.TokenBudget/4)
		}
	}
	return e.opt.Slots
}

// mostSlots is the group that has the most slots, the youngest of several; nil if
// none has any.
func (e *Engine) mostSlots() *Group {
	var most *Group
	for _, g := range e.groups {
		if g.slots > 0 && (most == nil || g.slots >= most.slots) {
			most = g
		}
	}
	return most
}

// lastWithSlot is the trace of the highest index that has a slot.
func (g *Group) lastWithSlot() *trace {
	for i := len(g.traces) - 1; i >= 0; i-- {
		if g.traces[i].slot {
			return &g.traces[i]
		}
	}
	return nil
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

// plan reserves blocks for the rows of a step: decode rows first, then chunks of
// prompts and of what preempted traces have to compute again, up to the token
// budget. Every group that has such work gets an equal share of what is left of the
// budget, and what some of them do not need goes to the others, oldest first; so a
// long prompt does not hold up those behind it. Blocks that run out are taken from
// younger traces, so the oldest always advances.
func (e *Engine) plan() {
	e.work = e.work[:0]
	e.scores = e.opt.Slots - e.running + scoredRows
	budget, waiting := e.opt.TokenBudget, 0
	for _, g := range e.groups {
		g.toCompute = max(0, len(g.prompt)-1-g.rootComputed)
		if g.slots > 0 {
			for i := range g.traces {
				t := &g.traces[i]
				if !t.slot {
					continue
				}
				if n := t.pending(); n > 1 {
					g.toCompute += n
				} else if e.planTrace(t, 1) {
					budget--
				}
			}
		}
		if g.toCompute > 0 {
			waiting++
		}
	}
	if waiting == 0 {
		return
	}
	// What the smaller ones leave of their shares is found from the smallest up, by
	// asking for a share that all together can use.
	share := e.fairShare(budget, waiting)
	spare := budget
	for _, g := range e.groups {
		spare -= min(g.toCompute, share)
	}
	for _, g := range e.groups {
		if g.toCompute > 0 {
			own := min(g.toCompute, share)
			more := min(g.toCompute-own, max(spare, 0))
			spare -= more
			e.planChunks(g, own+more)
		}
	}
}

// fairShare is the largest number of rows that every group may have at most so that
// all together have no more than budget.
func (e *Engine) fairShare(budget, waiting int) int {
	share, left := 0, budget
	for waiting > 0 && left >= waiting {
		// Raise the share by what all that want more can have, and see who still does.
		more := left / waiting
		least := more
		for _, g := range e.groups {
			if g.toCompute > share {
				least = min(least, g.toCompute-share)
			}
		}
		left -= least * waiting
		share += least
		waiting = 0
		for _, g := range e.groups {
			if g.toCompute > share {
				waiting++
			}
		}
	}
	return share
}

// planChunks reserves up to n rows of the prompt of a group and of its traces that
// have more than one row to compute.
func (e *Engine) planChunks(g *Group, n int) {
	if pending := len(g.prompt) - 1 - g.rootComputed; pending > 0 && n > 0 {
		n -= e.planRoot(g, min(pending, n))
	}
	if g.slots == 0 {
		return
	}
	for i := range g.traces {
		t := &g.traces[i]
		if t.slot && n > 0 && t.pending() > 1 {
			if rows := min(t.pending(), n); e.planTrace(t, rows) {
				n -= rows
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
