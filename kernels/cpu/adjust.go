package cpu

import (
	"math"
	"math/bits"
	"slices"

	"deepprune/kernels"
)

// drawAdjusted draws from the logits as p.Adjust changes them.
func (s *sampler) drawAdjusted(set *set, logits []float32, p *kernels.SampleParams) int32 {
	s.adjusted = append(s.adjusted[:0], logits...)
	adjust(s.adjusted, p.Adjust)
	m := set.maximum(s.adjusted)
	switch {
	case math.IsInf(float64(m), -1):
		if token := firstAllowed(p.Adjust.Allowed); int(token) < len(logits) {
			return token
		}
		return 0
	case p.Temperature > 0 && !math.IsInf(float64(m), 1):
		return s.pick(set, s.adjusted, m, 0, p)
	}
	return first(s.adjusted, m)
}

// adjust changes logits as kernels.Adjustment says. The conversions keep a
// compiler from fusing operations.
func adjust(logits []float32, a *kernels.Adjustment) {
	for _, c := range a.Counts {
		l := logits[c.Token]
		if l < 0 {
			l *= a.Repetition
		} else {
			l /= a.Repetition
		}
		if c.Count > 0 {
			l -= float32(float32(float32(c.Count)*a.Frequency) + a.Presence)
		}
		logits[c.Token] = l
	}
	for _, b := range a.Bias {
		logits[b.Token] += b.Add
	}
	if a.Allowed != nil {
		forbid(logits, a.Allowed)
	}
}

// forbidden is what a word of no allowed tokens makes of their logits.
var forbidden = [32]float32(slices.Repeat([]float32{float32(math.Inf(-1))}, 32))

// forbid makes the logits of tokens that are not allowed -Inf.
func forbid(logits []float32, allowed []uint32) {
	for _, word := range allowed {
		n := min(32, len(logits))
		if word == 0 {
			copy(logits[:n], forbidden[:])
		}
		for not := ^word; not != 0 && word != 0; not &= not - 1 {
			if i := bits.TrailingZeros32(not); i < n {
				logits[i] = forbidden[0]
			}
		}
		logits = logits[n:]
	}
	for len(logits) > 0 {
		n := copy(logits, forbidden[:])
		logits = logits[n:]
	}
}

// firstAllowed is the first token that is allowed, 0 if all or none are.
func firstAllowed(allowed []uint32) int32 {
	for i, word := range allowed {
		if word != 0 {
			return int32(i*32 + bits.TrailingZeros32(word))
		}
	}
	return 0
}
