package prune

import (
	"math/bits"
	"slices"
)

// paper is DeepPrune as published (arXiv 2510.08483): every trace starts and runs
// to the checkpoint; in index order each joins the cluster to which it is most
// similar, on average over some random members, or opens one; then members of the
// largest cluster finish and vote.
//
// Where the paper leaves it open: a trace that fits none of K clusters stops, has
// no keeper and no vote; the lowest members of the largest cluster finish; of
// equally large clusters the first; a trace that ended before the checkpoint is
// judged like the others, by all of its text.
type paper struct {
	settings
	opt Options
}

func newPaper(o Options) Policy { return &paper{opt: o} }

func (p *paper) Name() string              { return "deepprune-paper" }
func (p *paper) Checkpoints() []Checkpoint { return []Checkpoint{p.opt.Checkpoint} }
func (p *paper) NeedsJudge() bool          { return true }

func (p *paper) New(k int) Decider {
	d := &paperDecider{opt: p.opt, traces: make([]paperTrace, k)}
	for i := range d.traces {
		d.traces[i].cluster = -1
	}
	return d
}

type paperTrace struct {
	here    bool // at its checkpoint, or ended
	gone    bool // cancelled or failed before its turn
	held    bool
	cluster int // -1: none
	score   float64
}

// paperDecider is the state of the policy for one group.
type paperDecider struct {
	opt      Options
	traces   []paperTrace
	clusters [][]int // members in index order
	turn     int     // the trace being decided; all lower ones are
	asked    bool    // its judge calls are under way
	verdicts []verdict
	open     int // verdicts that are missing

	finishers []int // nil while clustering goes on
	actions   []Action
}

// verdict is a judge call for the trace whose turn it is.
type verdict struct {
	member, cluster int
	score           float64
}

func (d *paperDecider) Decide(ev Event, s *Snapshot) []Action {
	d.actions = d.actions[:0]
	switch ev.Kind {
	case Reached:
		t := &d.traces[ev.Trace]
		t.here, t.held = true, true
	case Ended:
		t := &d.traces[ev.Trace]
		state := s.Traces[ev.Trace].State
		t.here, t.held = true, false
		t.gone = t.cluster < 0 && (state == Cancelled || state == Failed)
	case Judged:
		d.judged(ev)
	}
	if d.finishers == nil {
		d.cluster(s.Seed)
		if d.turn == len(d.traces) {
			d.finish(s)
		}
	}
	return d.actions
}

func (d *paperDecider) judged(ev Event) {
	if d.finishers != nil || ev.Trace != d.turn {
		return
	}
	for i := range d.verdicts {
		if v := &d.verdicts[i]; v.member == ev.Keeper {
			v.score = ev.Score
			d.open--
		}
	}
}

// cluster decides traces in index order, as far as they are here.
func (d *paperDecider) cluster(seed uint64) {
	for ; d.turn < len(d.traces); d.turn++ {
		t := &d.traces[d.turn]
		if !t.here {
			return
		}
		if !t.gone {
			if !d.asked {
				d.ask(seed)
			}
			if d.open > 0 {
				return
			}
			d.assign()
		}
		d.asked, d.open, d.verdicts = false, 0, d.verdicts[:0]
	}
}

// ask has the trace whose turn it is compared with min(K1, size) random members
// of every cluster.
func (d *paperDecider) ask(seed uint64) {
	d.asked = true
	for c, members := range d.clusters {
		for _, m := range sample(members, d.opt.Comparisons, seed, d.turn, c) {
			d.verdicts = append(d.verdicts, verdict{member: m, cluster: c})
			d.actions = append(d.actions, Action{Kind: Judge, Trace: d.turn, Keeper: m})
		}
	}
	d.open = len(d.verdicts)
}

// sample draws min(n, len(members)) different members; draw number i depends on
// the seed, the trace, the cluster and i alone.
func sample(members []int, n int, seed uint64, trace, cluster int) []int {
	s := slices.Clone(members)
	n = min(n, len(s))
	for i := range n {
		j, _ := bits.Mul64(draw(seed, trace, cluster, i), uint64(len(s)-i))
		s[i], s[i+int(j)] = s[i+int(j)], s[i]
	}
	return s[:n]
}

// assign puts the trace whose turn it is into a cluster.
func (d *paperDecider) assign() {
	best, similarity := -1, 0.0
	for i := 0; i < len(d.verdicts); {
		c, sum, n := d.verdicts[i].cluster, 0.0, 0
		for ; i < len(d.verdicts) && d.verdicts[i].cluster == c; i++ {
			sum += d.verdicts[i].score
			n++
		}
		if mean := sum / float64(n); best < 0 || mean > similarity {
			best, similarity = c, mean
		}
	}
	t := &d.traces[d.turn]
	switch {
	case best >= 0 && similarity > d.opt.Threshold:
		t.cluster, t.score = best, similarity
		d.clusters[best] = append(d.clusters[best], d.turn)
	case len(d.clusters) < d.opt.MaxClusters:
		t.cluster = len(d.clusters)
		d.clusters = append(d.clusters, []int{d.turn})
	case t.held:
		d.stop(d.turn, -1, 0, ReasonNoRoom)
	}
}

// finish chooses who goes on: members of the largest cluster or, if all clusters
// are single, some of them.
func (d *paperDecider) finish(s *Snapshot) {
	largest, singles := 0, []int{}
	for c, members := range d.clusters {
		if len(members) > len(d.clusters[largest]) {
			largest = c
		}
		singles = append(singles, members[0])
	}
	d.finishers = []int{}
	if len(d.clusters) > 0 {
		if len(d.clusters[largest]) == 1 {
			// A cluster number of its own keeps these draws apart from all others.
			d.finishers = sample(singles, d.opt.Singles, s.Seed, len(d.traces), d.opt.MaxClusters)
			slices.Sort(d.finishers)
		} else {
			members := d.clusters[largest]
			d.finishers = members[:min(len(members), d.opt.Members)]
		}
	}
	for i := range d.traces {
		t := &d.traces[i]
		switch {
		case !t.held:
		case slices.Contains(d.finishers, i):
			d.actions = append(d.actions, Action{Kind: Resume, Trace: i, Keeper: -1})
		case d.clusters[t.cluster][0] != i:
			d.stop(i, d.clusters[t.cluster][0], t.score, ReasonSame)
		default:
			d.stop(i, -1, 0, ReasonMinor)
		}
	}
}

func (d *paperDecider) stop(i, keeper int, score float64, reason string) {
	d.traces[i].held = false
	d.actions = append(d.actions, Action{Kind: Stop, Trace: i, Keeper: keeper, Score: score, Reason: reason})
}

// Votes gives each finisher a vote; before they are chosen, all that have ended.
func (d *paperDecider) Votes(s *Snapshot) []Ballot {
	b := ballots(s)
	if d.finishers == nil {
		return b
	}
	return slices.DeleteFunc(b, func(b Ballot) bool { return !slices.Contains(d.finishers, b.Trace) })
}

func (d *paperDecider) Clusters() []Cluster {
	clusters := make([]Cluster, len(d.clusters))
	for c, members := range d.clusters {
		clusters[c] = Cluster{Keeper: members[0], Members: slices.Clone(members)}
	}
	return clusters
}
