package prune_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"deepprune/prune"
	"deepprune/prune/prunetest"
)

// greedy is the sequential algorithm, written plainly: one trace after the other,
// with everything known. It returns the clusters and how many traces it looked at.
func greedy(g *prunetest.Group, threshold, confidence float64) (clusters []prune.Cluster, looked int) {
	k := len(g.Traces)
	for ; looked < k; looked++ {
		lead, second := 0, 0
		for _, c := range clusters {
			if n := len(c.Members); n > lead {
				lead, second = n, lead
			} else {
				second = max(second, n)
			}
		}
		if prune.Settled(lead, second, k-looked, confidence) {
			return clusters, looked
		}
		tr := g.Traces[looked]
		early := len(tr.Checkpoints) == 0
		if early && (tr.Answer == "" || tr.End == prune.Failed) {
			continue
		}
		at := -1
		for c := range clusters {
			keeper := g.Traces[clusters[c].Keeper]
			same := g.Judge(clusters[c].Keeper, looked, 0) > threshold
			if early && len(keeper.Checkpoints) == 0 {
				same = tr.Answer == keeper.Answer
			}
			if same {
				at = c
				break
			}
		}
		if at < 0 {
			at = len(clusters)
			clusters = append(clusters, prune.Cluster{Keeper: looked})
		}
		clusters[at].Members = append(clusters[at].Members, looked)
	}
	return clusters, looked
}

func TestClustersAreThoseOfTheSequentialAlgorithm(t *testing.T) {
	joined := 0
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 4))
		g := randomGroup(rng, 1+rng.IntN(40))
		opt := randomOptions(rng)
		p, err := prune.ByName("deepprune", opt)
		if err != nil {
			t.Fatal(err)
		}
		got := decide(t, p, g, prunetest.Schedule{Slots: rng.IntN(5), Rand: rng})
		clusters, looked := greedy(g, opt.Threshold, opt.Confidence)
		if len(got.clusters) != len(clusters) || len(clusters) > 0 && !reflect.DeepEqual(got.clusters, clusters) {
			t.Fatalf("seed %d: got %v; want %v", seed, got.clusters, clusters)
		}
		for i, tr := range got.traces {
			if started := tr.State != prune.NotStarted; started != (i < looked) {
				t.Fatalf("seed %d: trace %d of which %d were needed is %v", seed, i, looked, tr.State)
			}
		}
		checkStops(t, got)
		for _, c := range clusters {
			joined += len(c.Members) - 1
		}
	}
	if joined < 1000 {
		t.Errorf("only %d traces joined a cluster: the test is too easy", joined)
	}
}

// checkStops checks that keepers, scores and weights fit the clusters.
func checkStops(t *testing.T, d decisions) {
	t.Helper()
	weights := make(map[int]float64)
	for _, b := range d.ballots {
		weights[b.Trace] = b.Weight
	}
	for _, c := range d.clusters {
		sum := 0.0
		for _, i := range c.Members {
			sum += weights[i]
			if s := d.stops[i]; s.Kind == prune.Stop && s.Keeper >= 0 {
				if s.Keeper != c.Keeper || s.Reason != prune.ReasonSame || !(s.Score > 0) {
					t.Fatalf("trace %d of the cluster of %d: %+v", i, c.Keeper, s)
				}
			}
		}
		if sum != 0 && (sum < float64(len(c.Members))-1e-9 || sum > float64(len(c.Members))+1e-9) {
			t.Fatalf("the cluster of %d has %d members and the weight %v", c.Keeper, len(c.Members), sum)
		}
	}
}

// run replays a group of traces of 100 tokens, the checkpoint at 10, that give
// these answers; an answer in brackets comes before the checkpoint. Two traces
// are the same to the judge if their plans are.
func run(t *testing.T, plans, answers string, opt prune.Options) *prunetest.Outcome {
	t.Helper()
	g := &prunetest.Group{}
	for _, a := range strings.Fields(answers) {
		tr := prunetest.Trace{Tokens: 100, Answer: a, Checkpoints: []int{10}}
		if strings.HasPrefix(a, "(") {
			tr = prunetest.Trace{Tokens: 5, Answer: strings.Trim(a, "()")}
		}
		if a == "-" {
			tr.Answer = ""
		}
		g.Traces = append(g.Traces, tr)
	}
	g.Judge = func(keeper, trace, _ int) float64 {
		if plans[keeper] == plans[trace] {
			return 0.9
		}
		return 0.1
	}
	p, err := prune.ByName("deepprune", opt)
	if err != nil {
		t.Fatal(err)
	}
	out, err := prunetest.Replay(p, g, prunetest.Schedule{Rand: rand.New(rand.NewPCG(1, 1))})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// fates is one letter per trace: finished, pruned or never started.
func fates(o *prunetest.Outcome) string {
	var b strings.Builder
	for _, tr := range o.Traces {
		b.WriteByte(map[prune.State]byte{prune.Finished: 'F', prune.Pruned: 'p', prune.NotStarted: '.'}[tr.State])
	}
	return b.String()
}

func TestDeepPrune(t *testing.T) {
	for _, c := range []struct {
		name, plans, answers string
		opt                  prune.Options
		fates                string
		votes                string
		pairs                int
	}{
		{"one trace", "a", "7", prune.Options{},
			"F", "7:1", 0},
		{"six that agree settle the vote, three of them finish", "aaaaaaaaaa", "7 7 7 7 7 7 7 7 7 7", prune.Options{},
			"FFFppp....", "7:6", 5},
		{"without confidence more than half must agree", "aaaaaaaaaa", "7 7 7 7 7 7 7 7 7 7", prune.Options{Confidence: 1},
			"FFFppp....", "7:6", 5},
		{"a slip of the keeper is outvoted by more finishers", "aaaaaaaaaaaa", "8 7 7 7 7 7 7 7 7 7 7 7", prune.Options{},
			"FFFFFF......", "7:5 8:1", 5},
		{"no spares, no more finishers", "aaaaaaaaaaaa", "8 7 7 7 7 7 7 7 7 7 7 7", prune.Options{Spares: -1},
			"Fppppp......", "8:6", 5},
		{"two spares, two more finishers", "aaaaaaaaaaaa", "8 7 9 7 7 7 7 7 7 7 7 7", prune.Options{Spares: 2},
			"FFFppp......", "8:2 7:2 9:2", 5},
		{"a keeper without an answer is replaced", "aaaaaaaaaaaa", "- 7 7 7 7 7 7 7 7 7 7 7", prune.Options{Finishers: 1},
			"FFpppp......", "7:6", 5},
		{"a small cluster cannot matter", "abaaaaaaaaaaaaaa", "7 8 7 7 7 7 7 7 7 7 7 7 7 7 7 7", prune.Options{},
			"FpFFpppppp......", "7:9", 9},
		{"a large one is heard", "abababaabb", "7 8 7 8 7 8 7 7 8 8", prune.Options{},
			"FFFpFppppp", "7:5 8:5", 13},
		{"clusters of the same answer add up", "abcabcabcabb", "7 8 7 7 8 7 7 8 7 7 8 8", prune.Options{},
			"FFFFFFFFFppp", "7:7 8:5", 20},
		{"a small cluster that cannot turn the vote needs no second finisher", "bbbbccdaaaaaaad", "8 8 8 8 7 7 6 7 7 7 7 7 7 7 6", prune.Options{Confidence: 1},
			"FpppFppFFFpppp.", "7:9 8:4", 35},
		{"one that could does", "aaabbbcc", "7 7 7 8 8 8 9 9", prune.Options{Finishers: 2},
			"FFpFppFF", "7:3 8:3 9:2", 12},
		{"certainty counts all that is unheard", "aaaabcdefgh", "7 7 7 7 1 2 3 4 5 6 9", prune.Options{Confidence: 1, Finishers: 1, MaxKeepers: 9},
			"FpppFFFpp..", "7:4 1:1 2:1 3:1", 18},
		{"short of it, the errors of many are taken to be independent", "aaaabcdefgh", "7 7 7 7 1 2 3 4 5 6 9", prune.Options{Finishers: 1, MaxKeepers: 9},
			"Fpppppppp..", "7:4", 18},
		{"nobody agrees", "abcdefghij", "1 2 3 4 5 6 7 8 9 9", prune.Options{MaxKeepers: 4},
			"FFFFpppppp", "1:1 2:1 3:1 4:1", 45},
		{"all end before the checkpoint", "abcdefghijkl", "(7) (8) (7) (7) (7) (7) (7) (7) (7) (7) (7) (7)", prune.Options{},
			"FFFFFFFF....", "7:7 8:1", 0},
		{"early answers and judged ones share a cluster", "aaaaaaaaaaaa", "(7) 7 (7) 7 7 7 7 7 7 7 7 7", prune.Options{},
			"FFFppp......", "7:6", 4},
	} {
		c.opt.Threshold, c.opt.Confidence = 0.5, cmp.Or(c.opt.Confidence, 0.99)
		out := run(t, c.plans, c.answers, c.opt)
		var votes []string
		for _, v := range out.Votes {
			votes = append(votes, fmt.Sprintf("%s:%v", v.Answer, v.Weight))
		}
		if got := fates(out); got != c.fates {
			t.Errorf("%s: traces are %s; want %s", c.name, got, c.fates)
		}
		if got := strings.Join(votes, " "); got != c.votes {
			t.Errorf("%s: votes are %s; want %s", c.name, got, c.votes)
		}
		if out.Pairs != c.pairs {
			t.Errorf("%s: %d pairs were judged; want %d", c.name, out.Pairs, c.pairs)
		}
	}
}
