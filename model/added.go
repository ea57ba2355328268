package model

import (
	"unicode"
	"unicode/utf8"
)

// addedTokens finds tokens that are matched in the text before it is cut into
// words: from left to right, the longest where several begin.
type addedTokens struct {
	// A trie over the bytes of the contents; node 0 is the root.
	next   map[trieEdge]int32
	tokens map[int32]addedToken // by node
	begins [256]bool            // whether a content begins with the byte
}

type trieEdge struct {
	node int32
	c    byte
}

// addedToken is an entry of added_tokens in tokenizer.json.
type addedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // not beside a letter or digit
	LStrip     bool   `json:"lstrip"`      // takes the space before it
	RStrip     bool   `json:"rstrip"`      // takes the space after it
	Normalized bool   `json:"normalized"`  // matched in the normalised text
	Special    bool   `json:"special"`
}

// added is a match: text[begin:end] is the token, and the search goes on at next.
type added struct {
	id               int32
	begin, end, next int
}

// add makes content stand for the token. Of two tokens that normalise to the same
// content the first wins.
func (a *addedTokens) add(content string, token addedToken) {
	if a.next == nil {
		a.next = make(map[trieEdge]int32)
		a.tokens = make(map[int32]addedToken)
	}
	a.begins[content[0]] = true
	node := int32(0)
	for i := range len(content) {
		edge := trieEdge{node, content[i]}
		child, ok := a.next[edge]
		if !ok {
			child = int32(len(a.next) + 1)
			a.next[edge] = child
		}
		node = child
	}
	if _, ok := a.tokens[node]; !ok {
		a.tokens[node] = token
	}
}

// find returns the first match in trusted, a beginning of text, at or after at.
// Space before done was taken by an earlier match.
func (a *addedTokens) find(trusted, text string, done, at int) (added, bool) {
	if a.next == nil {
		return added{}, false
	}
	for at < len(trusted) {
		if !a.begins[trusted[at]] {
			at++
			continue
		}
		token, length := a.longest(trusted[at:])
		if length == 0 {
			at++
			continue
		}
		m := added{id: token.ID, begin: at, end: at + length, next: at + length}
		if token.SingleWord && (wordBefore(text[:m.begin]) || wordAfter(text[m.end:])) {
			at = m.end
			continue
		}
		if token.LStrip && m.begin > done {
			m.begin = done + spaceBefore(text[done:m.begin])
		}
		if token.RStrip {
			m.end += spaceAfter(text[m.end:])
		}
		return m, true
	}
	return added{}, false
}

// longest is the longest token that text begins with and its length, or 0.
func (a *addedTokens) longest(text string) (found addedToken, length int) {
	node := int32(0)
	for i := range len(text) {
		child, ok := a.next[trieEdge{node, text[i]}]
		if !ok {
			break
		}
		node = child
		if token, ok := a.tokens[node]; ok {
			found, length = token, i+1
		}
	}
	return found, length
}

// isWord is \w of the reference: letters, marks, digits, connectors and joiners.
func isWord(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control)
}

func wordBefore(text string) bool {
	r, n := utf8.DecodeLastRuneInString(text)
	return n > 0 && isWord(r)
}

func wordAfter(text string) bool {
	r, n := utf8.DecodeRuneInString(text)
	return n > 0 && isWord(r)
}

// spaceBefore is where the space at the end of text begins.
func spaceBefore(text string) int {
	end := len(text)
	for {
		r, n := utf8.DecodeLastRuneInString(text[:end])
		if n == 0 || !unicode.IsSpace(r) {
			return end
		}
		end -= n
	}
}

// spaceAfter is the length of the space at the beginning of text.
func spaceAfter(text string) int {
	at := 0
	for {
		r, n := utf8.DecodeRuneInString(text[at:])
		if n == 0 || !unicode.IsSpace(r) {
			return at
		}
		at += n
	}
}
