package engine

import (
	"math"

	"deepprune/kernels"
	"deepprune/prune"
)

// TokenLogProb is a token and its log-probability under the full softmax of the
// model's logits.
type TokenLogProb = kernels.TokenLogProb

// LogProbs are the log-probabilities of a run of tokens and of the likeliest
// tokens in the place of each. Its slices are shared and must not be changed.
type LogProbs struct {
	// Tokens has the log-probability of each token. A prompt's first token has none:
	// NaN.
	Tokens []float32
	// N is the number of alternatives of each token.
	N int
	// Top are the alternatives, the most likely first, equals by token id: those of
	// token i are Top[i*N : (i+1)*N]. A prompt's first token has none either: N of
	// token -1.
	Top []TokenLogProb
}

// Alternatives are the likeliest tokens in the place of token i.
func (l *LogProbs) Alternatives(i int) []TokenLogProb { return l.Top[i*l.N : (i+1)*l.N] }

// append adds a sampled token.
func (l *LogProbs) append(s kernels.Sampled) {
	l.N = len(s.Top)
	l.Tokens = append(l.Tokens, s.LogProb)
	l.Top = append(l.Top, s.Top...)
}

// newPromptScores is the log-probabilities of a prompt of n tokens, to be filled in.
func newPromptScores(n, alternatives int) LogProbs {
	l := LogProbs{Tokens: make([]float32, n), N: alternatives, Top: make([]TokenLogProb, n*alternatives)}
	l.Tokens[0] = float32(math.NaN())
	for i := range alternatives {
		l.Top[i].Token = -1
	}
	return l
}

// set fills in token i.
func (l *LogProbs) set(i int, s kernels.Sampled) {
	l.Tokens[i] = s.LogProb
	copy(l.Alternatives(i), s.Top)
}

// scoredRows is the rows of prompts whose log-probabilities are wanted that a step
// has room for while all slots are taken.
const scoredRows = 16

// answers makes room for what the step's logits are asked, in e.sampled: of each of
// e.params, and of as many alternatives as e.alternatives says.
func (e *Engine) answers() {
	n := len(e.params)
	if cap(e.sampled) < n {
		e.sampled = make([]kernels.Sampled, e.opt.Slots+scoredRows)
	}
	e.sampled = e.sampled[:n]
	clear(e.sampled)
	total := 0
	for _, k := range e.alternatives {
		total += int(k)
	}
	if total == 0 {
		return
	}
	if cap(e.top) < total {
		e.top = make([]TokenLogProb, MaxTopLogProbs*(e.opt.Slots+scoredRows))
	}
	top := e.top[:total]
	for i, k := range e.alternatives {
		e.sampled[i].Top, top = top[:k:k], top[k:]
	}
}

// promptComputed is called when the root of a group is complete: its log-probabilities
// are shown, and a group that generates nothing ends.
func (e *Engine) promptComputed(g *Group) {
	if g.scoring {
		g.scoring = false
		g.showPrompt(g.scores)
	}
	if !g.req.PromptOnly {
		return
	}
	for i := range g.traces {
		if t := &g.traces[i]; !t.state.Ended() {
			t.end.Kind = EndLength
			e.endTrace(t, prune.Length)
		}
	}
}
