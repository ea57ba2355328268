package server

import (
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"time"

	"deepprune/engine"
)

// run is a group that answers a request, or answered one lately. Its methods may be
// called from any goroutine.
type run struct {
	id       int64
	key      string // name of the API key that asked
	response string // id of the response
	question string
	policy   string
	traces   int
	seed     uint64
	created  time.Time
	ledger   *ledger
	ended    chan struct{} // closed when the group is over

	mu     sync.Mutex
	group  *engine.Group // nil when done: it has all that the traces wrote
	log    eventLog
	waits  chan struct{} // closed at the next event; nil if nobody waits
	done   bool          // the rest is set, and the log has its last line
	status string        // of a group that is done
	tokens int           // generated
	answer string
	result json.RawMessage // the engine.Result, null for a group that never ran
	err    string
}

// Statuses of a group.
const (
	statusRunning   = "running"
	statusFinished  = "finished"
	statusCancelled = "cancelled"
	statusFailed    = "failed"
)

// follow takes in the events of a group until it is done. It never waits for those
// who read them.
func (r *run) follow(g *engine.Group) {
	for ev := range g.Events() {
		r.ledger.see(ev)
		r.mu.Lock()
		r.log.add(g, ev)
		if ev.Kind != engine.EventTokens {
			r.tell()
		}
		r.mu.Unlock()
	}
	result, err := g.Wait()
	close(r.ended)
	r.ledger.end(result, err)
	text, _ := json.Marshal(result) // numbers that are none have no place in it
	r.mu.Lock()
	defer r.mu.Unlock()
	r.group, r.done, r.status, r.result = nil, true, statusFinished, text
	if result != nil {
		r.answer, r.tokens = result.Answer, result.Usage.GeneratedTokens
	}
	switch {
	case errors.Is(err, engine.ErrCancelled):
		r.status = statusCancelled
	case err != nil:
		r.status, r.err = statusFailed, err.Error()
	}
	r.tell()
}

// isDone reports whether the group is over: its traces stay as they are.
func (r *run) isDone() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// live is the group while it is not done, else nil.
func (r *run) live() *engine.Group {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.group
}

// tell wakes those who wait for an event.
func (r *run) tell() {
	if r.waits != nil {
		close(r.waits)
		r.waits = nil
	}
}

// wait returns a channel that is closed when there is more to see than at the call.
// The caller holds mu.
func (r *run) wait() <-chan struct{} {
	if r.waits == nil {
		r.waits = make(chan struct{})
	}
	return r.waits
}

// bytes is about what the run takes once it is done. The caller holds mu.
func (r *run) bytes() int {
	n := r.log.bytes + len(r.result) + len(r.question) + 4096
	if s := r.log.head[1].Submission; s != nil {
		n += len(s.Prompt)*tokenBytes + len(s.Constraint)
	}
	return n
}

// Bounds on the groups that are kept when they are done; the oldest go first.
const (
	maxKept      = 256
	maxKeptBytes = 64 << 20
)

// runs are the groups of a server: all that run, and the latest of those that are
// done. Its methods may be called from any goroutine.
type runs struct {
	mu    sync.Mutex
	byID  map[int64]*run
	order []*run // oldest first
}

// add follows a group until it is done, and keeps it for a while.
func (s *runs) add(r *run) {
	s.mu.Lock()
	s.byID[r.id] = r
	s.order = append(s.order, r)
	s.mu.Unlock()
	go func() {
		r.follow(r.group)
		s.forget()
	}()
}

// find is the run whose id or whose response's id is name, nil if there is none.
func (s *runs) find(name string) *run {
	id, err := strconv.ParseInt(name, 10, 64)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		return s.byID[id]
	}
	for _, r := range s.order {
		if r.response == name {
			return r
		}
	}
	return nil
}

// all are the runs, the latest first.
func (s *runs) all() []*run {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*run, len(s.order))
	for i, r := range s.order {
		all[len(all)-1-i] = r
	}
	return all
}

// forget drops the oldest runs that are done, as far as there are too many.
func (s *runs) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept, bytes := 0, 0
	order := make([]*run, 0, len(s.order))
	for i := len(s.order) - 1; i >= 0; i-- {
		r := s.order[i]
		r.mu.Lock()
		drop := false
		if r.done {
			kept++
			bytes += r.bytes()
			drop = kept > maxKept || bytes > maxKeptBytes
		}
		r.mu.Unlock()
		if drop {
			delete(s.byID, r.id)
			continue
		}
		order = append(order, r)
	}
	for i, j := 0, len(order)-1; i < j; i, j = i+1, j-1 {
		order[i], order[j] = order[j], order[i]
	}
	s.order = order
}
