package engine

import (
	"cmp"
	"math"
	"slices"

	"deepprune/kernels"
)

// adjusting is how the logits of a group's traces are adjusted: the part that all
// traces and steps share. Immutable.
type adjusting struct {
	template kernels.Adjustment // Counts: of the prompt, for the repetition penalty
	counting bool               // a trace's own tokens matter
	// early is the Bias of tokens before minTokens: that of template and no end.
	early     []kernels.TokenBias
	minTokens int
}

// newAdjusting returns nil if a request leaves logits alone.
func newAdjusting(r *Request, prompt []int32, eos []int32) *adjusting {
	p := &r.Params
	a := &adjusting{minTokens: p.MinTokens}
	t := &a.template
	t.Presence, t.Frequency = float32(p.PresencePenalty), float32(p.FrequencyPenalty)
	t.Repetition = 1
	if p.RepetitionPenalty != 0 {
		t.Repetition = float32(p.RepetitionPenalty)
	}
	if t.Repetition != 1 {
		distinct := slices.Clone(prompt)
		slices.Sort(distinct)
		for _, id := range slices.Compact(distinct) {
			t.Counts = append(t.Counts, kernels.TokenCount{Token: id})
		}
	}
	for id, add := range p.LogitBias {
		t.Bias = append(t.Bias, kernels.TokenBias{Token: id, Add: add})
	}
	byToken := func(a, b kernels.TokenBias) int { return cmp.Compare(a.Token, b.Token) }
	slices.SortFunc(t.Bias, byToken)
	if p.MinTokens > 0 {
		a.early = slices.Clone(t.Bias)
		ends := slices.Clone(p.StopTokens)
		if !p.IgnoreEOS {
			ends = append(ends, eos...)
		}
		for _, id := range ends {
			never := kernels.TokenBias{Token: id, Add: float32(math.Inf(-1))}
			if i, found := slices.BinarySearchFunc(a.early, never, byToken); found {
				a.early[i] = never
			} else {
				a.early = slices.Insert(a.early, i, never)
			}
		}
	}
	a.counting = t.Repetition != 1 || t.Presence != 0 || t.Frequency != 0
	if !a.counting && t.Bias == nil && a.early == nil && r.Constraint == nil {
		return nil
	}
	return a
}

// adjustment is what is adjusted for the next token of one trace.
type adjustment struct {
	kernels.Adjustment
	shared *adjusting
	at     map[int32]int32 // where Counts has a token
}

// start makes the adjustment of a trace that has no tokens yet.
func (a *adjusting) start() *adjustment {
	t := &adjustment{Adjustment: a.template, shared: a}
	if a.counting {
		t.Counts = slices.Clone(a.template.Counts)
		t.at = make(map[int32]int32, len(t.Counts))
		for i, c := range t.Counts {
			t.at[c.Token] = int32(i)
		}
	}
	t.grown(0)
	return t
}

// add counts a token of the trace, which has n tokens with it.
func (t *adjustment) add(token int32, n int) {
	if t.shared.counting {
		i, known := t.at[token]
		if !known {
			i = int32(len(t.Counts))
			t.at[token] = i
			t.Counts = append(t.Counts, kernels.TokenCount{Token: token})
		}
		t.Counts[i].Count++
	}
	t.grown(n)
}

// grown sets what depends on the number of tokens.
func (t *adjustment) grown(n int) {
	t.Bias = t.shared.template.Bias
	if n < t.shared.minTokens {
		t.Bias = t.shared.early
	}
}
