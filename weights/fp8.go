package weights

import (
	"fmt"
	"math"
	"slices"
	"sync"
)

// F8E4M3 has a sign, 4 bits of exponent and 3 of fraction. Its numbers alone are
// rarely what is meant: see [Scaled].
const F8E4M3 DType = "F8_E4M3"

// Scaled returns a matrix whose blocks of rows by cols numbers are those of t, each
// block multiplied with its element of scales. The last blocks may be cut short.
func Scaled(t, scales *Tensor, rows, cols int) (*Tensor, error) {
	if rows < 1 || cols < 1 || len(t.Shape) != 2 {
		return nil, fmt.Errorf("tensor %q: %v in blocks of %d by %d", t.Name, t.Shape, rows, cols)
	}
	if want := []int{blocks(t.rows, rows), blocks(t.cols, cols)}; !slices.Equal(scales.Shape, want) {
		return nil, fmt.Errorf("tensor %q: shape %v; blocks of %d by %d make it %v", scales.Name, scales.Shape, rows, cols, want)
	}
	s := *t
	s.data, s.sources = nil, []*Tensor{t, scales}
	s.generate = func(i int, dst []float32) {
		t.Row(i, dst)
		factors := make([]float32, scales.cols)
		scales.Row(i/rows, factors)
		for j, f := range factors {
			block := dst[j*cols : min((j+1)*cols, len(dst))]
			for k := range block {
				block[k] *= f
			}
		}
	}
	return &s, nil
}

func blocks(n, size int) int { return (n + size - 1) / size }

func decodeF8E4M3(dst []float32, src []byte) {
	table := float8Table()
	for i := range dst {
		dst[i] = table[src[i]]
	}
}

// float8Table is the value of every F8E4M3. There are no infinities; all bits of
// exponent and fraction set is no number (Micikevicius et al., "FP8 formats for
// deep learning", 2022, table 1).
var float8Table = sync.OnceValue(func() *[256]float32 {
	table := new([256]float32)
	for i := range table {
		exponent, fraction := i>>3&15, float64(i&7)
		v := math.Ldexp(fraction, -9)
		switch {
		case i&127 == 127:
			v = math.NaN()
		case exponent > 0:
			v = math.Ldexp(8+fraction, exponent-10)
		}
		if i >= 128 {
			v = -v
		}
		table[i] = float32(v)
	}
	return table
})
