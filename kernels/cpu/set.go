package cpu

import (
	"fmt"
	"strings"

	"deepprune/kernels"
)

const (
	lanes      = 16        // outputs of a panel: one AVX-512 register
	panelWidth = 2 * lanes // outputs of a pair of panels, what matmul computes at once
	maxTile    = 12        // the most rows that a matmul takes
)

// set is a kernel set. Slices that a kernel reads or writes together have the
// same length unless said otherwise.
type set struct {
	name string
	// tile is the number of rows that matmul takes at most, up to maxTile.
	tile int
	// matmul computes c[r][0:32] = x[r]·{b0|b1} for r < rows, or adds to c if load
	// is set. Rows of c and x lie cStride and xStride apart, rows of b0 and b1
	// bStride. Each element accumulates over k in order.
	matmul func(rows int, c []float32, cStride int, x []float32, xStride int, b0, b1 []float32, bStride, k int, load bool)
	// linear is how linear layers multiply with weights of each format.
	linear [len(layouts)]multiplier

	// peaks are what the innermost instructions of linear do at most, and read is
	// the fastest way through memory. Where they are nil nobody knows.
	peaks [len(layouts)]peak
	read  func(x []uint32)

	// sumSquares returns Σx².
	sumSquares func(x []float32) float32
	// addSumSquares adds x to acc and returns Σacc².
	addSumSquares func(acc, x []float32) float32
	// scaleMul computes dst = x*s*w.
	scaleMul func(dst, x, w []float32, s float32)
	// axpy adds a*x to dst.
	axpy func(dst, x []float32, a float32)
	// rotate rotates x, of 2*len(cos) elements, as kernels.RotarySpec says. The
	// length of cos is a multiple of 8.
	rotate func(x, cos, sin []float32)
	// swiglu computes dst = g/(1+exp(-g)) * u.
	swiglu func(dst, g, u []float32)
	// maximum returns the largest element; NaNs count as -Inf.
	maximum func(x []float32) float32
	// expSum computes dst = exp((x-shift)*scale) and returns its sum. Elements
	// below exp(-87.3) and NaNs become 0.
	expSum func(dst, x []float32, shift, scale float32) float32
	// softmax turns each row of PartitionKeys scores into exp(score - max) over
	// what it sees, at least one key, the rest into 0 whatever it is. It notes max
	// and sum.
	softmax func(scores []float32, sees []span, sums []partial)
	// round computes dst = src*scale as pairs of bfloat16, of a multiple of 16 numbers.
	round func(dst []uint32, src []float32, scale float32)
	// pairInt8 makes pairs of bfloat16 of pairs of integers, two to a word, a multiple
	// of 16 integers.
	pairInt8 func(dst, src []uint32)
	// widen writes the low halves of each 16 words of pairs of bfloat16 and then the
	// high ones.
	widen func(dst []float32, pairs []uint32)
	// bf16 multiplies keys and values in bfloat16, nil for a set that widens them.
	bf16 *bf16Kernels
}

var plain = &set{
	name:          "go",
	tile:          4,
	matmul:        matmulGo,
	linear:        linearGo,
	sumSquares:    sumSquaresGo,
	addSumSquares: addSumSquaresGo,
	scaleMul:      scaleMulGo,
	axpy:          axpyGo,
	rotate:        rotateGo,
	swiglu:        swigluGo,
	maximum:       maximumGo,
	expSum:        expSumGo,
	softmax:       softmaxGo,
	round:         roundGo,
	pairInt8:      pairInt8Go,
	widen:         widenGo,
}

var linearGo = [len(layouts)]multiplier{
	kernels.F32:  overFloats(4, matmulGo),
	kernels.BF16: {rows: maxTile, words: 2, prepare: prepareBF16Go, matmul: matmulBF16Go},
	kernels.Int8: {rows: maxTile, words: int8Words, prepare: prepareInt8Go, matmul: matmulInt8Go},
	kernels.Int4: {rows: maxTile, words: int4Words, prepare: prepareInt4Go, matmul: matmulInt4Go},
}

// setNamed returns the set of a name, the best one for "".
func setNamed(name string) (*set, error) {
	all := sets()
	if name == "" {
		return all[0], nil
	}
	for _, s := range all {
		if s.name == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("cpu: no kernel set %q; this machine runs %s", name, strings.Join(KernelSets(), ", "))
}
