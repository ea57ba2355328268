package model

import (
	"fmt"
	"strings"
)

// tensors calls visit for every tensor of a checkpoint with this config.
func (c *Config) tensors(visit func(name string, shape ...int)) {
	h, q, kv := c.HiddenSize, c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	visit("model.embed_tokens.weight", c.VocabSize, h)
	visit("model.norm.weight", h)
	switch {
	case c.Labels > 0:
		visit("score.weight", c.Labels, h)
	case !c.TiedHead:
		visit("lm_head.weight", c.VocabSize, h)
	}
	for i := range c.Layers {
		layer := fmt.Sprintf("model.layers.%d.", i)
		linear := func(name string, out, in int, bias bool) {
			visit(layer+name+".weight", out, in)
			if bias {
				visit(layer+name+".bias", out)
			}
		}
		visit(layer+"input_layernorm.weight", h)
		linear("self_attn.q_proj", q, h, c.QKVBias)
		linear("self_attn.k_proj", kv, h, c.QKVBias)
		linear("self_attn.v_proj", kv, h, c.QKVBias)
		linear("self_attn.o_proj", h, q, c.OutputBias)
		if c.QKNorm {
			visit(layer+"self_attn.q_norm.weight", c.HeadDim)
			visit(layer+"self_attn.k_norm.weight", c.HeadDim)
		}
		visit(layer+"post_attention_layernorm.weight", h)
		linear("mlp.gate_proj", c.IntermediateSize, h, c.MLPBias)
		linear("mlp.up_proj", c.IntermediateSize, h, c.MLPBias)
		linear("mlp.down_proj", h, c.IntermediateSize, c.MLPBias)
	}
}

// Parameters is the number of weights, a tied head counted once.
func (c *Config) Parameters() int64 {
	one := *c
	one.Layers = 1 // all layers are alike
	total, layer := int64(0), int64(0)
	one.tensors(func(name string, shape ...int) {
		n := int64(1)
		for _, d := range shape {
			n *= int64(d)
		}
		total += n
		if strings.HasPrefix(name, "model.layers.") {
			layer += n
		}
	})
	return total + int64(c.Layers-1)*layer
}

// LoadedBytes is the memory that a model takes once it is loaded for sequences of
// up to context tokens: weights and rotary tables, as float32 whatever their type
// in the checkpoint.
func (c *Config) LoadedBytes(context int) int64 {
	return 4 * (c.Parameters() + int64(context)*int64(c.HeadDim))
}
