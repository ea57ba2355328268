package weights

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestFloat8(t *testing.T) {
	for bits, want := range map[byte]float32{
		0x00: 0, 0x01: 1. / 512, 0x07: 7. / 512, 0x08: 1. / 64, 0x37: 0.9375, 0x38: 1, 0x39: 1.125, 0x7E: 448, 0xB8: -1, 0xFE: -448,
	} {
		if got := float8Table()[bits]; got != want {
			t.Errorf("%#02x = %v; want %v", bits, got, want)
		}
	}
	for i := range 126 {
		if a, b := float8Table()[i], float8Table()[i+1]; !(a < b) || float8Table()[i+129] != -b {
			t.Errorf("%#02x = %v and %#02x = %v; want them in order, and the same below zero", i, a, i+1, b)
		}
	}
	for _, i := range []int{0x7F, 0xFF} {
		if v := float64(float8Table()[i]); !math.IsNaN(v) {
			t.Errorf("%#02x = %v; want NaN", i, v)
		}
	}
}

// TestScaled has blocks of 2 by 3 over a matrix of 3 by 5, and the wrong scales.
func TestScaled(t *testing.T) {
	made := func(name string, shape ...int) *Tensor {
		return Generated(name, shape, func(i int, dst []float32) {
			for j := range dst {
				dst[j] = float32(10*i + j + 1)
			}
		})
	}
	s, err := Scaled(made("m", 3, 5), made("s", 2, 2), 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]float32{{1, 2, 3, 8, 10}, {11, 12, 13, 28, 30}, {231, 242, 253, 288, 300}} {
		got := make([]float32, 5)
		s.Row(i, got)
		if !slices.Equal(got, want) {
			t.Errorf("row %d = %v; want %v", i, got, want)
		}
	}
	for _, test := range []struct {
		m, s       *Tensor
		rows, cols int
		want       string
	}{
		{made("m", 3, 5), made("s", 1, 2), 2, 3, `tensor "s": shape [1 2]; blocks of 2 by 3 make it [2 2]`},
		{made("m", 3, 5), made("s", 4), 2, 3, `tensor "s": shape [4]`},
		{made("m", 5), made("s", 1, 2), 2, 3, `tensor "m": [5] in blocks`},
		{made("m", 3, 5), made("s", 2, 2), 0, 3, `tensor "m": [3 5] in blocks of 0 by 3`},
	} {
		if _, err := Scaled(test.m, test.s, test.rows, test.cols); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Scaled: %v; want %s", err, test.want)
		}
	}
}
