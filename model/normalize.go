package model

import (
	"slices"
	"sort"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// manyMarks is the run of combining marks from which on toNFC composes by itself:
// after 30 of them package norm inserts a U+034F, so that a stream can be
// normalised in bounded memory, and the reference does not.
const manyMarks = 8

func (t *BPE) normalize(text string) string {
	if !t.nfc || isASCII(text) {
		return text
	}
	return toNFC(text)
}

// toNFC returns text in normalisation form C (Unicode Standard Annex 15), by the
// Unicode version of the reference: what came later is neither put in order nor
// composed.
func toNFC(text string) string {
	marks := 0
	for at := 0; at < len(text); {
		if text[at] < utf8.RuneSelf {
			marks = 0
			at++
			continue
		}
		p := norm.NFC.PropertiesString(text[at:])
		r, n := utf8.DecodeRuneInString(text[at:])
		if isLater(r) {
			return compose(decompose(text))
		}
		if at += n; p.CCC() == 0 {
			marks = 0
		} else if marks++; marks >= manyMarks {
			return compose(decompose(text))
		}
	}
	return norm.NFC.String(text)
}

// isLater reports whether package norm knows more of a character than the
// reference.
func isLater(r rune) bool {
	return isUnordered(r) || slices.Contains(uncomposed, r) || slices.Contains(uncomposedLast, r)
}

// isUnordered is whether a character has a combining class that the reference
// does not know.
func isUnordered(r rune) bool {
	i := sort.Search(len(unordered), func(i int) bool { return unordered[i].last >= r })
	return i < len(unordered) && unordered[i].first <= r && (r-unordered[i].first)%unordered[i].step == 0
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// combiningRune is a character with its canonical combining class, 0 for a starter.
type combiningRune struct {
	r     rune
	class uint8
}

// decompose is the canonical decomposition of text, marks in canonical order.
func decompose(text string) []combiningRune {
	var out []combiningRune
	marks := 0 // at the end of out, not yet in order
	order := func() {
		slices.SortStableFunc(out[len(out)-marks:], func(a, b combiningRune) int { return int(a.class) - int(b.class) })
		marks = 0
	}
	for _, whole := range text {
		parts := string(whole)
		if !slices.Contains(uncomposed, whole) {
			parts = norm.NFD.String(parts)
		}
		for _, r := range parts {
			c := combiningRune{r: r}
			if !isUnordered(r) {
				c.class = norm.NFD.PropertiesString(string(r)).CCC()
			}
			if c.class == 0 {
				order()
			} else {
				marks++
			}
			out = append(out, c)
		}
	}
	order()
	return out
}

// compose joins what has a canonical composition: a mark with the starter before
// it, unless one of its class or higher, or another starter, lies between.
func compose(in []combiningRune) string {
	var out []rune
	starter := -1
	blocked := -1 // the class of what lies between, -1 for nothing
	for _, c := range in {
		if starter >= 0 && blocked < int(c.class) {
			two := norm.NFC.String(string(out[starter]) + string(c.r))
			if r, n := utf8.DecodeRuneInString(two); n == len(two) && !slices.Contains(uncomposed, r) {
				out[starter] = r
				continue
			}
		}
		if c.class == 0 {
			starter, blocked = len(out), -1
		} else {
			blocked = int(c.class)
		}
		out = append(out, c.r)
	}
	return string(out)
}
