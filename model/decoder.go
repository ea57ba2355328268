package model

import (
	"fmt"

	"deepprune/kernels"
)

// layer is the weights of one decoder layer. Matrices that read the same input
// are stacked, so that a device reads it once.
type layer struct {
	inputNorm  kernels.Tensor
	qkv        kernels.Matrix // rows of queries, keys, values
	qkvBias    kernels.Tensor // or nil
	rotary     kernels.RotarySpec
	output     kernels.Matrix
	outputBias kernels.Tensor // or nil
	mlpNorm    kernels.Tensor
	gateUp     kernels.Matrix // rows of the gate, then rows of up
	gateUpBias kernels.Tensor // or nil
	down       kernels.Matrix
	downBias   kernels.Tensor // or nil
}

// Decoder runs forward passes of a model. It has device memory for the widest
// step it was made for and allocates nothing in a step. It uses the device, and
// is for one goroutine at a time.
type Decoder struct {
	m                  *Model
	maxRows, maxLogits int

	// One row per row of the batch:
	hidden    kernels.Tensor // the residual stream
	normed    kernels.Tensor // what a block reads
	qkv       kernels.Tensor
	attended  kernels.Tensor
	gateUp    kernels.Tensor
	activated kernels.Tensor
	update    kernels.Tensor // what a block adds to the residual stream
	// One row per row whose logits are wanted:
	lastHidden, lastAttended, logits kernels.Tensor
}

// NewDecoder returns a decoder for batches of up to maxRows rows, maxLogits of
// them with logits.
func (m *Model) NewDecoder(maxRows, maxLogits int) (*Decoder, error) {
	if maxRows < 1 || maxLogits < 1 {
		return nil, fmt.Errorf("model: %s: decoder for %d rows and %d logits", m.Name, maxRows, maxLogits)
	}
	c := &m.Config
	d := &Decoder{m: m, maxRows: maxRows, maxLogits: maxLogits}
	for _, t := range []struct {
		tensor     *kernels.Tensor
		rows, cols int
	}{
		{&d.hidden, maxRows, c.HiddenSize},
		{&d.normed, maxRows, c.HiddenSize},
		{&d.qkv, maxRows, (c.Heads + 2*c.KVHeads) * c.HeadDim},
		{&d.attended, maxRows, c.Heads * c.HeadDim},
		{&d.gateUp, maxRows, 2 * c.IntermediateSize},
		{&d.activated, maxRows, c.IntermediateSize},
		{&d.update, maxRows, c.HiddenSize},
		{&d.lastHidden, maxLogits, c.HiddenSize},
		{&d.lastAttended, maxLogits, c.Heads * c.HeadDim},
		{&d.logits, maxLogits, c.HeadSize()},
	} {
		tensor, err := m.device.NewTensor(t.rows, t.cols)
		if err != nil {
			return nil, fmt.Errorf("model: %s: decoder for %d rows and %d logits: %w", m.Name, maxRows, maxLogits, err)
		}
		*t.tensor = tensor
	}
	return d, nil
}

// Forward runs the model over a planned batch: keys and values go into kv, and
// row i of the result is the logits of row b.Logits[i]. The result is valid until
// the next Forward. A batch that is wider than the decoder, or reaches past the
// model's MaxContext, is a mistake in the program and panics.
//
//	hidden --norm--> qkv --rotary, KV--> attended --output--> + --norm--> gate|up --SwiGLU, down--> + --> next layer
//
// In the last layer the rows whose logits nobody wants end after the attention;
// if nobody wants any, the last layer ends with the writing of its keys and
// values. Rows do not depend on each other there, so the bits are the same.
func (d *Decoder) Forward(b *kernels.Batch, kv kernels.KV) kernels.Tensor {
	m, dev, rows := d.m, d.m.device, b.Rows()
	if rows > d.maxRows || len(b.Logits) > d.maxLogits {
		panic(fmt.Sprintf("model: batch of %d rows and %d logits; the decoder was made for %d and %d", rows, len(b.Logits), d.maxRows, d.maxLogits))
	}
	eps := float32(m.Config.RMSNormEps)
	hidden, attended := d.hidden, d.attended

	dev.Embed(hidden, m.embedding, b.Tokens)
	dev.RMSNorm(d.normed, hidden, m.layers[0].inputNorm, rows, eps)
	for i := range m.layers {
		l := &m.layers[i]
		dev.Linear(d.qkv, d.normed, l.qkv, l.qkvBias, rows)
		dev.RotaryWriteKV(d.qkv, &l.rotary, kv, i, b)
		last := i == len(m.layers)-1
		if last && len(b.Logits) == 0 {
			return d.logits
		}
		dev.Attention(attended, d.qkv, &l.rotary.AttentionSpec, kv, i, b)
		if last && len(b.Logits) < rows {
			dev.Gather(d.lastAttended, attended, b.Logits)
			dev.Gather(d.lastHidden, hidden, b.Logits)
			hidden, attended, rows = d.lastHidden, d.lastAttended, len(b.Logits)
		}
		dev.Linear(d.update, attended, l.output, l.outputBias, rows)
		dev.AddRMSNorm(d.normed, hidden, d.update, l.mlpNorm, rows, eps)
		dev.Linear(d.gateUp, d.normed, l.gateUp, l.gateUpBias, rows)
		dev.SwiGLU(d.activated, d.gateUp, rows)
		dev.Linear(d.update, d.activated, l.down, l.downBias, rows)
		next := m.finalNorm
		if !last {
			next = m.layers[i+1].inputNorm
		}
		dev.AddRMSNorm(d.normed, hidden, d.update, next, rows, eps)
	}
	dev.Linear(d.logits, d.normed, m.head, nil, rows)
	return d.logits
}
