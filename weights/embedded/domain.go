package embedded

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
	"unicode"
)

//go:embed words.txt
var wordList string

// known are the words that the reasoner was trained on, in lower case.
var known = sync.OnceValue(func() map[string]bool {
	words := make(map[string]bool)
	for word := range strings.Lines(wordList) {
		words[strings.TrimSpace(word)] = true
	}
	return words
})

// mostDigits is the length of the longest number that the reasoner has seen.
const mostDigits = 3

// Unknown returns the words and numbers of a question that the reasoner has never
// seen, in order, each once: a question with any is outside of what it knows.
func Unknown(question string) []string {
	var unknown []string
	note := func(word string) {
		same := func(other string) bool { return strings.EqualFold(word, other) }
		if !slices.ContainsFunc(unknown, same) {
			unknown = append(unknown, word)
		}
	}
	isWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	for _, word := range strings.FieldsFunc(question, func(r rune) bool { return !isWord(r) }) {
		digits := strings.TrimFunc(word, unicode.IsDigit) == ""
		switch {
		case digits && len(strings.TrimLeft(word, "0")) > mostDigits:
			note(word)
		case !digits && !known()[strings.ToLower(word)]:
			note(word)
		}
	}
	return unknown
}
