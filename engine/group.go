package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"deepprune/kernels"
	"deepprune/kvcache"
	"deepprune/prune"
)

// Group is one question with its k traces, submitted to an engine. Its methods
// may be called from any goroutine.
type Group struct {
	engine *Engine
	id     int64
	ctx    context.Context
	req    Request
	prompt []int32
	policy prune.Policy
	events chan Event
	done   chan struct{}
	result *Result // valid after done, nil if the group never ran
	err    error   // valid after done

	progress progress

	// From here on owned by the step loop.
	unwatch     func() bool // stops watching ctx
	decider     prune.Decider
	checkpoints []prune.Checkpoint
	adjusting   *adjusting // of logits; nil if nothing asks for it
	confidence  int32      // likeliest tokens that a token's confidence is over; 0 if the policy has no use for it
	snapshot    prune.Snapshot
	queue       []prune.Event // for the decider
	traces      []trace
	startLimit  int           // traces below it may start
	nextStart   int           // traces below it have started
	slots       int           // traces that have a slot
	toCompute   int           // rows beside decode rows that the step could compute for it
	held        int           // traces in state Held
	live        int           // traces in state Running
	outside     *outsideJudge // instead of the engine's; nil: that one
	pairs       int           // judge pairs under way
	queued      bool          // has had no slot yet, and counts as waiting
	finished    bool
	silent      bool  // events is closed
	broken      error // a policy that misbehaved

	root         *kvcache.Sequence // prompt[:len(prompt)-1]
	rootComputed int               // tokens of it whose KV is written
	scoring      bool              // the log-probabilities of the prompt are still wanted
	scores       LogProbs          // of the prompt, as far as it is computed

	// submitted, then planned, when the first rows of the prompt were, then
	// prefilled, when the first trace began
	submitted, planned, prefilled time.Time
	usage                         Usage
	kv                            KVUse
	judgeNanos                    int64
	judgeFLOPs                    float64
	reasonerFLOPs                 float64 // of generated tokens, prefill not included
	timing                        Times
}

// ID is the group's number, unique within its engine, from 1.
func (g *Group) ID() int64 { return g.id }

// Events returns the channel of the group's events, nil unless the request asked
// for one with EventBuffer. It is closed after EventDone; a reader that falls
// EventBuffer events behind is dropped: its channel is closed early.
func (g *Group) Events() <-chan Event { return g.events }

// Wait waits for the group to end. The result is nil only if the group never
// ran; the error is nil unless the group was cancelled or broke, so both may be
// set: the result then holds the best vote so far.
func (g *Group) Wait() (*Result, error) {
	select {
	case <-g.done:
	case <-g.engine.done:
		select {
		case <-g.done:
		default:
			return nil, fmt.Errorf("engine: %w", ErrClosed)
		}
	}
	return g.result, g.err
}

// Cancel ends the group with the best vote so far. It does not wait.
func (g *Group) Cancel() {
	g.engine.send(command{kind: commandCancel, group: g, at: time.Now()})
}

// CancelTrace stops trace i. It does not wait. A trace that has ended or an index
// out of range is left alone.
func (g *Group) CancelTrace(i int) {
	g.engine.send(command{kind: commandCancelTrace, group: g, trace: i, at: time.Now()})
}

// newGroup checks a request and fills in the defaults of the checkpoint.
func (e *Engine) newGroup(ctx context.Context, r Request) (*Group, error) {
	if r.Traces == 0 {
		r.Traces = 1
	}
	if r.Traces < 0 || r.Traces > MaxTraces {
		return nil, fmt.Errorf("%w: traces: %d is not between 1 and %d", ErrInvalid, r.Traces, MaxTraces)
	}
	if r.Policy == nil {
		r.Policy = prune.None()
	}
	if r.Policy.NeedsJudge() && e.judge == nil && r.Judge == nil {
		return nil, fmt.Errorf("%w: policy %s needs a judge", ErrInvalid, r.Policy.Name())
	}
	prompt := r.Prompt
	if prompt == nil {
		if strings.TrimSpace(r.Question) == "" {
			return nil, fmt.Errorf("%w: the question is empty", ErrInvalid)
		}
		var err error
		if prompt, err = e.reasoner.Prompt(r.Question); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	if len(prompt) == 0 {
		return nil, fmt.Errorf("%w: the prompt is empty", ErrInvalid)
	}
	for _, id := range prompt {
		if id < 0 || int(id) >= e.reasoner.Config.VocabSize {
			return nil, fmt.Errorf("%w: prompt: token %d is not in the vocabulary of %d", ErrInvalid, id, e.reasoner.Config.VocabSize)
		}
	}
	var err error
	if r.Params, err = e.completeParams(r.Params, len(prompt), r.PromptOnly); err != nil {
		return nil, err
	}
	if p, ok := r.Policy.(interface{ IgnoresEOS() bool }); ok && p.IgnoresEOS() {
		r.Params.IgnoreEOS = true
	}
	if err := e.checkConstraint(&r); err != nil {
		return nil, err
	}
	generated := r.Params.MaxTokens
	if r.PromptOnly {
		generated = 0
	}
	if err := e.checkFits(len(prompt), generated, &r); err != nil {
		return nil, err
	}
	g := &Group{
		engine: e, id: e.lastID.Add(1), ctx: ctx, req: r, prompt: prompt,
		policy: r.Policy, decider: r.Policy.New(r.Traces), checkpoints: r.Policy.Checkpoints(),
		done: make(chan struct{}), submitted: time.Now(), queued: true,
	}
	g.adjusting = newAdjusting(&r, prompt, e.reasoner.Generation.EOS)
	g.scoring = r.PromptLogProbs
	if p, ok := r.Policy.(interface{ ConfidenceTokens() int }); ok {
		g.confidence = int32(p.ConfidenceTokens())
	}
	if r.EventBuffer > 0 {
		g.events = make(chan Event, r.EventBuffer)
	}
	return g, nil
}

// checkFits refuses what could never run even alone: one trace at its longest
// and, beside it, one pair of the judge.
func (e *Engine) checkFits(prompt, generated int, r *Request) error {
	// The root keeps its partly filled block while the trace writes a copy.
	need := pageBytes(e.kv, blocksFor(prompt+generated)+1)
	if r.Policy.NeedsJudge() && r.Judge == nil {
		need += e.judge.pairBytes(r.Policy.Checkpoints(), generated)
	}
	if need > e.kv.Arena.Bytes() {
		return fmt.Errorf("%w: a trace of %d tokens needs %d bytes of KV memory, there are %d", ErrTooLarge, prompt+generated, need, e.kv.Arena.Bytes())
	}
	return nil
}

// pageBytes is the arena memory that n blocks take, in whole pages.
func pageBytes(kv kernels.KV, n int) int64 {
	perPage := kv.PageBytes / kv.BlockBytes()
	return (int64(n) + perPage - 1) / perPage * kv.PageBytes
}

// accept makes a group part of the loop.
func (e *Engine) accept(g *Group) {
	k := g.req.Traces
	g.snapshot = prune.Snapshot{Seed: g.req.Seed, Traces: make([]prune.Trace, k)}
	g.traces = make([]trace, k)
	g.progress.mu.Lock()
	g.progress.traces = make([]Progress, k)
	g.progress.mu.Unlock()
	for i := range g.traces {
		g.traces[i].init(g, i)
	}
	g.startLimit = k
	g.root = e.pool.NewSequence()
	g.usage.PromptTokens = len(g.prompt)
	g.outside = newOutsideJudge(g.ctx, &g.req)
	e.groups = append(e.groups, g)
	e.counts.GroupsAccepted++
	e.counts.PromptTokens += int64(len(g.prompt))
	g.unwatch = context.AfterFunc(g.ctx, func() {
		kind := commandCancel
		if errors.Is(context.Cause(g.ctx), context.DeadlineExceeded) {
			kind = commandDeadline
		}
		e.send(command{kind: kind, group: g, at: time.Now()})
	})
	e.emit(g, Event{Kind: EventSubmitted, Keeper: -1})
	e.journal.submitted(Event{Group: g.id, Step: e.steps, Nanos: time.Since(e.start).Nanoseconds()}, g.submission())
	e.decide(g, prune.Event{Kind: prune.Started})
	if g.scoring {
		g.scores = newPromptScores(len(g.prompt), g.req.Params.TopLogProbs)
	}
	if len(g.prompt) == 1 {
		e.promptComputed(g)
		e.drain(g)
	}
}

// submission is what the group was asked, for the journal.
func (g *Group) submission() JournalSubmission {
	s := JournalSubmission{
		Question: g.req.Question, Prompt: g.prompt, K: len(g.traces), Seed: g.req.Seed,
		Policy: g.policy.Name(), Params: g.req.Params,
	}
	if m, ok := g.policy.(json.Marshaler); ok {
		s.Settings, _ = m.MarshalJSON() // for the reader's information only
	}
	if c := g.req.Constraint; c != nil {
		s.Constraint, _ = c.MarshalJSON() // it has no error
		s.ConstraintAfter = g.req.ConstraintAfter
	}
	return s
}

// publish sends an event to the subscriber, and drops one that is too slow.
func (g *Group) publish(ev Event) {
	if g.events == nil || g.silent {
		return
	}
	select {
	case g.events <- ev:
		g.silent = ev.Kind == EventDone
	default:
		g.silent = true
	}
	if g.silent {
		close(g.events)
	}
}

// leaveQueue notes that a group waits no more for its first slot.
func (g *Group) leaveQueue() {
	if g.queued {
		g.queued = false
		g.engine.waiting.Add(-1)
	}
}

// fail ends a group that never ran.
func (g *Group) fail(err error) {
	g.leaveQueue()
	g.err = err
	if g.events != nil {
		close(g.events)
	}
	g.end()
}

// end tells all who wait that the group is finished; its result is set.
func (g *Group) end() {
	close(g.done)
	g.progress.mu.Lock()
	defer g.progress.mu.Unlock()
	g.progress.tell()
}
