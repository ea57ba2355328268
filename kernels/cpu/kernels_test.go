package cpu

import (
	"math"
	"math/rand/v2"
	"testing"

	"deepprune/kernels"
)

// TestMatmul compares each set's matrix product with its twin for every number
// of rows: within the rounding of a fused product, and exactly between the sets
// that fuse.
func TestMatmul(t *testing.T) {
	for _, k := range []int{1, 2, 5, 16, 33, 192} {
		for _, load := range []bool{false, true} {
			x, b0, b1 := randomFloats(maxTile*(k+3)), randomFloats(20*k+lanes), randomFloats(20*k+lanes)
			const stride = 40
			start := randomFloats(maxTile * stride)
			var fused []float32
			for _, s := range sets() {
				for rows := 1; rows <= s.tile; rows++ {
					got := append([]float32(nil), start...)
					s.matmul(rows, got, stride, x, k+3, b0, b1, 20, k, load)
					want := append([]float32(nil), start...)
					matmulGo(rows, want, stride, x, k+3, b0, b1, 20, k, load)
					for i := range got {
						if r, c := i/stride, i%stride; r >= rows || c >= panelWidth {
							if got[i] != start[i] {
								t.Fatalf("%s: %d rows of %d: wrote row %d, column %d", s.name, rows, k, r, c)
							}
						} else if math.Abs(float64(got[i]-want[i])) > 1e-4 {
							t.Fatalf("%s: %d rows of %d: row %d, column %d = %v; want %v", s.name, rows, k, r, c, got[i], want[i])
						}
					}
					if s == plain {
						continue
					}
					if fused == nil && rows == s.tile {
						fused = got
					}
					for i := range fused[:min(rows*stride, len(fused))] {
						if i/stride < rows && fused[i] != got[i] && i/stride < 6 {
							t.Fatalf("%s: %d rows of %d: element %d = %v; the first set has %v", s.name, rows, k, i, got[i], fused[i])
						}
					}
				}
			}
		}
	}
}

// TestVectors compares each set's vector kernels with their twins, at every
// length up to a few vectors.
func TestVectors(t *testing.T) {
	near := func(name, what string, n int, got, want float32) {
		t.Helper()
		if diff := math.Abs(float64(got - want)); diff > 4e-6*math.Abs(float64(want))+1e-30 {
			t.Fatalf("%s: %s of %d = %v; want %v", name, what, n, got, want)
		}
	}
	for _, s := range sets() {
		for n := 1; n < 70; n++ {
			x, w, y := randomFloats(n), randomFloats(n), randomFloats(n)
			near(s.name, "sumSquares", n, s.sumSquares(x), sumSquaresGo(x))
			near(s.name, "maximum", n, s.maximum(x), maximumGo(x))
			each := func(what string, of func(set *set, dst []float32) float32) {
				t.Helper()
				got, want := append(append([]float32(nil), y...), 42), append([]float32(nil), y...)
				near(s.name, what, n, of(s, got[:n]), of(plain, want))
				for i := range want {
					if what == "axpy" {
						want[i], got[i] = want[i]+100, got[i]+100 // products cancel
					}
					near(s.name, what, n, got[i], want[i])
				}
				if got[n] != 42 {
					t.Fatalf("%s: %s of %d wrote past its end", s.name, what, n)
				}
			}
			each("addSumSquares", func(set *set, dst []float32) float32 { return set.addSumSquares(dst, x) })
			each("scaleMul", func(set *set, dst []float32) float32 { set.scaleMul(dst, x, w, 1.7); return 0 })
			each("axpy", func(set *set, dst []float32) float32 { set.axpy(dst, x, -0.3); return 0 })
			if n%8 == 0 {
				both := append(append([]float32(nil), y...), x...)
				want := append([]float32(nil), both...)
				s.rotate(both, x, w)
				rotateGo(want, x, w)
				for i := range want {
					near(s.name, "rotate", n, both[i]+100, want[i]+100) // products cancel
				}
			}
			each("swiglu", func(set *set, dst []float32) float32 { set.swiglu(dst, x, w); return 0 })
			each("expSum", func(set *set, dst []float32) float32 { return set.expSum(dst, x, 3, 1.5) })
		}
	}
}

// TestSoftmax compares each set's softmax with its twin for every range of keys
// that starts or ends with the partition and some others, beside garbage where
// keys are not seen.
func TestSoftmax(t *testing.T) {
	const n = kernels.PartitionKeys
	nan := float32(math.NaN())
	for _, s := range sets() {
		for rows := range maxTile + 1 {
			for keys := 1; keys <= n; keys++ {
				got, sees := randomFloats(rows*n), make([]span, rows)
				for r := range rows {
					to := int32(1 + (keys+7*r)%n)
					sees[r] = [...]span{{0, to}, {to - 1, n}, {to / 3, to}}[r%3]
					for i := range int32(n) {
						if i < sees[r].from || i >= sees[r].to {
							got[r*n+int(i)] = nan
						}
					}
				}
				want := append([]float32(nil), got...)
				gotSums, wantSums := make([]partial, rows), make([]partial, rows)
				s.softmax(got, sees, gotSums)
				softmaxGo(want, sees, wantSums)
				for r := range rows {
					g, w := gotSums[r], wantSums[r]
					if g.max != w.max || !(math.Abs(float64(g.sum-w.sum)) <= 1e-5*float64(w.sum)) {
						t.Fatalf("%s: row %d of %d, keys %v: %v; want %v", s.name, r, rows, sees[r], g, w)
					}
					for i, v := range want[r*n:][:n] {
						if x := got[r*n+i]; !(math.Abs(float64(x-v)) <= 1e-6*float64(v)) {
							t.Fatalf("%s: row %d of %d, keys %v: weight %d = %v; want %v", s.name, r, rows, sees[r], i, x, v)
						}
					}
				}
			}
		}
	}
}

// TestExp holds the exponential of every set to the error that it documents, and
// to its word on what cannot be computed.
func TestExp(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, s := range sets() {
		worst := 0.0
		x, y := make([]float32, 64), make([]float32, 64)
		for range 5000 {
			for i := range x {
				x[i] = float32(rand.Float64()*175.6 - 87.3)
			}
			s.expSum(y, x, 0, 1)
			for i := range x {
				want := math.Exp(float64(x[i]))
				worst = max(worst, math.Abs(float64(y[i])-want)/want)
			}
		}
		if worst > 2e-7 {
			t.Errorf("%s: relative error %.3g; want at most 2e-7", s.name, worst)
		}
		for i, c := range []struct{ x, want float32 }{{0, 1}, {-inf, 0}, {nan, 0}, {-88, 0}, {-1e30, 0}} {
			for j := range x {
				x[j] = c.x
			}
			s.expSum(y, x, 0, 1)
			if y[0] != c.want || y[63] != c.want {
				t.Errorf("%s: case %d: exp(%v) = %v; want %v", s.name, i, c.x, y[0], c.want)
			}
		}
		x[5], x[40] = nan, nan
		for i := range x {
			if i != 5 && i != 40 {
				x[i] = float32(-i)
			}
		}
		if m := s.maximum(x); m != 0 {
			t.Errorf("%s: maximum beside NaNs = %v; want 0", s.name, m)
		}
		s.swiglu(y, x, x)
		if y[5] == y[5] || y[40] == y[40] || y[6] != y[6] {
			t.Errorf("%s: swiglu of NaN, NaN, -6 = %v, %v, %v; want NaN, NaN, a number", s.name, y[5], y[40], y[6])
		}
	}
}
