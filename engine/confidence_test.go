package engine

import (
	"math"
	"slices"
	"testing"

	"deepprune/prune"
)

// TestConfidence: a policy that asks for the confidences of tokens gets them, and
// what it makes of them does not depend on the slots; one that does not pays
// nothing.
func TestConfidence(t *testing.T) {
	p := open(t, 2)
	const k, maxTokens = 12, 80
	want := unpruned(t, p, questions[0], k, maxTokens)
	policy, err := prune.ByName("deepconf", prune.Options{Window: 16, Warmup: 4, Keep: 0.5, Confidence: 1})
	if err != nil {
		t.Fatal(err)
	}
	var first *Result
	for _, slots := range []int{1, 5, 64} {
		e := p.start(t, Options{Slots: slots})
		got := ask(t, e, Request{Question: questions[0], Traces: k, Seed: 7, Policy: policy, Params: Params{MaxTokens: maxTokens}})
		samePrefix(t, got, want)
		pruned := 0
		for i, tr := range got.Traces {
			if tr.State == prune.Pruned {
				pruned++
				if tr.Reason != prune.ReasonUnsure || i < 4 {
					t.Errorf("%d slots: trace %d was pruned: %s", slots, i, tr.Reason)
				}
			}
		}
		if first == nil {
			first = got
			if pruned == 0 {
				t.Error("nothing was pruned; the test shows nothing")
			}
		}
		for i := range got.Traces {
			if a, b := got.Traces[i], first.Traces[i]; a.State != b.State || !slices.Equal(a.TokenIDs, b.TokenIDs) {
				t.Errorf("%d slots: trace %d is %v with %d tokens; want %v with %d", slots, i, a.State, a.Tokens, b.State, b.Tokens)
			}
		}
	}

	seen := &confidenceSeen{Policy: prune.None()}
	e := p.start(t, Options{})
	ask(t, e, Request{Question: questions[0], Traces: 2, Policy: seen, Params: Params{MaxTokens: 20}})
	if seen.sum != 0 {
		t.Errorf("a policy that asks for no confidences sees %v", seen.sum)
	}
	asking := &confidenceAsked{confidenceSeen{Policy: prune.None()}}
	ask(t, e, Request{Question: questions[0], Traces: 2, Policy: asking, Params: Params{MaxTokens: 20}})
	// The mean of -log p over 20 tokens is at least log 20, where all are as likely.
	if limit := 2 * 20 * math.Log(20); asking.sum < limit*0.999 {
		t.Errorf("confidences of 40 tokens add up to %v; want at least %v", asking.sum, limit)
	}
}

// confidenceSeen is a policy that adds up the confidences of ended traces.
type confidenceSeen struct {
	prune.Policy
	prune.Decider
	sum float64
}

func (c *confidenceSeen) New(k int) prune.Decider {
	c.Decider = c.Policy.New(k)
	return c
}

func (c *confidenceSeen) Decide(ev prune.Event, s *prune.Snapshot) []prune.Action {
	if ev.Kind == prune.Ended {
		c.sum += s.Traces[ev.Trace].Confidence
	}
	return nil
}

// confidenceAsked asks for them.
type confidenceAsked struct{ confidenceSeen }

func (*confidenceAsked) ConfidenceTokens() int { return 20 }
