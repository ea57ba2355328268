package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"deepprune/kernels"
)

func randomFloats(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rand.NormFloat64())
	}
	return x
}

func must[T any](b testing.TB) func(T, error) T {
	return func(v T, err error) T {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
		return v
	}
}

func BenchmarkLinear(b *testing.B) {
	for _, name := range KernelSets() {
		for _, threads := range []int{1, 2} {
			for _, s := range []struct{ rows, in, out int }{
				{64, 192, 320}, {64, 192, 192}, {64, 192, 1024}, {64, 512, 192}, {64, 192, 1300},
				{64, 1024, 3072}, {64, 3072, 1024}, {512, 1024, 3072}, {1, 192, 1024}, {1, 1024, 3072}, {1, 4096, 8192}, {8, 192, 1024}, {8, 1024, 3072},
			} {
				b.Run(fmt.Sprintf("%s/threads=%d/%dx%dx%d", name, threads, s.rows, s.in, s.out), func(b *testing.B) {
					d := newDevice(b, Options{Kernels: name, Threads: threads})
					x := must[kernels.Tensor](b)(d.Upload(randomFloats(s.rows*s.in), s.rows, s.in))
					dst := must[kernels.Tensor](b)(d.NewTensor(s.rows, s.out))
					w := must[kernels.Matrix](b)(d.NewMatrix(kernels.F32, s.out, s.in, func(_ int, row []float32) {
						for i := range row {
							row[i] = float32(i%7) - 3
						}
					}))
					for b.Loop() {
						d.Linear(dst, x, w, nil, s.rows)
					}
					seconds := b.Elapsed().Seconds() / float64(b.N)
					b.ReportMetric(2e-9*float64(s.rows*s.in*s.out)/seconds, "GFLOP/s")
					b.ReportMetric(1e-9*float64(w.Bytes())/seconds, "GB/s")
				})
			}
		}
	}
}

// BenchmarkAttention is attention in all layers of a decode step of some traces of
// one question: of the embedded reasoner, and of the shape of Qwen3-0.6B in fewer
// layers, whose keys and values are more than any cache holds.
func BenchmarkAttention(b *testing.B) {
	for _, shape := range []struct {
		name            string
		spec            kernels.AttentionSpec
		layers          int
		format          kernels.Format
		shared, private int
	}{
		{"embedded", kernels.AttentionSpec{Heads: 6, KVHeads: 2, HeadDim: 32, Scale: 0.17}, 6, kernels.F32, 64, 64},
		{"qwen", kernels.AttentionSpec{Heads: 16, KVHeads: 8, HeadDim: 128, Scale: 0.09}, 8, kernels.F32, 512, 64},
		{"qwen", kernels.AttentionSpec{Heads: 16, KVHeads: 8, HeadDim: 128, Scale: 0.09}, 8, kernels.BF16, 512, 64},
		{"qwen", kernels.AttentionSpec{Heads: 16, KVHeads: 8, HeadDim: 128, Scale: 0.09}, 8, kernels.BF16, 512, 0},
		{"qwen", kernels.AttentionSpec{Heads: 16, KVHeads: 8, HeadDim: 128, Scale: 0.09}, 8, kernels.BF16, 0, 128},
		{"qwen", kernels.AttentionSpec{Heads: 16, KVHeads: 8, HeadDim: 128, Scale: 0.09}, 8, kernels.Int8, 0, 128},
	} {
		for _, traces := range []int{1, 64} {
			for _, set := range KernelSets() {
				b.Run(fmt.Sprintf("%s/%v/shared=%d/private=%d/k=%d/%s", shape.name, shape.format, shape.shared, shape.private, traces, set), func(b *testing.B) {
					d := newDevice(b, Options{Kernels: set})
					layout := kernels.KVLayout{Layers: shape.layers, KVHeads: shape.spec.KVHeads, HeadDim: shape.spec.HeadDim, Format: shape.format}
					keys := shape.shared + shape.private*traces // a multiple of the block
					memory := must[kernels.Arena](b)(d.NewArena(layout.BlockBytes() * int64(keys/kernels.BlockSize)))
					kv := kernels.KV{Arena: memory, KVLayout: layout, PageBytes: layout.BlockBytes()}
					clear(memory.(*arena).data) // so that each page is one of its own
					var batch kernels.Batch
					next := int32(0)
					var common []int32
					for trace := range traces {
						blocks := append([]int32(nil), common...)
						for len(blocks)*kernels.BlockSize < shape.shared+shape.private {
							blocks = append(blocks, next)
							next++
						}
						if trace == 0 {
							common = blocks[:shape.shared/kernels.BlockSize]
						}
						batch.Add([]int32{0}, shape.shared+shape.private-1, blocks, true)
					}
					batch.Plan()
					cols := (shape.spec.Heads + 2*shape.spec.KVHeads) * shape.spec.HeadDim
					qkv := must[kernels.Tensor](b)(d.Upload(randomFloats(traces*cols), traces, cols))
					dst := must[kernels.Tensor](b)(d.NewTensor(traces, shape.spec.Heads*shape.spec.HeadDim))
					for b.Loop() {
						for layer := range shape.layers {
							d.Attention(dst, qkv, &shape.spec, kv, layer, &batch)
						}
					}
					seconds := b.Elapsed().Seconds() / float64(b.N)
					b.ReportMetric(4e-9*float64(shape.layers*traces*shape.spec.Heads*(shape.shared+shape.private)*shape.spec.HeadDim)/seconds, "GFLOP/s")
					b.ReportMetric(1e-9*float64(memory.Bytes())/seconds, "GB/s")
				})
			}
		}
	}
}

func BenchmarkSample(b *testing.B) {
	for _, vocabulary := range []int{1300, 151_936} {
		for _, c := range []struct {
			name string
			p    kernels.SampleParams
		}{
			{"greedy", kernels.SampleParams{}},
			{"all", kernels.SampleParams{Temperature: 1}},
			{"filtered", kernels.SampleParams{Temperature: 0.6, TopK: 20, TopP: 0.95}},
		} {
			b.Run(fmt.Sprintf("vocabulary=%d/%s", vocabulary, c.name), func(b *testing.B) {
				const rows = 64
				d := newDevice(b, Options{})
				logits := must[kernels.Tensor](b)(d.Upload(randomFloats(rows*vocabulary), rows, vocabulary))
				params, out := make([]kernels.SampleParams, rows), make([]kernels.Sampled, rows)
				for i := range params {
					params[i] = c.p
					params[i].Trace = uint32(i)
				}
				for b.Loop() {
					d.Sample(logits, params, out)
				}
			})
		}
	}
}

// BenchmarkRows measures the operations that treat each row for itself, 64 rows
// at a time.
func BenchmarkRows(b *testing.B) {
	const rows, cols, heads, kvHeads, dim = 64, 192, 6, 2, 32
	d := newDevice(b, Options{})
	tensor := func(cols int) kernels.Tensor {
		return must[kernels.Tensor](b)(d.Upload(randomFloats(rows*cols), rows, cols))
	}
	x, y, weight, gateUp, gated := tensor(cols), tensor(cols), tensor(cols), tensor(1024), tensor(512)
	b.Run("AddRMSNorm", func(b *testing.B) {
		for b.Loop() {
			d.AddRMSNorm(y, x, y, weight, rows, 1e-6)
		}
	})
	b.Run("SwiGLU", func(b *testing.B) {
		for b.Loop() {
			d.SwiGLU(gated, gateUp, rows)
		}
	})
	b.Run("RotaryWriteKV", func(b *testing.B) {
		qkv := tensor((heads + 2*kvHeads) * dim)
		layout := kernels.KVLayout{Layers: 1, KVHeads: kvHeads, HeadDim: dim}
		arena := must[kernels.Arena](b)(d.NewArena(layout.BlockBytes() * rows))
		kv := kernels.KV{Arena: arena, KVLayout: layout, PageBytes: layout.BlockBytes()}
		spec := kernels.RotarySpec{AttentionSpec: kernels.AttentionSpec{Heads: heads, KVHeads: kvHeads, HeadDim: dim},
			Cos: tensor(dim / 2), Sin: tensor(dim / 2), QNorm: tensor(dim), KNorm: tensor(dim)}
		var batch kernels.Batch
		for r := range int32(rows) {
			batch.Add([]int32{0}, int(r%16), []int32{r}, false)
		}
		for b.Loop() {
			d.RotaryWriteKV(qkv, &spec, kv, 0, &batch)
		}
	})
}
