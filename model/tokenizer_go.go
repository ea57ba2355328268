//go:build !tokenizers || !cgo

package model

// openTokenizer reads a tokenizer.json.
func openTokenizer(data []byte) (Tokenizer, error) { return ParseTokenizer(data) }
