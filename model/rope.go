package model

import (
	"errors"
	"fmt"
	"math"
	"reflect"

	"deepprune/kernels"
)

// Scaling is how a model's rotary positions reach further than the context it
// was first trained on. The zero value is none.
type Scaling struct {
	Kind   string  // "", "linear", "dynamic", "llama3", "yarn" or "factors"
	Factor float64 // how many times as far
	// Original is the context before.
	Original int

	// Of llama3: a frequency that turns less than Low times over the original
	// context is divided by the factor, one that turns more than High times stays.
	Low, High float64

	// Of yarn: the same with BetaSlow and BetaFast, but the way between the two is
	// straight in the index of the frequency. Truncate makes its ends whole.
	BetaSlow, BetaFast float64
	Truncate           bool
	// Factors divide the frequencies, one by one, for "factors": what becomes of
	// llama3 in a GGUF file.
	Factors []float64
	// Magnitude multiplies queries and keys; it is 1 for the other kinds.
	Magnitude float64
}

// maxFactor is far above the scalings in use.
const maxFactor = 1 << 16

// ropeJSON is rope_scaling, or rope_parameters as it is called since it holds
// the base, too.
type ropeJSON struct {
	RopeType      string   `json:"rope_type"`
	Type          string   `json:"type"` // of older files
	Theta         *float64 `json:"rope_theta"`
	PartialRotary *float64 `json:"partial_rotary_factor"`

	Factor   *float64 `json:"factor"`
	Original *int     `json:"original_max_position_embeddings"`

	Factors []float64 `json:"factors"`

	Low  *float64 `json:"low_freq_factor"`
	High *float64 `json:"high_freq_factor"`

	BetaFast      *float64 `json:"beta_fast"`
	BetaSlow      *float64 `json:"beta_slow"`
	Truncate      *bool    `json:"truncate"`
	Magnitude     *float64 `json:"attention_factor"`
	MagnitudeBy   *float64 `json:"attn_factor"`
	MScale        *float64 `json:"mscale"`
	MScaleAllDims *float64 `json:"mscale_all_dim"`
}

// rope reads how positions are rotated. A config that has both the older and the
// newer field must say the same in them.
func (f *configJSON) rope(c *Config, partial float64) error {
	whole := partial == 0
	if whole {
		partial = 1
	}
	partial = value(f.PartialRotary, partial)
	for _, r := range []*ropeJSON{f.RopeScaling, f.RopeParameters} {
		if r != nil {
			partial = value(r.PartialRotary, partial)
		}
	}
	c.RotaryDim = int(float64(c.HeadDim) * partial)
	if whole && partial != 1 || !(partial > 0 && partial <= 1) || c.RotaryDim < 2 || c.RotaryDim%2 != 0 {
		return fmt.Errorf("partial_rotary_factor: %v of heads of %d is not supported", partial, c.HeadDim)
	}
	c.RopeTheta = value(f.RopeTheta, 10000)
	var given []Scaling
	for _, field := range []struct {
		name string
		rope *ropeJSON
	}{{"rope_scaling", f.RopeScaling}, {"rope_parameters", f.RopeParameters}} {
		r := field.rope
		if r == nil {
			continue
		}
		if r.RopeType == "" && r.Type == "" && r.Theta == nil && r.PartialRotary == nil {
			return fmt.Errorf("%s: neither a type nor rope_theta", field.name)
		}
		s, err := r.scaling(c, f.OriginalPositions)
		if err != nil {
			return fmt.Errorf("%s%w", field.name, err)
		}
		given = append(given, s)
		c.RopeTheta = value(r.Theta, c.RopeTheta)
	}
	if !(c.RopeTheta > 1 && c.RopeTheta <= math.MaxFloat32) {
		return fmt.Errorf("rope_theta: %v is not above 1", c.RopeTheta)
	}
	if len(given) == 2 && !reflect.DeepEqual(given[0], given[1]) {
		return errors.New("rope_scaling and rope_parameters: they differ")
	}
	if len(given) > 0 {
		c.Scaling = given[0]
	}
	return nil
}

// scaling reads what a type needs. original is what the config says outside,
// which goes before what it says here. Errors begin after the name of the field.
func (r *ropeJSON) scaling(c *Config, original *int) (Scaling, error) {
	positions := c.MaxPositions
	kind := r.RopeType
	if kind == "" {
		kind = r.Type
	}
	s := Scaling{Kind: kind, Original: positions, Magnitude: 1}
	switch kind {
	case "", "default":
		return Scaling{}, nil
	case "linear", "dynamic":
	case "factors":
		s.Factors = r.Factors
		if len(s.Factors) != c.RotaryDim/2 {
			return s, fmt.Errorf(".factors: %d of them for %d rotated numbers", len(s.Factors), c.RotaryDim)
		}
		for _, f := range s.Factors {
			if !(f >= 1.0/maxFactor && f <= maxFactor) {
				return s, fmt.Errorf(".factors: %v is not between 1/%d and %d", f, maxFactor, maxFactor)
			}
		}
		return s, nil
	case "llama3", "yarn":
		s.Original = value(or(original, r.Original), positions)
		if s.Original < 1 || s.Original > maxPositions {
			return s, fmt.Errorf(".original_max_position_embeddings: %d is not between 1 and %d", s.Original, maxPositions)
		}
	default:
		return s, fmt.Errorf(": rotary positions of type %q are not supported, only default, dynamic, linear, llama3 and yarn", kind)
	}
	switch {
	case r.Factor != nil:
		s.Factor = *r.Factor
	case kind == "yarn":
		s.Factor = float64(positions) / float64(s.Original)
	default:
		return s, errors.New(".factor: missing")
	}
	if !(s.Factor >= 1 && s.Factor <= maxFactor) {
		return s, fmt.Errorf(".factor: %v is not between 1 and %d", s.Factor, maxFactor)
	}
	switch kind {
	case "llama3":
		if r.Low == nil || r.High == nil {
			return s, errors.New(": low_freq_factor or high_freq_factor is missing")
		}
		s.Low, s.High = *r.Low, *r.High
		if !(0 < s.Low && s.Low < s.High && s.High <= maxFactor) {
			return s, fmt.Errorf(": low_freq_factor %v and high_freq_factor %v are not in order between 0 and %d", s.Low, s.High, maxFactor)
		}
	case "yarn":
		// As the reference has it, 0 is the default, too.
		s.BetaFast, s.BetaSlow, s.Truncate = nonzero(r.BetaFast, 32), nonzero(r.BetaSlow, 1), value(r.Truncate, true)
		if !(0 < s.BetaSlow && s.BetaSlow <= s.BetaFast && s.BetaFast <= maxFactor) {
			return s, fmt.Errorf(": beta_slow %v and beta_fast %v are not in order between 0 and %d", s.BetaSlow, s.BetaFast, maxFactor)
		}
		switch all := value(r.MScaleAllDims, 0); {
		case r.Magnitude != nil && r.MagnitudeBy != nil:
			return s, errors.New(": attention_factor and attn_factor: want one of them")
		case r.Magnitude != nil:
			s.Magnitude = *r.Magnitude
		case all != 0 && value(r.MScale, 0) != 0:
			s.Magnitude = s.magnitude(*r.MScale) / s.magnitude(all)
		default:
			s.Magnitude = s.magnitude(1)
		}
		// DeepSeek-R1-0528-Qwen3-8B has the parameter of the original implementation
		// of YaRN, which vLLM, SGLang and llama.cpp multiply with; its makers undo the
		// magnitude with it. The reference warns that it does not know the field.
		s.Magnitude *= value(r.MagnitudeBy, 1)
		if !(s.Magnitude > 0 && s.Magnitude <= maxFactor) {
			return s, fmt.Errorf(": an attention_factor of %v is not between 0 and %d", s.Magnitude, maxFactor)
		}
	}
	return s, nil
}

// magnitude is what keeps the entropy of attention when it is stretched (YaRN,
// section 3.4, equation 22), weighted.
func (s *Scaling) magnitude(weight float64) float64 { return 0.1*weight*math.Log(s.Factor) + 1 }

// value is *p, or what to take where p is nil.
func value[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

func nonzero(p *float64, otherwise float64) float64 {
	if v := value(p, 0); v != 0 {
		return v
	}
	return otherwise
}

// LongestContext is the longest sequence that the rotary positions are made for.
// It is more than MaxPositions where that is the context before the scaling.
func (c *Config) LongestContext() int {
	longest := float64(c.MaxPositions)
	switch s := &c.Scaling; s.Kind {
	case "linear", "dynamic", "yarn":
		longest = max(longest, math.Floor(s.Factor*float64(s.Original)))
	}
	return int(min(longest, maxPositions))
}

// frequencies are the angles that the pairs of a head turn by from one position
// to the next, for sequences of up to context tokens. With d numbers that are rotated,
//
//	default   f[i] = theta^(-2i/d)
//	linear    f[i]/factor
//	dynamic   f[i] with theta·(factor·n/original-factor+1)^(d/(d-2)), n = max(context, original)
//	llama3    f[i], f[i]/factor, or between them by the turns over the original context
//	yarn      the same between bounds of i (YaRN, arXiv 2309.00071, section 3.2)
//	factors   f[i]/factors[i]
//
// The reference recomputes the dynamic base as a sequence grows, which leaves keys
// of one sequence turned by different frequencies, depending on how it was
// computed. Here it is that of the longest sequence from the start.
func (c *Config) frequencies(context int) []float64 {
	s, d := &c.Scaling, float64(c.RotaryDim)
	theta := c.RopeTheta
	if s.Kind == "dynamic" {
		n := max(float64(context)/float64(s.Original), 1)
		theta *= math.Pow(s.Factor*n-s.Factor+1, d/(d-2))
	}
	kept := func(int, float64) float64 { return 0 } // the share of f[i] that stays
	switch s.Kind {
	case "llama3":
		kept = func(_ int, f float64) float64 {
			turns := float64(s.Original) * f / (2 * math.Pi)
			return (turns - s.Low) / (s.High - s.Low)
		}
	case "yarn":
		first, last := s.yarnRange(c.RotaryDim, theta)
		kept = func(i int, _ float64) float64 { return 1 - (float64(i)-first)/(last-first) }
	}
	frequencies := make([]float64, c.RotaryDim/2)
	for i := range frequencies {
		f := math.Pow(theta, -2*float64(i)/d)
		switch s.Kind {
		case "linear", "llama3", "yarn":
			share := min(max(kept(i, f), 0), 1)
			f = share*f + (1-share)*f/s.Factor
		case "factors":
			f /= s.Factors[i]
		}
		frequencies[i] = f
	}
	return frequencies
}

// yarnRange is the last index whose frequency is kept and the first whose
// frequency is divided by the whole factor. The frequency that turns n times over
// the original context has the index d·ln(original/2πn) / 2·ln(theta).
func (s *Scaling) yarnRange(dim int, theta float64) (first, last float64) {
	at := func(turns float64) float64 {
		return float64(dim) * math.Log(float64(s.Original)/(turns*2*math.Pi)) / (2 * math.Log(theta))
	}
	first, last = at(s.BetaFast), at(s.BetaSlow)
	if s.Truncate {
		first, last = math.Floor(first), math.Ceil(last)
	}
	first, last = max(first, 0), min(last, float64(dim-1))
	if first == last {
		last += 0.001 // as the reference has it
	}
	return first, last
}

// rotaryTables makes the cosines and sines of position·frequency, computed in
// float64: at large positions float32 loses the fraction of the angle. Pairs that are
// not rotated come last, see rotatedFirst, and are turned by nothing.
func (u *uploader) rotaryTables(cfg *Config, positions int) (cos, sin kernels.Tensor) {
	if u.err != nil {
		return nil, nil
	}
	half := cfg.HeadDim / 2
	magnitude := 1.0
	if cfg.Scaling.Kind != "" {
		magnitude = cfg.Scaling.Magnitude
	}
	c, s := make([]float32, positions*half), make([]float32, positions*half)
	for i := range c {
		c[i] = 1
	}
	for i, frequency := range cfg.frequencies(positions) {
		for p := range positions {
			sin, cos := math.Sincos(float64(p) * frequency)
			c[p*half+i], s[p*half+i] = float32(cos*magnitude), float32(sin*magnitude)
		}
	}
	if cos, u.err = u.device.Upload(c, positions, half); u.err == nil {
		sin, u.err = u.device.Upload(s, positions, half)
	}
	if u.err != nil {
		u.err = fmt.Errorf("rotary tables of %d positions: %w", positions, u.err)
	}
	return cos, sin
}
