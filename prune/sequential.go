package prune

// sequential decides on finished answers, without a checkpoint or a judge: traces
// are counted in index order, and no more are wanted when the vote is settled.
// It is two policies: early-vote starts every trace that is certain to be needed
// at once; adaptive-consistency (arXiv 2305.11860) one after the other, which can
// spend no less but takes the longest.
type sequential struct {
	settings
	name       string
	confidence float64
	wave       int  // that may start at once in any case
	single     bool // one after the other
}

func newEarlyVote(o Options) Policy {
	return &sequential{name: "early-vote", confidence: o.Confidence, wave: o.FirstWave}
}

func newAdaptiveConsistency(o Options) Policy {
	return &sequential{name: "adaptive-consistency", confidence: o.Confidence, single: true}
}

func (p *sequential) Name() string              { return p.name }
func (p *sequential) Checkpoints() []Checkpoint { return nil }
func (p *sequential) NeedsJudge() bool          { return false }
func (p *sequential) New(k int) Decider         { return &count{sequential: p, ended: make([]bool, k)} }

// count is the state of a sequential policy for one group.
type count struct {
	*sequential
	ended    []bool // by trace
	frontier int    // all traces below have ended
	votes    []Vote // of those below the frontier
	limit    int    // traces below may start
	done     bool
	actions  [1]Action
}

func (d *count) Decide(ev Event, s *Snapshot) []Action {
	k := len(d.ended)
	if d.done || ev.Kind != Started && ev.Kind != Ended {
		return nil
	}
	if ev.Kind == Ended {
		d.ended[ev.Trace] = true
	}
	for {
		lead, second := leaders(d.votes)
		undecided := k - d.frontier
		if undecided == 0 || Settled(lead, second, undecided, d.confidence) {
			return d.close(s)
		}
		limit := d.frontier + 1
		if !d.single {
			limit = max(min(d.wave, k), d.frontier+Needed(lead, second, undecided, d.confidence))
		}
		if !d.ended[d.frontier] {
			if limit <= d.limit {
				return nil
			}
			d.limit = limit
			d.actions[0] = Action{Kind: Start, Trace: limit, Keeper: -1}
			return d.actions[:]
		}
		if t := &s.Traces[d.frontier]; t.votes() {
			d.votes = add(d.votes, t.Answer, 1)
		}
		d.frontier++
	}
}

func (d *count) close(s *Snapshot) []Action {
	d.done = true
	for i := range s.Traces {
		if !s.Traces[i].State.Ended() {
			d.actions[0] = Action{Kind: StopRest, Trace: -1, Keeper: -1, Reason: ReasonDecided}
			return d.actions[:]
		}
	}
	return nil
}

// leaders returns the two largest weights of votes of weight 1.
func leaders(votes []Vote) (lead, second int) {
	for _, v := range votes {
		if w := int(v.Weight); w > lead {
			lead, second = w, lead
		} else {
			second = max(second, w)
		}
	}
	return lead, second
}

// Votes counts those below the frontier; before the vote is settled, all.
func (d *count) Votes(s *Snapshot) []Ballot {
	b := ballots(s)
	for d.done && len(b) > 0 && b[len(b)-1].Trace >= d.frontier {
		b = b[:len(b)-1]
	}
	return b
}

func (d *count) Clusters() []Cluster { return nil }
