package eval

import (
	"math/rand/v2"
	"slices"
)

// Mean is a mean over questions with a 95% interval.
type Mean struct {
	Mean Figure `json:"mean"`
	Low  Figure `json:"low"`
	High Figure `json:"high"`
}

// resamples is the number of bootstrap samples of an interval.
const resamples = 10_000

// Bootstrap is the mean of values, one per question, with the 95% percentile
// interval of the bootstrap over questions. For the difference of two policies,
// values are the differences question by question: that pairs them. The interval
// depends on the values and the seed alone.
func Bootstrap(values []float64, seed uint64) Mean {
	n := len(values)
	if n == 0 {
		return Mean{Unknown(), Unknown(), Unknown()}
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	rng := rand.New(rand.NewPCG(seed, uint64(n)))
	means := make([]float64, resamples)
	for i := range means {
		s := 0.0
		for range n {
			s += values[rng.IntN(n)]
		}
		means[i] = s / float64(n)
	}
	slices.Sort(means)
	return Mean{
		Mean: Figure(sum / float64(n)),
		Low:  Figure(quantile(means, 0.025)),
		High: Figure(quantile(means, 0.975)),
	}
}

// quantile is the q-quantile of sorted values, interpolated linearly.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	f := at - float64(i)
	return sorted[i]*(1-f) + sorted[i+1]*f
}
