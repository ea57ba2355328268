package engine

import (
	"math/bits"
	"time"
)

// Latency is the distribution of a duration.
type Latency struct {
	Count         int64         `json:"count"`
	P50, P99, Sum time.Duration `json:"-"`

	buckets *histogram
}

// AtMost is the number of durations that were not longer than d, to an eighth of a
// power of two.
func (l Latency) AtMost(d time.Duration) int64 {
	if l.buckets == nil {
		return 0
	}
	n := int64(0)
	for _, b := range l.buckets.buckets[:bucketOf(d)+1] {
		n += b
	}
	return n
}

// latencies are measured by the step loop.
type latencies struct {
	step   histogram // a whole step
	cancel histogram // from the call of Cancel to the release of the blocks
	reuse  histogram // from a prune to the start of the models in the step that follows
	queue  histogram // from Submit to the first slot of a group
	first  histogram // from Submit to the first token of a group
	inter  histogram // from one token of a trace to the next
	group  histogram // from Submit to the end of a group

	prunedAt time.Time // the first prune since the last step, zero if none
}

// histogram counts durations in buckets an eighth of a power of two wide, so a
// quantile is off by at most 12.5%. Observing is constant time and allocates
// nothing.
type histogram struct {
	total   int64
	sum     time.Duration
	buckets [64 * 8]int64
}

func (h *histogram) observe(d time.Duration) {
	h.buckets[bucketOf(d)]++
	h.total++
	h.sum += d
}

func bucketOf(d time.Duration) int {
	n := uint64(max(d, 1))
	exp := bits.Len64(n) - 1
	sub := n << (63 - exp) >> 60 & 7 // the three bits after the leading one
	return exp*8 + int(sub)
}

// quantile returns the upper bound of the bucket that holds the q-th of the
// observations, 0 if there are none.
func (h *histogram) quantile(q float64) time.Duration {
	rank := int64(q * float64(h.total))
	seen := int64(0)
	for i, n := range h.buckets {
		if seen += n; n > 0 && seen > min(rank, h.total-1) {
			exp, sub := i/8, uint64(i%8)
			return time.Duration((9 + sub) << exp >> 3)
		}
	}
	return 0
}

// latency copies the histogram, so that it can be read by anybody.
func (h *histogram) latency() Latency {
	copied := *h
	return Latency{Count: h.total, P50: h.quantile(0.5), P99: h.quantile(0.99), Sum: h.sum, buckets: &copied}
}
