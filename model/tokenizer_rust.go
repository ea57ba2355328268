//go:build tokenizers && cgo

package model

import (
	"slices"
	"strings"

	"github.com/daulet/tokenizers"
)

// rustTokenizer encodes and decodes with the Rust library, built by "make
// tokenizers". What that cannot do, the BPE of the same file does: verbatim parts,
// text with a NUL, which ends its strings, and the bytes of single tokens.
type rustTokenizer struct {
	*BPE
	rust *tokenizers.Tokenizer
}

// openTokenizer reads a tokenizer.json. The BPE is left alone with those that the
// Rust library refuses, for fields left out, or numbers added tokens of otherwise
// than they say: those made of GGUF files.
func openTokenizer(data []byte) (Tokenizer, error) {
	bpe, err := ParseTokenizer(data)
	if err != nil {
		return nil, err
	}
	rust, err := tokenizers.FromBytes(data)
	if err != nil {
		return bpe, nil
	}
	t := &rustTokenizer{bpe, rust}
	for content := range bpe.addedIDs {
		if !slices.Equal(t.Encode(nil, content), bpe.Encode(nil, content)) {
			return bpe, rust.Close()
		}
	}
	return t, nil
}

// Encode implements [Tokenizer].
func (t *rustTokenizer) Encode(dst []int32, text string) []int32 {
	if strings.ContainsRune(text, 0) {
		return t.BPE.Encode(dst, text)
	}
	encoding := t.rust.EncodeWithOptions(validText(text), false)
	for _, id := range encoding.IDs {
		dst = append(dst, int32(id))
	}
	return dst
}

// EncodeParts implements [Tokenizer].
func (t *rustTokenizer) EncodeParts(dst []int32, parts ...Part) []int32 {
	for _, p := range parts {
		if p.Verbatim {
			return t.BPE.EncodeParts(dst, parts...)
		}
	}
	text, _ := joinParts(parts)
	return t.Encode(dst, text)
}

// Decode implements [Tokenizer].
func (t *rustTokenizer) Decode(ids []int32) string {
	unsigned := make([]uint32, len(ids))
	for i, id := range ids {
		unsigned[i] = uint32(id) // of no token if it was negative
	}
	text, err := t.rust.DecodeErr(unsigned, false)
	if err != nil { // a NUL
		return t.BPE.Decode(ids)
	}
	return text
}
