//go:build tokenizers && cgo

package model

import (
	"path/filepath"
	"testing"
)

// TestRustIsUsed checks that the other tests compare the Rust library.
func TestRustIsUsed(t *testing.T) {
	for _, name := range tokenizerNames {
		tokenizer := openTokenizerFile(t, filepath.Join("testdata", name+".json"))
		if _, ok := tokenizer.(*rustTokenizer); !ok {
			t.Errorf("%s is opened as %T", name, tokenizer)
		}
	}
}
