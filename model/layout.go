package model

import (
	"fmt"

	"deepprune/weights"
)

// finding looks up a tensor that the config calls for. It returns nil after an
// error, and always if it only lists names and shapes.
type finding func(name string, shape ...int) *weights.Tensor

// tensors is the tensors of a checkpoint; what the config does not call for is nil.
type tensors struct {
	embedding, finalNorm, head, score *weights.Tensor
	layers                            []layerTensors
}

// layerTensors is the tensors of one layer. Those of a list are stacked.
type layerTensors struct {
	inputNorm, mlpNorm, qNorm, kNorm *weights.Tensor
	sinks                            *weights.Tensor
	qkv, qkvBias                     []*weights.Tensor
	output, outputBias               *weights.Tensor
	feedForward                      *feedForwardTensors // or
	experts                          *expertTensors
}

type feedForwardTensors struct {
	gateUp, gateUpBias []*weights.Tensor
	down, downBias     *weights.Tensor
}

type expertTensors struct {
	router, routerBias, correction *weights.Tensor
	gateUp, gateUpBias             perExpert
	down, downBias                 perExpert
	shared                         *feedForwardTensors
}

// perExpert is the tensors of each expert, which are stacked.
type perExpert [][]*weights.Tensor

func (p *perExpert) add(parts ...*weights.Tensor) { *p = append(*p, parts) }

// globals finds the tensors outside of the layers.
func (c *Config) globals(find finding) (t tensors) {
	t.embedding = find("model.embed_tokens.weight", c.VocabSize, c.HiddenSize)
	t.finalNorm = find("model.norm.weight", c.HiddenSize)
	switch {
	case c.Labels > 0:
		t.score = find("score.weight", c.Labels, c.HiddenSize)
	case !c.TiedHead:
		t.head = find("lm_head.weight", c.VocabSize, c.HiddenSize)
	}
	return t
}

// layer finds the tensors of layer i.
func (c *Config) layer(i int, find finding) (t layerTensors) {
	h, q, kv := c.HiddenSize, c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	layer := fmt.Sprintf("model.layers.%d.", i)
	attention := layer + "self_attn."
	t.inputNorm = find(layer+"input_layernorm.weight", h)
	for _, p := range []struct {
		name string
		out  int
	}{{"q_proj", q}, {"k_proj", kv}, {"v_proj", kv}} {
		weight, bias := find.linear(attention+p.name, p.out, h, c.QKVBias)
		t.qkv, t.qkvBias = append(t.qkv, weight), append(t.qkvBias, bias)
	}
	t.output, t.outputBias = find.linear(attention+"o_proj", h, q, c.OutputBias)
	if c.QKNorm {
		t.qNorm = find(attention+"q_norm.weight", c.HeadDim)
		t.kNorm = find(attention+"k_norm.weight", c.HeadDim)
	}
	if c.Sinks {
		t.sinks = find(attention+"sinks", c.Heads)
	}
	t.mlpNorm = find(layer+"post_attention_layernorm.weight", h)
	if c.Experts.in(i) {
		t.experts = architectures[c.Architecture].experts(c, layer, find)
	} else {
		t.feedForward = find.feedForward(layer+"mlp.", h, c.IntermediateSize, c.MLPBias)
	}
	return t
}

// linear finds a linear layer.
func (find finding) linear(name string, out, in int, biased bool) (weight, bias *weights.Tensor) {
	weight = find(name+".weight", out, in)
	if biased {
		bias = find(name+".bias", out)
	}
	return weight, bias
}

// feedForward finds the three linear layers of a gated feed-forward layer.
func (find finding) feedForward(name string, h, inner int, biased bool) *feedForwardTensors {
	var t feedForwardTensors
	for _, p := range []string{"gate_proj", "up_proj"} {
		weight, bias := find.linear(name+p, inner, h, biased)
		t.gateUp, t.gateUpBias = append(t.gateUp, weight), append(t.gateUpBias, bias)
	}
	t.down, t.downBias = find.linear(name+"down_proj", h, inner, biased)
	return &t
}

// separateExperts are experts with tensors of their own.
func separateExperts(c *Config, layer string, find finding) *expertTensors {
	x, h := &c.Experts, c.HiddenSize
	var t expertTensors
	t.router, t.routerBias = find.linear(layer+"mlp.gate", x.Count, h, x.Biases)
	if x.Correction {
		t.correction = find(layer+"mlp.gate.e_score_correction_bias", x.Count)
	}
	for e := range x.Count {
		one := find.feedForward(fmt.Sprintf("%smlp.experts.%d.", layer, e), h, x.IntermediateSize, x.Biases)
		t.gateUp.add(one.gateUp...)
		t.gateUpBias.add(one.gateUpBias...)
		t.down.add(one.down)
		t.downBias.add(one.downBias)
	}
	if x.SharedSize > 0 {
		t.shared = find.feedForward(layer+"mlp.shared_experts.", h, x.SharedSize, false)
	}
	return &t
}

// rotatedFirst puts the numbers of queries and keys in an order in which each that
// is rotated lies half a head from the one it is rotated with, which devices expect.
// Of n numbers, r are rotated, i with i+r/2; the others go behind each half of them:
//
//	0 … r/2-1 | r … (r+n)/2-1 | r/2 … r-1 | (r+n)/2 … n-1
//
// The product of a query and a key is the same in any order.
func (c *Config) rotatedFirst(t *layerTensors) {
	if c.RotaryDim == c.HeadDim {
		return
	}
	n, r := c.HeadDim, c.RotaryDim
	from := func(i int) int {
		head, i := i/n*n, i%n
		side, i := i/(n/2), i%(n/2)
		if i < r/2 {
			return head + side*r/2 + i
		}
		return head + r + side*(n-r)/2 + i - r/2
	}
	columns := func(t *weights.Tensor) *weights.Tensor {
		if t == nil {
			return nil
		}
		return weights.ReorderedColumns(t, from)
	}
	for i := range 2 {
		t.qkv[i], t.qkvBias[i] = weights.Reordered(t.qkv[i], from), columns(t.qkvBias[i])
	}
	t.qNorm, t.kNorm = columns(t.qNorm), columns(t.kNorm)
}
