package model

import "unicode/utf8"

// Tokenizer turns text into token ids and back. Its methods may be called
// concurrently.
type Tokenizer interface {
	// Encode appends the tokens of text to dst. Added tokens written in the text,
	// "<|im_end|>" say, become those tokens: for text of the program's own.
	// Nothing is put before or after it: the post-processor of a tokenizer.json
	// is not applied.
	Encode(dst []int32, text string) []int32
	// EncodeParts appends the tokens of the parts as one text, in which added
	// tokens are found in the trusted parts alone.
	EncodeParts(dst []int32, parts ...Part) []int32
	// AppendToken appends the bytes of a token to dst. They may be a part of a
	// character. An id without a token has none.
	AppendToken(dst []byte, id int32) []byte
	// Decode is the text of ids. Bytes that are no UTF-8 become U+FFFD.
	Decode(ids []int32) string
	// Size is one more than the largest id.
	Size() int
	// ID finds the token whose bytes are token.
	ID(token string) (int32, bool)
	// Added lists the ids of the added tokens, those that a verbatim part never
	// becomes.
	Added() []int32
}

// Part is a piece of a text to encode.
type Part struct {
	Text string
	// Verbatim text is of a user's making: added tokens written in it are spelled
	// out like any other text, so that nobody can speak for the assistant.
	Verbatim bool
}

// StreamDecoder turns tokens into text as they come. It holds back the beginning
// of a character until the rest has arrived, so that what it returns is UTF-8 at
// any time and adds up to the Decode of all the tokens. The zero value of its
// state is ready; one goroutine may use it at a time.
type StreamDecoder struct {
	tokenizer Tokenizer
	pending   []byte
}

// NewStreamDecoder returns a decoder for tokens of t.
func NewStreamDecoder(t Tokenizer) *StreamDecoder { return &StreamDecoder{tokenizer: t} }

// Append appends to dst the text that id completes.
func (d *StreamDecoder) Append(dst []byte, id int32) []byte {
	d.pending = d.tokenizer.AppendToken(d.pending, id)
	dst, used := appendValid(dst, d.pending, false)
	d.pending = d.pending[:copy(d.pending, d.pending[used:])]
	return dst
}

// Flush appends U+FFFD for a character that was left incomplete, and forgets it.
func (d *StreamDecoder) Flush(dst []byte) []byte {
	dst, _ = appendValid(dst, d.pending, true)
	d.pending = d.pending[:0]
	return dst
}

// appendValid appends src to dst with every maximal beginning of a character
// that is not completed, or else every byte, replaced by U+FFFD, as the Unicode
// standard recommends (section 3.9, "U+FFFD Substitution of Maximal Subparts").
// It returns how much of src it used: unless final, not an incomplete character
// at the end.
func appendValid(dst, src []byte, final bool) ([]byte, int) {
	i := 0
	for i < len(src) {
		if src[i] < utf8.RuneSelf {
			dst = append(dst, src[i])
			i++
			continue
		}
		if !final && !utf8.FullRune(src[i:]) {
			break
		}
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n == 1 {
			for n < utf8.UTFMax && i+n < len(src) && !utf8.FullRune(src[i:i+n+1]) {
				n++
			}
		}
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return dst, i
}
