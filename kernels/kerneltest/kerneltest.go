// Package kerneltest is the conformance suite of [kernels.Device]: every device
// must pass [Run].
//
// Results are compared with references in float64, written as plainly as their
// formulas, and must lie within bounds that follow from the number of roundings;
// u stands for 2^-24, the rounding error of float32. What the contract promises
// to be the same bit for bit is compared bit for bit.
//
// Inputs are random. The seed is logged and can be set by the environment
// variable DEEPPRUNE_TEST_SEED.
package kerneltest

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"deepprune/kernels"
)

const u = 1.0 / (1 << 24)

// Run tests a device. newDevice is called once for every part of the suite, and
// what it returns is closed.
func Run(t *testing.T, newDevice func() kernels.Device) { run(t, newDevice, "") }

// RunLinear is the part of Run on linear layers, for a device that differs from one
// that passes it in nothing else.
func RunLinear(t *testing.T, newDevice func() kernels.Device) { run(t, newDevice, "linear") }

// run runs the parts whose names begin with prefix.
func run(t *testing.T, newDevice func() kernels.Device, prefix string) {
	seed := rand.Uint64()
	if s := os.Getenv("DEEPPRUNE_TEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("DEEPPRUNE_TEST_SEED: %v", err)
		}
	}
	t.Logf("DEEPPRUNE_TEST_SEED=%d", seed)
	for i, part := range []struct {
		name string
		test func(h *harness)
	}{
		{"tensors", (*harness).tensors},
		{"linear f32", func(h *harness) { h.linearLayers(kernels.F32) }},
		{"linear bf16", func(h *harness) { h.linearLayers(kernels.BF16) }},
		{"linear int8", func(h *harness) { h.linearLayers(kernels.Int8) }},
		{"linear int4", func(h *harness) { h.linearLayers(kernels.Int4) }},
		{"norms", (*harness).norms},
		{"swiglu", (*harness).swiglu},
		{"routes", (*harness).routes},
		{"experts", (*harness).experts},
		{"expert formats", (*harness).expertFormats},
		{"clamped swiglu", (*harness).clampedSwiGLU},
		{"rotary", (*harness).rotary},
		{"attention", (*harness).attention},
		{"chunks", (*harness).chunks},
		{"causality", (*harness).causality},
		{"windows", (*harness).windows},
		{"crowds", (*harness).crowds},
		{"sharing", (*harness).sharing},
		{"greedy", (*harness).greedy},
		{"filters", (*harness).filters},
		{"distribution", (*harness).distribution},
		{"confidence", (*harness).confidence},
		{"odd logits", (*harness).oddLogits},
		{"adjustments", (*harness).adjustments},
		{"alternatives", (*harness).alternatives},
		{"repeats", (*harness).repeats},
	} {
		if !strings.HasPrefix(part.name, prefix) {
			continue
		}
		t.Run(part.name, func(t *testing.T) {
			d := newDevice()
			part.test(newHarness(t, d, seed+uint64(i)))
			if err := d.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// harness makes inputs on a device and reads results back.
type harness struct {
	testing.TB
	d   kernels.Device
	rng *rand.Rand
}

func newHarness(t testing.TB, d kernels.Device, seed uint64) *harness {
	return &harness{t, d, rand.New(rand.NewPCG(seed, 1))}
}

// floats returns n normally distributed numbers.
func (h *harness) floats(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(h.rng.NormFloat64())
	}
	return x
}

// between returns a number from lo to hi.
func (h *harness) between(lo, hi int) int { return lo + h.rng.IntN(hi-lo+1) }

func (h *harness) upload(data []float32, rows, cols int) kernels.Tensor {
	h.Helper()
	t, err := h.d.Upload(data, rows, cols)
	if err != nil {
		h.Fatalf("Upload(%dx%d): %v", rows, cols, err)
	}
	if t.Rows() != rows || t.Cols() != cols {
		h.Fatalf("Upload(%dx%d) is %dx%d", rows, cols, t.Rows(), t.Cols())
	}
	return t
}

// tensor returns a tensor of garbage: every operation must write what it says.
func (h *harness) tensor(rows, cols int) kernels.Tensor {
	h.Helper()
	data := make([]float32, rows*cols)
	for i := range data {
		data[i] = float32(math.NaN())
	}
	return h.upload(data, rows, cols)
}

// matrix makes a weight of the rows of data.
func (h *harness) matrix(format kernels.Format, data []float32, out, in int) kernels.Matrix {
	h.Helper()
	m, err := h.d.NewMatrix(format, out, in, func(i int, dst []float32) {
		if len(dst) != in {
			panic("kerneltest: fill was given a row of another length")
		}
		copy(dst, data[i*in:(i+1)*in])
	})
	if err != nil {
		h.Fatalf("NewMatrix(%v, %d, %d): %v", format, out, in, err)
	}
	if m.Out() != out || m.In() != in || m.Format() != format || m.Bytes() < format.Bytes(int64(out*in)) {
		h.Fatalf("NewMatrix(%v, %d, %d) is %v, %dx%d of %d bytes", format, out, in, m.Format(), m.Out(), m.In(), m.Bytes())
	}
	return m
}

// read returns the first rows rows of a tensor.
func (h *harness) read(t kernels.Tensor, rows int) []float32 {
	data := make([]float32, rows*t.Cols())
	for r := range rows {
		h.d.Read(t, r, data[r*t.Cols():(r+1)*t.Cols()])
	}
	return data
}

// same fails if two results differ in a bit.
func (h *harness) same(what string, got, want []float32) {
	h.Helper()
	if len(got) != len(want) {
		h.Fatalf("%s: %d values; want %d", what, len(got), len(want))
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			h.Fatalf("%s: value %d of %d = %v (%#x); want %v (%#x), the same bits",
				what, i, len(got), got[i], math.Float32bits(got[i]), want[i], math.Float32bits(want[i]))
		}
	}
}

// near fails if a value is further from want than bound.
func (h *harness) near(what string, i int, got float32, want, bound float64) {
	h.Helper()
	if diff := math.Abs(float64(got) - want); !(diff <= bound) {
		h.Fatalf("%s: value %d = %v; want %v, off by %.3g, more than %.3g", what, i, got, want, diff, bound)
	}
}

func (h *harness) tensors() {
	zero, err := h.d.NewTensor(3, 5)
	if err != nil {
		h.Fatal(err)
	}
	h.same("NewTensor", h.read(zero, 3), make([]float32, 15))

	data := h.floats(7 * 11)
	src := h.upload(data, 7, 11)
	clear(data[:11]) // the device has its copy
	first := make([]float32, 4)
	h.d.Read(src, 3, first)
	h.same("Read of 4 columns", first, data[3*11:3*11+4])

	dst := h.tensor(5, 11)
	rows := []int32{6, 2, 2, 5}
	h.d.Gather(dst, src, rows)
	for i, r := range rows {
		h.same("Gather", h.read(dst, len(rows))[i*11:(i+1)*11], data[int(r)*11:(int(r)+1)*11])
	}

	for _, in := range []int{1, 17, 192} {
		for _, out := range []int{1, 31, 32, 33, 100} {
			table := h.floats(out * in)
			m := h.matrix(kernels.F32, table, out, in)
			tokens := []int32{int32(out - 1), 0, int32(h.rng.IntN(out)), int32(h.rng.IntN(out))}
			dst := h.tensor(len(tokens)+1, in)
			h.d.Embed(dst, m, tokens)
			got := h.read(dst, len(tokens))
			for i, token := range tokens {
				h.same("Embed", got[i*in:(i+1)*in], table[int(token)*in:(int(token)+1)*in])
			}
		}
	}
}

// repeats checks that a device gives the same bits again.
func (h *harness) repeats() {
	h.same("the same operations again", Bits(h, h.d, 1), Bits(h, h.d, 1))
}

// Bits runs every operation on inputs that depend on seed alone and returns all
// results. Two devices that promise the same bits, such as one with more
// threads, must return the same.
func Bits(t testing.TB, d kernels.Device, seed uint64) []float32 {
	h := newHarness(t, d, seed)
	var all []float32
	for _, rows := range []int{1, 9, 130} {
		in, out := h.between(150, 300), h.between(150, 700)
		x := h.upload(h.floats(rows*in), rows, in)
		dst := h.tensor(rows, out)
		for _, format := range slices.Backward(kernels.Formats()) {
			h.d.Linear(dst, x, h.matrix(format, h.floats(out*in), out, in), h.upload(h.floats(out), 1, out), rows)
			all = append(all, h.read(dst, rows)...)
		}
		residual, norm := h.upload(h.floats(rows*in), rows, in), h.tensor(rows, in)
		weight := h.upload(h.floats(in), 1, in)
		h.d.AddRMSNorm(norm, residual, x, weight, rows, 1e-6)
		all = append(all, h.read(norm, rows)...)
		h.d.RMSNorm(norm, x, weight, rows, 1e-6)
		all = append(all, h.read(norm, rows)...)
		gated := h.tensor(rows, out/2)
		h.d.SwiGLU(gated, h.upload(h.floats(rows*(out/2)*2), rows, out/2*2), rows)
		all = append(all, h.read(gated, rows)...)
		mixed := h.tensor(rows*3, out)
		matrices := h.newExperts(kernels.F32, h.floats(5*out*in), 5, out, in)
		routing := h.newRouting(rows, 5, 3)
		h.d.Route(routing, h.upload(h.floats(rows*5), rows, 5), &kernels.RouterSpec{Chosen: 3, Scale: 1}, rows)
		dispatched := h.tensor(rows*3, in)
		h.d.Dispatch(dispatched, x, routing)
		h.d.ExpertLinear(mixed, dispatched, matrices, nil, routing)
		h.d.Combine(dst, mixed, routing, true)
		all = append(all, h.read(dst, rows)...)
		params := make([]kernels.SampleParams, rows)
		for i := range params {
			params[i] = kernels.SampleParams{Temperature: 0.8, TopK: int32(i % 3 * 20), TopP: 0.9, Seed: seed, Trace: uint32(i)}
		}
		params[0].Adjust = h.adjustment(out)
		drawn := make([]kernels.Sampled, rows)
		drawn[0].Top = make([]kernels.TokenLogProb, 5)
		h.d.Sample(dst, params, drawn)
		for _, s := range drawn {
			all = append(all, float32(s.Token), s.LogProb)
			for _, alternative := range s.Top {
				all = append(all, float32(alternative.Token), alternative.LogProb)
			}
		}
	}
	for _, format := range kernels.KVFormats() {
		w := newWorld(h, geometry{layers: 2, heads: 6, kvHeads: 2, dim: 32, window: 70, sinks: true, format: format}, 80)
		for range 4 {
			w.add(nil, h.between(40, 150))
		}
		for _, parent := range w.sequences[:4] {
			for range 5 {
				w.add(parent, 3)
			}
		}
		for w.left() {
			all = append(all, w.run(w.batch())...)
		}
	}
	return all
}
