package prune

import (
	"math"
	"slices"
)

// Vote is the sum of the ballots for one answer.
type Vote struct {
	Answer string
	Weight float64
	Traces []int // that gave the answer and had a say, in the order of the ballots
}

// votes reports whether the trace ended by itself or at its limit and gave an
// answer. A cancelled or failed trace has no say.
func (t *Trace) votes() bool {
	return (t.State == Finished || t.State == Length) && t.Answer != ""
}

// Tally adds up ballots by answer, heaviest first; of equal weights the one whose
// first trace is lowest. A trace without an answer does not vote. The first
// vote, if there is one, is the answer of the group.
func Tally(ballots []Ballot, traces []Trace) []Vote {
	var votes []Vote
	index := make(map[string]int)
	for _, b := range ballots {
		answer := traces[b.Trace].Answer
		if answer == "" || !(b.Weight > 0) {
			continue
		}
		i, ok := index[answer]
		if !ok {
			i = len(votes)
			index[answer] = i
			votes = append(votes, Vote{Answer: answer})
		}
		votes[i].Weight += b.Weight
		votes[i].Traces = append(votes[i].Traces, b.Trace)
	}
	for i := range votes {
		// Thirds of clusters must add up to whole clusters, or ties would be
		// decided by rounding.
		votes[i].Weight = math.Round(votes[i].Weight*1e9) / 1e9
	}
	slices.SortStableFunc(votes, func(a, b Vote) int {
		switch {
		case a.Weight > b.Weight:
			return -1
		case a.Weight < b.Weight:
			return 1
		}
		return slices.Min(a.Traces) - slices.Min(b.Traces)
	})
	return votes
}

// Settled reports whether undecided more votes are not expected to change who
// leads, when the leader has lead votes and the runner-up second.
//
// With confidence 1 that is exact: the lead is more than the undecided can make
// up. Below 1 it is enough that the leader's share exceeds the runner-up's with
// that probability, given the counts (the Beta rule of Adaptive-Consistency,
// arXiv 2305.11860).
func Settled(lead, second, undecided int, confidence float64) bool {
	if lead-second > undecided {
		return true
	}
	return confidence < 1 && 1-doubt(lead, second) >= confidence
}

// doubt is the probability that the runner-up's share is the larger one, given
// the counts a of the leader and b of the runner-up:
//
//	P(p < 1/2), p ~ Beta(a+1, b+1)  =  P(X > a), X ~ Binomial(a+b+1, 1/2)
func doubt(a, b int) float64 {
	n := a + b + 1
	// Terms C(n, i) / 2^n for i = n, n-1, …, a+1, smallest first.
	term := math.Exp2(-float64(n))
	if term == 0 { // n > 1074: the normal approximation is exact enough
		return 0.5 * math.Erfc((float64(a-b))/math.Sqrt(2*float64(n)))
	}
	sum := 0.0
	for i := n; i > a; i-- {
		sum += term
		term *= float64(i) / float64(n-i+1)
	}
	return sum
}

// Needed is the smallest number of further votes, of undecided many, that could
// settle the vote: if all of them go to the leader. No fewer can, whoever they
// go to, so as many traces will be needed in any case.
func Needed(lead, second, undecided int, confidence float64) int {
	lo, hi := 0, undecided // the answer is in [lo, hi]; undecided always ends it
	for lo < hi {
		n := (lo + hi) / 2
		if Settled(lead+n, second, undecided-n, confidence) {
			hi = n
		} else {
			lo = n + 1
		}
	}
	return lo
}
