// Package speed measures how fast the engine decodes the traces of a question, and
// how much that is of what the machine could do.
//
// [Run] has an engine decode groups of more and more traces on a [Clock], a device
// that notes how long its operations take, and probes the machine's limits before
// each of them. A [Report] has the figures; shares compare a step with the limits
// probed beside it, so they mean something on a machine that is not idle, too.
package speed

import (
	"time"

	"deepprune/kernels"
)

// Clock is a device that notes what the steps of a decoder cost. It is for one
// goroutine at a time, as any device.
type Clock struct {
	kernels.Device
	steps []step
	whole bool           // within Step of a device that has it
	keys  kernels.Tensor // that were written last
}

// step is a forward pass and what comes after it, until the next begins.
type step struct {
	at            time.Time // when it began
	rows, sampled int
	// What was spent in linear layers, attention and all other operations.
	linear, attention, rest time.Duration
}

// kernels is what was spent in the device.
func (s *step) kernels() time.Duration { return s.linear + s.attention + s.rest }

// NewClock returns a clock around a device. Models and engines are made on it.
func NewClock(d kernels.Device) *Clock { return &Clock{Device: d, steps: make([]step, 1, 1024)} }

// reset forgets all steps. What comes before the next counts for none.
func (c *Clock) reset() { c.steps = append(c.steps[:0], step{}) }

// last is the step in progress.
func (c *Clock) last() *step { return &c.steps[len(c.steps)-1] }

// Step is of [kernels.Stepper]. A device that has it does not do an operation when it
// is called, so only the whole of a step is timed there: it counts as neither linear
// nor attention.
func (c *Clock) Step(owner any, kv kernels.KV, most int, b *kernels.Batch, run func(*kernels.Batch, kernels.KV)) {
	device, ok := c.Device.(kernels.Stepper)
	if !ok {
		run(b, kv)
		return
	}
	start := time.Now()
	c.steps = append(c.steps, step{})
	c.whole = true
	device.Step(owner, kv, most, b, run)
	c.whole = false
	if len(b.Logits) == 0 { // nothing else waits for it
		c.Device.Read(c.keys, 0, make([]float32, 1))
	}
	*c.last() = step{at: start, rows: b.Rows(), rest: time.Since(start)}
}

// The operations of a device, timed: a step begins with its embedding.

func (c *Clock) Embed(dst kernels.Tensor, table kernels.Matrix, tokens []int32) {
	start := time.Now()
	if !c.whole {
		c.steps = append(c.steps, step{at: start, rows: len(tokens)})
	}
	c.Device.Embed(dst, table, tokens)
	c.last().rest += time.Since(start)
}

func (c *Clock) Linear(dst, x kernels.Tensor, w kernels.Matrix, bias kernels.Tensor, rows int) {
	start := time.Now()
	c.Device.Linear(dst, x, w, bias, rows)
	c.last().linear += time.Since(start)
}

func (c *Clock) ExpertLinear(dst, x kernels.Tensor, w kernels.Experts, bias kernels.Tensor, r kernels.Routing) {
	start := time.Now()
	c.Device.ExpertLinear(dst, x, w, bias, r)
	c.last().linear += time.Since(start)
}

func (c *Clock) Attention(dst, qkv kernels.Tensor, spec *kernels.AttentionSpec, kv kernels.KV, layer int, b *kernels.Batch) {
	start := time.Now()
	c.Device.Attention(dst, qkv, spec, kv, layer, b)
	c.last().attention += time.Since(start)
}

func (c *Clock) RotaryWriteKV(qkv kernels.Tensor, spec *kernels.RotarySpec, kv kernels.KV, layer int, b *kernels.Batch) {
	start := time.Now()
	c.Device.RotaryWriteKV(qkv, spec, kv, layer, b)
	c.keys = qkv
	c.last().rest += time.Since(start)
}

func (c *Clock) CopyBlock(kv kernels.KV, dst, src int32) {
	start := time.Now()
	c.Device.CopyBlock(kv, dst, src)
	c.last().rest += time.Since(start)
}

func (c *Clock) Gather(dst, src kernels.Tensor, rows []int32) {
	start := time.Now()
	c.Device.Gather(dst, src, rows)
	c.last().rest += time.Since(start)
}

func (c *Clock) RMSNorm(dst, x, weight kernels.Tensor, rows int, eps float32) {
	start := time.Now()
	c.Device.RMSNorm(dst, x, weight, rows, eps)
	c.last().rest += time.Since(start)
}

func (c *Clock) AddRMSNorm(dst, residual, x, weight kernels.Tensor, rows int, eps float32) {
	start := time.Now()
	c.Device.AddRMSNorm(dst, residual, x, weight, rows, eps)
	c.last().rest += time.Since(start)
}

func (c *Clock) SwiGLU(dst, gateUp kernels.Tensor, rows int) {
	start := time.Now()
	c.Device.SwiGLU(dst, gateUp, rows)
	c.last().rest += time.Since(start)
}

func (c *Clock) ClampedSwiGLU(dst, gateUp kernels.Tensor, rows int, alpha, limit float32) {
	start := time.Now()
	c.Device.ClampedSwiGLU(dst, gateUp, rows, alpha, limit)
	c.last().rest += time.Since(start)
}

func (c *Clock) Route(r kernels.Routing, logits kernels.Tensor, spec *kernels.RouterSpec, rows int) {
	start := time.Now()
	c.Device.Route(r, logits, spec, rows)
	c.last().rest += time.Since(start)
}

func (c *Clock) Dispatch(dst, x kernels.Tensor, r kernels.Routing) {
	start := time.Now()
	c.Device.Dispatch(dst, x, r)
	c.last().rest += time.Since(start)
}

func (c *Clock) Combine(dst, x kernels.Tensor, r kernels.Routing, add bool) {
	start := time.Now()
	c.Device.Combine(dst, x, r, add)
	c.last().rest += time.Since(start)
}

func (c *Clock) Sample(logits kernels.Tensor, params []kernels.SampleParams, out []kernels.Sampled) {
	start := time.Now()
	c.Device.Sample(logits, params, out)
	s := c.last()
	s.sampled += len(params)
	s.rest += time.Since(start)
}

func (c *Clock) Read(t kernels.Tensor, row int, dst []float32) {
	start := time.Now()
	c.Device.Read(t, row, dst)
	c.last().rest += time.Since(start)
}
