package eval

import (
	"fmt"

	"deepprune/prune"
)

// Costs prices work in FLOPs, as the engine does.
type Costs interface {
	// Generate is the reasoner's work for the first n tokens of a trace of a
	// question.
	Generate(question string, n int) (float64, error)
	// Judge is the judge's tokens and work for a pair: those for the keeper's part
	// of the prompt, which all pairs against it share, and the rest.
	Judge(keeper, trace string) (shared, own Work)
}

// Work is tokens computed and the FLOPs that took.
type Work struct {
	Tokens int
	FLOPs  float64
}

// Judging scores pairs of prefixes: scores[i] is that of pairs[i].
type Judging func(scores []float64, pairs [][2]string) error

// Replay is what a policy would have made of a group whose traces are stored. They
// are let run side by side, a token each at a time, and are held, judged and
// stopped as the engine does it. Since a trace does not depend on the others and a
// policy not on the order of events, the outcome is that of a live run; what a
// policy starts on the chance of needing it (first-wave, eager) is the exception.
//
// Only the first k traces are there. Time and memory are not replayed.
func Replay(c *Contender, p prune.Policy, s *Sampled, k int, run uint64, judge Judging, costs Costs) (*Record, error) {
	if k > len(s.Traces) {
		return nil, fmt.Errorf("question %s: %d traces are stored, not %d", s.ID, len(s.Traces), k)
	}
	if err := checkPrefixes(p, s, k); err != nil {
		return nil, fmt.Errorf("question %s: policy %s: %w", s.ID, c.Spec, err)
	}
	r := replay{
		stored: s.Traces[:k], decider: p.New(k), limit: k, judge: judge,
		checkpoints: len(p.Checkpoints()),
		snap:        prune.Snapshot{Seed: s.Seed, Traces: make([]prune.Trace, k)},
		keepers:     make(map[int]bool),
	}
	if err := r.run(); err != nil {
		return nil, fmt.Errorf("question %s: policy %s: %w", s.ID, c.Spec, err)
	}
	return r.record(c, s, run, costs)
}

// checkPrefixes makes sure that the traces are stored with prefixes that end at the
// policy's checkpoint.
func checkPrefixes(p prune.Policy, s *Sampled, k int) error {
	for i := range k {
		t := &s.Traces[i]
		if t.State.State != prune.Finished && t.State.State != prune.Length {
			return fmt.Errorf("trace %d did not end by itself", i)
		}
		for _, c := range p.Checkpoints() {
			var words prune.WordCounter
			reached := c.Tokens > 0 && t.PrefixTokens == c.Tokens || c.Words > 0 && words.Add([]byte(t.Prefix)) == c.Words
			whole := t.PrefixTokens == t.Tokens && (c.Tokens == 0 || t.Tokens <= c.Tokens)
			if !reached && !whole {
				return fmt.Errorf("trace %d is stored with a prefix of %d tokens, which is not where the policy cuts", i, t.PrefixTokens)
			}
		}
	}
	if len(p.Checkpoints()) > 1 {
		return fmt.Errorf("stored traces have one checkpoint, not %d", len(p.Checkpoints()))
	}
	return nil
}

// replay is a group under way.
type replay struct {
	stored      []SampledTrace
	decider     prune.Decider
	judge       Judging
	checkpoints int
	snap        prune.Snapshot
	limit       int // traces below may start
	queue       []prune.Event
	pairs       []prune.Action // asked and not scored
	finished    bool

	keepers map[int]bool // whose prefix was computed
	scored  []prune.Action
}

func (r *replay) run() error {
	if err := r.tell(prune.Event{Kind: prune.Started}); err != nil {
		return err
	}
	for !r.finished {
		switch {
		case len(r.queue) > 0:
			ev := r.queue[0]
			r.queue = r.queue[1:]
			if err := r.tell(ev); err != nil {
				return err
			}
		case len(r.pairs) > 0:
			if err := r.score(); err != nil {
				return err
			}
		case !r.advance():
			for i := range r.snap.Traces {
				if r.snap.Traces[i].State == prune.Held {
					return fmt.Errorf("trace %d is left held, and nothing is under way", i)
				}
			}
			return nil
		}
	}
	return nil
}

// advance lets all traces run until the first of them is at its checkpoint or its
// end; false if none runs.
func (r *replay) advance() bool {
	least := -1
	for i := range r.snap.Traces {
		t := &r.snap.Traces[i]
		if t.State == prune.NotStarted && i < r.limit {
			t.State = prune.Running
		}
		if t.State == prune.Running {
			if left := r.next(i) - t.Tokens; least < 0 || left < least {
				least = left
			}
		}
	}
	if least < 0 {
		return false
	}
	for i := range r.snap.Traces {
		t, stored := &r.snap.Traces[i], &r.stored[i]
		if t.State != prune.Running {
			continue
		}
		t.Tokens += least
		switch {
		case t.Tokens < r.next(i):
		case t.Tokens < stored.Tokens:
			t.State, t.Checkpoints = prune.Held, t.Checkpoints+1
			r.queue = append(r.queue, prune.Event{Kind: prune.Reached, Trace: i, Keeper: -1, Checkpoint: t.Checkpoints - 1})
		default:
			t.State, t.Answer = stored.State.State, string(stored.Answer)
			r.queue = append(r.queue, prune.Event{Kind: prune.Ended, Trace: i, Keeper: -1})
		}
	}
	return true
}

// next is the token count at which trace i stops next.
func (r *replay) next(i int) int {
	if r.snap.Traces[i].Checkpoints < r.checkpoints && r.stored[i].PrefixTokens < r.stored[i].Tokens {
		return r.stored[i].PrefixTokens
	}
	return r.stored[i].Tokens
}

// score asks the judge all that waits.
func (r *replay) score() error {
	pairs := r.pairs[:0]
	for _, a := range r.pairs {
		if r.snap.Traces[a.Trace].State != prune.Pruned {
			pairs = append(pairs, a)
		}
	}
	texts := make([][2]string, len(pairs))
	for i, a := range pairs {
		texts[i] = [2]string{r.stored[a.Keeper].Prefix, r.stored[a.Trace].Prefix}
	}
	scores := make([]float64, len(pairs))
	if err := r.judge(scores, texts); err != nil {
		return err
	}
	for i, a := range pairs {
		r.keepers[a.Keeper] = true
		r.queue = append(r.queue, prune.Event{Kind: prune.Judged, Trace: a.Trace, Keeper: a.Keeper, Checkpoint: a.Checkpoint, Score: scores[i]})
	}
	r.scored = append(r.scored, pairs...)
	r.pairs = nil
	return nil
}

// tell reports an event and carries out what the policy decides.
func (r *replay) tell(ev prune.Event) error {
	for _, a := range r.decider.Decide(ev, &r.snap) {
		if a.Kind != prune.Start && a.Kind != prune.StopRest && (a.Trace < 0 || a.Trace >= len(r.snap.Traces)) {
			return fmt.Errorf("action on trace %d of %d", a.Trace, len(r.snap.Traces))
		}
		switch a.Kind {
		case prune.Start:
			r.limit = a.Trace
		case prune.Judge:
			r.pairs = append(r.pairs, a)
		case prune.StopRest:
			for i := range r.snap.Traces {
				if t := &r.snap.Traces[i]; !t.State.Ended() && (t.State != prune.NotStarted || i < r.limit) {
					t.State = prune.Pruned
				}
			}
			r.finished = true
		case prune.Resume:
			if t := &r.snap.Traces[a.Trace]; t.State == prune.Held {
				t.State = prune.Running
			}
		case prune.Hold:
			if t := &r.snap.Traces[a.Trace]; t.State == prune.Running {
				t.State = prune.Held
			}
		case prune.Stop:
			if t := &r.snap.Traces[a.Trace]; !t.State.Ended() {
				t.State = prune.Pruned
			}
		default:
			return fmt.Errorf("unknown action %d", a.Kind)
		}
	}
	return nil
}

// record draws up the account.
func (r *replay) record(c *Contender, s *Sampled, run uint64, costs Costs) (*Record, error) {
	rec := &Record{Contender: c.Spec, Question: s.ID, Run: run, Replayed: true, JudgePairs: len(r.scored)}
	if votes := prune.Tally(r.decider.Votes(&r.snap), r.snap.Traces); len(votes) > 0 {
		rec.Answer = JSONText(votes[0].Answer)
		rec.Right = Grade(votes[0].Answer, s.Answer)
	}
	work, generated := 0.0, 0
	for i := range r.snap.Traces {
		t := &r.snap.Traces[i]
		f := Fate{State: StateName{t.State}, Tokens: t.Tokens}
		if r.checkpoints > 0 {
			f.Prefix = min(r.stored[i].PrefixTokens, t.Tokens)
		}
		if t.State == prune.Finished || t.State == prune.Length {
			f.Answer, f.Right = JSONText(t.Answer), t.Answer != "" && Grade(t.Answer, s.Answer)
		}
		rec.Traces = append(rec.Traces, f)
		flops, err := costs.Generate(s.Text, t.Tokens)
		if err != nil {
			return nil, err
		}
		work += flops
		generated += t.Tokens
	}
	judged := 0.0
	add := func(w Work) {
		rec.JudgeTokens += w.Tokens
		judged += w.FLOPs
	}
	for _, a := range r.scored {
		shared, own := costs.Judge(r.stored[a.Keeper].Prefix, r.stored[a.Trace].Prefix)
		if add(own); r.keepers[a.Keeper] {
			r.keepers[a.Keeper] = false // count it once
			add(shared)
		}
	}
	if work > 0 {
		rec.JudgeCost = judged / (work / float64(generated))
	}
	return rec, nil
}
