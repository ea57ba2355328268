package cpu

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
)

// job is an operation cut into chunks that may run in any order, at once.
type job interface {
	chunk(w *worker, i int)
}

// worker is what one of the computing goroutines owns.
type worker struct {
	index   int
	tile    [blockRows * panelWidth]float32 // output of a panel that dst has no room for
	row     []float32                       // a row of a weight that is being packed
	routing []float64                       // scores of a row's experts, and what they are chosen by
	groups  []float64                       // of experts
	sampler sampler
	attentionScratch
}

// pool runs jobs on its workers. A job is announced in state, one word:
//
//	epoch (32 bits) | quit | waiting | open | joined (29 bits)
//
// A worker joins an open job by adding one to joined and then takes chunks until none
// is left. The caller takes chunks too, closes the job when it finds none, and waits
// for those that joined and for nobody else: a worker that the operating system did
// not schedule in time costs nothing.
//
// Each worker has a share of the chunks that lie one after the other, so that what it
// reads does too, and when it has done them it takes the last ones of others.
type pool struct {
	workers []*worker // workers[0] serves the caller

	job    job
	shares []share // of each worker
	_      [64]byte
	state  atomic.Uint64
	_      [64]byte

	parked atomic.Int32
	wake   chan struct{}
	done   chan struct{}
	spins  int
	exited sync.WaitGroup
	once   sync.Once
}

const (
	stateJoined  = 1<<29 - 1
	stateOpen    = 1 << 29
	stateWaiting = 1 << 30
	stateQuit    = 1 << 31
	stateEpoch   = 1 << 32
)

// A spin is spinPauses pause instructions, a fifth of a microsecond or so; the
// processor is offered to other goroutines every spinsPerYield of them, and a
// worker sleeps after idleSpins without work.
const (
	spinPauses    = 8
	spinsPerYield = 16
	idleSpins     = 512
)

func newPool(threads int) *pool {
	p := &pool{
		workers: make([]*worker, threads),
		wake:    make(chan struct{}, threads),
		done:    make(chan struct{}, 1),
		spins:   idleSpins,
	}
	if threads > runtime.GOMAXPROCS(0) {
		p.spins = 1 // spinning would only keep the others from running
	}
	p.shares = make([]share, threads)
	for i := range p.workers {
		p.workers[i] = &worker{index: i}
	}
	p.exited.Add(threads - 1)
	for _, w := range p.workers[1:] {
		go p.serve(w)
	}
	return p
}

// run executes chunks 0 to chunks-1 of j and returns when all are done.
func (p *pool) run(j job, chunks int) {
	if len(p.workers) == 1 || chunks <= 1 {
		for i := range chunks {
			j.chunk(p.workers[0], i)
		}
		return
	}
	p.job = j
	for i := range p.shares {
		p.shares[i].set(chunks*i/len(p.shares), chunks*(i+1)/len(p.shares))
	}
	p.state.Store(p.state.Load()&^(stateEpoch-1) + stateEpoch + stateOpen)
	for range chunks - 1 {
		if !p.unpark() {
			break
		}
		p.wake <- struct{}{}
	}
	p.take(p.workers[0])
	if old := p.state.And(^uint64(stateOpen)); old&stateJoined != 0 {
		p.wait()
	}
}

// take runs chunks until none is left.
func (p *pool) take(w *worker) {
	for i, ok := p.shares[w.index].first(); ok; i, ok = p.shares[w.index].first() {
		p.job.chunk(w, i)
	}
	for k := range p.shares {
		s := &p.shares[(w.index+k)%len(p.shares)]
		for i, ok := s.last(); ok; i, ok = s.last() {
			p.job.chunk(w, i)
		}
	}
}

// share is chunks that are left: the first (32 bits) | the one after the last. It has
// a cache line for itself.
type share struct {
	left atomic.Uint64
	_    [56]byte
}

func (s *share) set(from, to int) { s.left.Store(uint64(from)<<32 | uint64(to)) }

// first takes the first chunk, last the last one.
func (s *share) first() (int, bool) {
	for {
		left := s.left.Load()
		from, to := left>>32, left&math.MaxUint32
		if from == to {
			return 0, false
		}
		if s.left.CompareAndSwap(left, left+1<<32) {
			return int(from), true
		}
	}
}

func (s *share) last() (int, bool) {
	for {
		left := s.left.Load()
		from, to := left>>32, left&math.MaxUint32
		if from == to {
			return 0, false
		}
		if s.left.CompareAndSwap(left, left-1) {
			return int(to) - 1, true
		}
	}
}

// wait returns when no worker is in the closed job: soon, as a rule, so it spins
// before it sleeps.
func (p *pool) wait() {
	for spin := range p.spins {
		if p.state.Load()&stateJoined == 0 {
			return
		}
		pause(spinPauses)
		if spin%spinsPerYield == spinsPerYield-1 {
			runtime.Gosched()
		}
	}
	for {
		s := p.state.Load()
		if s&stateJoined == 0 {
			return
		}
		if p.state.CompareAndSwap(s, s|stateWaiting) {
			<-p.done
			return
		}
	}
}

// serve is a worker's life.
func (p *pool) serve(w *worker) {
	defer p.exited.Done()
	var epoch uint64 // of the last job joined or missed
	for idle := 0; ; idle++ {
		s := p.state.Load()
		switch {
		case s&stateQuit != 0:
			return
		case s/stateEpoch != epoch:
			if s&stateOpen == 0 {
				epoch, idle = s/stateEpoch, 0
			} else if p.state.CompareAndSwap(s, s+1) {
				epoch, idle = s/stateEpoch, 0
				p.take(w)
				p.leave()
			}
		case idle < p.spins:
			pause(spinPauses)
			if idle%spinsPerYield == spinsPerYield-1 {
				runtime.Gosched()
			}
		default:
			p.park(epoch)
			idle = 0
		}
	}
}

func (p *pool) leave() {
	for {
		s := p.state.Load()
		n := s - 1
		last := n&stateJoined == 0 && n&stateWaiting != 0
		if last {
			n &^= stateWaiting
		}
		if p.state.CompareAndSwap(s, n) {
			if last {
				p.done <- struct{}{}
			}
			return
		}
	}
}

// park sleeps until a job is announced. parked counts the workers that wait for
// a token of wake which nobody has promised yet.
func (p *pool) park(epoch uint64) {
	p.parked.Add(1)
	if s := p.state.Load(); (s/stateEpoch != epoch || s&stateQuit != 0) && p.unpark() {
		return
	}
	<-p.wake
}

// unpark takes one worker out of parked; the taker owes it a token of wake. It
// reports false if none was left.
func (p *pool) unpark() bool {
	for {
		n := p.parked.Load()
		if n == 0 {
			return false
		}
		if p.parked.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

func (p *pool) close() {
	p.once.Do(func() {
		p.state.Or(stateQuit)
		for p.unpark() {
			p.wake <- struct{}{}
		}
		p.exited.Wait()
	})
}
