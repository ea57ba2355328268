package prune_test

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"deepprune/prune"
	"deepprune/prune/prunetest"
)

// published is the pseudo code of the method, written plainly, with the draws of
// the policy.
func published(g *prunetest.Group, o prune.Options) (clusters [][]int, finishers []int) {
	k := len(g.Traces)
	pick := func(members []int, n, trace, cluster int) []int {
		left, picked := slices.Clone(members), []int{}
		for i := 0; i < n && len(left) > i; i++ {
			hi, _ := bits.Mul64(prune.Draw(g.Seed, trace, cluster, i), uint64(len(left)-i))
			j := i + int(hi)
			left[i], left[j] = left[j], left[i]
			picked = append(picked, left[i])
		}
		return picked
	}
	for t := range g.Traces {
		if len(g.Traces[t].Checkpoints) == 0 && g.Traces[t].End == prune.Failed {
			continue
		}
		best, similarity := -1, math.Inf(-1)
		for c, members := range clusters {
			sum, n := 0.0, 0
			for _, m := range pick(members, o.Comparisons, t, c) {
				sum += g.Judge(m, t, 0)
				n++
			}
			if best < 0 || sum/float64(n) > similarity {
				best, similarity = c, sum/float64(n)
			}
		}
		if similarity > o.Threshold {
			clusters[best] = append(clusters[best], t)
		} else if len(clusters) < o.MaxClusters {
			clusters = append(clusters, []int{t})
		}
	}
	if len(clusters) == 0 {
		return nil, nil
	}
	largest, all := clusters[0], []int{}
	for _, c := range clusters {
		if len(c) > len(largest) {
			largest = c
		}
		all = append(all, c[0])
	}
	if len(largest) == 1 {
		finishers = pick(all, o.Singles, k, o.MaxClusters)
		slices.Sort(finishers)
		return clusters, finishers
	}
	return clusters, largest[:min(len(largest), o.Members)]
}

func TestPaperIsThePublishedMethod(t *testing.T) {
	singles, full := 0, 0
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 5))
		g := randomGroup(rng, 1+rng.IntN(40))
		o := prune.Options{
			Checkpoint: prune.Checkpoint{Tokens: 1}, Threshold: 0.3 + 0.4*rng.Float64(),
			MaxClusters: 1 + rng.IntN(12), Comparisons: 1 + rng.IntN(4), Members: 1 + rng.IntN(8), Singles: 1 + rng.IntN(8),
		}
		p, err := prune.ByName("deepprune-paper", o)
		if err != nil {
			t.Fatal(err)
		}
		got := decide(t, p, g, prunetest.Schedule{Slots: rng.IntN(5), Rand: rng})
		clusters, finishers := published(g, o)
		if len(got.clusters) != len(clusters) {
			t.Fatalf("seed %d: got %v; want %v", seed, got.clusters, clusters)
		}
		for c, members := range clusters {
			if !reflect.DeepEqual(got.clusters[c].Members, members) || got.clusters[c].Keeper != members[0] {
				t.Fatalf("seed %d: cluster %d is %v; want %v", seed, c, got.clusters[c], members)
			}
		}
		if len(clusters) == len(finishers) {
			singles++
		}
		if len(clusters) == o.MaxClusters {
			full++
		}
		for i, tr := range got.traces {
			want := slices.Contains(finishers, i) || len(g.Traces[i].Checkpoints) == 0
			if ended := tr.State != prune.Pruned; ended != want {
				t.Fatalf("seed %d: trace %d is %v; finishers are %v", seed, i, tr.State, finishers)
			}
			if s := got.stops[i]; s.Kind == prune.Stop && s.Keeper >= 0 {
				if at := slices.IndexFunc(clusters, func(c []int) bool { return c[0] == s.Keeper }); s.Keeper == i || !slices.Contains(clusters[at], i) || !(s.Score > o.Threshold) {
					t.Fatalf("seed %d: trace %d: %+v", seed, i, s)
				}
			}
			says := slices.Contains(finishers, i) && tr.State != prune.Failed && tr.Answer != ""
			if votes(got.ballots, i) != says {
				t.Fatalf("seed %d: ballots are %v; finishers are %v", seed, got.ballots, finishers)
			}
		}
	}
	if singles < 10 || full < 50 {
		t.Errorf("%d groups of single clusters, %d of too many: the test is too easy", singles, full)
	}
}

// A verdict about a trace that was cancelled meanwhile is not taken for one about
// the next.
func TestPaperIgnoresLateVerdicts(t *testing.T) {
	p, err := prune.ByName("deepprune-paper", prune.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := p.New(3)
	s := &prune.Snapshot{Traces: make([]prune.Trace, 3)}
	for i := range s.Traces {
		s.Traces[i].State = prune.Held
		d.Decide(prune.Event{Kind: prune.Reached, Trace: i}, s)
	}
	s.Traces[1].State = prune.Cancelled
	d.Decide(prune.Event{Kind: prune.Ended, Trace: 1}, s)
	d.Decide(prune.Event{Kind: prune.Judged, Keeper: 0, Trace: 1, Score: 1}, s)
	d.Decide(prune.Event{Kind: prune.Judged, Keeper: 0, Trace: 2, Score: 0}, s)
	if got, want := d.Clusters(), []prune.Cluster{{Keeper: 0, Members: []int{0}}, {Keeper: 2, Members: []int{2}}}; !reflect.DeepEqual(got, want) {
		t.Errorf("clusters are %v; want %v", got, want)
	}
}
