package model

import (
	"encoding/json"
	"fmt"
	"go/build"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func BenchmarkEncode(b *testing.B) {
	var text strings.Builder
	for _, g := range readTexts(b, "qwen2")[1000:] {
		text.WriteString(g.text)
	}
	for name, text := range map[string]string{
		"hard":  text.String(),
		"plain": strings.Repeat("the number of apples in the boxes is 42, so there must be more than one way.\n", 200),
		"word":  strings.Repeat("ab", 50_000),
	} {
		b.Run(name, func(b *testing.B) {
			tokenizer := readTokenizer(b, "qwen2")
			var ids []int32
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				ids = tokenizer.Encode(ids[:0], text)
			}
		})
	}
}

// BenchmarkEncodeSource encodes 10 MB of English and code, the source of the
// standard library, with the tokenizers of the folder of TestManyCases. Nothing
// is known of any word at the beginning.
func BenchmarkEncodeSource(b *testing.B) {
	files, _ := filepath.Glob(filepath.Join(os.Getenv("DEEPPRUNE_TOKENIZER_CASES"), "*-tokenizer.json"))
	if len(files) == 0 {
		b.Skip("DEEPPRUNE_TOKENIZER_CASES names no folder of real tokenizers")
	}
	const size = 10 << 20
	var source strings.Builder
	root := filepath.Join(build.Default.GOROOT, "src")
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		if source.Len() >= size {
			return fs.SkipAll
		}
		file, err := os.ReadFile(path)
		source.Write(file)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	text := source.String()[:min(size, source.Len())]
	for _, file := range files {
		b.Run(filepath.Base(file), func(b *testing.B) {
			tokenizer := readTokenizerFile(b, file)
			b.SetBytes(int64(len(text)))
			ids := make([]int32, 0, len(text)/2)
			for b.Loop() {
				b.StopTimer()
				clear(tokenizer.whole)
				b.StartTimer()
				ids = tokenizer.Encode(ids[:0], text)
			}
			b.ReportMetric(float64(len(text))/float64(len(ids)), "B/token")
		})
	}
}

// BenchmarkParseTokenizer reads a vocabulary of 150,000 random tokens.
func BenchmarkParseTokenizer(b *testing.B) {
	data := randomTokenizer(150_000)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := ParseTokenizer(data); err != nil {
			b.Fatal(err)
		}
	}
}

// randomTokenizer is a tokenizer.json of size tokens, those of the bytes and
// pairs of others.
func randomTokenizer(size int) []byte {
	random := rand.New(rand.NewPCG(7, 8))
	var spellings []string
	for r, c := range byteOf {
		if c >= 0 {
			spellings = append(spellings, string(rune(r)))
		}
	}
	seen := make(map[string]bool)
	var vocab, merges strings.Builder
	for id := 256; id < size; {
		left, right := spellings[random.IntN(len(spellings))], spellings[random.IntN(256)]
		if both := left + right; len(both) < 12 && !seen[both] {
			seen[both] = true
			spellings = append(spellings, both)
			pair, _ := json.Marshal([]string{left, right})
			token, _ := json.Marshal(both)
			fmt.Fprintf(&vocab, "%s:%d,", token, id)
			fmt.Fprintf(&merges, "%s,", pair)
			id++
		}
	}
	return tinyTokenizer(strings.TrimSuffix(vocab.String(), ","), strings.TrimSuffix(merges.String(), ","), "", `{"type":"ByteLevel","add_prefix_space":false}`, `null`)
}
