package cpu

import (
	"cmp"
	"math"
	"slices"
)

const (
	// A bin spans 1/binsPerNat of log-probability; the last one takes all that
	// is less likely.
	binsPerNat = 8
	binCount   = 256
)

// bins holds the most likely tokens of a row of logits by probability, the most
// likely in bin 0. fill is called first; weights and logits are used until the
// next fill.
type bins struct {
	logits, weights []float32
	max, scale      float32
	tokens          []int32 // in order
	of              []uint8 // the bin of each of tokens
	count           [binCount]int
	mass            [binCount]float64 // Σ weights, in order of token

	sorted []candidate // the tokens of bin in order of probability
	bin    int         // that sorted holds; -1: none
}

type candidate struct {
	logit float32
	token int32
}

// prefix is the most likely tokens: those of all bins before bin and the first
// count of bin.
type prefix struct {
	bin, count int
	mass       float64
}

func (p prefix) shorter(q prefix) prefix {
	if q.bin < p.bin || q.bin == p.bin && q.count < p.count {
		return q
	}
	return p
}

// fill sorts tokens whose weights, exp((logits-max)*scale), are at least floor
// into bins. pieces are the sums of the weights of each piece: most of a
// vocabulary is in pieces that all together weigh less than floor.
func (b *bins) fill(logits, weights, pieces []float32, max, scale, floor float32) {
	b.logits, b.weights, b.max, b.scale, b.bin = logits, weights, max, scale, -1
	b.tokens, b.of = b.tokens[:0], b.of[:0]
	clear(b.count[:])
	clear(b.mass[:])
	for p, sum := range pieces {
		if sum < floor*(1-1./1024) { // for the rounding of the sum
			continue
		}
		lo := p * piece
		for i, w := range weights[lo:min(lo+piece, len(weights))] {
			if w < floor {
				continue
			}
			i += lo
			bin := binCount - 1
			if w > 0 {
				bin = b.binOf(logits[i])
			}
			b.tokens = append(b.tokens, int32(i))
			b.of = append(b.of, uint8(bin))
			b.count[bin]++
			b.mass[bin] += float64(w)
		}
	}
}

// binOf is monotone: a larger logit is never in a later bin.
func (b *bins) binOf(logit float32) int {
	return int(min((b.max-logit)*b.scale*binsPerNat, binCount-1))
}

// all is every token in the bins.
func (b *bins) all() prefix {
	p := prefix{bin: binCount}
	for _, m := range b.mass {
		p.mass += m
	}
	return p
}

// firstTokens is the n most likely tokens.
func (b *bins) firstTokens(n int) prefix {
	var p prefix
	for ; n >= b.count[p.bin]; p.bin++ {
		n -= b.count[p.bin]
		p.mass += b.mass[p.bin]
		if n == 0 {
			p.bin++
			return p
		}
	}
	return b.extend(p, func(i int, _ candidate, _ float64) bool { return i == n })
}

// firstMass is the fewest tokens whose weights reach mass.
func (b *bins) firstMass(mass float64) prefix {
	var p prefix
	for ; p.bin < binCount && p.mass+b.mass[p.bin] < mass; p.bin++ {
		p.mass += b.mass[p.bin]
	}
	return b.extend(p, func(_ int, _ candidate, sum float64) bool { return sum >= mass })
}

// firstLogits is the tokens whose logits are at least floor.
func (b *bins) firstLogits(floor float32) prefix {
	var p prefix
	for last := b.binOf(floor); p.bin < last; p.bin++ {
		p.mass += b.mass[p.bin]
	}
	return b.extend(p, func(_ int, c candidate, _ float64) bool { return c.logit < floor })
}

// extend adds tokens of p.bin, the most likely first, until stop says that the
// next, the i-th, with sum the mass so far, is not wanted.
func (b *bins) extend(p prefix, stop func(i int, next candidate, sum float64) bool) prefix {
	if p.bin == binCount {
		return p
	}
	for i, c := range b.sort(p.bin) {
		if stop(i, c, p.mass) {
			break
		}
		p.count++
		p.mass += float64(b.weights[c.token])
	}
	return p
}

// sort returns the tokens of a bin, the most likely first, equals in order of
// token. The result is good until the next call.
func (b *bins) sort(bin int) []candidate {
	if b.bin == bin {
		return b.sorted
	}
	b.bin, b.sorted = bin, b.sorted[:0]
	for i, of := range b.of {
		if int(of) == bin {
			token := b.tokens[i]
			b.sorted = append(b.sorted, candidate{b.logits[token], token})
		}
	}
	slices.SortFunc(b.sorted, func(x, y candidate) int {
		return cmp.Or(cmp.Compare(y.logit, x.logit), cmp.Compare(x.token, y.token))
	})
	return b.sorted
}

// walk returns the first token of p, bin after bin, at which the sum of weights
// exceeds the share u of p's mass.
func (b *bins) walk(u float64, p prefix) int32 {
	// The sums below are p.mass's own, in the same order, so one exceeds target.
	target := below(u*p.mass, p.mass)
	sum := 0.0
	for bin := range p.bin {
		if sum+b.mass[bin] <= target {
			sum += b.mass[bin]
			continue
		}
		in := 0.0
		for i, of := range b.of {
			if int(of) != bin {
				continue
			}
			token := b.tokens[i]
			if in += float64(b.weights[token]); sum+in > target {
				return token
			}
		}
	}
	for _, c := range b.sort(p.bin)[:p.count] {
		if sum += float64(b.weights[c.token]); sum > target {
			return c.token
		}
	}
	panic("cpu: sample: no token at the target")
}

// below returns x, or the number below limit if x was rounded up to limit.
func below(x, limit float64) float64 {
	return min(x, math.Nextafter(limit, 0))
}
