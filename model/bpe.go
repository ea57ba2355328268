package model

import (
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

// BPE is a byte-level byte-pair encoder: text is normalised, cut into words by a
// pattern, and the bytes of every word are merged pair by pair, the pair of the
// lowest rank first (Sennrich et al. 2016; over bytes, Radford et al. 2019). It
// implements [Tokenizer] with the vocabulary of a tokenizer.json; see
// [ParseTokenizer].
type BPE struct {
	added      addedTokens // matched in the text as it is
	addedAfter addedTokens // matched in the normalised text
	nfc        bool
	// addSpace puts a space before text that begins with none.
	addSpace bool
	// next is the length of the first word of a text that is not empty.
	next    func(classes *classTable, text string) int
	classes *classTable

	bytes        [256]int32 // the token of each byte, or -1
	words        words      // without the special tokens
	merges       merges
	ignoreMerges bool // a word in the vocabulary is one token, whatever the merges

	tokens   []string         // bytes of every token
	addedIDs map[string]int32 // added tokens by their contents
	// whole remembers which tokens their own bytes are merged into: most words of
	// a text are one token, found by one look-up. Written by whoever knows first.
	whole []atomic.Uint32
}

// What BPE.whole knows of a token.
const (
	wholeUnknown = iota
	wholeYes
	wholeNo
)

// Encode implements [Tokenizer].
func (t *BPE) Encode(dst []int32, text string) []int32 {
	return t.EncodeParts(dst, Part{Text: text})
}

// EncodeParts implements [Tokenizer]. Added tokens that are matched in normalised
// text are not looked for in a stretch that holds a verbatim part.
func (t *BPE) EncodeParts(dst []int32, parts ...Part) []int32 {
	text, ends := joinParts(parts)
	done := 0         // text[:done] is encoded
	end := 0          // of the parts seen
	verbatim := false // whether text[done:end] holds a verbatim part
	for i, p := range parts {
		at := end
		end = ends[i]
		if p.Verbatim {
			verbatim = true
			continue
		}
		for {
			m, ok := t.added.find(text[:end], text, done, at)
			if !ok {
				break
			}
			if m.begin > done {
				dst = t.encodeRest(dst, text[done:m.begin], verbatim)
			}
			dst = append(dst, m.id)
			done, at, verbatim = m.end, m.next, false
		}
	}
	return t.encodeRest(dst, text[done:], verbatim)
}

// encodeRest encodes text between the added tokens that are matched as they are.
func (t *BPE) encodeRest(dst []int32, text string, verbatim bool) []int32 {
	text = t.normalize(text)
	done := 0
	for at := 0; !verbatim; {
		m, ok := t.addedAfter.find(text, text, done, at)
		if !ok {
			break
		}
		if m.begin > done {
			dst = t.encodeWords(dst, text[done:m.begin])
		}
		dst = append(dst, m.id)
		done, at = m.end, m.next
	}
	return t.encodeWords(dst, text[done:])
}

func (t *BPE) encodeWords(dst []int32, text string) []int32 {
	if t.addSpace && text != "" && text[0] != ' ' {
		text = " " + text
	}
	for text != "" {
		n := t.next(t.classes, text)
		dst = t.encodeWord(dst, text[:n])
		text = text[n:]
	}
	return dst
}

func (t *BPE) encodeWord(dst []int32, word string) []int32 {
	id, ok := t.words.find(word)
	if !ok {
		return t.mergeWord(dst, word)
	}
	if t.ignoreMerges {
		return append(dst, id)
	}
	switch t.whole[id].Load() {
	case wholeYes:
		return append(dst, id)
	case wholeNo:
		return t.mergeWord(dst, word)
	}
	n := len(dst)
	dst = t.mergeWord(dst, word)
	if len(dst) == n+1 {
		t.whole[id].Store(wholeYes)
	} else {
		t.whole[id].Store(wholeNo)
	}
	return dst
}

// AppendToken implements [Tokenizer].
func (t *BPE) AppendToken(dst []byte, id int32) []byte {
	if id < 0 || int(id) >= len(t.tokens) {
		return dst
	}
	return append(dst, t.tokens[id]...)
}

// Decode implements [Tokenizer].
func (t *BPE) Decode(ids []int32) string {
	var raw []byte
	for _, id := range ids {
		raw = t.AppendToken(raw, id)
	}
	text, _ := appendValid(make([]byte, 0, len(raw)), raw, true)
	return string(text)
}

// Size implements [Tokenizer].
func (t *BPE) Size() int { return len(t.tokens) }

// ID implements [Tokenizer].
func (t *BPE) ID(token string) (int32, bool) {
	id, ok := t.addedIDs[token]
	if !ok {
		id, ok = t.words.find(token)
	}
	return id, ok
}

// Added implements [Tokenizer].
func (t *BPE) Added() []int32 { return slices.Sorted(maps.Values(t.addedIDs)) }

// joinParts is the text of the parts and where each ends in it.
func joinParts(parts []Part) (text string, ends []int) {
	if len(parts) == 1 {
		text = validText(parts[0].Text)
		return text, []int{len(text)}
	}
	var all strings.Builder
	for _, p := range parts {
		all.WriteString(validText(p.Text))
		ends = append(ends, all.Len())
	}
	return all.String(), ends
}

// validText replaces what is no UTF-8 by U+FFFD, as Decode does.
func validText(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	valid, _ := appendValid(nil, []byte(text), true)
	return string(valid)
}
