package cpu

import (
	"fmt"
	"testing"

	"deepprune/kernels"
)

// decoder is the operations of a small decoder's step, with weights that mean
// nothing: the shape of the reasoner that the product ships.
type decoder struct {
	d                                                 kernels.Device
	hidden, normed, qkv, attended, gateUp, up, logits kernels.Tensor
	norm                                              kernels.Tensor
	wQKV, wOut, wGateUp, wDown, head                  kernels.Matrix
	rotary                                            kernels.RotarySpec
	kv                                                kernels.KV
	batch                                             kernels.Batch
	params                                            []kernels.SampleParams
	drawn                                             []kernels.Sampled
}

const (
	decoderLayers, decoderHidden, decoderFFN, decoderVocabulary = 6, 192, 512, 1300
	decoderHeads, decoderKVHeads, decoderDim                    = 6, 2, 32
)

// newDecoder makes a step of the given number of traces of one question, all of
// them at the same length, the first keys of which they share.
func newDecoder(b testing.TB, d kernels.Device, traces, context, shared int) *decoder {
	tensor := func(rows, cols int) kernels.Tensor {
		return must[kernels.Tensor](b)(d.Upload(randomFloats(rows*cols), rows, cols))
	}
	matrix := func(out, in int, scale float32) kernels.Matrix {
		return must[kernels.Matrix](b)(d.NewMatrix(kernels.F32, out, in, func(_ int, row []float32) {
			for i, x := range randomFloats(in) {
				row[i] = x * scale
			}
		}))
	}
	const wide = (decoderHeads + 2*decoderKVHeads) * decoderDim
	s := &decoder{d: d,
		hidden: tensor(traces, decoderHidden), normed: tensor(traces, decoderHidden), qkv: tensor(traces, wide),
		attended: tensor(traces, decoderHeads*decoderDim), gateUp: tensor(traces, 2*decoderFFN), up: tensor(traces, decoderFFN),
		logits: tensor(traces, decoderVocabulary), norm: tensor(1, decoderHidden),
		wQKV: matrix(wide, decoderHidden, 0.05), wOut: matrix(decoderHidden, decoderHeads*decoderDim, 0.05),
		wGateUp: matrix(2*decoderFFN, decoderHidden, 0.05), wDown: matrix(decoderHidden, decoderFFN, 0.05),
		head:   matrix(decoderVocabulary, decoderHidden, 0.3), // a few tokens are likely, as in a trained model
		params: make([]kernels.SampleParams, traces), drawn: make([]kernels.Sampled, traces),
	}
	s.rotary = kernels.RotarySpec{
		AttentionSpec: kernels.AttentionSpec{Heads: decoderHeads, KVHeads: decoderKVHeads, HeadDim: decoderDim, Scale: 0.17},
		Cos:           tensor(context, decoderDim/2), Sin: tensor(context, decoderDim/2),
		QNorm: tensor(1, decoderDim), KNorm: tensor(1, decoderDim), Eps: 1e-6,
	}
	layout := kernels.KVLayout{Layers: decoderLayers, KVHeads: decoderKVHeads, HeadDim: decoderDim}
	perTrace := ceil(context, kernels.BlockSize)
	arena := must[kernels.Arena](b)(d.NewArena(layout.BlockBytes() * int64(traces*perTrace)))
	s.kv = kernels.KV{Arena: arena, KVLayout: layout, PageBytes: layout.BlockBytes()}
	for trace := range traces {
		blocks := make([]int32, perTrace)
		for i := range blocks {
			blocks[i] = int32(trace*perTrace + i)
			if (i+1)*kernels.BlockSize <= shared {
				blocks[i] = int32(i)
			}
		}
		s.batch.Add([]int32{int32(trace)}, context-1, blocks, true)
		s.params[trace] = kernels.SampleParams{Temperature: 1, TopP: 0.95, Trace: uint32(trace)}
	}
	return s
}

func (s *decoder) step() {
	const eps = 1e-6
	d, rows := s.d, s.batch.Rows()
	s.batch.Plan()
	d.Embed(s.hidden, s.head, s.batch.Tokens)
	d.RMSNorm(s.normed, s.hidden, s.norm, rows, eps)
	for layer := range decoderLayers {
		d.Linear(s.qkv, s.normed, s.wQKV, nil, rows)
		d.RotaryWriteKV(s.qkv, &s.rotary, s.kv, layer, &s.batch)
		d.Attention(s.attended, s.qkv, &s.rotary.AttentionSpec, s.kv, layer, &s.batch)
		d.Linear(s.normed, s.attended, s.wOut, nil, rows)
		d.AddRMSNorm(s.normed, s.hidden, s.normed, s.norm, rows, eps)
		d.Linear(s.gateUp, s.normed, s.wGateUp, nil, rows)
		d.SwiGLU(s.up, s.gateUp, rows)
		d.Linear(s.normed, s.up, s.wDown, nil, rows)
		d.AddRMSNorm(s.normed, s.hidden, s.normed, s.norm, rows, eps)
	}
	d.Linear(s.logits, s.normed, s.head, nil, rows)
	d.Sample(s.logits, s.params, s.drawn)
}

// BenchmarkDecode measures a whole step of the small decoder.
func BenchmarkDecode(b *testing.B) {
	for _, name := range KernelSets() {
		for _, c := range []struct{ traces, context, shared int }{{1, 128, 0}, {8, 128, 64}, {64, 64, 32}, {64, 128, 64}, {64, 256, 64}, {64, 512, 64}} {
			b.Run(fmt.Sprintf("%s/traces=%d/context=%d", name, c.traces, c.context), func(b *testing.B) {
				s := newDecoder(b, newDevice(b, Options{Kernels: name}), c.traces, c.context, c.shared)
				for b.Loop() {
					s.step()
				}
				b.ReportMetric(float64(c.traces*b.N)/b.Elapsed().Seconds(), "tokens/s")
			})
		}
	}
}
