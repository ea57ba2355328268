package prune

import (
	"math"
	"slices"
	"strconv"
)

// This file holds the second half of the default policy: who finishes, in rounds,
// and who votes with which weight. It is stratified sampling: the clusters are the
// strata, their sizes are known, and what a few members answer stands for all. A
// round ends when all its finishers have ended; what it resumes depends on the
// weights of the clusters and the answers so far alone.

// closeClusters ranks the clusters and stops what cannot matter any more: traces
// that may have started and were not looked at, and clusters of too low a rank.
func (d *decider) closeClusters(s *Snapshot) {
	for i := d.frontier; i < d.limit; i++ {
		if !s.Traces[i].State.Ended() {
			d.stop(i, -1, 0, ReasonDecided)
		}
	}
	d.ranked = make([]int, len(d.clusters))
	for c := range d.ranked {
		d.ranked[c] = c
	}
	slices.SortStableFunc(d.ranked, func(a, b int) int { return d.clusters[b].weight - d.clusters[a].weight })
	for rank := d.opt.MaxKeepers; rank < len(d.ranked); rank++ {
		d.release(d.ranked[rank])
	}
}

// release stops the members of cluster c that are still held.
func (d *decider) release(c int) {
	d.members(c, func(i int, t *candidate) {
		switch keeper := d.clusters[c].keeper; {
		case t.status != waiting:
		case i == keeper:
			d.stop(i, -1, 0, ReasonMinor)
		default:
			d.stop(i, keeper, t.score, ReasonSame)
		}
	})
}

// members calls yield with the members of cluster c in index order, as far as
// they are known to be needed.
func (d *decider) members(c int, yield func(i int, t *candidate)) {
	cl := &d.clusters[c]
	yield(cl.keeper, &d.traces[cl.keeper])
	for _, i := range cl.joined {
		if i < d.frontier {
			yield(i, &d.traces[i])
		}
	}
}

// resume lets members of cluster c go on until n will have answered, and returns
// how many that took. It is not called while some of them are on their way.
func (d *decider) resume(c, n int) (resumed int) {
	d.members(c, func(_ int, t *candidate) {
		if t.answer != "" {
			n--
		}
	})
	d.members(c, func(i int, t *candidate) {
		if n > 0 && t.status == waiting {
			t.status = finishing
			d.act(Action{Kind: Resume, Trace: i, Keeper: -1})
			resumed++
			n--
		}
	})
	d.running += resumed
	return resumed
}

// nextRound resumes those whose answers could still turn the vote, or ends the
// group if there are none.
func (d *decider) nextRound(s *Snapshot) {
	most := min(d.opt.MaxKeepers, len(d.ranked))
	st := d.standing()
	for d.heard < most && (d.heard == 0 || st.lead <= d.pull(st)) {
		d.heard++
		st = d.standing()
	}
	resumed := 0
	for _, c := range d.ranked[:d.heard] {
		o := d.opinion(c)
		want := 1
		if d.critical(c, o, st) {
			want = o.voices + d.missing(o)
		}
		resumed += d.resume(c, want)
	}
	if resumed == 0 {
		d.close(s)
	}
}

// pull is how much the clusters that have no say could add to the second answer.
// Clusters were judged to differ, so short of certainty they are not taken to
// speak with one voice: they pull to one side or the other, and that adds up like
// independent errors.
func (d *decider) pull(st standing) float64 {
	if d.opt.Confidence == 1 {
		return st.unheard
	}
	return math.Sqrt(st.squares)
}

// critical reports whether cluster c could turn the vote if its opinion were
// wrong.
func (d *decider) critical(c int, o opinion, st standing) bool {
	w := float64(d.clusters[c].weight)
	switch o.answer {
	case st.answer: // its weight could go to the second
		return 2*w >= st.lead
	case st.second:
		return false
	}
	return w >= st.lead
}

// missing is how many more members of a cluster would have to give its leading
// answer to make that as sure as Finishers members that agree.
func (d *decider) missing(o opinion) int {
	n := 0
	for doubt(o.first+n, o.next) > doubt(d.opt.Finishers, 0) {
		n++
	}
	return n
}

// close ends the group.
func (d *decider) close(s *Snapshot) {
	for c := range d.clusters {
		d.release(c)
	}
	d.done = true
	for i := range s.Traces {
		if !s.Traces[i].State.Ended() {
			d.act(Action{Kind: StopRest, Trace: -1, Keeper: -1, Reason: ReasonDecided})
			break
		}
	}
}

// opinion is what the members of a cluster that have ended say.
type opinion struct {
	answer      string // of most of them; of no answers, a name of the cluster's own
	first, next int    // how many give it, and the next most frequent one
	voices      int
}

func (d *decider) opinion(c int) opinion {
	var counts []Vote
	d.members(c, func(i int, t *candidate) {
		if t.answer != "" {
			counts = add(counts, t.answer, 1)
		}
	})
	o := opinion{answer: "\x00" + strconv.Itoa(c)}
	for _, v := range counts {
		n := int(v.Weight)
		o.voices += n
		if n > o.first {
			o.answer, o.first, o.next = v.Answer, n, o.first
		} else {
			o.next = max(o.next, n)
		}
	}
	return o
}

// standing is the state of the vote, if every cluster that is to be heard and has
// no answer yet gives one of its own.
type standing struct {
	answer, second string
	lead           float64 // of the first over the second
	unheard        float64 // weight of the clusters without a say
	squares        float64 // sum of the squares of their weights
}

func (d *decider) standing() standing {
	var (
		st    standing
		votes []Vote
	)
	for rank, c := range d.ranked {
		w := float64(d.clusters[c].weight)
		o := d.opinion(c)
		switch {
		case o.voices > 0:
			d.members(c, func(i int, t *candidate) {
				if t.answer != "" {
					votes = add(votes, t.answer, w/float64(o.voices))
				}
			})
		case rank < d.heard:
			votes = add(votes, o.answer, w)
		default:
			st.unheard += w
			st.squares += w * w
		}
	}
	var first, second float64
	for _, v := range votes {
		switch {
		case v.Weight > first:
			st.second, second = st.answer, first
			st.answer, first = v.Answer, v.Weight
		case v.Weight > second:
			st.second, second = v.Answer, v.Weight
		}
	}
	st.lead = first - second
	return st
}

// add adds weight to the vote for an answer. Clusters and answers are few.
func add(votes []Vote, answer string, weight float64) []Vote {
	for i := range votes {
		if votes[i].Answer == answer {
			votes[i].Weight += weight
			return votes
		}
	}
	return append(votes, Vote{Answer: answer, Weight: weight})
}

// Votes shares the weight of each cluster among its members that have ended with
// an answer. Before the clusters are known, who has ended without one has a vote
// of its own.
func (d *decider) Votes(s *Snapshot) []Ballot {
	var b []Ballot
	for c, cl := range d.clusters {
		voices := d.opinion(c).voices
		d.members(c, func(i int, t *candidate) {
			if t.answer != "" {
				b = append(b, Ballot{Trace: i, Weight: float64(cl.weight) / float64(voices)})
			}
		})
	}
	if d.ranked == nil {
		for i := d.frontier; i < len(s.Traces); i++ {
			if s.Traces[i].votes() {
				b = append(b, Ballot{Trace: i, Weight: 1})
			}
		}
	}
	slices.SortFunc(b, func(x, y Ballot) int { return x.Trace - y.Trace })
	return b
}
