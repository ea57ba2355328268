package kernels

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestBFloat16 rounds to the nearest, ties to even.
func TestBFloat16(t *testing.T) {
	for bits, want := range map[uint32]uint16{
		0: 0, 0x3f800000: 0x3f80, 0x3f808000: 0x3f80, 0x3f808001: 0x3f81, 0x3f818000: 0x3f82,
		0xbf807fff: 0xbf80, 0x7f7fffff: 0x7f80, 0xff800000: 0xff80, 0x7f800001: 0x7fc0,
	} {
		if got := BFloat16(math.Float32frombits(bits)); got != want {
			t.Errorf("BFloat16(%#x) = %#x; want %#x", bits, got, want)
		}
	}
}

// TestScales checks that scales are bfloat16, that weights stay in their range, and
// that each is off by half a unit at most, but for int4 at its upper end.
func TestScales(t *testing.T) {
	for range 2000 {
		group := make([]float32, 1+rand.IntN(64))
		size := math.Ldexp(1, rand.IntN(200)-100)
		for i := range group {
			group[i] = float32(size * rand.NormFloat64())
		}
		for _, c := range []struct {
			format   Format
			scale    float32
			of       func(w, scale float32) int32
			from, to int32
			off      float64 // units
		}{
			{Int8, Int8Scale(group), Int8Of, -127, 127, 0.5},
			{Int4, Int4Scale(group), Int4Of, -8, 7, 1},
		} {
			if math.Float32bits(c.scale)&0xffff != 0 {
				t.Fatalf("%v: scale %v is no bfloat16", c.format, c.scale)
			}
			for _, w := range group {
				q := c.of(w, c.scale)
				if off := math.Abs(float64(w)/float64(c.scale) - float64(q)); q < c.from || q > c.to || off > c.off*(1+1e-6) {
					t.Fatalf("%v: %v in units of %v is %d, off by %v", c.format, w, c.scale, q, off)
				}
			}
		}
	}
}

// TestScalesOfOddGroups: what is not finite must not be lost, and zeros stay zeros.
func TestScalesOfOddGroups(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, odd := range []float32{nan, inf, -inf} {
		group := []float32{1, odd, 3, -4}
		if s := Int8Scale(group); s == s || Int8Of(1, s) == 0 {
			t.Errorf("int8: the scale of %v is %v, and 1 becomes %d", group, s, Int8Of(1, s))
		}
		if s := Int4Scale(group); s == s || Int4Of(1, s) == 0 {
			t.Errorf("int4: the scale of %v is %v, and 1 becomes %d", group, s, Int4Of(1, s))
		}
	}
	if s := Int8Scale(make([]float32, 8)); s != 0 {
		t.Errorf("the scale of zeros in int8 is %v; want 0", s)
	}
	if s := Int4Scale(make([]float32, 8)); s != 0 {
		t.Errorf("the scale of zeros in int4 is %v; want 0", s)
	}
}
