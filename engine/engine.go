package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"deepprune/engine/constrain"
	"deepprune/kernels"
	"deepprune/kvcache"
	"deepprune/model"
	"deepprune/prune"
)

// Errors that callers branch on.
var (
	// ErrInvalid is returned by Submit for a request that makes no sense.
	ErrInvalid = errors.New("invalid request")
	// ErrTooLarge is returned by Submit for a request that can never fit the KV
	// memory or the context.
	ErrTooLarge = errors.New("request too large")
	// ErrBusy is returned by Submit when Options.MaxWaiting groups wait already.
	ErrBusy = errors.New("too many groups wait")
	// ErrClosed is returned by Submit and Wait after Close.
	ErrClosed = errors.New("engine is closed")
	// ErrCancelled is returned by Wait, beside a result, for a group that was cancelled.
	ErrCancelled = errors.New("group was cancelled")
)

// MaxTraces bounds k, and the slots.
const MaxTraces = 1 << 16

// maxRows bounds the rows of a step, for which memory is set aside.
const maxRows = 1 << 20

// Options sizes an engine. The zero value of a field means its default.
type Options struct {
	// Slots is the number of traces that decode at once; 64 by default.
	Slots int
	// TokenBudget bounds the reasoner rows of a step, decode and prefill; 256 by
	// default and at least Slots.
	TokenBudget int
	// JudgeBudget bounds the judge rows of a step; 4,096 by default.
	JudgeBudget int
	// KVBytes is the KV memory of reasoner and judge together; 256 MiB by default.
	KVBytes int64
	// MaxWaiting bounds the groups that wait for their first slot: beyond it Submit
	// returns ErrBusy. 0: no bound.
	MaxWaiting int
	// Journal receives one JSON line per step and per decision; nil for none.
	Journal io.Writer
	// CheckInvariants verifies the block pools after every step: for tests.
	CheckInvariants bool
}

func (o Options) withDefaults() Options {
	if o.Slots == 0 {
		o.Slots = 64
	}
	if o.TokenBudget == 0 {
		o.TokenBudget = 256
	}
	o.TokenBudget = max(o.TokenBudget, o.Slots)
	if o.JudgeBudget == 0 {
		o.JudgeBudget = 4096
	}
	if o.KVBytes == 0 {
		o.KVBytes = 256 << 20
	}
	return o
}

// Engine decodes groups. Its methods may be called from any goroutine.
type Engine struct {
	dev      kernels.Device
	reasoner *model.Model
	opt      Options
	start    time.Time
	lastID   atomic.Int64
	waiting  atomic.Int64 // groups that were submitted and have had no slot yet

	commands  chan command
	closing   chan struct{}
	closeOnce sync.Once
	done      chan struct{}
	err       error // why the loop ended; valid after done

	wordsOnce sync.Once
	words     *constrain.Vocabulary // of constraints, once there is one
	wordsErr  error

	// From here on owned by the step loop.
	decoder *model.Decoder
	kv      kernels.KV
	arena   *kvcache.Arena
	pool    *kvcache.Pool
	judge   *judgeRunner // nil without a judge
	journal *journal     // nil without one
	groups  []*Group     // unfinished, in order of submission
	running int          // traces that have a slot
	steps   int64
	idle    bool // nothing can go on before a JudgeFunc has answered
	stalls  int  // turns in a row in which nothing ran, stopped or ended

	batch        kernels.Batch
	work         []work
	scores       int // prompt rows that can still have their logits in the step
	row          []int32
	copies       []kvcache.Copy
	params       []kernels.SampleParams
	alternatives []int32 // wanted beside the token of each of params
	sampled      []kernels.Sampled
	top          []TokenLogProb // memory of sampled
	lat          latencies
	matchers     []grammarMatcher // the last used first
	counts       Counters
	reclaims     []Reclaim
}

// New makes an engine. judge may be nil; policies that need one are then refused.
// The engine uses dev alone until Close; it does not close it.
func New(dev kernels.Device, reasoner *model.Model, judge *Judge, opt Options) (*Engine, error) {
	e, err := newEngine(dev, reasoner, judge, opt)
	if err != nil {
		return nil, err
	}
	go e.loop()
	return e, nil
}

// newEngine makes an engine whose loop does not run yet.
func newEngine(dev kernels.Device, reasoner *model.Model, judge *Judge, opt Options) (*Engine, error) {
	opt = opt.withDefaults()
	switch {
	case opt.Slots < 1 || opt.Slots > MaxTraces:
		return nil, fmt.Errorf("engine: %w: slots: %d is not between 1 and %d", ErrInvalid, opt.Slots, MaxTraces)
	case opt.TokenBudget > maxRows:
		return nil, fmt.Errorf("engine: %w: token budget: %d is more than %d", ErrInvalid, opt.TokenBudget, maxRows)
	case opt.MaxWaiting < 0:
		return nil, fmt.Errorf("engine: %w: waiting groups: %d is negative", ErrInvalid, opt.MaxWaiting)
	case opt.JudgeBudget < 16 || opt.JudgeBudget > maxRows:
		return nil, fmt.Errorf("engine: %w: judge budget: %d is not between 16 and %d", ErrInvalid, opt.JudgeBudget, maxRows)
	}
	if reasoner.Config.Labels > 0 {
		return nil, fmt.Errorf("engine: %w: %s is a classifier (%s), which can be a judge only", ErrInvalid, reasoner.Name, reasoner.Config.Architecture)
	}
	e := &Engine{
		dev: dev, reasoner: reasoner, opt: opt, start: time.Now(),
		commands: make(chan command, 64),
		closing:  make(chan struct{}),
		done:     make(chan struct{}),
	}
	if err := e.carve(judge); err != nil {
		return nil, err
	}
	var err error
	if e.decoder, err = reasoner.NewDecoder(opt.TokenBudget, opt.Slots+scoredRows); err != nil {
		return nil, fmt.Errorf("engine: reasoner: %w", err)
	}
	if opt.Journal != nil {
		e.journal = newJournal(opt.Journal)
		e.journal.header(e.journalHeader())
	}
	return e, nil
}

// carve makes the KV arena. A page is one block of the larger geometry, so no
// memory is ever stuck in a page of the other model's blocks for want of a
// neighbour.
func (e *Engine) carve(judge *Judge) error {
	layout := e.reasoner.Config.KVLayout()
	page := layout.BlockBytes()
	if judge != nil {
		page = max(page, judge.Model.Config.KVLayout().BlockBytes())
	}
	pages := e.opt.KVBytes / page
	if pages < 2 || pages > math.MaxInt32 {
		return fmt.Errorf("engine: %w: %d bytes of KV memory hold %d blocks of %d bytes", ErrInvalid, e.opt.KVBytes, pages, page)
	}
	memory, err := e.dev.NewArena(pages * page)
	if err != nil {
		return fmt.Errorf("engine: KV memory: %w", err)
	}
	if e.arena, err = kvcache.NewArena(page, int(pages)); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	if e.pool, err = e.arena.NewPool(layout.BlockBytes()); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	e.kv = kernels.KV{Arena: memory, KVLayout: layout, PageBytes: page}
	if judge == nil {
		return nil
	}
	jl := judge.Model.Config.KVLayout()
	pool, err := e.arena.NewPool(jl.BlockBytes())
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	e.judge, err = newJudgeRunner(e.dev, judge, pool, kernels.KV{Arena: memory, KVLayout: jl, PageBytes: page}, e.opt.JudgeBudget)
	return err
}

// journalHeader says what the groups run on.
func (e *Engine) journalHeader() JournalHeader {
	info := e.dev.Info()
	h := JournalHeader{
		Model: e.reasoner.Name, Device: Device{Kind: info.Kind, Name: info.Name},
		Slots: e.opt.Slots, StepTokens: e.opt.TokenBudget,
		KVBytes: e.kv.Arena.Bytes(), BlockBytes: e.kv.BlockBytes(),
	}
	if e.judge != nil {
		h.Judge, h.JudgeBlockBytes = e.judge.Model.Name, e.judge.kv.BlockBytes()
	}
	return h
}

// Submit checks a request and queues it. The group is cancelled when ctx is; when
// its deadline passes, the group ends with the best vote so far.
func (e *Engine) Submit(ctx context.Context, r Request) (*Group, error) {
	g, err := e.newGroup(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	if n := e.waiting.Add(1); e.opt.MaxWaiting > 0 && n > int64(e.opt.MaxWaiting) {
		e.waiting.Add(-1)
		return nil, fmt.Errorf("engine: %w: %d of at most %d", ErrBusy, n-1, e.opt.MaxWaiting)
	}
	if !e.send(command{kind: commandSubmit, group: g}) {
		e.waiting.Add(-1)
		return nil, fmt.Errorf("engine: %w", ErrClosed)
	}
	// The loop may have ended in between; what it finds in its queue after closing
	// done it refuses, and what comes later sees that done is closed.
	select {
	case <-e.done:
		return nil, fmt.Errorf("engine: %w", ErrClosed)
	default:
		return g, nil
	}
}

// Close stops the step loop after the step in progress. Groups that are not
// finished end with ErrClosed. It returns the journal's first write error, or what
// broke the loop.
func (e *Engine) Close() error {
	e.closeOnce.Do(func() { close(e.closing) })
	<-e.done
	return e.err
}

// Info describes the device the engine runs on.
func (e *Engine) Info() kernels.Info { return e.dev.Info() }

// commandKind says what is asked of the step loop.
type commandKind uint8

const (
	commandSubmit commandKind = iota
	commandCancel
	commandCancelTrace
	commandDeadline
	commandStats
	commandVerdicts
)

type command struct {
	kind  commandKind
	group *Group
	trace int
	at    time.Time  // of cancels: when it was asked
	stats chan Stats // of stats: where the answer goes

	scores []float64 // of verdicts: what a JudgeFunc said
	err    error     // likewise
}

// send hands a command to the loop; false if the engine is closed.
func (e *Engine) send(c command) bool {
	select {
	case <-e.closing:
		return false
	case <-e.done:
		return false
	default:
	}
	select {
	case e.commands <- c:
		return true
	case <-e.done:
		return false
	}
}

// loop is the step loop: the goroutine that owns the engine's state.
func (e *Engine) loop() {
	defer e.refuse()
	defer close(e.done)
	defer e.shutdown()
	defer func() {
		// A panic here is a mistake in the program, most likely a device's. The
		// process may hold other engines, so it ends this one alone.
		if r := recover(); r != nil {
			e.err = fmt.Errorf("engine: step %d: %v\n%s", e.steps, r, debug.Stack())
		}
	}()
	for e.takeCommands() {
		e.step()
	}
}

// takeCommands carries out what has been asked, waiting for something to do when
// there is none; false when the engine closes.
func (e *Engine) takeCommands() bool {
	for {
		if len(e.groups) == 0 || e.idle {
			select {
			case <-e.closing:
				return false
			case c := <-e.commands:
				e.idle = false
				e.carryOut(c)
				continue
			}
		}
		select {
		case <-e.closing:
			return false
		case c := <-e.commands:
			e.carryOut(c)
		default:
			return true
		}
	}
}

func (e *Engine) carryOut(c command) {
	g := c.group
	switch c.kind {
	case commandSubmit:
		e.accept(g)
		return
	case commandStats:
		c.stats <- e.snapshot()
		return
	}
	if g.finished {
		return
	}
	if c.kind == commandVerdicts {
		e.verdicts(g, c.scores, c.err)
		return
	}
	switch c.kind {
	case commandCancel:
		e.endGroup(g, prune.Cancelled, ErrCancelled, "cancelled: the vote is among the traces that had finished")
	case commandDeadline:
		e.endGroup(g, prune.Cancelled, nil, "deadline: the vote is among the traces that had finished")
	case commandCancelTrace:
		e.cancelTrace(g, c.trace)
	}
	e.lat.cancel.observe(time.Since(c.at))
}

// shutdown ends what is unfinished when the loop ends.
func (e *Engine) shutdown() {
	cause := ErrClosed
	if e.err != nil {
		cause = e.err
	}
	for len(e.groups) > 0 {
		e.endGroup(e.groups[0], prune.Failed, cause, "")
	}
	e.err = errors.Join(e.err, e.journal.close())
}

// refuse fails the groups that were submitted too late to be accepted.
func (e *Engine) refuse() {
	for {
		select {
		case c := <-e.commands:
			if c.kind == commandSubmit {
				c.group.fail(ErrClosed)
			}
		default:
			return
		}
	}
}

// emit sends an event to the journal and to the group's subscriber.
func (e *Engine) emit(g *Group, ev Event) {
	ev.Group, ev.Step = g.id, e.steps
	ev.Nanos = time.Since(e.start).Nanoseconds()
	e.journal.record(ev)
	g.publish(ev)
}
