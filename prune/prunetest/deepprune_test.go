package prunetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"deepprune/prune"
)

// randomGroup draws a group of k traces with answers from a skewed distribution
// and a judge that is right with some probability.
func randomGroup(rng *rand.Rand, k int) *Group {
	g := &Group{Seed: rng.Uint64(), Traces: make([]Trace, k)}
	answers := 1 + rng.IntN(5)
	skew := rng.Float64() * 3
	early := rng.Float64() * rng.Float64()
	mute := rng.Float64() * rng.Float64() * 0.5
	if rng.IntN(8) == 0 {
		early = 1
	}
	for i := range g.Traces {
		t := &g.Traces[i]
		t.Answer = fmt.Sprint(int(float64(answers) * math.Pow(rng.Float64(), 1+skew)))
		t.Tokens = 2 + rng.IntN(100)
		if rng.Float64() >= early {
			t.Checkpoints = []int{1 + rng.IntN(t.Tokens-1)}
		}
		if rng.Float64() < mute {
			t.Answer = ""
		}
		if rng.IntN(10) == 0 {
			t.End = prune.Length
		}
	}
	right := 0.5 + rng.Float64()/2
	scores := make([]float64, k*k)
	for i := range scores {
		same := g.Traces[i/k].Answer == g.Traces[i%k].Answer
		if rng.Float64() > right {
			same = !same
		}
		scores[i] = rng.Float64() / 2
		if same {
			scores[i] += 0.5
		}
	}
	switch rng.IntN(10) {
	case 0:
		g.Judge = func(keeper, trace, _ int) float64 { return 1 }
	case 1:
		g.Judge = func(keeper, trace, _ int) float64 { return 0 }
	case 2:
		g.Judge = func(keeper, trace, _ int) float64 { return math.NaN() }
	default:
		g.Judge = func(keeper, trace, _ int) float64 { return scores[keeper*k+trace] }
	}
	return g
}

func randomOptions(rng *rand.Rand) prune.Options {
	o := prune.Options{
		Checkpoint: prune.Checkpoint{Tokens: 1},
		Threshold:  0.3 + 0.4*rng.Float64(),
		Confidence: []float64{0.8, 0.95, 0.999, 1}[rng.IntN(4)],
		Finishers:  rng.IntN(5),
		Spares:     rng.IntN(8) - 1,
		MaxKeepers: rng.IntN(6),
		Eager:      max(0, rng.IntN(8)-4),
	}
	return o
}

// compact leaves out what may depend on the order of events.
type compact struct {
	states   []prune.State
	tokens   int
	stops    []prune.Action
	ballots  []prune.Ballot
	votes    []prune.Vote
	clusters []prune.Cluster
	pairs    int
}

func compacted(o *Outcome) compact {
	c := compact{tokens: o.Tokens, stops: o.Stops, ballots: o.Ballots, votes: o.Votes, clusters: o.Clusters, pairs: o.Pairs}
	for _, t := range o.Traces {
		c.states = append(c.states, t.State)
	}
	return c
}

func TestOrderOfEventsDoesNotMatter(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		g := randomGroup(rng, 1+rng.IntN(40))
		p, err := prune.ByName("deepprune", randomOptions(rng))
		if err != nil {
			t.Fatal(err)
		}
		var want compact
		for run := range 12 {
			sched := Schedule{Slots: rng.IntN(len(g.Traces) + 1), Rand: rng}
			out, err := Replay(p, g, sched)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			got := compacted(out)
			if run == 0 {
				want = got
			} else if !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d, policy %+v:\ngot  %+v\nwant %+v", seed, p, got, want)
			}
		}
	}
}
