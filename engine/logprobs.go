package engine

import "deepprune/kernels"

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
