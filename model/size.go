package model

import (
	"deepprune/kernels"
	"deepprune/weights"
)

// Parameters is the number of weights, a tied head counted once.
func (c *Config) Parameters() int64 {
	total, _ := c.parameters()
	return total
}

// ActiveParameters is the number of weights that a token is computed with: all but
// those of experts that it does not choose.
func (c *Config) ActiveParameters() int64 {
	total, idle := c.parameters()
	return total - idle
}

// parameters counts the weights, and those of experts that a token does not choose.
// All layers with experts are alike, and all without.
func (c *Config) parameters() (total, idle int64) {
	count := func(list func(find finding)) (n int64) {
		list(func(_ string, shape ...int) *weights.Tensor {
			size := int64(1)
			for _, d := range shape {
				size *= int64(d)
			}
			n += size
			return nil
		})
		return n
	}
	total = count(func(find finding) { c.globals(find) })
	var alike [2]int64 // without and with experts
	for i := range c.Layers {
		kind := 0
		if c.Experts.in(i) {
			kind = 1
		}
		if alike[kind] == 0 {
			alike[kind] = count(func(find finding) { c.layer(i, find) })
		}
		total += alike[kind]
		if x := &c.Experts; kind == 1 {
			expert := 3 * int64(c.HiddenSize) * int64(x.IntermediateSize)
			if x.Biases {
				expert += 2*int64(x.IntermediateSize) + int64(c.HiddenSize)
			}
			idle += int64(x.Count-x.Chosen) * expert
		}
	}
	return total, idle
}

// LoadedBytes is the memory that a model takes once it is loaded for sequences of
// up to context tokens: weights kept in format, whatever their type in the
// checkpoint, and rotary tables.
func (c *Config) LoadedBytes(context int, format kernels.Format) int64 {
	return format.Bytes(c.Parameters()) + 4*int64(context)*int64(c.HeadDim)
}

// smallParameters is what a model has at most whose weights are read faster than a
// person notices in any format.
const smallParameters = 64 << 20

// DefaultFormat is a format that loses nothing that matters: float32 for small
// models, which are quick anyway, and bfloat16 for others. They are published in 16
// bits, and reading their weights is what a step takes the longest for.
func (c *Config) DefaultFormat() kernels.Format {
	if c.Parameters() < smallParameters {
		return kernels.F32
	}
	return kernels.BF16
}
