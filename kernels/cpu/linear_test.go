package cpu

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"deepprune/kernels"
)

// TestProducts compares each set's products with the plain ones, for every number of
// rows and of steps around the unrolled ones, from zero and on top of what is there.
func TestProducts(t *testing.T) {
	for _, s := range sets() {
		for _, format := range kernels.Formats()[1:] {
			for steps := 1; steps <= 5; steps++ {
				l := &layouts[format]
				in := steps*l.depth - rand.IntN(l.depth)
				m := &matrix{data: make([]uint32, steps*l.words), out: panelWidth, in: in, format: format}
				for lane := range panelWidth {
					row := make([]float32, steps*l.depth)
					copy(row, randomFloats(in))
					m.pack(m.panel(0), lane, row)
				}
				x := randomFloats(maxTile * in)
				start := randomFloats(maxTile * 40)
				compute := func(set *set, rows int, load bool) []float32 {
					p := &set.linear[format]
					stride := steps*p.words + 3
					prepared := make([]uint32, rows*stride)
					for r := range rows {
						p.prepare(prepared[r*stride:][:steps*p.words], x[r*in:][:in])
					}
					c := slices.Clone(start)
					p.matmul(rows, c, 40, prepared, stride, m.panel(0), steps, load)
					return c
				}
				for _, load := range []bool{false, true} {
					want := compute(plain, maxTile, load)
					for rows := 1; rows <= s.linear[format].rows; rows++ {
						for i, got := range compute(s, rows, load) {
							if r, c := i/40, i%40; r >= rows || c >= panelWidth {
								if got != start[i] {
									t.Fatalf("%s, %v: %d rows: wrote row %d, column %d", s.name, format, rows, r, c)
								}
							} else if math.Abs(float64(got-want[i])) > 1e-3 {
								t.Fatalf("%s, %v: %d rows, %d steps: row %d, column %d = %v; want %v", s.name, format, rows, steps, r, c, got, want[i])
							}
						}
					}
				}
			}
		}
	}
}

// TestPrepare compares what each set makes of a row of integers with its twin, which
// is the same to a bit, odd numbers and nearly nothing included.
func TestPrepare(t *testing.T) {
	for _, s := range sets() {
		for _, format := range []kernels.Format{kernels.Int8, kernels.Int4} {
			for n := 1; n < 300; n += 1 + rand.IntN(9) {
				x := randomFloats(n)
				scale := float32(math.Ldexp(1, rand.IntN(240)-120))
				for i := range x {
					x[i] *= scale
				}
				switch odd := []float32{0, float32(math.NaN()), float32(math.Inf(-1)), math.MaxFloat32, 1e-45}; rand.IntN(3) {
				case 0:
					x[rand.IntN(n)] = odd[rand.IntN(len(odd))]
				case 1:
					clear(x[n/2:])
				}
				size := layouts[format].steps(n) * s.linear[format].words
				got, want := make([]uint32, size), make([]uint32, size)
				for i := range got {
					got[i] = ^uint32(0) // nothing may be left of it
				}
				s.linear[format].prepare(got, x)
				plain.linear[format].prepare(want, x)
				for i := range want {
					g, w := math.Float32frombits(got[i]), math.Float32frombits(want[i])
					if got[i] != want[i] && (g == g || w == w) {
						t.Fatalf("%s, %v: %d numbers: word %d = %#x; want %#x", s.name, format, n, i, got[i], want[i])
					}
				}
			}
		}
	}
}
