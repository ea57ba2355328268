package model

import (
	"testing"
	"unicode"
)

// TestClassesEqualUnicode compares the classes with package unicode, for the
// characters that it knows of.
func TestClassesEqualUnicode(t *testing.T) {
	table := classes()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc) {
			continue
		}
		var want class
		switch {
		case r == '\r' || r == '\n':
			want = space | lineEnd
		case unicode.In(r, unicode.Lu, unicode.Lt):
			want = upper
		case unicode.Is(unicode.Ll, r):
			want = lower
		case unicode.In(r, unicode.Lm, unicode.Lo):
			want = upper | lower
		case unicode.Is(unicode.M, r):
			want = mark
		case unicode.Is(unicode.N, r):
			want = number
		case unicode.In(r, unicode.P, unicode.S):
			want = symbol
		case unicode.IsSpace(r):
			want = space
		}
		if table[r] != want {
			t.Errorf("class of %U is %b; want %b", r, table[r], want)
		}
	}
}
