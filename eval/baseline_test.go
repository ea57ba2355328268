package eval

import (
	"math"
	"slices"
	"testing"
)

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want float64
	}{
		{"the sum is 12", "the sum is 12", 1},
		{"", "", 1},
		{"one two three", "four five six", 0},
		{"a b c d", "a b c e", (0.75 + 2./3 + 0.5) / 3},
		{"so so so", "so", (0.5 + 0 + 0) / 3},
	} {
		if got := Overlap(c.a, c.b); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("Overlap(%q, %q) = %v; want %v", c.a, c.b, got, c.want)
		}
		if got, back := Overlap(c.a, c.b), Overlap(c.b, c.a); got != back {
			t.Errorf("Overlap(%q, %q) = %v, the other way round %v", c.a, c.b, got, back)
		}
	}
	if got, want := words("x_1+12.5é = ?"), []string{"x_1", "+", "12", ".", "5é", "=", "?"}; !slices.Equal(got, want) {
		t.Errorf("words = %q; want %q", got, want)
	}
}

func TestStands(t *testing.T) {
	for _, c := range []struct {
		answer, text string
		want         bool
	}{
		{"12", "so 12.", true}, {"12", "so 112 and 123", false}, {"12", "112, then 12", true}, {"12", "", false},
		{"", "text", false}, {"12", "12", true}, {"-3", "x = -3", true}, {"B", "(B)", true}, {"B", "By", false},
	} {
		if got := Stands(c.answer, c.text); got != c.want {
			t.Errorf("Stands(%q, %q) = %v", c.answer, c.text, got)
		}
	}
}
