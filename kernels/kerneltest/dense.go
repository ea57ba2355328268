package kerneltest

import "math"

// norms: the sum of n squares has a relative error of at most n·u, halved by the
// root, and what follows adds a few roundings.
func (h *harness) norms() {
	for _, cols := range []int{1, 5, 16, 31, 96, 192, 1000, 1024} {
		for _, rows := range []int{1, 3, 65} {
			const eps = 1e-6
			data, added, weight := h.floats((rows+1)*cols), h.floats((rows+1)*cols), h.floats(cols)
			x, w := h.upload(data, rows+1, cols), h.upload(weight, 1, cols)
			dst := h.tensor(rows+1, cols)
			h.d.RMSNorm(dst, x, w, rows, eps)
			got := h.read(dst, rows+1)
			h.checkNorm("RMSNorm", got[:rows*cols], data, weight, eps)
			if !math.IsNaN(float64(got[rows*cols])) {
				h.Fatalf("RMSNorm of %d rows wrote row %d", rows, rows)
			}
			h.same("RMSNorm's input", h.read(x, rows+1), data)

			r := rows - 1
			alone := h.tensor(1, cols)
			h.d.RMSNorm(alone, h.upload(data[r*cols:(r+1)*cols], 1, cols), w, 1, eps)
			h.same("RMSNorm of a row alone", h.read(alone, 1), got[r*cols:(r+1)*cols])

			h.d.AddRMSNorm(dst, x, h.upload(added, rows+1, cols), w, rows, eps)
			for i := range rows * cols {
				data[i] += added[i]
			}
			h.same("AddRMSNorm's residual", h.read(x, rows+1), data)
			h.checkNorm("AddRMSNorm", h.read(dst, rows), data, weight, eps)

			h.d.RMSNorm(x, x, w, rows, eps)
			h.checkNorm("RMSNorm in place", h.read(x, rows), data, weight, eps)
		}
	}
}

func (h *harness) checkNorm(what string, got, x, weight []float32, eps float64) {
	cols := len(weight)
	for lo := 0; lo < len(got); lo += cols {
		squares := 0.0
		for _, v := range x[lo : lo+cols] {
			squares += float64(v) * float64(v)
		}
		inv := 1 / math.Sqrt(squares/float64(cols)+float64(float32(eps)))
		for i := range cols {
			want := float64(x[lo+i]) * inv * float64(weight[i])
			h.near(what, lo+i, got[lo+i], want, (float64(cols)/2+8)*u*math.Abs(want))
		}
	}
}

// swiglu: 16 roundings for the exponential, which may be clamped where silu is
// below 1e-35.
func (h *harness) swiglu() {
	for _, cols := range []int{1, 3, 16, 37, 512} {
		for _, rows := range []int{1, 2, 64} {
			data := h.floats(rows * 2 * cols)
			for i := range data {
				data[i] *= float32(math.Exp(4 * h.rng.NormFloat64()))
			}
			special := []float32{0, 100, -100, -88, 88, 1e4, -1e4, 1e30, -1e30}
			for i, v := range special[:min(len(special), cols)] {
				data[i] = v
			}
			dst := h.tensor(rows, cols)
			h.d.SwiGLU(dst, h.upload(data, rows, 2*cols), rows)
			got := h.read(dst, rows)
			for i, y := range got {
				g, up := float64(data[i/cols*2*cols+i%cols]), float64(data[i/cols*2*cols+cols+i%cols])
				want := g / (1 + math.Exp(-g)) * up
				if math.Abs(want) > math.MaxFloat32 {
					continue
				}
				h.near("SwiGLU", i, y, want, 16*u*math.Abs(want)+1e-35*(1+math.Abs(g))*math.Abs(up)+1e-37)
			}
			alone := h.tensor(1, cols)
			h.d.SwiGLU(alone, h.upload(data[(rows-1)*2*cols:], 1, 2*cols), 1)
			h.same("SwiGLU of a row alone", h.read(alone, 1), got[(rows-1)*cols:])
		}
	}
}
