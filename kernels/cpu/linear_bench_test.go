package cpu

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"deepprune/kernels"
)

// limitsOf measures the limits of a kernel set on so many threads, once.
var limitsOf = func() func(b *testing.B, name string, threads int) Limits {
	var measured sync.Map
	return func(b *testing.B, name string, threads int) Limits {
		key := fmt.Sprint(name, threads)
		l, ok := measured.Load(key)
		if !ok {
			l = must[Limits](b)(MeasureLimits(Options{Kernels: name, Threads: threads}))
			measured.Store(key, l)
		}
		return l.(Limits)
	}
}()

// BenchmarkProduct measures linear layers in every format, and the share of what
// the machine could do at most, measured by the same process. Beside the mean, the
// best of all rounds: on a machine that does other things too the mean says little.
//
// The weights are those of some layers, more than caches hold.
func BenchmarkProduct(b *testing.B) {
	const in, out = 1024, 6144
	for _, name := range KernelSets() {
		for _, threads := range []int{1, 2} {
			for _, format := range kernels.Formats() {
				for _, rows := range []int{1, 2, 4, 8, 9, 12, 13, 16, 24, 32, 64, 128, 256} {
					b.Run(fmt.Sprintf("%s/threads=%d/%v/rows=%d", name, threads, format, rows), func(b *testing.B) {
						limits := limitsOf(b, name, threads)
						d := newDevice(b, Options{Kernels: name, Threads: threads})
						x := must[kernels.Tensor](b)(d.Upload(randomFloats(rows*in), rows, in))
						dst := must[kernels.Tensor](b)(d.NewTensor(rows, out))
						var layers []kernels.Matrix
						for size := int64(0); size < 64<<20; {
							m := must[kernels.Matrix](b)(d.NewMatrix(format, out, in, func(_ int, row []float32) {
								for i := range row {
									row[i] = float32(i%7) - 3
								}
							}))
							size += m.Bytes()
							layers = append(layers, m)
						}
						best, i := math.Inf(1), 0
						for b.Loop() {
							start := time.Now()
							d.Linear(dst, x, layers[i%len(layers)], nil, rows)
							best = min(best, time.Since(start).Seconds())
							i++
						}
						operations, bytes := 2*float64(rows*in*out), float64(layers[0].Bytes())
						b.ReportMetric(1e-9*operations/best, "GFLOP/s")
						b.ReportMetric(1e-9*bytes/best, "GB/s")
						b.ReportMetric(100*operations/best/limits.Operations[format], "%ops")
						b.ReportMetric(100*bytes/best/limits.ReadBytes, "%read")
					})
				}
			}
		}
	}
}

// BenchmarkLayers measures the linear layers of a step of Qwen3-0.6B one after another,
// its head with them up to 64 rows, and the share of limits that are measured before and
// after it.
func BenchmarkLayers(b *testing.B) {
	const layers, hidden, vocabulary = 28, 1024, 151_936
	shapes := []struct{ out, in int }{{4096, hidden}, {hidden, 2048}, {6144, hidden}, {hidden, 3072}}
	d := newDevice(b, Options{}).(*device)
	for _, format := range []kernels.Format{kernels.BF16, kernels.Int8, kernels.Int4} {
		var matrices []kernels.Matrix
		add := func(out, in int) {
			matrices = append(matrices, must[kernels.Matrix](b)(d.NewMatrix(format, out, in, func(i int, row []float32) {
				for k := range row {
					row[k] = float32((k*7+i)%13) - 6
				}
			})))
		}
		for range layers {
			for _, s := range shapes {
				add(s.out, s.in)
			}
		}
		add(vocabulary, hidden)
		for _, rows := range []int{1, 64, 511} {
			step := matrices
			if rows > 64 {
				step = matrices[:len(matrices)-1] // the head is for the last row alone
			}
			b.Run(fmt.Sprintf("%v/rows=%d", format, rows), func(b *testing.B) {
				inputs, outputs := make(map[int]kernels.Tensor), make(map[int]kernels.Tensor)
				operations, bytes := 0.0, 0.0
				for _, m := range step {
					if inputs[m.In()] == nil {
						inputs[m.In()] = must[kernels.Tensor](b)(d.Upload(randomFloats(rows*m.In()), rows, m.In()))
					}
					if outputs[m.Out()] == nil {
						outputs[m.Out()] = must[kernels.Tensor](b)(d.NewTensor(rows, m.Out()))
					}
					operations += 2 * float64(rows*m.In()*m.Out())
					bytes += float64(m.Bytes())
				}
				limits := must[Limits](b)(MeasureLimits(Options{}))
				var took []float64
				for b.Loop() {
					start := time.Now()
					for _, m := range step {
						d.Linear(outputs[m.Out()], inputs[m.In()], m, nil, rows)
					}
					took = append(took, time.Since(start).Seconds())
				}
				again := must[Limits](b)(MeasureLimits(Options{}))
				slices.Sort(took)
				median := took[len(took)/2]
				b.ReportMetric(1e3*median, "median-ms")
				b.ReportMetric(1e-9*(limits.ReadBytes+again.ReadBytes)/2, "read-GB/s")
				b.ReportMetric(100*operations/median/((limits.Operations[format]+again.Operations[format])/2), "%ops")
				b.ReportMetric(100*bytes/median/((limits.ReadBytes+again.ReadBytes)/2), "%read")
			})
		}
	}
}
