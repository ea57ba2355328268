package cpu

import (
	"math"
	"slices"

	"deepprune/kernels"
)

// Sample draws each row on its own worker. All filters keep a prefix of the
// vocabulary in order of probability, so what has to be found is where the
// shortest of the prefixes ends. Sorting the vocabulary for that would cost more
// than the model's last layer; instead tokens fall into bins by probability, and
// only the bin in which a prefix ends is sorted:
//
//	bins:    most likely | … | … | the prefix ends here | … | least likely
//	kept:    all           all all  the first few         none
//
// The draw then walks the bins, and within its bin the tokens. Probabilities are
// added in one fixed order, so a row draws the same token in any batch.
func (d *device) Sample(logits kernels.Tensor, params []kernels.SampleParams, out []kernels.Sampled) {
	t := logits.(*tensor)
	t.must("sample", len(params))
	if len(out) < len(params) {
		mismatch("sample: %d results for %d rows", len(out), len(params))
	}
	d.sample = sampleJob{d.set, t, params, out}
	d.pool.run(&d.sample, len(params))
}

type sampleJob struct {
	set    *set
	logits *tensor
	params []kernels.SampleParams
	out    []kernels.Sampled
}

func (j *sampleJob) chunk(w *worker, i int) {
	w.sampler.draw(j.set, j.logits.row(i), &j.params[i], &j.out[i])
}

const (
	// piece is the number of weights whose sum is one float32; sums of pieces are
	// added in float64.
	piece = 256
)

// floors are the weights, relative to the most likely token's, down to which a
// filter looks, one after the other until it has seen enough. Rarely is there
// need for more than the first few.
var floors = [...]float32{1. / 8, 1. / 64, 1. / 4096, 0}

// sampler is the memory that drawing a token needs.
type sampler struct {
	weights  []float32 // exp((logit-max)/temperature)
	pieces   []float32 // the sum of each piece of weights
	bins     bins
	largest  []candidate
	adjusted []float32 // logits
}

func (s *sampler) draw(set *set, logits []float32, p *kernels.SampleParams, out *kernels.Sampled) {
	m := set.maximum(logits)
	z, logZ := 0.0, 0.0
	finite := !math.IsInf(float64(m), 0)
	if finite {
		z = s.weigh(set, logits, m, 1)
		logZ = math.Log(z)
	}
	out.Confidence = 0
	if p.Confidence > 0 && finite {
		out.Confidence = float32(logZ - meanOf(s.likeliest(logits, int(p.Confidence), finite), m))
	}
	if n := len(out.Top); n > 0 {
		likeliest := s.likeliest(logits, n, finite)
		for i := range out.Top {
			out.Top[i] = kernels.TokenLogProb{Token: -1, LogProb: -math.MaxFloat32}
			if i < len(likeliest) {
				c := likeliest[i]
				out.Top[i] = kernels.TokenLogProb{Token: c.token, LogProb: logProb(c.logit, m, logZ)}
			}
		}
	}
	switch {
	case p.Forced > 0:
		out.Token = p.Forced - 1
	case p.Adjust != nil:
		out.Token = s.drawAdjusted(set, logits, p)
	case p.Temperature > 0 && finite:
		out.Token = s.pick(set, logits, m, z, p)
	default:
		out.Token = first(logits, m)
	}
	out.LogProb = logProb(logits[out.Token], m, logZ)
}

// first is the first token of the logit m.
func first(logits []float32, m float32) int32 { return int32(max(0, slices.Index(logits, m))) }

// logProb is the log-probability of a logit where m is the largest and logZ the
// logarithm of the sum of exp(logit-m).
func logProb(logit, m float32, logZ float64) float32 {
	switch {
	case math.IsInf(float64(logit), 1):
		return 0
	case math.IsInf(float64(m), 1) || !(logit >= -math.MaxFloat32):
		return -math.MaxFloat32
	}
	return float32(max(float64(logit)-float64(m)-logZ, -math.MaxFloat32))
}

// likeliest is the n tokens of the largest logits in order, equals in order of
// token, those that are -Inf or NaN left out. If weighed, weights and pieces are
// those of the logits at temperature 1, and a piece that adds up to less than the
// weight of the last one kept is not looked at.
func (s *sampler) likeliest(logits []float32, n int, weighed bool) []candidate {
	top := s.largest[:0]
	floor, least := float32(math.Inf(-1)), float32(-1)
	for i := range ceil(len(logits), piece) {
		if weighed && s.pieces[i] < least {
			continue
		}
		lo := i * piece
		for j, l := range logits[lo:min(lo+piece, len(logits))] {
			if !(l > floor) {
				continue
			}
			if len(top) < n {
				top = append(top, candidate{})
			}
			at := len(top) - 1
			for ; at > 0 && top[at-1].logit < l; at-- {
				top[at] = top[at-1]
			}
			top[at] = candidate{l, int32(lo + j)}
			if len(top) == n {
				floor = top[n-1].logit
				if weighed {
					least = s.weights[top[n-1].token] * (1 - 1./1024) // for the exponential's last bits
				}
			}
		}
	}
	s.largest = top
	return top
}

// meanOf is the mean of logits less m.
func meanOf(candidates []candidate, m float32) float64 {
	sum := 0.0
	for _, c := range candidates {
		sum += float64(c.logit - m)
	}
	return sum / float64(len(candidates))
}

// weigh fills weights with exp((logits-m)*scale) and returns their sum.
func (s *sampler) weigh(set *set, logits []float32, m, scale float32) float64 {
	s.weights = grow(s.weights, len(logits))
	s.pieces = grow(s.pieces, ceil(len(logits), piece))
	sum := 0.0
	for i := range s.pieces {
		lo, hi := i*piece, min((i+1)*piece, len(logits))
		s.pieces[i] = set.expSum(s.weights[lo:hi], logits[lo:hi], m, scale)
		sum += float64(s.pieces[i])
	}
	return sum
}

// pick draws a token at a temperature above 0. m is the largest logit; z is the sum
// of the weights at temperature 1 if they have been made, else 0.
func (s *sampler) pick(set *set, logits []float32, m float32, z float64, p *kernels.SampleParams) int32 {
	scale := 1 / p.Temperature
	if math.IsInf(float64(scale), 0) {
		return first(logits, m)
	}
	if scale != 1 || z == 0 {
		z = s.weigh(set, logits, m, scale)
	}
	u := kernels.Uniform(p.Seed, p.Trace, p.Position)
	byCount := p.TopK > 0 && int(p.TopK) < len(logits)
	byMass := p.TopP > 0 && p.TopP < 1
	if !byCount && !byMass && p.MinP <= 0 {
		return s.walk(u, z)
	}
	b := &s.bins
	var end prefix
	for i, enough := 0, false; i < len(floors) && !enough; i++ {
		b.fill(logits, s.weights, s.pieces, m, scale, floors[i])
		end = b.all()
		switch {
		case byCount:
			enough = len(b.tokens) >= int(p.TopK)
		case byMass:
			enough = end.mass >= float64(p.TopP)*z
		default:
			enough = floors[i] < p.MinP/2
		}
	}
	if byCount {
		end = b.firstTokens(int(p.TopK))
		z = end.mass
	}
	if byMass {
		end = end.shorter(b.firstMass(float64(p.TopP) * z))
	}
	if p.MinP > 0 {
		floor := float64(m) + float64(p.Temperature)*math.Log(float64(min(p.MinP, 1)))
		end = end.shorter(b.firstLogits(float32(floor)))
	}
	return b.walk(u, end)
}

// walk returns the first token at which the sum of weights exceeds the share u
// of the whole, z: it finds the piece and then walks through it.
func (s *sampler) walk(u, z float64) int32 {
	target, sum, i := below(u*z, z), 0.0, 0
	for ; sum+float64(s.pieces[i]) <= target; i++ {
		sum += float64(s.pieces[i])
	}
	weights := s.weights[i*piece : min((i+1)*piece, len(s.weights))]
	total := 0.0
	for _, w := range weights {
		total += float64(w)
	}
	// total differs from the piece's sum, which is rounded in another order.
	target = below((target-sum)/float64(s.pieces[i])*total, total)
	sum = 0
	for j, w := range weights {
		if sum += float64(w); sum > target {
			return int32(i*piece + j)
		}
	}
	panic("cpu: sample: no token at the target")
}
