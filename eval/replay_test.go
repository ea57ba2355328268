package eval

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"deepprune/prune"
	"deepprune/prune/prunetest"
)

// flatCosts charges one for a token of either model.
type flatCosts struct{}

func (flatCosts) Generate(_ string, n int) (float64, error) { return float64(n), nil }
func (flatCosts) Judge(keeper, trace string) (shared, own Work) {
	return Work{5, 5}, Work{2, 2}
}

// randomGroup draws stored traces and the same as prunetest has them.
func randomGroup(rng *rand.Rand, k, checkpoint int) (*Sampled, *prunetest.Group) {
	s := &Sampled{Question: Question{ID: "q", Text: "q", Answer: "0"}, Seed: rng.Uint64()}
	g := &prunetest.Group{Seed: s.Seed}
	answers, right := 1+rng.IntN(4), 0.6+0.4*rng.Float64()
	for i := range k {
		t := SampledTrace{Index: i, Prefix: fmt.Sprint(i), Tokens: 1 + rng.IntN(60), State: StateName{prune.Finished}}
		if rng.IntN(8) > 0 {
			t.Answer = JSONText(fmt.Sprint(int(float64(answers) * math.Pow(rng.Float64(), 2))))
		} else {
			t.State.State = prune.Length
		}
		t.PrefixTokens = min(t.Tokens, checkpoint)
		s.Traces = append(s.Traces, t)
		p := prunetest.Trace{Tokens: t.Tokens, Answer: string(t.Answer), End: t.State.State}
		if t.Tokens > checkpoint {
			p.Checkpoints = []int{checkpoint}
		}
		g.Traces = append(g.Traces, p)
	}
	scores := make([]float64, k*k)
	for i := range scores {
		same := s.Traces[i/k].Answer == s.Traces[i%k].Answer
		if rng.Float64() > right {
			same = !same
		}
		if scores[i] = rng.Float64() / 2; same {
			scores[i] += 0.5
		}
	}
	g.Judge = func(keeper, trace, _ int) float64 { return scores[keeper*k+trace] }
	return s, g
}

// TestReplayAgainstSimulation compares a replay with prunetest, which shuffles the
// order of events: answers, tokens, states and pairs are the same.
func TestReplayAgainstSimulation(t *testing.T) {
	specs := []string{"none", "deepprune", "deepprune-paper", "random:survivors=3", "early-vote", "adaptive-consistency",
		"deepprune:finishers=1:spares=-1", "deepprune:confidence=1:max-keepers=2", "deepprune-paper:comparisons=2:members=3:max-clusters=3"}
	const checkpoint = 10
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 9))
		s, g := randomGroup(rng, 1+rng.IntN(30), checkpoint)
		for _, spec := range specs {
			c, err := parseContender(spec, prune.Options{Checkpoint: prune.Checkpoint{Tokens: checkpoint}})
			if err != nil {
				t.Fatal(err)
			}
			p, _ := c.Policy(0)
			want, err := prunetest.Replay(p, g, prunetest.Schedule{Rand: rng})
			if err != nil {
				t.Fatal(err)
			}
			got, err := Replay(&c, p, s, len(s.Traces), 1, func(scores []float64, pairs [][2]string) error {
				for i, q := range pairs {
					var a, b int
					fmt.Sscan(q[0], &a)
					fmt.Sscan(q[1], &b)
					scores[i] = g.Judge(a, b, 0)
				}
				return nil
			}, flatCosts{})
			if err != nil {
				t.Fatalf("seed %d, %s: %v", seed, spec, err)
			}
			if string(got.Answer) != want.Answer() || got.JudgePairs != want.Pairs {
				t.Fatalf("seed %d, %s: answer %q after %d pairs; want %q after %d", seed, spec, got.Answer, got.JudgePairs, want.Answer(), want.Pairs)
			}
			for i, f := range got.Traces {
				if w := want.Traces[i]; f.State.State != w.State || f.Tokens != w.Tokens {
					t.Fatalf("seed %d, %s: trace %d is %v with %d tokens; want %v with %d", seed, spec, i, f.State, f.Tokens, w.State, w.Tokens)
				}
			}
			if got.Right != (got.Answer == "0") {
				t.Fatalf("answer %q is right: %v", got.Answer, got.Right)
			}
		}
	}
}

// TestReplayCosts: the keeper's part is paid once, in tokens of this question.
func TestReplayCosts(t *testing.T) {
	s := sampledOf("q", "1", "1", "1", "1") // 10 to 13 tokens
	for i := range s.Traces {
		s.Traces[i].PrefixTokens = 4
	}
	c, _ := parseContender("deepprune:confidence=1:finishers=1", prune.Options{Checkpoint: prune.Checkpoint{Tokens: 4}})
	p, _ := c.Policy(0)
	judge := func(scores []float64, pairs [][2]string) error {
		for i := range scores {
			scores[i] = 1
		}
		return nil
	}
	r, err := Replay(&c, p, s, 4, 1, judge, flatCosts{})
	if err != nil {
		t.Fatal(err)
	}
	// Three traces suffice: two join the keeper, which finishes.
	if r.JudgePairs != 2 || r.JudgeTokens != 5+2*2 || r.JudgeCost != 9 || r.Survivors() != 1 || r.Started() != 3 {
		t.Errorf("%+v", r)
	}
	prefixes, finishers := r.tokens()
	if prefixes != 12 || finishers != 6 || r.Cost() != 27 {
		t.Errorf("%d tokens before the checkpoint, %d after, cost %v", prefixes, finishers, r.Cost())
	}
}

func TestReplayRefuses(t *testing.T) {
	s := sampledOf("q", "1", "2")
	for i := range s.Traces {
		s.Traces[i].PrefixTokens = 4
	}
	for _, c := range []struct {
		checkpoint prune.Checkpoint
		k          int
		edit       func(*Sampled)
		want       string
	}{
		{prune.Checkpoint{Tokens: 5}, 2, nil, "prefix of 4 tokens, which is not where the policy cuts"},
		{prune.Checkpoint{Words: 5}, 2, nil, "not where the policy cuts"},
		{prune.Checkpoint{Tokens: 4}, 3, nil, "2 traces are stored, not 3"},
		{prune.Checkpoint{Tokens: 4}, 2, func(s *Sampled) { s.Traces[1].State.State = prune.Cancelled }, "trace 1 did not end by itself"},
	} {
		own := *s
		own.Traces = slices.Clone(s.Traces)
		if c.edit != nil {
			c.edit(&own)
		}
		con, _ := parseContender("random:survivors=1", prune.Options{Checkpoint: c.checkpoint})
		p, _ := con.Policy(0)
		if _, err := Replay(&con, p, &own, c.k, 1, nil, flatCosts{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v; want %q", c.checkpoint, err, c.want)
		}
	}
}
