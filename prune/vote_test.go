package prune

import (
	"math"
	"math/big"
	"reflect"
	"testing"
)

func TestTally(t *testing.T) {
	traces := make([]Trace, 8)
	for i, a := range []string{"7", "5", "", "5", "7", "9", "9", "9"} {
		traces[i].Answer = a
	}
	for _, c := range []struct {
		name    string
		ballots []Ballot
		want    []Vote
	}{
		{"none", nil, nil},
		{"empty answers do not vote", []Ballot{{2, 5}}, nil},
		{"weightless ballots do not vote", []Ballot{{0, 0}, {1, -1}, {3, math.NaN()}}, nil},
		{"majority", []Ballot{{0, 1}, {1, 1}, {5, 1}, {6, 1}, {7, 1}},
			[]Vote{{"9", 3, []int{5, 6, 7}}, {"7", 1, []int{0}}, {"5", 1, []int{1}}}},
		{"weights", []Ballot{{0, 1}, {1, 10}, {5, 1}, {6, 1}},
			[]Vote{{"5", 10, []int{1}}, {"9", 2, []int{5, 6}}, {"7", 1, []int{0}}}},
		{"ties go to the lowest trace", []Ballot{{5, 2}, {3, 1}, {1, 1}, {4, 2}},
			[]Vote{{"5", 2, []int{3, 1}}, {"7", 2, []int{4}}, {"9", 2, []int{5}}}},
		{"thirds add up", []Ballot{{5, 7. / 3}, {6, 7. / 3}, {7, 7. / 3}, {0, 7}},
			[]Vote{{"7", 7, []int{0}}, {"9", 7, []int{5, 6, 7}}}},
	} {
		if got := Tally(c.ballots, traces); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v; want %v", c.name, got, c.want)
		}
	}
}

// exactDoubt sums the binomial distribution in whole numbers.
func exactDoubt(a, b int) float64 {
	n := int64(a + b + 1)
	sum := new(big.Int)
	for i := int64(a) + 1; i <= n; i++ {
		sum.Add(sum, new(big.Int).Binomial(n, i))
	}
	p, _ := new(big.Rat).SetFrac(sum, new(big.Int).Lsh(big.NewInt(1), uint(n))).Float64()
	return p
}

func TestDoubt(t *testing.T) {
	for a := range 60 {
		for b := range a + 1 {
			if got, want := doubt(a, b), exactDoubt(a, b); math.Abs(got-want) > 1e-12*want {
				t.Errorf("doubt(%d, %d) = %g; want %g", a, b, got, want)
			}
		}
	}
	// Where 2^-n is no longer a number.
	for _, c := range [][2]int{{600, 600}, {620, 580}, {700, 600}} {
		if got, want := doubt(c[0], c[1]), exactDoubt(c[0], c[1]); math.Abs(got-want) > 0.01*want {
			t.Errorf("doubt(%d, %d) = %g; want %g", c[0], c[1], got, want)
		}
	}
}

// The integral of the posterior density, as the source writes it.
func TestDoubtIsTheBetaPosterior(t *testing.T) {
	const steps = 20000
	for _, c := range [][2]int{{0, 0}, {3, 0}, {5, 1}, {9, 4}, {20, 19}} {
		var below, all float64
		for i := range steps {
			x := (float64(i) + 0.5) / steps
			density := math.Pow(x, float64(c[0])) * math.Pow(1-x, float64(c[1]))
			all += density
			if x < 0.5 {
				below += density
			}
		}
		if got, want := doubt(c[0], c[1]), below/all; math.Abs(got-want) > 1e-6 {
			t.Errorf("doubt(%d, %d) = %g; want %g", c[0], c[1], got, want)
		}
	}
}

// With confidence 1, Settled is true exactly if no way to cast the votes that are
// left lets another answer reach the leader.
func TestSettledExactly(t *testing.T) {
	for lead := range 9 {
		for second := range lead + 1 {
			for undecided := range 12 {
				want := second+undecided < lead
				if got := Settled(lead, second, undecided, 1); got != want {
					t.Errorf("Settled(%d, %d, %d, 1) = %v; want %v", lead, second, undecided, got, want)
				}
			}
		}
	}
}

func TestSettledWithConfidence(t *testing.T) {
	for _, c := range []struct {
		lead, second int
		confidence   float64
		want         bool
	}{
		{3, 0, 0.95, false}, {4, 0, 0.95, true}, // 1 - 2^-(n+1)
		{5, 0, 0.99, false}, {6, 0, 0.99, true},
		{8, 0, 0.999, false}, {9, 0, 0.999, true},
		{6, 1, 0.99, false}, {20, 18, 0.9, false}, {0, 0, 0.6, false},
	} {
		if got := Settled(c.lead, c.second, 1000, c.confidence); got != c.want {
			t.Errorf("Settled(%d, %d, 1000, %v) = %v; want %v", c.lead, c.second, c.confidence, got, c.want)
		}
	}
}

func TestNeeded(t *testing.T) {
	for _, confidence := range []float64{0.8, 0.95, 0.99, 1} {
		for lead := range 12 {
			for second := range lead + 1 {
				for undecided := range 20 {
					want := 0
					for want < undecided && !Settled(lead+want, second, undecided-want, confidence) {
						want++
					}
					if got := Needed(lead, second, undecided, confidence); got != want {
						t.Errorf("Needed(%d, %d, %d, %v) = %d; want %d", lead, second, undecided, confidence, got, want)
					}
				}
			}
		}
	}
}

// No trace that is started because it will be needed in any case is ever not:
// whatever way the votes go, the vote is not settled before.
func TestNeededIsALowerBound(t *testing.T) {
	var walk func(counts [3]int, undecided, certain int, confidence float64)
	walk = func(counts [3]int, undecided, certain int, confidence float64) {
		lead, second := 0, 0
		for _, n := range counts {
			if n > lead {
				lead, second = n, lead
			} else {
				second = max(second, n)
			}
		}
		if undecided == 0 || Settled(lead, second, undecided, confidence) {
			if certain > 0 {
				t.Errorf("settled at %v with %d undecided, %d traces too early", counts, undecided, certain)
			}
			return
		}
		certain = max(certain, Needed(lead, second, undecided, confidence))
		for i := range counts {
			next := counts
			next[i]++
			walk(next, undecided-1, certain-1, confidence)
		}
		walk(counts, undecided-1, certain-1, confidence) // no answer
	}
	for _, confidence := range []float64{0.7, 0.9, 0.97, 1} {
		walk([3]int{}, 8, 0, confidence)
	}
}
