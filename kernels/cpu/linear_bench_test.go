package cpu

import (
	"fmt"
	"testing"

	"deepprune/kernels"

	"golang.org/x/sys/unix"
)

// cpuSeconds is what the process has computed so far.
func cpuSeconds() float64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Sec) + float64(u.Utime.Usec)*1e-6
}

// BenchmarkProduct measures linear layers of one thread in every format, and
// beside them the loop of their innermost instruction on registers. By the time
// that the processor gave, not by the clock, which on a busy machine says little:
// %peak is the share of what the loop does.
func BenchmarkProduct(b *testing.B) {
	const in, out = 1024, 3072
	for _, name := range KernelSets() {
		for _, format := range kernels.Formats() {
			for _, rows := range []int{1, 2, 4, 8, 9, 12, 16, 17, 24, 32, 64, 128, 256} {
				b.Run(fmt.Sprintf("%s/%v/rows=%d", name, format, rows), func(b *testing.B) {
					d := newDevice(b, Options{Kernels: name, Threads: 1})
					x := must[kernels.Tensor](b)(d.Upload(randomFloats(rows*in), rows, in))
					dst := must[kernels.Tensor](b)(d.NewTensor(rows, out))
					w := must[kernels.Matrix](b)(d.NewMatrix(format, out, in, func(_ int, row []float32) {
						for i := range row {
							row[i] = float32(i%7) - 3
						}
					}))
					peak := d.(*device).set.peaks[format]
					var own, probe float64
					start := cpuSeconds()
					for b.Loop() {
						d.Linear(dst, x, w, nil, rows)
					}
					own = cpuSeconds() - start
					operations := 2 * float64(rows*in*out)
					b.ReportMetric(1e-9*operations*float64(b.N)/own, "GFLOP/s")
					b.ReportMetric(1e-9*float64(w.Bytes())*float64(b.N)/own, "GB/s")
					if peak.run != nil {
						n := int(operations) * b.N / peak.operations
						start = cpuSeconds()
						peak.run(n)
						probe = cpuSeconds() - start
						b.ReportMetric(100*probe/own, "%peak")
					}
				})
			}
		}
	}
}
