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
	j.out[i] = w.sampler.draw(j.set, j.logits.row(i), &j.params[i])
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
	weights []float32 // exp((logit-max)/temperature)
	pieces  []float32 // the sum of each piece of weights
	bins    bins
	largest []float32
}

func (s *sampler) draw(set *set, logits []float32, p *kernels.SampleParams) kernels.Sampled {
	m := set.maximum(logits)
	best := int32(max(0, slices.Index(logits, m)))
	switch {
	case math.IsInf(float64(m), 1):
		return kernels.Sampled{Token: best}
	case math.IsInf(float64(m), -1):
		return kernels.Sampled{Token: best, LogProb: -math.MaxFloat32}
	}
	z := s.weigh(set, logits, m, 1)
	token := best
	if p.Temperature > 0 {
		token = s.pick(set, logits, m, best, z, p)
	}
	logZ := math.Log(z)
	out := kernels.Sampled{Token: token, LogProb: float32(float64(logits[token]-m) - logZ)}
	if p.Confidence > 0 {
		out.Confidence = float32(logZ - s.meanOfLargest(logits, int(p.Confidence), m))
	}
	return out
}

// meanOfLargest is the mean of the n largest logits less m, those that are -Inf or
// NaN left out.
func (s *sampler) meanOfLargest(logits []float32, n int, m float32) float64 {
	top := s.largest[:0] // descending
	for _, l := range logits {
		if len(top) == n && l <= top[n-1] || !(l >= -math.MaxFloat32) { // -Inf or NaN
			continue
		}
		if len(top) < n {
			top = append(top, l)
		}
		i := len(top) - 1
		for ; i > 0 && top[i-1] < l; i-- {
			top[i] = top[i-1]
		}
		top[i] = l
	}
	s.largest = top
	sum := 0.0
	for _, l := range top {
		sum += float64(l - m)
	}
	return sum / float64(len(top))
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

// pick draws a token at a temperature above 0. m is the largest logit, best the
// first token that has it, z the sum of the weights at temperature 1.
func (s *sampler) pick(set *set, logits []float32, m float32, best int32, z float64, p *kernels.SampleParams) int32 {
	scale := 1 / p.Temperature
	if math.IsInf(float64(scale), 0) {
		return best
	}
	if scale != 1 {
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
		b.fill(logits, s.weights, m, scale, floors[i])
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
