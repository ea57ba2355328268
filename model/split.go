package model

import (
	"strings"
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
	// Of Llama 3 and GLM 4.
	patternLlama = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	// Of gpt-oss: a word is cut before a capital.
	patternO200k = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?` +
		`|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?` +
		`|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// patternDeepSeek is three patterns, each applied to the pieces that the one
// before it left; the last does not match all text.
var patternDeepSeek = strings.Join([]string{
	`\p{N}{1,3}`,
	"[一-龥\u3040-ゟ゠-ヿ]+",
	"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
}, patternSeparator)

const patternSeparator = " and then "

// splitter cuts text into words.
type splitter struct {
	table func() *classTable
	// next is the length of the first word of a text that is not empty.
	next func(t *classTable, text string) int
	// all is whether the pattern matches all text.
	all bool
}

// splitters are known by their patterns.
var splitters = map[string]splitter{
	patternGPT2:     {classes, nextGPT2, true},
	patternQwen2:    {classes, nextQwen2, true},
	patternLlama:    {classes, nextLlama, true},
	patternO200k:    {classes, nextO200k, true},
	patternDeepSeek: {kanaClasses, nextDeepSeek, false},
}

func nextQwen2(t *classTable, text string) int { return nextCased(t, text, 1) }

func nextLlama(t *classTable, text string) int { return nextCased(t, text, 3) }

// nextCased matches patternQwen2, with up to digits digits together.
func nextCased(t *classTable, text string, digits int) int {
	if n := contraction(text, true); n > 0 {
		return n
	}
	c, n := t.at(text, 0)
	switch {
	case c&letter != 0:
		return t.run(text, n, letter)
	case c&number != 0:
		return numbers(t, text, digits)
	}
	second, m := t.at(text, n)
	if c&lineEnd == 0 && second&letter != 0 {
		return t.run(text, n+m, letter)
	}
	if c&space == 0 || text[0] == ' ' && m > 0 && second&(space|letter|number) == 0 {
		n = t.runOutside(text, n, space|letter|number)
		return t.run(text, n, lineEnd)
	}
	return spaces(t, text, true, 0)
}

// nextGPT2 matches patternGPT2.
func nextGPT2(t *classTable, text string) int {
	if n := contraction(text, false); n > 0 {
		return n
	}
	at := 0
	if text[0] == ' ' {
		at = 1
	}
	switch c, n := t.at(text, at); {
	case c&letter != 0:
		return t.run(text, at+n, letter)
	case c&number != 0:
		return t.run(text, at+n, number)
	case n > 0 && c&space == 0:
		return t.runOutside(text, at+n, space|letter|number)
	}
	return spaces(t, text, false, 0)
}

// nextO200k matches patternO200k.
func nextO200k(t *classTable, text string) int {
	c, n := t.at(text, 0)
	if c&number != 0 {
		return numbers(t, text, 3)
	}
	start := 0
	if c&(letter|lineEnd) == 0 {
		start = n
	}
	end, capitals := casedWord(t, text, start)
	switch {
	case end > start:
		return end + contraction(text[end:], true)
	case c&mark != 0: // by itself, not before a word
		return n + contraction(text[n:], true)
	case capitals > start:
		return capitals + contraction(text[capitals:], true)
	}
	second, m := t.at(text, n)
	if c&space == 0 || text[0] == ' ' && m > 0 && second&(space|letter|number) == 0 {
		n = t.runOutside(text, n, space|letter|number)
		for n < len(text) && (text[n] == '\r' || text[n] == '\n' || text[n] == '/') {
			n++
		}
		return n
	}
	return spaces(t, text, true, 0)
}

// casedWord matches [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+ and
// the first part of it by itself, both at text[start:]. It returns their ends.
func casedWord(t *classTable, text string, start int) (end, capitals int) {
	end, capitals = start, start
	for {
		c, n := t.at(text, capitals)
		if c&(upper|mark) == 0 {
			break
		}
		capitals += n
		if c&(lower|mark) != 0 {
			end = capitals // the first part gives up what follows
		}
	}
	if small := t.run(text, capitals, lower|mark); small > capitals {
		end = small
	}
	return end, capitals
}

// nextDeepSeek matches patternDeepSeek. What is cut off first, numbers and kana,
// is the end of the text for the pattern after it.
func nextDeepSeek(t *classTable, text string) int {
	c, n := t.at(text, 0)
	switch {
	case c&number != 0:
		return numbers(t, text, 3)
	case c&kana != 0:
		return t.run(text, n, kana)
	}
	second, m := t.at(text, n)
	switch {
	case c&symbol != 0 && text[0] < utf8.RuneSelf && m == 1 && isASCIILetter(text[n]):
		for n < len(text) && isASCIILetter(text[n]) {
			n++
		}
		return n
	case c&(letter|mark) != 0 || c&(lineEnd|symbol) == 0 && second&(letter|mark) != 0:
		return t.run(text, n, letter|mark)
	case c&symbol != 0 || text[0] == ' ' && second&symbol != 0:
		n = t.run(text, n, symbol)
		return t.run(text, n, lineEnd)
	case c&space != 0:
		return spaces(t, text, true, number|kana)
	}
	// No alternative: control characters and the like, as far as none of them
	// begins a word.
	for m > 0 && second == 0 {
		third, k := t.at(text, n+m)
		if third&(letter|mark) != 0 {
			break
		}
		n += m
		second, m = third, k
	}
	return n
}

func isASCIILetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// numbers matches \p{N}{1,most}, of which the first is there.
func numbers(t *classTable, text string, most int) int {
	n := 0
	for range most {
		c, m := t.at(text, n)
		if c&number == 0 {
			break
		}
		n += m
	}
	return n
}

// spaces matches \s*[\r\n]+|\s+(?!\S)|\s+, or without lines the last two: all the
// space to its last line end; or all but its last character, which goes with the
// word that follows; or all. A character in ends is the end of the text.
func spaces(t *classTable, text string, lines bool, ends class) int {
	at, last, end := 0, 0, 0
	var c class
	for {
		var n int
		c, n = t.at(text, at)
		if c&space == 0 {
			break
		}
		last = at
		at += n
		if c&lineEnd != 0 {
			end = at
		}
	}
	switch {
	case lines && end > 0:
		return end
	case at < len(text) && last > 0 && c&ends == 0:
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
