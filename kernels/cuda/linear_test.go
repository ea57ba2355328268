//go:build cuda

package cuda

import (
	"math/rand/v2"
	"testing"

	"deepprune/kernels"
)

// TestLinearOfManyRows compares the kernels for large products, which the conformance
// suite has none of, with those for few rows, bit for bit.
func TestLinearOfManyRows(t *testing.T) {
	d := open(t)
	defer d.Close()
	rng := rand.New(rand.NewPCG(3, 4))
	floats := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return x
	}
	for _, format := range []kernels.Format{kernels.BF16, kernels.Int8, kernels.Int4} {
		for _, s := range []struct {
			out, in, rows int
			sliced        bool
		}{{8403, 300, 261, true}, {32_777, 200, 130, false}} {
			data := floats(s.out * s.in)
			w, err := d.NewMatrix(format, s.out, s.in, func(i int, dst []float32) { copy(dst, data[i*s.in:]) })
			if err != nil {
				t.Fatal(err)
			}
			m := w.(*matrix)
			if blocks := ceil(m.tiles, manyTiles) * ceil(s.rows, manyRows); blocks < manyBlocks || (m.slices > 1) != s.sliced {
				t.Fatalf("%v, %dx%d: %d blocks, %d slices: the kernel is not the one to test", format, s.out, s.in, blocks, m.slices)
			}
			bias, err := d.Upload(floats(s.out), 1, s.out)
			if err != nil {
				t.Fatal(err)
			}
			x := floats(s.rows * s.in)
			multiply := func(x []float32) kernels.Tensor {
				rows := len(x) / s.in
				from, err := d.Upload(x, rows, s.in)
				if err != nil {
					t.Fatal(err)
				}
				to, err := d.NewTensor(rows, s.out)
				if err != nil {
					t.Fatal(err)
				}
				d.Linear(to, from, m, bias, rows)
				return to
			}
			got, want := make([]float32, s.out), make([]float32, s.out)
			all := multiply(x)
			for _, r := range []int{0, 7, 63, 127, 128, 129, s.rows - 1} {
				d.Read(all, r, got)
				d.Read(multiply(x[r*s.in:][:s.in]), 0, want)
				for i := range want {
					if got[i] != want[i] {
						t.Fatalf("%v, %dx%d: output %d of row %d of %d is %v; alone it is %v", format, s.out, s.in, i, r, s.rows, got[i], want[i])
					}
				}
			}
		}
	}
}
