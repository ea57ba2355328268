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

	feedForward *feedForward // or
	experts     *mixture
}

// feedForward is the weights of a gated feed-forward layer.
type feedForward struct {
	gateUp     kernels.Matrix // rows of the gate, then rows of up
	gateUpBias kernels.Tensor // or nil
	down       kernels.Matrix
	downBias   kernels.Tensor // or nil
}

// mixture is the weights of a mixture of feed-forward layers.
type mixture struct {
	router     kernels.Matrix
	routerBias kernels.Tensor // or nil
	spec       kernels.RouterSpec
	gateUp     kernels.Experts // of each, rows of the gate, then rows of up
	gateUpBias kernels.Tensor  // or nil
	down       kernels.Experts
	downBias   kernels.Tensor // or nil
	shared     *feedForward   // that every row goes through, or nil
}

// Decoder runs forward passes of a model. It has device memory for the widest
// step it was made for and allocates nothing in a step. It uses the device, and
// is for one goroutine at a time.
type Decoder struct {
	m                  *Model
	maxRows, maxLogits int

	// One row per row of the batch:
	hidden   kernels.Tensor // the residual stream
	normed   kernels.Tensor // what a block reads
	qkv      kernels.Tensor
	attended kernels.Tensor
	dense    inner          // of feed-forward layers
	shared   inner          // of shared experts
	update   kernels.Tensor // what a block adds to the residual stream
	router   kernels.Tensor // logits of the experts
	// One row for each expert that a row of the batch chose:
	expertIn, expertOut kernels.Tensor
	expert              inner
	routing             kernels.Routing
	// One row per row whose logits are wanted:
	lastHidden, lastAttended, logits kernels.Tensor

	run func(*kernels.Batch, kernels.KV) // forward, as a value that is made once
}

// inner is the memory of a gated feed-forward layer.
type inner struct {
	gateUp, activated kernels.Tensor
}

// NewDecoder returns a decoder for batches of up to maxRows rows, maxLogits of
// them with logits.
func (m *Model) NewDecoder(maxRows, maxLogits int) (*Decoder, error) {
	if maxRows < 1 || maxLogits < 1 {
		return nil, fmt.Errorf("model: %s: decoder for %d rows and %d logits", m.Name, maxRows, maxLogits)
	}
	d := &Decoder{m: m, maxRows: maxRows, maxLogits: maxLogits}
	d.run = d.forward
	if err := d.allocate(); err != nil {
		return nil, fmt.Errorf("model: %s: decoder for %d rows and %d logits: %w", m.Name, maxRows, maxLogits, err)
	}
	return d, nil
}

func (d *Decoder) allocate() error {
	c, x := &d.m.Config, &d.m.Config.Experts
	entries := d.maxRows * x.Chosen
	for _, t := range []struct {
		tensor     *kernels.Tensor
		rows, cols int
	}{
		{&d.hidden, d.maxRows, c.HiddenSize},
		{&d.normed, d.maxRows, c.HiddenSize},
		{&d.qkv, d.maxRows, (c.Heads + 2*c.KVHeads) * c.HeadDim},
		{&d.attended, d.maxRows, c.Heads * c.HeadDim},
		{&d.dense.gateUp, d.maxRows, 2 * c.IntermediateSize},
		{&d.dense.activated, d.maxRows, c.IntermediateSize},
		{&d.shared.gateUp, d.maxRows, 2 * x.SharedSize},
		{&d.shared.activated, d.maxRows, x.SharedSize},
		{&d.update, d.maxRows, c.HiddenSize},
		{&d.router, d.maxRows, x.Count},
		{&d.expertIn, entries, c.HiddenSize},
		{&d.expert.gateUp, entries, 2 * x.IntermediateSize},
		{&d.expert.activated, entries, x.IntermediateSize},
		{&d.expertOut, entries, c.HiddenSize},
		{&d.lastHidden, d.maxLogits, c.HiddenSize},
		{&d.lastAttended, d.maxLogits, c.Heads * c.HeadDim},
		{&d.logits, d.maxLogits, c.HeadSize()},
	} {
		if t.rows == 0 || t.cols == 0 {
			continue // not in this architecture
		}
		tensor, err := d.m.device.NewTensor(t.rows, t.cols)
		if err != nil {
			return err
		}
		*t.tensor = tensor
	}
	if x.Count == 0 {
		return nil
	}
	routing, err := d.m.device.NewRouting(d.maxRows, x.Count, x.Chosen)
	d.routing = routing
	return err
}

// Forward runs the model over a planned batch: keys and values go into kv, and
// row i of the result is the logits of row b.Logits[i]. The result is valid until
// the next Forward. A batch that is wider than the decoder, or reaches past the
// model's MaxContext, is a mistake in the program and panics.
//
//	hidden --norm--> qkv --rotary, KV--> attended --output--> + --norm--> feed-forward layer or experts --> + --> next layer
//
// In the last layer the rows whose logits nobody wants end after the attention;
// if nobody wants any, the last layer ends with the writing of its keys and
// values. Rows do not depend on each other there, so the bits are the same.
func (d *Decoder) Forward(b *kernels.Batch, kv kernels.KV) kernels.Tensor {
	if b.Rows() > d.maxRows || len(b.Logits) > d.maxLogits {
		panic(fmt.Sprintf("model: batch of %d rows and %d logits; the decoder was made for %d and %d", b.Rows(), len(b.Logits), d.maxRows, d.maxLogits))
	}
	for _, p := range b.Positions {
		if int(p) >= d.m.maxContext {
			panic(fmt.Sprintf("model: position %d; %s has a context of %d", p, d.m.Name, d.m.maxContext))
		}
	}
	if s, ok := d.m.device.(kernels.Stepper); ok {
		s.Step(d, kv, min(d.maxRows, d.maxLogits), b, d.run)
	} else {
		d.forward(b, kv)
	}
	return d.logits
}

// forward is the operations of Forward.
func (d *Decoder) forward(b *kernels.Batch, kv kernels.KV) {
	m, dev, rows := d.m, d.m.device, b.Rows()
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
			return
		}
		dev.Attention(attended, d.qkv, &l.rotary.AttentionSpec, kv, i, b)
		if last && len(b.Logits) < rows {
			dev.Gather(d.lastAttended, attended, b.Logits)
			dev.Gather(d.lastHidden, hidden, b.Logits)
			hidden, attended, rows = d.lastHidden, d.lastAttended, len(b.Logits)
		}
		dev.Linear(d.update, attended, l.output, l.outputBias, rows)
		dev.AddRMSNorm(d.normed, hidden, d.update, l.mlpNorm, rows, eps)
		if l.experts != nil {
			d.mix(l.experts, rows)
		} else {
			d.feed(l.feedForward, &d.dense, rows)
		}
		next := m.finalNorm
		if !last {
			next = m.layers[i+1].inputNorm
		}
		dev.AddRMSNorm(d.normed, hidden, d.update, next, rows, eps)
	}
	dev.Linear(d.logits, d.normed, m.head, nil, rows)
}

// feed runs a feed-forward layer over normed and writes update.
//
//	normed --gate|up--> gateUp --SwiGLU--> activated --down--> update
func (d *Decoder) feed(f *feedForward, in *inner, rows int) {
	dev := d.m.device
	dev.Linear(in.gateUp, d.normed, f.gateUp, f.gateUpBias, rows)
	dev.SwiGLU(in.activated, in.gateUp, rows)
	dev.Linear(d.update, in.activated, f.down, f.downBias, rows)
}

// mix is feed with the experts that each row chooses, and the shared one before them.
func (d *Decoder) mix(x *mixture, rows int) {
	dev, c := d.m.device, &d.m.Config.Experts
	if x.shared != nil {
		d.feed(x.shared, &d.shared, rows)
	}
	dev.Linear(d.router, d.normed, x.router, x.routerBias, rows)
	dev.Route(d.routing, d.router, &x.spec, rows)
	dev.Dispatch(d.expertIn, d.normed, d.routing)
	dev.ExpertLinear(d.expert.gateUp, d.expertIn, x.gateUp, x.gateUpBias, d.routing)
	if entries := d.routing.Entries(); c.Limit > 0 {
		dev.ClampedSwiGLU(d.expert.activated, d.expert.gateUp, entries, float32(c.Alpha), float32(c.Limit))
	} else {
		dev.SwiGLU(d.expert.activated, d.expert.gateUp, entries)
	}
	dev.ExpertLinear(d.expertOut, d.expert.activated, x.down, x.downBias, d.routing)
	dev.Combine(d.update, d.expertOut, d.routing, x.shared != nil)
}
