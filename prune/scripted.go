package prune

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Cut is a line of a schedule: when a trace has generated Token tokens, it goes
// on if it is in Keep or not in Stop. One of the two is set; the other is nil.
type Cut struct {
	Token int   `json:"token"`
	Keep  []int `json:"keep,omitempty"`
	Stop  []int `json:"stop,omitempty"`
}

// keeps reports whether trace i goes on.
func (c *Cut) keeps(i int) bool {
	if c.Keep != nil {
		return slices.Contains(c.Keep, i)
	}
	return !slices.Contains(c.Stop, i)
}

// Schedule says which traces are stopped at which token, by increasing tokens.
// Indices of traces that a group does not have are ignored.
type Schedule []Cut

// ErrSchedule is returned for a schedule that cannot be read.
var ErrSchedule = errors.New("invalid schedule")

// ParseSchedule reads a schedule from JSON lines such as
//
//	{"token": 100, "keep": [0, 1, 2, 3]}
//	{"token": 200, "stop": [3]}
//
// Empty lines are skipped. Errors are ErrSchedule and name the line and field.
func ParseSchedule(r io.Reader) (Schedule, error) {
	var schedule Schedule
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	n := 0
	for lines.Scan() {
		n++
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		c, err := parseCut(line)
		if err == nil && len(schedule) > 0 && c.Token <= schedule[len(schedule)-1].Token {
			err = fmt.Errorf("token: %d is not above the %d before it", c.Token, schedule[len(schedule)-1].Token)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrSchedule, n, err)
		}
		schedule = append(schedule, c)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: line %d: %w", ErrSchedule, n+1, err)
	}
	if len(schedule) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrSchedule)
	}
	return schedule, nil
}

func parseCut(line []byte) (Cut, error) {
	var c Cut
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, err
	}
	if _, err := d.Token(); err != io.EOF {
		return c, errors.New("more than one object")
	}
	switch {
	case c.Token < 1:
		return c, fmt.Errorf("token: %d is not positive", c.Token)
	case c.Keep == nil && c.Stop == nil:
		return c, errors.New("neither keep nor stop")
	case c.Keep != nil && c.Stop != nil:
		return c, errors.New("both keep and stop")
	}
	field, indices := "keep", c.Keep
	if c.Stop != nil {
		field, indices = "stop", c.Stop
	}
	seen := make(map[int]bool, len(indices))
	for _, i := range indices {
		if i < 0 {
			return c, fmt.Errorf("%s: %d is negative", field, i)
		}
		if seen[i] {
			return c, fmt.Errorf("%s: %d is there twice", field, i)
		}
		seen[i] = true
	}
	return c, nil
}

// scripted stops traces at given tokens, whatever they say. It is for memory and
// speed, and works on weights that mean nothing.
type scripted struct {
	settings
	schedule   Schedule // nil: the lowest survivors go on past the checkpoint
	checkpoint Checkpoint
	survivors  int
}

func newScripted(o Options) Policy {
	return &scripted{schedule: o.Schedule, checkpoint: o.Checkpoint, survivors: o.Survivors}
}

func (p *scripted) Name() string     { return "scripted" }
func (p *scripted) NeedsJudge() bool { return false }

// IgnoresEOS tells the engine to let traces run on past their end of text, so
// that what is measured depends on the schedule alone.
func (p *scripted) IgnoresEOS() bool { return true }

func (p *scripted) Checkpoints() []Checkpoint {
	if p.schedule == nil {
		return []Checkpoint{p.checkpoint}
	}
	c := make([]Checkpoint, len(p.schedule))
	for i := range p.schedule {
		c[i].Tokens = p.schedule[i].Token
	}
	return c
}

func (p *scripted) New(k int) Decider {
	d := &script{schedule: p.schedule}
	if d.schedule == nil {
		keep := make([]int, survivors(p.survivors, k))
		for i := range keep {
			keep[i] = i
		}
		d.schedule = Schedule{{Keep: keep}}
	}
	return d
}

// survivors is how many of k traces go on: n, or a quarter if n is 0.
func survivors(n, k int) int {
	if n == 0 {
		n = max(1, k/4)
	}
	return min(n, k)
}

type script struct {
	schedule Schedule
	actions  [1]Action
}

func (d *script) Decide(ev Event, _ *Snapshot) []Action {
	if ev.Kind != Reached {
		return nil
	}
	d.actions[0] = Action{Kind: Stop, Trace: ev.Trace, Keeper: -1, Checkpoint: ev.Checkpoint, Reason: ReasonControl}
	if d.schedule[ev.Checkpoint].keeps(ev.Trace) {
		d.actions[0] = Action{Kind: Resume, Trace: ev.Trace, Keeper: -1, Checkpoint: ev.Checkpoint}
	}
	return d.actions[:]
}

func (d *script) Votes(s *Snapshot) []Ballot { return ballots(s) }
func (d *script) Clusters() []Cluster        { return nil }
