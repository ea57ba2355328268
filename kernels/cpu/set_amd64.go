package cpu

import (
	"math"
	"strings"

	"deepprune/kernels"

	"golang.org/x/sys/cpu"
)

//go:generate go run asm/matmul.go

var avx2 = &set{
	name:          "avx2",
	tile:          6,
	matmul:        matmulAVX2,
	linear:        linearAVX2,
	sumSquares:    sumSquaresVector,
	addSumSquares: addSumSquaresVector,
	scaleMul:      scaleMulVector,
	axpy:          axpyVector,
	rotate:        rotateAVX2,
	swiglu:        swigluVector,
	maximum:       maximumVector,
	expSum:        expSumVector,
	softmax:       softmaxVector,
}

// avx512 has for itself what takes the most time.
var avx512 = func() *set {
	s := *avx2
	s.name, s.tile, s.matmul, s.softmax = "avx512", 8, matmulAVX512, softmaxAVX512
	s.linear[kernels.F32] = overFloats(8, matmulAVX512)
	return &s
}()

var linearAVX2 = func() [len(layouts)]multiplier {
	m := linearGo
	m[kernels.F32] = overFloats(6, matmulAVX2)
	return m
}()

// sets returns the kernel sets of this machine, the best first.
func sets() []*set {
	all := []*set{plain}
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		return all
	}
	all = append([]*set{avx2}, all...)
	if cpu.X86.HasAVX512F {
		all = append([]*set{avx512}, all...)
	}
	return all
}

func processorName() string {
	var name [48]byte
	cpuBrand(&name)
	return strings.Join(strings.Fields(strings.TrimRight(string(name[:]), "\x00")), " ")
}

// cpuBrand reads the processor's name (CPUID 0x80000002 to 0x80000004), zeros if
// it has none.
//
//go:noescape
func cpuBrand(name *[48]byte)

// pause waits for n PAUSE instructions, n > 0.
func pause(n int)

//go:noescape
func matmulAVX512(rows int, c []float32, cStride int, x []float32, xStride int, b0, b1 []float32, bStride, k int, load bool)

//go:noescape
func matmulHalfAVX2(rows int, c []float32, cStride int, x []float32, xStride int, b []float32, bStride, k int, load bool)

func matmulAVX2(rows int, c []float32, cStride int, x []float32, xStride int, b0, b1 []float32, bStride, k int, load bool) {
	matmulHalfAVX2(rows, c, cStride, x, xStride, b0, bStride, k, load)
	matmulHalfAVX2(rows, c[lanes:], cStride, x, xStride, b1, bStride, k, load)
}

//go:noescape
func sumSquaresAVX2(x []float32) float32

//go:noescape
func addSumSquaresAVX2(acc, x []float32) float32

//go:noescape
func scaleMulAVX2(dst, x, w []float32, s float32)

//go:noescape
func axpyAVX2(dst, x []float32, a float32)

//go:noescape
func rotateAVX2(x, cos, sin []float32)

//go:noescape
func swigluAVX2(dst, g, u []float32)

//go:noescape
func maximumAVX2(x []float32) float32

//go:noescape
func expSumAVX2(dst, x []float32, shift, scale float32) float32

//go:noescape
func softmaxAVX512(scores []float32, sees []span, sums []partial)

// The assembly takes whole vectors, at least one; the plain kernels take the
// rest.

// whole is the part of n elements that the assembly takes.
func whole(n int) int { return n &^ (lanes - 1) }

func sumSquaresVector(x []float32) float32 {
	n := whole(len(x))
	var sum float32
	if n > 0 {
		sum = sumSquaresAVX2(x[:n])
	}
	if n < len(x) {
		sum += sumSquaresGo(x[n:])
	}
	return sum
}

func addSumSquaresVector(acc, x []float32) float32 {
	n := whole(len(x))
	var sum float32
	if n > 0 {
		sum = addSumSquaresAVX2(acc[:n], x[:n])
	}
	if n < len(x) {
		sum += addSumSquaresGo(acc[n:], x[n:])
	}
	return sum
}

func scaleMulVector(dst, x, w []float32, s float32) {
	n := whole(len(x))
	if n > 0 {
		scaleMulAVX2(dst[:n], x[:n], w[:n], s)
	}
	scaleMulGo(dst[n:], x[n:], w[n:], s)
}

func axpyVector(dst, x []float32, a float32) {
	n := whole(len(x))
	if n > 0 {
		axpyAVX2(dst[:n], x[:n], a)
	}
	axpyGo(dst[n:], x[n:], a)
}

func swigluVector(dst, g, u []float32) {
	n := whole(len(g))
	if n > 0 {
		swigluAVX2(dst[:n], g[:n], u[:n])
	}
	swigluGo(dst[n:], g[n:], u[n:])
}

func maximumVector(x []float32) float32 {
	n := whole(len(x))
	m := maximumGo(x[n:])
	if n > 0 {
		m = max(m, maximumAVX2(x[:n]))
	}
	return m
}

func expSumVector(dst, x []float32, shift, scale float32) float32 {
	n := whole(len(x))
	var sum float32
	if n > 0 {
		sum = expSumAVX2(dst[:n], x[:n], shift, scale)
	}
	if n < len(x) {
		sum += expSumGo(dst[n:], x[n:], shift, scale)
	}
	return sum
}

func softmaxVector(scores []float32, sees []span, sums []partial) {
	for i, s := range sees {
		row := scores[i*kernels.PartitionKeys:][:kernels.PartitionKeys]
		for j := range row {
			if j < int(s.from) || j >= int(s.to) {
				row[j] = float32(math.Inf(-1))
			}
		}
		m := maximumAVX2(row)
		sums[i] = partial{m, expSumAVX2(row, row, m, 1)}
	}
}
