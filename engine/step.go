package engine

import (
	"fmt"
	"time"

	"deepprune/kernels"
	"deepprune/prune"
)

// step runs the models once and acts on what comes out.
func (e *Engine) step() {
	began := time.Now()
	if e.judge != nil {
		e.judge.dropStopped()
	}
	e.callJudges()
	e.assignSlots()
	e.plan()
	if e.judge != nil {
		e.planJudge()
	}
	e.dropStaleWork()
	e.copyBlocks()
	if len(e.work) == 0 && !e.judge.hasWork() {
		e.endStalled()
		e.reap()
		e.idle = e.idle && e.awaitsJudge()
		e.show()
		return
	}
	e.steps++
	e.stalls = 0
	if !e.lat.prunedAt.IsZero() {
		e.lat.reuse.observe(time.Since(e.lat.prunedAt))
		e.lat.prunedAt = time.Time{}
	}
	ev := Event{Kind: EventStep, Keeper: -1}
	e.countMemory()
	e.runReasoner(&ev)
	e.runJudge(&ev)
	e.report(ev)
	e.reap()
	e.show()
	if e.opt.CheckInvariants {
		if err := e.check(); err != nil {
			panic(err)
		}
	}
	e.lat.step.observe(time.Since(began))
}

// dropStaleWork removes rows whose trace lost its blocks to an older one, or to
// its policy, after they were planned.
func (e *Engine) dropStaleWork() {
	kept := e.work[:0]
	for _, w := range e.work {
		if w.trace == nil && w.group.root.Len() > 0 || w.trace != nil && w.trace.slot && w.trace.seq != nil {
			kept = append(kept, w)
		}
	}
	e.work = kept
}

// copyBlocks makes the copies on write, those of work that was dropped included,
// before either model runs: a block that was shared when it was reserved is read
// here and may be written there, and what was copied for nothing may by now be
// reserved for something else. The models' queues meet before, for blocks that either
// gave back may be the other's now and blocks of the judge's are copied here, and
// behind the copies.
func (e *Engine) copyBlocks() {
	e.judge.follow(e.dev)
	if len(e.copies) == 0 && (e.judge == nil || len(e.judge.copies) == 0) {
		return
	}
	for _, c := range e.copies {
		e.dev.CopyBlock(e.kv, c.Dst, c.Src)
	}
	e.copies = e.copies[:0]
	if r := e.judge; r != nil {
		for _, c := range r.copies {
			e.dev.CopyBlock(r.kv, c.Dst, c.Src)
		}
		r.copies = r.copies[:0]
	}
	e.judge.follow(e.dev)
}

// runReasoner runs the planned rows and takes in the sampled tokens.
func (e *Engine) runReasoner(ev *Event) {
	if len(e.work) == 0 {
		return
	}
	e.batch.Reset()
	e.params, e.alternatives = e.params[:0], e.alternatives[:0]
	for _, w := range e.work {
		if w.trace == nil {
			e.addPrompt(w)
			ev.PrefillRows += int32(w.n)
			continue
		}
		e.row = e.row[:0]
		for i := range w.n {
			e.row = append(e.row, w.trace.token(w.from+i))
		}
		e.batch.Add(e.row, w.from, w.trace.seq.Blocks(), w.last)
		if w.n == 1 {
			ev.Rows++
		} else {
			ev.PrefillRows += int32(w.n)
		}
		if w.last {
			e.params = append(e.params, w.trace.sampleParams())
			e.alternatives = append(e.alternatives, w.group.req.Params.alternatives())
		}
	}
	e.batch.Plan()
	logits := e.decoder.Forward(&e.batch, e.kv)
	if e.judge.hasQueue() && e.judge.hasWork() {
		e.judge.forward() // works while the reasoner does
	}
	e.answers()
	if len(e.params) > 0 {
		e.dev.Sample(logits, e.params, e.sampled)
	}
	e.takeIn()
}

// addPrompt adds rows of a prompt to the batch. Where its log-probabilities are
// wanted, each row is asked for that of the token after it.
func (e *Engine) addPrompt(w work) {
	g, row := w.group, int32(e.batch.Rows())
	e.batch.Add(g.prompt[w.from:w.from+w.n], w.from, g.root.Blocks(), false)
	if !g.scoring {
		return
	}
	for i := range w.n {
		e.batch.Logits = append(e.batch.Logits, row+int32(i))
		e.params = append(e.params, kernels.SampleParams{Forced: 1 + g.prompt[w.from+i+1]})
		e.alternatives = append(e.alternatives, int32(g.scores.N))
	}
}

// takeIn advances what the step computed: the KV written, the tokens sampled.
func (e *Engine) takeIn() {
	next, now := 0, time.Now()
	for _, w := range e.work {
		g := w.group
		if w.trace == nil {
			if g.scoring {
				for i := range w.n {
					g.scores.set(w.from+i+1, e.sampled[next+i])
				}
				next += w.n
			}
			g.rootComputed += w.n
			e.counts.PrefillTokens += int64(w.n)
			g.root.Publish(g.prompt[:g.rootComputed])
			if g.rootComputed == len(g.prompt)-1 {
				e.promptComputed(g)
			}
			continue
		}
		w.trace.computed += w.n
		e.counts.RecomputedTokens += int64(w.n)
		if w.last {
			e.counts.RecomputedTokens-- // the row of the token drawn is new
			e.advance(w.trace, e.sampled[next], now)
			next++
		}
	}
	for _, g := range e.groups {
		if len(g.queue) > 0 {
			e.drain(g)
		}
	}
}

// advance appends a token to a trace and tells its policy what that led to.
func (e *Engine) advance(t *trace, s kernels.Sampled, now time.Time) {
	g := t.group
	state := t.append(s)
	if e.counts.GeneratedTokens++; g.usage.GeneratedTokens == 0 {
		e.lat.first.observe(now.Sub(g.submitted))
	}
	g.usage.GeneratedTokens++
	at := now.Sub(e.start)
	if len(t.tokens) > 1 {
		e.lat.inter.observe(at - t.grewAt)
	}
	t.grewAt = at
	g.reasonerFLOPs += e.reasoner.Config.FLOPs(t.length()-2, true)
	e.emit(g, Event{Kind: EventTokens, Trace: int32(t.index), Keeper: -1, Token: s.Token, Tokens: int32(len(t.tokens))})
	switch state {
	case prune.Running:
	case prune.Held:
		e.leaveSlot(t)
		t.setState(prune.Held)
		e.emit(g, Event{Kind: EventHeld, Trace: int32(t.index), Keeper: -1, Tokens: int32(len(t.tokens))})
		g.queue = append(g.queue, prune.Event{Kind: prune.Reached, Trace: t.index, Keeper: -1, Checkpoint: len(t.marks) - 1})
	default:
		e.endTrace(t, state)
	}
}

// endTrace ends a trace by itself: it finished, met its limit, was cancelled or
// failed.
func (e *Engine) endTrace(t *trace, s prune.State) int {
	e.leaveSlot(t)
	freed := e.dropBlocks(t)
	t.setState(s)
	if s == prune.Finished || s == prune.Length {
		t.settle()
	}
	e.emit(t.group, Event{Kind: EventEnded, Trace: int32(t.index), Keeper: -1, State: uint8(s), Answer: t.answer, Tokens: int32(len(t.tokens)), Blocks: int32(freed)})
	t.group.queue = append(t.group.queue, prune.Event{Kind: prune.Ended, Trace: t.index, Keeper: -1})
	return freed
}

// cancelTrace stops one trace at the user's word.
func (e *Engine) cancelTrace(g *Group, i int) {
	if i < 0 || i >= len(g.traces) || g.traces[i].state.Ended() {
		return
	}
	e.endTrace(&g.traces[i], prune.Cancelled)
	e.drain(g)
	e.reap()
	g.show()
}

// countMemory adds what every group holds during this step to its account.
func (e *Engine) countMemory() {
	for _, g := range e.groups {
		blocks := len(g.root.Blocks())
		for i := range g.traces {
			blocks += g.traces[i].blocks()
		}
		bytes := int64(blocks) * e.kv.BlockBytes()
		g.kv.Reasoner.PeakBlocks = max(g.kv.Reasoner.PeakBlocks, blocks)
		if e.judge != nil {
			judge := e.judge.blocks(g)
			bytes += int64(judge) * e.judge.kv.BlockBytes()
			g.kv.Judge.PeakBlocks = max(g.kv.Judge.PeakBlocks, judge)
		}
		g.kv.PeakBytes = max(g.kv.PeakBytes, bytes)
		g.kv.ByteSteps += bytes
		if used := e.arena.UsedBytes(); e.opt.CheckInvariants && bytes > used {
			panic(fmt.Errorf("step %d: group %d counts %d bytes of the %d in use", e.steps, g.id, bytes, used))
		}
	}
}

// report sends the step event, once to the journal and to every group's reader.
func (e *Engine) report(ev Event) {
	ev.Step = e.steps
	ev.Blocks = int32(e.pool.Used())
	if e.judge != nil {
		ev.JudgeBlocks = int32(e.judge.pool.Used())
	}
	ev.Bytes = e.arena.UsedBytes()
	ev.Nanos = time.Since(e.start).Nanoseconds()
	e.journal.record(ev)
	for _, g := range e.groups {
		ev.Group = g.id
		g.publish(ev)
	}
}

// show publishes the progress of all groups.
func (e *Engine) show() {
	for _, g := range e.groups {
		g.show()
	}
}

// check verifies the bookkeeping of memory and slots.
func (e *Engine) check() error {
	if err := e.arena.Check(); err != nil {
		return fmt.Errorf("step %d: %w", e.steps, err)
	}
	slots := 0
	for _, g := range e.groups {
		n := 0
		for i := range g.traces {
			t := &g.traces[i]
			if t.slot {
				n++
			}
			if t.slot && t.state != prune.Running {
				return fmt.Errorf("step %d: group %d trace %d is %v and has a slot", e.steps, g.id, i, t.state)
			}
			if t.state.Ended() && t.seq != nil {
				return fmt.Errorf("step %d: group %d trace %d is %v and has blocks", e.steps, g.id, i, t.state)
			}
		}
		if n != g.slots {
			return fmt.Errorf("step %d: group %d counts %d slots, has %d", e.steps, g.id, g.slots, n)
		}
		slots += n
	}
	if slots != e.running || slots > e.opt.Slots {
		return fmt.Errorf("step %d: %d of %d slots counted, %d taken", e.steps, e.running, e.opt.Slots, slots)
	}
	return nil
}
