package model

import (
	"sync"
	"unicode"
	"unicode/utf8"
)

// class is what the patterns distinguish characters by: a set, empty for those
// that are none of these. It is that of the reference, whose Unicode version is
// not that of package unicode.
type class uint8

const (
	upper   class = 1 << iota // \p{Lu} and \p{Lt}
	lower                     // \p{Ll}; both for \p{Lm} and \p{Lo}
	mark                      // \p{M}
	number                    // \p{N}
	symbol                    // \p{P} and \p{S}
	space                     // \s
	lineEnd                   // [\r\n], a space too
	kana                      // Chinese and Japanese of DeepSeek's pattern, for which it is alone

	letter = upper | lower // \p{L}
)

// classTable is the class of every character.
type classTable [unicode.MaxRune + 1]class

// stretch is the characters first, first+step, … last.
type stretch struct{ first, last, step rune }

func (t *classTable) set(s stretch, c class) {
	for r := s.first; r <= s.last; r += s.step {
		t[r] = c
	}
}

var classes = sync.OnceValue(func() *classTable {
	table := new(classTable)
	for _, c := range classStretches {
		for _, s := range c.in {
			table.set(s, c.of)
		}
	}
	return table
})

// kanaClasses is classes with kana.
var kanaClasses = sync.OnceValue(func() *classTable {
	table := *classes()
	table.set(stretch{0x4E00, 0x9FA5, 1}, kana)
	table.set(stretch{0x3040, 0x30FF, 1}, kana)
	return &table
})

// at is the class and length of the character that begins at text[i], 0 and 0 at
// the end.
func (t *classTable) at(text string, i int) (class, int) {
	if i >= len(text) {
		return 0, 0
	}
	if c := text[i]; c < utf8.RuneSelf {
		return t[c], 1
	}
	r, n := utf8.DecodeRuneInString(text[i:])
	return t[r], n
}

// run is the end of the characters from text[i] on that are in one of the classes.
func (t *classTable) run(text string, i int, of class) int {
	for i < len(text) {
		c, n := t.at(text, i)
		if c&of == 0 {
			break
		}
		i += n
	}
	return i
}

// runOutside is the end of the characters from text[i] on that are in none of
// the classes.
func (t *classTable) runOutside(text string, i int, of class) int {
	for i < len(text) {
		c, n := t.at(text, i)
		if c&of != 0 {
			break
		}
		i += n
	}
	return i
}
