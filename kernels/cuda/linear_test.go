//go:build cuda

package cuda

import (
	"math/rand/v2"
	"testing"

	"deepprune/kernels"
)

// normal returns a source of random numbers.
func normal(seed uint64) func(n int) []float32 {
	rng := rand.New(rand.NewPCG(seed, 4))
	return func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return x
	}
}

// TestLinearOfManyRows compares the kernels for large products, which the conformance
// suite has none of, with those for few rows, bit for bit.
func TestLinearOfManyRows(t *testing.T) {
	d := open(t)
	defer d.Close()
	floats := normal(3)
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

// TestExpertLinearOfManyRows compares the same kernels, when a routing gives each expert
// some of the rows, with a linear layer of each row alone.
func TestExpertLinearOfManyRows(t *testing.T) {
	d := open(t)
	defer d.Close()
	floats := normal(5)
	const count, rows = 4, 530
	for _, format := range []kernels.Format{kernels.BF16, kernels.Int8, kernels.Int4} {
		for _, s := range []struct {
			out, in int
			sliced  bool
		}{{2170, 150, true}, {2170, 30, false}} {
			var matrices []kernels.Matrix
			for range count {
				data := floats(s.out * s.in)
				m, err := d.NewMatrix(format, s.out, s.in, func(i int, dst []float32) { copy(dst, data[i*s.in:]) })
				if err != nil {
					t.Fatal(err)
				}
				matrices = append(matrices, m)
			}
			m := matrices[0].(*matrix)
			if each := ceil(rows, count); each <= fewRows[len(fewRows)-1] ||
				ceil(m.tiles, manyTiles)*ceil(each, manyRows)*count < manyBlocks || (m.slices > 1) != s.sliced {
				t.Fatalf("%v, %dx%d: %d tiles, %d slices: the kernel is not the one to test", format, s.out, s.in, m.tiles, m.slices)
			}
			experts := must(d.NewExperts(matrices))(t)
			bias := must(d.Upload(floats(count*s.out), count, s.out))(t)
			none := must(d.NewTensor(1, s.out))(t)

			// Expert 3 gets nothing, expert 0 the most.
			chosen := make([]int, rows)
			logits := make([]float32, rows*count)
			var entries []int // the row of each
			for r := range rows {
				chosen[r] = max(0, r%5-2)
				logits[r*count+chosen[r]] = 1
			}
			for e := range count {
				for r, c := range chosen {
					if c == e {
						entries = append(entries, r)
					}
				}
			}
			routing := must(d.NewRouting(rows, count, 1))(t)
			d.Route(routing, must(d.Upload(logits, rows, count))(t), &kernels.RouterSpec{Chosen: 1, Scale: 1}, rows)
			x := floats(rows * s.in)
			from := must(d.Upload(x, rows, s.in))(t)
			dispatched := must(d.NewTensor(rows, s.in))(t)
			all := must(d.NewTensor(rows, s.out))(t)
			d.Dispatch(dispatched, from, routing)
			d.ExpertLinear(all, dispatched, experts, bias, routing)

			got, want, added := make([]float32, s.out), make([]float32, s.out), make([]float32, s.out)
			for _, i := range []int{0, 1, 127, 128, 316, 317, 318, 319, 423, 424, rows - 1} {
				r := entries[i]
				d.Linear(none, must(d.Upload(x[r*s.in:][:s.in], 1, s.in))(t), matrices[chosen[r]], nil, 1)
				d.Read(none, 0, want)
				d.Read(bias, chosen[r], added)
				d.Read(all, i, got)
				for j := range want {
					if got[j] != want[j]+added[j] {
						t.Fatalf("%v, %dx%d: output %d of entry %d, row %d of expert %d, is %v; alone it is %v", format, s.out, s.in, j, i, r, chosen[r], got[j], want[j]+added[j])
					}
				}
			}
		}
	}
}

// must returns the value of a call that must not fail.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestSwiGLUOfManyRows has more rows than a grid has blocks in its second dimension, as
// the entries of a mixture of experts soon are.
func TestSwiGLUOfManyRows(t *testing.T) {
	d := open(t)
	defer d.Close()
	const rows = mostBlocks + 2
	data := make([]float32, 2*rows)
	data[2*rows-2], data[2*rows-1] = 100, 3 // silu(100) is 100
	gateUp, err := d.Upload(data, rows, 2)
	if err != nil {
		t.Fatal(err)
	}
	dst, err := d.NewTensor(rows, 1)
	if err != nil {
		t.Fatal(err)
	}
	d.SwiGLU(dst, gateUp, rows)
	got := make([]float32, 1)
	if d.Read(dst, rows-1, got); got[0] != 300 {
		t.Errorf("the last row is %v; want 300", got[0])
	}
}
