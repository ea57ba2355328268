package kernels

import "testing"

// The known answers that the authors publish with Random123 (kat_vectors).
func TestPhiloxKnownAnswers(t *testing.T) {
	const ones = 1<<64 - 1
	for _, c := range []struct{ c0, c1, key, x0, x1 uint64 }{
		{0, 0, 0, 0xca00a0459843d731, 0x66c24222c9a845b5},
		{ones, ones, ones, 0x65b021d60cd8310f, 0x4d02f3222f86df20},
		{0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x0a5e742c2997341c, 0xb0f883d38000de5d},
	} {
		if x0, x1 := philox(c.c0, c.c1, c.key); x0 != c.x0 || x1 != c.x1 {
			t.Errorf("philox(%#x, %#x, %#x) = %#x, %#x; want %#x, %#x", c.c0, c.c1, c.key, x0, x1, c.x0, c.x1)
		}
	}
}

func TestUniform(t *testing.T) {
	var n, sum, squares float64
	seen := make(map[float64]bool)
	for seed := range uint64(10) {
		for trace := range uint32(50) {
			for position := range uint32(100) {
				u := Uniform(seed, trace, position)
				if u < 0 || u >= 1 {
					t.Fatalf("Uniform(%d, %d, %d) = %v; want [0, 1)", seed, trace, position, u)
				}
				n, sum, squares = n+1, sum+u, squares+u*u
				seen[u] = true
			}
		}
	}
	if len(seen) != int(n) {
		t.Errorf("%d different values of %v draws", len(seen), n)
	}
	// Five standard deviations of 50,000 draws.
	if mean := sum / n; mean < 0.4935 || mean > 0.5065 {
		t.Errorf("mean = %v; want 1/2", mean)
	}
	if m := squares / n; m < 0.3266 || m > 0.3400 {
		t.Errorf("mean of squares = %v; want 1/3", m)
	}
}
