package prune_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"deepprune/prune"
	"deepprune/prune/prunetest"
)

// plain is a group of traces of 100 tokens with these answers, which reach
// checkpoints at tokens 10, 20 and 30.
func plain(seed uint64, answers string) *prunetest.Group {
	g := &prunetest.Group{Seed: seed}
	for _, a := range strings.Fields(answers) {
		g.Traces = append(g.Traces, prunetest.Trace{Tokens: 100, Answer: a, Checkpoints: []int{10, 20, 30}})
	}
	return g
}

func replay(t *testing.T, name string, opt prune.Options, g *prunetest.Group) *prunetest.Outcome {
	t.Helper()
	p, err := prune.ByName(name, opt)
	if err != nil {
		t.Fatal(err)
	}
	out, err := prunetest.Replay(p, g, prunetest.Schedule{Rand: rand.New(rand.NewPCG(g.Seed, 6))})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestControls(t *testing.T) {
	schedule, err := prune.ParseSchedule(strings.NewReader("{\"token\":10,\"stop\":[1,99]}\n{\"token\":20,\"keep\":[1,3,4,5]}\n{\"token\":30,\"keep\":[5,4]}"))
	if err != nil {
		t.Fatal(err)
	}
	const unanimous = "7 7 7 7 7 7 7 7 7 7 7 7"
	for _, c := range []struct {
		name    string
		opt     prune.Options
		answers string
		fates   string
		votes   float64 // of the winner
		tokens  int
	}{
		{"none", prune.Options{}, unanimous, "FFFFFFFFFFFF", 12, 1200},
		{"scripted", prune.Options{Checkpoint: prune.Checkpoint{Tokens: 10}}, unanimous, "FFFppppppppp", 3, 390},
		{"scripted", prune.Options{Checkpoint: prune.Checkpoint{Tokens: 10}, Survivors: 1}, unanimous, "Fppppppppppp", 1, 210},
		{"scripted", prune.Options{Checkpoint: prune.Checkpoint{Tokens: 10}, Survivors: 99}, unanimous, "FFFFFFFFFFFF", 12, 1200},
		{"scripted", prune.Options{Schedule: schedule}, "7 7 7 7 7 7", "ppppFF", 2, 20 + 10 + 20 + 30 + 200},
		{"early-vote", prune.Options{Confidence: 0.99}, unanimous, "FFFFFF......", 6, 600},
		{"early-vote", prune.Options{}, unanimous, "FFFFFFF.....", 7, 700},
		{"early-vote", prune.Options{Confidence: 1}, "8 7 8 7 7 7 7 7 7 7 7 7", "FFFFFFFFF...", 7, 900},
		{"adaptive-consistency", prune.Options{}, unanimous, "FFFF........", 4, 400},
		{"adaptive-consistency", prune.Options{}, "7 8 7 7 7 7 7 7 7 7 7 7", "FFFFFFF.....", 6, 700},
	} {
		out := replay(t, c.name, c.opt, plain(1, c.answers))
		if got := fates(out); got != c.fates {
			t.Errorf("%s %+v: traces are %s; want %s", c.name, c.opt, got, c.fates)
		}
		if got := out.Votes[0].Weight; got != c.votes || out.Tokens != c.tokens {
			t.Errorf("%s %+v: %v votes, %d tokens; want %v, %d", c.name, c.opt, got, out.Tokens, c.votes, c.tokens)
		}
		for i, s := range out.Stops {
			if s.Kind == prune.Stop && (s.Keeper != -1 || s.Reason != prune.ReasonControl) {
				t.Errorf("%s: trace %d: %+v", c.name, i, s)
			}
		}
	}
}

func TestScriptedIgnoresEOS(t *testing.T) {
	for _, name := range prune.Names() {
		p, err := prune.ByName(name, prune.Options{})
		if err != nil {
			t.Fatal(err)
		}
		i, ok := p.(interface{ IgnoresEOS() bool })
		if got := ok && i.IgnoresEOS(); got != (name == "scripted") {
			t.Errorf("%s: ignores end of text: %v", name, got)
		}
	}
}

// Every trace survives equally often, and no more of them than asked for.
func TestRandomIsFair(t *testing.T) {
	const groups, k, n = 2000, 10, 3
	var survived [k]int
	for seed := range uint64(groups) {
		out := replay(t, "random", prune.Options{Survivors: n}, plain(seed, strings.Repeat("7 ", k)))
		if len(out.Ballots) != n {
			t.Fatalf("%d survivors; want %d", len(out.Ballots), n)
		}
		for _, b := range out.Ballots {
			survived[b.Trace]++
			if out.Traces[b.Trace].State != prune.Finished {
				t.Fatalf("trace %d has a vote and is %v", b.Trace, out.Traces[b.Trace].State)
			}
		}
	}
	for i, got := range survived { // the standard deviation is 20
		if want := groups * n / k; got < want-100 || got > want+100 {
			t.Errorf("trace %d survives %d times of %d; want about %d", i, got, groups, want)
		}
	}
}

func TestDrawsDependOnEveryKey(t *testing.T) {
	seen := make(map[uint64][]int)
	for seed := range 8 {
		for a := range 8 {
			for b := range 8 {
				for c := range 8 {
					x := prune.Draw(uint64(seed), a, b, c)
					if was, ok := seen[x]; ok {
						t.Fatalf("draw %v is that of %v", []int{seed, a, b, c}, was)
					}
					seen[x] = []int{seed, a, b, c}
				}
			}
		}
	}
	if x, y := prune.Draw(1, 2), prune.Draw(1, 2, 0); x == y {
		t.Errorf("draws for 2 and for 2, 0 are the same")
	}
}

// What breaks the contract is found. A replay that finds nothing proves nothing.
func TestReplayFindsBrokenPolicies(t *testing.T) {
	stop := prune.Action{Kind: prune.Stop, Keeper: -1, Reason: "test"}
	for _, c := range []struct {
		want  string
		react func(ev prune.Event) []prune.Action
	}{
		{"nothing is under way", func(prune.Event) []prune.Action { return nil }},
		{"the trace has ended", onEnded(stop)},
		{"the trace was stopped before", func(prune.Event) []prune.Action { return []prune.Action{stop, stop} }},
		{"after StopRest", func(prune.Event) []prune.Action { return []prune.Action{{Kind: prune.StopRest}, stop} }},
		{"no reason", func(prune.Event) []prune.Action { return []prune.Action{{Kind: prune.Stop}} }},
		{"the trace is not_started", func(prune.Event) []prune.Action { return []prune.Action{{Kind: prune.Resume}} }},
		{"the trace is not_started", func(prune.Event) []prune.Action { return []prune.Action{{Kind: prune.Judge, Keeper: 1}} }},
		{"judged against itself", onReached(prune.Action{Kind: prune.Judge})},
	} {
		_, err := prunetest.Replay(&broken{react: c.react}, plain(1, "7 7"), prunetest.Schedule{Rand: rand.New(rand.NewPCG(1, 1))})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v; want %q", err, c.want)
		}
	}
}

func onEnded(a prune.Action) func(prune.Event) []prune.Action {
	return func(ev prune.Event) []prune.Action {
		switch ev.Kind {
		case prune.Reached:
			return []prune.Action{{Kind: prune.Resume, Trace: ev.Trace}}
		case prune.Ended:
			a.Trace = ev.Trace
			return []prune.Action{a}
		}
		return nil
	}
}

func onReached(a prune.Action) func(prune.Event) []prune.Action {
	return func(ev prune.Event) []prune.Action {
		if ev.Kind != prune.Reached {
			return nil
		}
		a.Trace, a.Keeper = ev.Trace, ev.Trace
		return []prune.Action{a}
	}
}

// broken is a policy that does what it is told.
type broken struct {
	prune.Decider
	react func(prune.Event) []prune.Action
}

func (*broken) Name() string                    { return "broken" }
func (*broken) Checkpoints() []prune.Checkpoint { return []prune.Checkpoint{{Tokens: 10}} }
func (*broken) NeedsJudge() bool                { return true }
func (b *broken) New(int) prune.Decider         { return b }

func (b *broken) Decide(ev prune.Event, _ *prune.Snapshot) []prune.Action { return b.react(ev) }
func (b *broken) Votes(*prune.Snapshot) []prune.Ballot                    { return nil }
func (b *broken) Clusters() []prune.Cluster                               { return nil }
