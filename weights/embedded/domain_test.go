package embedded

import (
	"slices"
	"testing"
)

func TestUnknown(t *testing.T) {
	for _, c := range []struct {
		question string
		want     []string
	}{
		{"What is (12 + 7) * 3 - 8 / 2?", nil},
		{"Compute 185 / 5 + 69 x 9.", nil},
		{"Tom has 24 apples. He gives 5 apples to Mia. How many apples does Tom have now?", nil},
		{"TOM HAS 24 APPLES. HOW MANY DOES HE HAVE?", nil},
		{"Who wrote Faust, and who wrote Hamlet?", []string{"Who", "wrote", "Faust", "Hamlet"}},
		{"What is 1000 + 999 + 0012?", []string{"1000"}},
		{"What is 3.5 * 12345678901234567890?", []string{"12345678901234567890"}},
		{"¿Cuánto es 2 + 2?", []string{"Cuánto", "es"}},
		{"", nil},
		{"\xff\xfe 7up", []string{"7up"}},
	} {
		if got := Unknown(c.question); !slices.Equal(got, c.want) {
			t.Errorf("Unknown(%q) = %q; want %q", c.question, got, c.want)
		}
	}
}
