package prune_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"deepprune/prune"
	"deepprune/prune/prunetest"
)

// randomGroup draws a group of k traces with answers from a skewed distribution
// and a judge that is right with some probability.
func randomGroup(rng *rand.Rand, k int) *prunetest.Group {
	g := &prunetest.Group{Seed: rng.Uint64(), Traces: make([]prunetest.Trace, k)}
	sure := rng.Float64()
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
		level := 1 + rng.Float64()
		t.Confidence = func(tokens int) float64 { return float64(tokens) * (sure + level) }
		switch rng.IntN(20) {
		case 0, 1:
			t.End = prune.Length
		case 2:
			t.End = prune.Failed
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
	return prune.Options{
		Checkpoint:  prune.Checkpoint{Tokens: 1},
		Threshold:   0.3 + 0.4*rng.Float64(),
		Confidence:  []float64{0.8, 0.95, 0.999, 1}[rng.IntN(4)],
		Finishers:   rng.IntN(5),
		Spares:      rng.IntN(8) - 1,
		MaxKeepers:  rng.IntN(6),
		Eager:       max(0, rng.IntN(8)-4),
		MaxClusters: rng.IntN(6),
		Comparisons: rng.IntN(4),
		Members:     rng.IntN(6),
		Singles:     rng.IntN(6),
		Survivors:   rng.IntN(6),
		Warmup:      rng.IntN(8),
		Keep:        0.05 + 0.9*rng.Float64(),
	}
}

// decisions is everything that may not depend on the order of events.
type decisions struct {
	traces   []prune.Trace
	stops    []prune.Action
	ballots  []prune.Ballot
	votes    []prune.Vote
	clusters []prune.Cluster
	pairs    int
}

func decide(t *testing.T, p prune.Policy, g *prunetest.Group, s prunetest.Schedule) decisions {
	t.Helper()
	out, err := prunetest.Replay(p, g, s)
	if err != nil {
		t.Fatalf("%s: %v", p.Name(), err)
	}
	return decisions{out.Traces, out.Stops, out.Ballots, out.Votes, out.Clusters, out.Pairs}
}

// reproducible are the policies whose tokens, prunes and votes do not depend on the
// order of events down to the last token.
var reproducible = []string{"none", "deepprune", "deepprune-paper", "scripted", "random", "early-vote", "adaptive-consistency", "deepconf"}

func checkOrder(t *testing.T, seed uint64, runs int) {
	rng := rand.New(rand.NewPCG(seed, 1))
	g := randomGroup(rng, 1+rng.IntN(40))
	opt := randomOptions(rng)
	for _, name := range reproducible {
		p, err := prune.ByName(name, opt)
		if err != nil {
			t.Fatal(err)
		}
		var want decisions
		for run := range runs {
			got := decide(t, p, g, prunetest.Schedule{Slots: rng.IntN(len(g.Traces) + 1), Rand: rng})
			if run == 0 {
				want = got
			} else if !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d, %s, %+v:\ngot  %+v\nwant %+v", seed, name, opt, got, want)
			}
		}
	}
}

func TestOrderOfEventsDoesNotMatter(t *testing.T) {
	for seed := range uint64(200) {
		checkOrder(t, seed, 10)
	}
}

func FuzzOrderOfEvents(f *testing.F) {
	f.Add(uint64(1 << 40))
	f.Fuzz(func(t *testing.T, seed uint64) { checkOrder(t, seed, 4) })
}

// With traces that were started too early, all but what these did is the same.
func TestFirstWaveDoesNotChangeTheVote(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 2))
		g := randomGroup(rng, 1+rng.IntN(40))
		opt := randomOptions(rng)
		for _, name := range []string{"deepprune", "early-vote"} {
			var want decisions
			for run := range 6 {
				if opt.FirstWave = 0; run > 0 {
					opt.FirstWave = 1 + rng.IntN(50)
				}
				p, err := prune.ByName(name, opt)
				if err != nil {
					t.Fatal(err)
				}
				got := decide(t, p, g, prunetest.Schedule{Slots: rng.IntN(len(g.Traces) + 1), Rand: rng})
				if run == 0 {
					want = got
					continue
				}
				for i := range got.traces {
					if want.traces[i].State == prune.NotStarted {
						if votes(got.ballots, i) || got.stops[i].Kind == prune.Stop && got.stops[i].Keeper >= 0 {
							t.Fatalf("seed %d: trace %d has a say or a keeper: %+v", seed, i, got)
						}
						got.traces[i], got.stops[i] = want.traces[i], want.stops[i]
					}
				}
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("seed %d, %s, %+v:\ngot  %+v\nwant %+v", seed, name, opt, got, want)
				}
			}
		}
	}
}

func votes(ballots []prune.Ballot, trace int) bool {
	for _, b := range ballots {
		if b.Trace == trace {
			return true
		}
	}
	return false
}

// Whatever is cancelled or fails and whenever, the group ends, and only traces
// that ended with an answer vote.
func TestCancelledTraces(t *testing.T) {
	for seed := range uint64(600) {
		rng := rand.New(rand.NewPCG(seed, 3))
		g := randomGroup(rng, 1+rng.IntN(30))
		opt := randomOptions(rng)
		opt.FirstWave = rng.IntN(40)
		for _, name := range reproducible {
			p, err := prune.ByName(name, opt)
			if err != nil {
				t.Fatal(err)
			}
			got := decide(t, p, g, prunetest.Schedule{
				Slots: rng.IntN(len(g.Traces) + 1), Rand: rng, Cancel: 0.3 * rng.Float64() * rng.Float64(),
			})
			if name == "deepprune" {
				checkStops(t, got)
			}
		}
	}
}
