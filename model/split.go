package model

import (
	"sync"
	"unicode"
	"unicode/utf8"
)

// The patterns that cut text into words are regular expressions with look-ahead,
// which package regexp has not. There are few of them in use, so each is known
// by its text and matched by a function written for it. The alternatives of a
// pattern are tried in order, each is greedy, and every text is matched from its
// beginning to its end.
const (
	patternGPT2  = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	patternQwen2 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternLlama = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// splitters gives, for a pattern, the length of its match at the beginning of a
// text that is not empty.
var splitters = map[string]func(text string) int{
	patternGPT2:  nextGPT2,
	patternQwen2: func(text string) int { return nextQwen2(text, 1) },
	patternLlama: func(text string) int { return nextQwen2(text, 3) },
}

// class is what the patterns distinguish characters by.
type class uint8

const (
	symbol  class = iota // [^\s\p{L}\p{N}]
	letter               // \p{L}
	number               // \p{N}
	space                // \s, without the next
	newline              // [\r\n]
)

func (c class) isSpace() bool { return c >= space }

// classes is the class of every character of the basic plane. The tables of
// package unicode take a binary search.
var classes = sync.OnceValue(func() *[1 << 16]class {
	table := new([1 << 16]class)
	for r := range table {
		table[r] = classOf(rune(r))
	}
	return table
})

func classOf(r rune) class {
	switch {
	case r == '\r' || r == '\n':
		return newline
	case unicode.IsLetter(r):
		return letter
	case unicode.IsNumber(r):
		return number
	case unicode.IsSpace(r):
		return space
	}
	return symbol
}

// first is the class and length of the first character of text[at:], a symbol of
// length 0 at the end.
func first(table *[1 << 16]class, text string, at int) (class, int) {
	if at >= len(text) {
		return symbol, 0
	}
	if c := text[at]; c < utf8.RuneSelf {
		return table[c], 1
	}
	r, n := utf8.DecodeRuneInString(text[at:])
	if r < 1<<16 {
		return table[r], n
	}
	return classOf(r), n
}

// run is the end of the characters of class c from at on.
func run(table *[1 << 16]class, text string, at int, c class) int {
	for {
		got, n := first(table, text, at)
		if n == 0 || got != c {
			return at
		}
		at += n
	}
}

// nextQwen2 matches patternQwen2, with up to digits digits together.
func nextQwen2(text string, digits int) int {
	table := classes()
	if n := contraction(text, true); n > 0 {
		return n
	}
	c, n := first(table, text, 0)
	switch c {
	case letter:
		return run(table, text, n, letter)
	case number:
		for digits > 1 {
			got, more := first(table, text, n)
			if more == 0 || got != number {
				break
			}
			n += more
			digits--
		}
		return n
	}
	second, m := first(table, text, n)
	if c != newline && m > 0 && second == letter {
		return run(table, text, n+m, letter)
	}
	if c == symbol || text[0] == ' ' && m > 0 && second == symbol {
		n = run(table, text, n, symbol)
		return run(table, text, n, newline)
	}
	return spaces(table, text, true)
}

// nextGPT2 matches patternGPT2.
func nextGPT2(text string) int {
	table := classes()
	if n := contraction(text, false); n > 0 {
		return n
	}
	at := 0
	if text[0] == ' ' {
		at = 1
	}
	if c, n := first(table, text, at); n > 0 && !c.isSpace() {
		return run(table, text, at+n, c)
	}
	return spaces(table, text, false)
}

// spaces matches \s*[\r\n]+|\s+(?!\S)|\s+, or without lines the last two: all the
// space to its last line end; or all but its last character, which goes with the
// word that follows; or all.
func spaces(table *[1 << 16]class, text string, lines bool) int {
	at, last, lineEnd := 0, 0, 0
	for {
		c, n := first(table, text, at)
		if n == 0 || !c.isSpace() {
			break
		}
		last = at
		at += n
		if c == newline {
			lineEnd = at
		}
	}
	switch {
	case lines && lineEnd > 0:
		return lineEnd
	case at < len(text) && last > 0:
		return last
	}
	return at
}

// contraction matches 's|'t|'re|'ve|'m|'ll|'d, with fold in either case. The long
// s (ſ) is a lower case of S.
func contraction(text string, fold bool) int {
	if len(text) < 2 || text[0] != '\'' {
		return 0
	}
	lower := func(i int) byte {
		if i >= len(text) {
			return 0
		}
		c := text[i]
		if fold && 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		return c
	}
	switch a, b := lower(1), lower(2); {
	case a == 's' || a == 't' || a == 'm' || a == 'd':
		return 2
	case (a == 'r' || a == 'v') && b == 'e' || a == 'l' && b == 'l':
		return 3
	case fold && a == "ſ"[0] && b == "ſ"[1]:
		return 1 + len("ſ")
	}
	return 0
}
