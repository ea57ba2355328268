package cpu

import (
	"fmt"
	"math"
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
