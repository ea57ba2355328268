package prune

// None is the policy that stops nothing: all traces run to their end and have
// one vote each (self-consistency, arXiv 2203.11171).
func None() Policy { return none{} }

type none struct{}

func (none) Name() string              { return "none" }
func (none) Checkpoints() []Checkpoint { return nil }
func (none) NeedsJudge() bool          { return false }
func (none) New(int) Decider           { return none{} }

func (none) Decide(Event, *Snapshot) []Action { return nil }
func (none) Votes(s *Snapshot) []Ballot       { return ballots(s) }
func (none) Clusters() []Cluster              { return nil }

// ballots gives every trace that has an answer one vote.
func ballots(s *Snapshot) []Ballot {
	var b []Ballot
	for i := range s.Traces {
		if s.Traces[i].votes() {
			b = append(b, Ballot{Trace: i, Weight: 1})
		}
	}
	return b
}
