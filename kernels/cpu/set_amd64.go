package cpu

import (
	"math"
	"strings"

	"deepprune/kernels"

	"golang.org/x/sys/cpu"
)

//go:generate go run asm/matmul.go asm/linear.go asm/linear_avx2.go asm/attention.go

var avx2 = &set{
	name:          "avx2",
	tile:          6,
	matmul:        matmulAVX2,
	linear:        linearAVX2,
	peaks:         [len(layouts)]peak{kernels.F32: {peakFMAAVX2, 12 * 8 * 2}, kernels.BF16: {peakFMAAVX2, 12 * 8 * 2}},
	read:          readAVX2,
	sumSquares:    sumSquaresVector,
	addSumSquares: addSumSquaresVector,
	scaleMul:      scaleMulVector,
	axpy:          axpyVector,
	rotate:        rotateAVX2,
	swiglu:        swigluVector,
	maximum:       maximumVector,
	expSum:        expSumVector,
	softmax:       softmaxVector,
	round:         roundGo,
	pairInt8:      pairInt8AVX2,
	widen:         widenAVX2,
}

// avx512 has for itself what takes the most time.
var avx512 = func() *set {
	s := *avx2
	s.name, s.tile, s.matmul, s.softmax = "avx512", 8, matmulAVX512, softmaxAVX512
	s.linear[kernels.F32] = overFloats(8, matmulAVX512)
	s.linear[kernels.BF16].rows, s.linear[kernels.BF16].matmul = maxTile, matmulBF16WideAVX512
	s.peaks[kernels.F32] = peak{peakFMAAVX512, 24 * 16 * 2}
	s.peaks[kernels.BF16] = s.peaks[kernels.F32]
	return &s
}()

// avx512VNNI has products of bytes.
var avx512VNNI = func() *set {
	s := *avx512
	s.name = "avx512vnni"
	s.linear[kernels.Int8] = multiplier{rows: maxTile, words: int8Words, prepare: prepareInt8Vector, matmul: matmulInt8VNNI}
	s.linear[kernels.Int4] = multiplier{rows: maxTile, words: int4Words, prepare: prepareInt4Vector, matmul: matmulInt4VNNI}
	s.peaks[kernels.Int8] = peak{peakInt8VNNI, 24 * 64 * 2}
	s.peaks[kernels.Int4] = s.peaks[kernels.Int8]
	return &s
}()

// avx512BF16 has products of bfloat16 too.
var avx512BF16 = func() *set {
	s := *avx512VNNI
	s.name = "avx512bf16"
	s.round, s.pairInt8 = roundBF16AVX512, pairInt8BF16AVX512
	s.bf16 = &bf16Kernels{scores: scoresBF16AVX512, softmax: softmaxBF16AVX512, weigh: weighBF16AVX512}
	s.linear[kernels.BF16] = multiplier{rows: maxTile, words: 1, prepare: prepareBF16Vector, matmul: matmulBF16AVX512}
	s.peaks[kernels.BF16] = peak{peakBF16AVX512, 24 * 32 * 2}
	return &s
}()

type matmulFunc = func(rows int, c []float32, cStride int, x []uint32, xStride int, b []uint32, steps int, load bool)

// inHalves makes a product of those for the halves of a panel.
func inHalves(low, high matmulFunc) matmulFunc {
	return func(rows int, c []float32, cStride int, x []uint32, xStride int, b []uint32, steps int, load bool) {
		low(rows, c, cStride, x, xStride, b, steps, load)
		high(rows, c[lanes:], cStride, x, xStride, b[lanes:], steps, load)
	}
}

var linearAVX2 = func() [len(layouts)]multiplier {
	m := linearGo
	m[kernels.F32] = overFloats(6, matmulAVX2)
	m[kernels.BF16].rows, m[kernels.BF16].matmul = 4, inHalves(matmulBF16HalfAVX2, matmulBF16HalfAVX2)
	m[kernels.Int8].rows, m[kernels.Int8].matmul = 4, inHalves(matmulInt8LowAVX2, matmulInt8HighAVX2)
	m[kernels.Int4].rows, m[kernels.Int4].matmul = 4, inHalves(matmulInt4LowAVX2, matmulInt4HighAVX2)
	return m
}()

// sets returns the kernel sets of this machine, the best first.
func sets() []*set {
	all := []*set{plain}
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		return all
	}
	all = append([]*set{avx2}, all...)
	if !cpu.X86.HasAVX512F || !cpu.X86.HasAVX512BW {
		return all
	}
	all = append([]*set{avx512}, all...)
	if cpu.X86.HasAVX512VNNI {
		all = append([]*set{avx512VNNI}, all...)
		if cpu.X86.HasAVX512BF16 {
			all = append([]*set{avx512BF16}, all...)
		}
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
func matmulBF16AVX512(rows int, c []float32, cStride int, x []uint32, xStride int, b []uint32, steps int, load bool)

//go:noescape
func matmulBF16WideAVX512(rows int, c []float32, cStride int, x []uint32, xStride int, b []uint32, steps int, load bool)

//go:noescape
func matmulInt8VNNI(rows int, c []float32, cStride int, x []uint32, xStride int, b []uint32, steps int, load bool)

//go:noescape
func matmulInt4VNNI(rows int, c []float32, cStride int, x []uint32, xStride int, b []uint32, steps int, load bool)

//go:noescape
func matmulBF16HalfAVX2(rows int, c []float32, cStride int, x []uint32, xStride int, b []uint32, steps int, load bool)

//go:noescape
func matmulInt8LowAVX2(rows int, c []float32, cStride int, x []uint32, xStride int, b []uint32, steps int, load bool)

//go:noescape
func matmulInt8HighAVX2(rows int, c []float32, cStride int, x []uint32, xStride int, b []uint32, steps int, load bool)

//go:noescape
func matmulInt4LowAVX2(rows int, c []float32, cStride int, x []uint32, xStride int, b []uint32, steps int, load bool)

//go:noescape
func matmulInt4HighAVX2(rows int, c []float32, cStride int, x []uint32, xStride int, b []uint32, steps int, load bool)

// The loops of limits.go: n rounds.
func peakFMAAVX2(n int)
func peakFMAAVX512(n int)
func peakBF16AVX512(n int)
func peakInt8VNNI(n int)

//go:noescape
func readAVX2(x []uint32)

//go:noescape
func prepareBF16AVX512(dst []uint32, x []float32)

//go:noescape
func prepareInt8AVX512(dst []uint32, x []float32)

//go:noescape
func prepareInt4AVX512(dst []uint32, x []float32)

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

// prepareBF16Vector packs pairs of bfloat16 into words.
func prepareBF16Vector(dst []uint32, x []float32) {
	n := whole(len(x))
	if n > 0 {
		prepareBF16AVX512(dst, x[:n])
	}
	dst = dst[n/2:]
	clear(dst)
	for i, v := range x[n:] {
		dst[i/2] |= uint32(kernels.BFloat16(v)) << (i % 2 * 16)
	}
}

func prepareInt8Vector(dst []uint32, x []float32) {
	groups := len(x) / int8Group
	if groups > 0 {
		prepareInt8AVX512(dst, x[:groups*int8Group])
	}
	prepareInt8Go(dst[groups*int8Words:], x[groups*int8Group:])
}

func prepareInt4Vector(dst []uint32, x []float32) {
	groups := len(x) / int4Group
	if groups > 0 {
		prepareInt4AVX512(dst, x[:groups*int4Group])
	}
	prepareInt4Go(dst[groups*int4Words:], x[groups*int4Group:])
}
