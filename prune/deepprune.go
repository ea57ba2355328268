package prune

import "slices"

// deepPrune is the default policy. It differs from the published method in what
// it spends:
//
//   - A trace is compared with the keeper of each cluster in turn and joins the
//     first whose score is above the threshold: one judgement per cluster.
//   - No trace starts before it is certain that it will be needed (see Needed),
//     and none is looked at any more when the leading cluster will stay ahead.
//   - The clusters are strata: a few members of those that can still matter
//     finish and share the weight of their cluster, so small clusters are heard
//     and a slip of one keeper does not cost the question.
//
// # Order
//
// Traces are decided in index order: the frontier passes a trace when the
// clusters of all lower ones are known. All choices are made at the frontier or,
// later, when every finisher of a round has ended, so none depends on the order
// of events.
type deepPrune struct {
	settings
	opt Options
}

func newDeepPrune(o Options) Policy { return &deepPrune{opt: o} }

func (p *deepPrune) Name() string              { return "deepprune" }
func (p *deepPrune) Checkpoints() []Checkpoint { return []Checkpoint{p.opt.Checkpoint} }
func (p *deepPrune) NeedsJudge() bool          { return true }

func (p *deepPrune) New(k int) Decider {
	d := &decider{opt: p.opt, traces: make([]candidate, k)}
	for i := range d.traces {
		d.traces[i].cluster = -1
	}
	return d
}

// status is what a decider knows about a trace.
type status uint8

const (
	unseen    status = iota // not started or on the way to its checkpoint
	waiting                 // held at its checkpoint
	early                   // ended before its checkpoint, with an answer
	finishing               // resumed
	ended                   // after it was resumed
	void                    // cancelled, failed or without an answer, before it was resumed
	stopped                 // pruned
)

// candidate is a trace on its way into a cluster.
type candidate struct {
	status  status
	asked   bool    // the judge compares it with the keeper of cluster next
	next    int     // it fits none of the clusters below
	cluster int     // that it belongs to, -1 while that is unknown
	score   float64 // of the verdict that let it join
	answer  string  // of an ended trace that has a say
}

// stratum is a cluster: its keeper and those who joined.
type stratum struct {
	keeper int
	joined []int // in index order; some may be beyond the frontier
	weight int   // members below the frontier
}

// decider is the state of the policy for one group.
type decider struct {
	opt      Options
	traces   []candidate
	clusters []stratum
	frontier int   // the clusters of all traces below are known
	certain  int   // traces below will be needed in any case
	limit    int   // traces below may start
	running  int   // finishers that have not ended
	ranked   []int // clusters by weight, when all are known
	heard    int   // of ranked, those that have a say
	done     bool
	actions  []Action
}

func (d *decider) Decide(ev Event, s *Snapshot) []Action {
	d.actions = d.actions[:0]
	if d.done {
		return nil
	}
	switch ev.Kind {
	case Reached:
		if t := &d.traces[ev.Trace]; t.status == unseen {
			t.status = waiting
		}
	case Judged:
		d.judged(ev)
	case Ended:
		d.ended(ev.Trace, &s.Traces[ev.Trace])
	case BlocksShort:
		return nil
	}
	if d.ranked == nil && d.cluster() {
		d.closeClusters(s)
	}
	if d.ranked != nil && d.running == 0 {
		d.nextRound(s)
	}
	return d.actions
}

func (d *decider) judged(ev Event) {
	t := &d.traces[ev.Trace]
	if !t.asked || ev.Keeper != d.clusters[t.next].keeper {
		return
	}
	t.asked = false
	switch {
	case t.status == void: // ended meanwhile
	case ev.Score > d.opt.Threshold:
		d.join(ev.Trace, t.next, ev.Score)
	default:
		t.next++
	}
}

func (d *decider) ended(i int, trace *Trace) {
	t := &d.traces[i]
	if trace.votes() {
		t.answer = trace.Answer
	}
	switch {
	case t.status == finishing:
		t.status = ended
		d.running--
	case t.status == unseen && t.answer != "":
		t.status = early
	case t.status == unseen || t.status == waiting:
		t.status = void
	}
}

// cluster moves the frontier as far as it goes and reports whether it has gone
// far enough.
func (d *decider) cluster() bool {
	for {
		lead, second := d.leaders()
		undecided := len(d.traces) - d.frontier
		if undecided == 0 || Settled(lead, second, undecided, d.opt.Confidence) {
			return true
		}
		d.certain = max(d.certain, d.frontier+Needed(lead, second, undecided, d.opt.Confidence))
		if limit := max(d.certain, min(d.opt.FirstWave, len(d.traces))); limit > d.limit {
			d.limit = limit
			d.act(Action{Kind: Start, Trace: limit, Keeper: -1})
		}
		for i := d.frontier; i < d.certain; i++ {
			d.compare(i)
		}
		if !d.pass() {
			return false
		}
	}
}

// leaders returns the weights of the two heaviest clusters.
func (d *decider) leaders() (lead, second int) {
	for i := range d.clusters {
		if w := d.clusters[i].weight; w > lead {
			lead, second = w, lead
		} else {
			second = max(second, w)
		}
	}
	return lead, second
}

// compare has trace i compared with the next cluster that it may belong to.
func (d *decider) compare(i int) {
	t := &d.traces[i]
	if t.asked || t.cluster >= 0 || t.status != waiting && t.status != early {
		return
	}
	for ; t.next < len(d.clusters); t.next++ {
		keeper := d.clusters[t.next].keeper
		if t.status != early || d.traces[keeper].status != early {
			t.asked = true
			d.act(Action{Kind: Judge, Trace: i, Keeper: keeper})
			return
		}
		if t.answer == d.traces[keeper].answer {
			d.join(i, t.next, 1)
			return
		}
	}
}

// join puts trace i into cluster c. All but the spares are pruned at once; the
// lowest members are the spares, and those known so far bound a member's rank.
func (d *decider) join(i, c int, score float64) {
	t, cl := &d.traces[i], &d.clusters[c]
	t.cluster, t.score = c, score
	at, _ := slices.BinarySearch(cl.joined, i)
	cl.joined = slices.Insert(cl.joined, at, i)
	spares := 0
	for _, m := range cl.joined {
		if d.traces[m].status == early {
			continue
		}
		if spares++; spares > d.opt.Spares && d.traces[m].status == waiting {
			d.stop(m, cl.keeper, d.traces[m].score, ReasonSame)
		}
	}
}

// pass moves the frontier past one trace, if its cluster is known.
func (d *decider) pass() bool {
	t := &d.traces[d.frontier]
	switch {
	case t.status == void && t.cluster < 0:
	case t.cluster >= 0:
		d.clusters[t.cluster].weight++
	case (t.status == waiting || t.status == early) && t.next == len(d.clusters):
		t.cluster = len(d.clusters)
		d.clusters = append(d.clusters, stratum{keeper: d.frontier, weight: 1})
	default:
		return false
	}
	d.frontier++
	if d.opt.Eager > 0 && t.cluster >= 0 && d.clusters[t.cluster].weight == d.opt.Eager {
		d.resume(t.cluster, d.opt.Finishers)
	}
	return true
}

func (d *decider) act(a Action) { d.actions = append(d.actions, a) }

func (d *decider) stop(i, keeper int, score float64, reason string) {
	d.traces[i].status = stopped
	d.act(Action{Kind: Stop, Trace: i, Keeper: keeper, Score: score, Reason: reason})
}

func (d *decider) Clusters() []Cluster {
	clusters := make([]Cluster, len(d.clusters))
	for c, cl := range d.clusters {
		members := []int{cl.keeper}
		for _, m := range cl.joined {
			if m < d.frontier {
				members = append(members, m)
			}
		}
		clusters[c] = Cluster{Keeper: cl.keeper, Members: members}
	}
	return clusters
}
