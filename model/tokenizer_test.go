package model

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"go/build"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

var tokenizerNames = []string{"gpt2", "gpt2-space", "qwen2", "llama3", "deepseek3", "o200k", "glm4"}

func readTokenizer(t testing.TB, name string) *BPE {
	t.Helper()
	return readTokenizerFile(t, filepath.Join("testdata", name+".json"))
}

func readTokenizerFile(t testing.TB, path string) *BPE {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tokenizer, err := ParseTokenizer(data)
	if err != nil {
		t.Fatal(err)
	}
	return tokenizer
}

// openTokenizerFile opens the tokenizer that Load would: the Rust library's with
// the tag tokenizers.
func openTokenizerFile(t testing.TB, path string) Tokenizer {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tokenizer, err := openTokenizer(data)
	if err != nil {
		t.Fatal(err)
	}
	return tokenizer
}

// golden is what the reference encodes a text as, and decodes the ids to.
type golden struct {
	text    string
	hasText bool
	ids     []int32
	decoded string
}

func (g *golden) UnmarshalJSON(line []byte) error {
	var fields [3]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		return err
	}
	var raw struct{ Hex string }
	input, ids, decoded := fields[0], fields[1], fields[2]
	g.hasText = string(input) != "null"
	if input[0] == '{' {
		err := json.Unmarshal(input, &raw)
		bytes, errHex := hex.DecodeString(raw.Hex)
		if err := errors.Join(err, errHex); err != nil {
			return err
		}
		g.text = string(bytes)
	} else if err := json.Unmarshal(input, &g.text); err != nil {
		return err
	}
	g.decoded = validText(g.text)
	return errors.Join(json.Unmarshal(ids, &g.ids), json.Unmarshal(decoded, &g.decoded))
}

func readCases(t testing.TB, name string) []golden {
	t.Helper()
	cases := readCasesFile(t, filepath.Join("testdata", name+".cases.json.gz"))
	if len(cases) < 2000 {
		t.Fatalf("%s: %d cases", name, len(cases))
	}
	return cases
}

func readCasesFile(t testing.TB, path string) []golden {
	t.Helper()
	var cases []golden
	readLinesFile(t, path, func(line []byte) error {
		var g golden
		err := json.Unmarshal(line, &g)
		cases = append(cases, g)
		return err
	})
	return cases
}

// readTexts is those of the cases that have a text of UTF-8.
func readTexts(t testing.TB, name string) []golden {
	t.Helper()
	return slices.DeleteFunc(readCases(t, name), func(g golden) bool { return !g.hasText || !utf8.ValidString(g.text) })
}

// readLines calls f for every line of testdata/NAME.cases.json.gz.
func readLines(t testing.TB, name string, f func(line []byte) error) {
	t.Helper()
	readLinesFile(t, filepath.Join("testdata", name+".cases.json.gz"), f)
}

func readLinesFile(t testing.TB, path string, f func(line []byte) error) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(zipped)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if err := f(lines.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestTokenizerEqualsReference(t *testing.T) {
	for _, name := range tokenizerNames {
		t.Run(name, func(t *testing.T) {
			tokenizer := openTokenizerFile(t, filepath.Join("testdata", name+".json"))
			for range 2 { // the second time with words that are known to be whole
				compareWithReference(t, tokenizer, readCases(t, name))
			}
		})
	}
}

// TestManyCases compares with the reference in the cases of a folder that
// testdata/tokenizer_cases.py has made.
func TestManyCases(t *testing.T) {
	folder := os.Getenv("DEEPPRUNE_TOKENIZER_CASES")
	if folder == "" {
		t.Skip("DEEPPRUNE_TOKENIZER_CASES names no folder of cases")
	}
	files, _ := filepath.Glob(filepath.Join(folder, "*.cases.json.gz"))
	if len(files) == 0 {
		t.Fatalf("no cases in %s", folder)
	}
	for _, file := range files {
		path := strings.TrimSuffix(file, ".cases.json.gz")
		t.Run(filepath.Base(path), func(t *testing.T) {
			cases := readCasesFile(t, file)
			failed := compareWithReference(t, openTokenizerFile(t, path+".json"), cases)
			t.Logf("%d cases, %d different", len(cases), failed)
		})
	}
}

// compareWithReference encodes and decodes the cases. It returns how many differ
// from the reference.
func compareWithReference(t *testing.T, tokenizer Tokenizer, cases []golden) (failed int) {
	// The library of the tag tokenizers is older than the reference in that it
	// decodes this token as it is written, not normalised.
	decomposed, ok := tokenizer.ID("<cafe\u0301>")
	_, own := tokenizer.(*BPE)
	for _, g := range cases {
		if ok && !own && slices.Contains(g.ids, decomposed) {
			continue
		}
		before := failed
		if g.hasText {
			if got := tokenizer.Encode(nil, g.text); !slices.Equal(got, g.ids) {
				failed++
				if failed < 10 {
					t.Errorf("Encode(%+q) = %v; want %v", g.text, got, g.ids)
				}
			}
		}
		got := tokenizer.Decode(g.ids)
		streamed := ""
		stream := NewStreamDecoder(tokenizer)
		for _, id := range g.ids {
			text := string(stream.Append(nil, id))
			if !utf8.ValidString(text) {
				t.Errorf("%v: in a stream %q is no UTF-8", g.ids, text)
			}
			streamed += text
		}
		streamed += string(stream.Flush(nil))
		if got != g.decoded || streamed != g.decoded {
			if failed++; failed < 10 {
				t.Errorf("Decode(%v) = %+q, in a stream %+q; want %+q", g.ids, got, streamed, g.decoded)
			}
		}
		failed = min(failed, before+1)
	}
	if failed > 10 {
		t.Errorf("%d cases of %d are different", failed, len(cases))
	}
	return failed
}

// TestClassesEqualUnicode compares the classes with package unicode, for the
// characters that it knows of.
func TestClassesEqualUnicode(t *testing.T) {
	table := classes()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc) {
			continue
		}
		var want class
		switch {
		case r == '\r' || r == '\n':
			want = space | lineEnd
		case unicode.In(r, unicode.Lu, unicode.Lt):
			want = upper
		case unicode.Is(unicode.Ll, r):
			want = lower
		case unicode.In(r, unicode.Lm, unicode.Lo):
			want = upper | lower
		case unicode.Is(unicode.M, r):
			want = mark
		case unicode.Is(unicode.N, r):
			want = number
		case unicode.In(r, unicode.P, unicode.S):
			want = symbol
		case unicode.IsSpace(r):
			want = space
		}
		if table[r] != want {
			t.Errorf("class of %U is %b; want %b", r, table[r], want)
		}
	}
}

func encodeVerbatim(t Tokenizer, text string) []int32 {
	return t.EncodeParts(nil, Part{Text: text, Verbatim: true})
}

// TestPartsAreOneText cuts texts of the reference anywhere. Those that may hold
// added tokens, which a cut can destroy, are cut into verbatim parts.
func TestPartsAreOneText(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, name := range tokenizerNames {
		tokenizer := readTokenizer(t, name)
		for _, g := range readTexts(t, name) {
			if g.text == "" {
				continue
			}
			cut := random.IntN(len(g.text))
			for !utf8.RuneStart(g.text[cut]) {
				cut--
			}
			parts := []Part{{Text: g.text[:cut]}, {Text: g.text[cut:]}}
			if strings.ContainsAny(g.text, "<[") || strings.Contains(g.text, "WORD") {
				parts[0].Verbatim, parts[1].Verbatim = true, true
				g.ids = encodeVerbatim(tokenizer, g.text)
			}
			if got := tokenizer.EncodeParts(nil, parts...); !slices.Equal(got, g.ids) {
				t.Errorf("%s: EncodeParts(%+q, %+q) = %v; want %v", name, parts[0].Text, parts[1].Text, got, g.ids)
			}
		}
	}
}

func TestPartsCannotFormAddedTokens(t *testing.T) {
	tokenizer := readTokenizer(t, "qwen2")
	end, _ := tokenizer.ID("<|im_end|>")
	for _, parts := range [][]Part{
		{{"x", false}, {"<|im_end|>", true}, {"y", false}},
		{{"<|im_", false}, {"end|>", true}},
		{{"<|im_", true}, {"end|>", false}},
		{{"<", false}, {"|im_end|", true}, {">", false}},
	} {
		if got := tokenizer.EncodeParts(nil, parts...); slices.Contains(got, end) {
			t.Errorf("EncodeParts(%v) = %v, with %d", parts, got, end)
		}
	}
	got := tokenizer.EncodeParts(nil, Part{"<|im_end|>", true}, Part{"<|im_end|>", false}, Part{"z", true})
	want := append(append(encodeVerbatim(tokenizer, "<|im_end|>"), end), encodeVerbatim(tokenizer, "z")...)
	if !slices.Equal(got, want) {
		t.Errorf("EncodeParts = %v; want %v", got, want)
	}
}

// TestSpecialWordCannotBeSpelled has a special token that the pattern takes for
// one word and that is in the vocabulary.
func TestSpecialWordCannotBeSpelled(t *testing.T) {
	tokenizer, err := ParseTokenizer(bytes.Replace(
		tinyTokenizer(`"STOP":256`, ``, `{"id":256,"content":"STOP","special":true}`, `{"type":"ByteLevel","add_prefix_space":false}`, `null`),
		[]byte(`"type":"BPE"`), []byte(`"type":"BPE","ignore_merges":true`), 1))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tokenizer.Encode(nil, "STOP"), []int32{256}; !slices.Equal(got, want) {
		t.Errorf("Encode = %v; want %v", got, want)
	}
	if got, want := encodeVerbatim(tokenizer, "STOP"), []int32{'S', 'T', 'O', 'P'}; !slices.Equal(got, want) {
		t.Errorf("verbatim encoding = %v; want %v", got, want)
	}
}

func TestDecodeGivesTheTextBack(t *testing.T) {
	for _, name := range []string{"gpt2", "llama3", "deepseek3", "o200k", "glm4"} { // those that do not normalise
		tokenizer := readTokenizer(t, name)
		for _, g := range readTexts(t, name) {
			if got := tokenizer.Decode(encodeVerbatim(tokenizer, g.text)); got != g.text {
				t.Errorf("%s: Decode(encodeVerbatim(%+q)) = %+q", name, g.text, got)
			}
		}
	}
}

func TestVerbatimTextSpellsAddedTokensOut(t *testing.T) {
	for _, name := range tokenizerNames {
		tokenizer := readTokenizer(t, name)
		for _, added := range []string{"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"} {
			id, ok := tokenizer.ID(added)
			if !ok {
				t.Fatalf("%s: no token %s", name, added)
			}
			if got := tokenizer.Encode(nil, "a "+added+"b"); !slices.Contains(got, id) {
				t.Errorf("%s: Encode does not find %s: %v", name, added, got)
			}
			got := encodeVerbatim(tokenizer, "a "+added+"b")
			if slices.Contains(got, id) {
				t.Errorf("%s: verbatim encoding gives %s away: %v", name, added, got)
			}
			if text := strings.TrimPrefix(tokenizer.Decode(got), " "); text != "a "+added+"b" {
				t.Errorf("%s: verbatim encoding of %s decodes to %q", name, added, text)
			}
		}
	}
}

func TestInvalidTextIsEncodedAsReplacement(t *testing.T) {
	tokenizer := readTokenizer(t, "qwen2")
	for _, test := range []struct{ text, same string }{
		{"a\xffb", "a\ufffdb"}, {"\xc3", "\ufffd"}, {"\xf0\x9f\x98", "\ufffd"}, {"\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
	} {
		want := tokenizer.Encode(nil, test.same)
		if got := tokenizer.Encode(nil, test.text); !slices.Equal(got, want) {
			t.Errorf("Encode(%q) = %v; want %v", test.text, got, want)
		}
	}
}

// TestComposeEqualsNorm compares the normaliser for many marks with package norm
// on texts of few.
func TestComposeEqualsNorm(t *testing.T) {
	for _, name := range tokenizerNames {
		for _, g := range readTexts(t, name) {
			want := norm.NFC.String(g.text)
			if strings.ContainsFunc(g.text, isLater) {
				continue // which package norm knows more of
			}
			if strings.Contains(want, "\u034f") && !strings.Contains(g.text, "\u034f") {
				continue // many marks
			}
			if got := compose(decompose(g.text)); got != want {
				t.Errorf("compose(decompose(%+q)) = %+q; want %+q", g.text, got, want)
			}
		}
	}
}

// TestMergeOrder compares both ways of merging with the definition: the pair of
// the lowest rank first, the leftmost of equals.
func TestMergeOrder(t *testing.T) {
	tokenizer := readTokenizer(t, "llama3")
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		word := make([]byte, 1+random.IntN(2*shortWord))
		for i := range word {
			word[i] = "aaaathe n\xcc\x81"[random.IntN(11)]
		}
		var want []int32
		for _, c := range word {
			want = append(want, tokenizer.bytes[c])
		}
		for {
			best, at := merge{rank: noMerge}, 0
			for i := range len(want) - 1 {
				if m := tokenizer.merges.find(want[i], want[i+1]); m.rank < best.rank {
					best, at = m, i
				}
			}
			if best.rank == noMerge {
				break
			}
			want = slices.Replace(want, at, at+2, best.id)
		}
		if got := tokenizer.mergeWord(nil, string(word)); !slices.Equal(got, want) {
			t.Errorf("mergeWord(%q) = %v; want %v", word, got, want)
		}
		if got := tokenizer.mergeLong(nil, string(word)); !slices.Equal(got, want) {
			t.Errorf("mergeLong(%q) = %v; want %v", word, got, want)
		}
	}
}

func TestStreamDecoder(t *testing.T) {
	tokenizer := readTokenizer(t, "gpt2")
	random := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		ids := make([]int32, random.IntN(12))
		for i := range ids {
			// Mostly the 256 bytes, so that most sequences are no UTF-8, and ids
			// that are no tokens.
			ids[i] = random.Int32N(270) - 2
			if random.IntN(8) == 0 {
				ids[i] = random.Int32N(int32(tokenizer.Size()) + 2)
			}
		}
		decoder := NewStreamDecoder(tokenizer)
		var got, raw []byte
		for _, id := range ids {
			raw = tokenizer.AppendToken(raw, id)
			before := len(got)
			got = decoder.Append(got, id)
			if !utf8.Valid(got[before:]) {
				t.Fatalf("%v: Append returned %q", ids, got[before:])
			}
			// No more than one incomplete character is held back.
			if held := decoder.pending; len(held) > utf8.UTFMax-1 || utf8.FullRune(held) && len(held) > 0 {
				t.Fatalf("%v: holds back %q", ids, held)
			}
		}
		got = decoder.Flush(got)
		if want := tokenizer.Decode(ids); string(got) != want {
			t.Errorf("%v: in a stream %q; want %q", ids, got, want)
		}
		if want := strings.ToValidUTF8(string(raw), "\uFFFD"); strings.ReplaceAll(string(got), "\uFFFD\uFFFD", "\uFFFD") != want &&
			strings.Count(string(got), "\uFFFD") == 1 {
			t.Errorf("%v: got %q; want %q", ids, got, want)
		}
	}
}

// TestReplacement has the example of the Unicode standard, section 3.9, and
// others of the same rule.
func TestReplacement(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"a\xf1\x80\x80\xe1\x80\xc2b\x80c\x80\xbfd", "a\ufffd\ufffd\ufffdb\ufffdc\ufffd\ufffdd"},
		{"\xe2\x82", "\ufffd"},
		{"\xc0\xaf\xe0\x80\xbf", "\ufffd\ufffd\ufffd\ufffd\ufffd"},
		{"\xed\xa0\x80\xff", "\ufffd\ufffd\ufffd\ufffd"},
		{"\xf0\x9f\x98", "\ufffd"},
		{"\xf4\x91\x92\x93", "\ufffd\ufffd\ufffd\ufffd"},
		{"\ufffdx", "\ufffdx"},
	} {
		if got, n := appendValid(nil, []byte(test.in), true); string(got) != test.want || n != len(test.in) {
			t.Errorf("appendValid(%q) = %q, %d; want %q, %d", test.in, got, n, test.want, len(test.in))
		}
	}
}

func TestTokenizerIsConcurrent(t *testing.T) {
	tokenizer := readTokenizer(t, "qwen2")
	cases := readTexts(t, "qwen2")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for _, g := range cases[len(cases)-500:] {
				if got := tokenizer.Encode(nil, g.text); !slices.Equal(got, g.ids) {
					t.Errorf("Encode(%+q) = %v; want %v", g.text, got, g.ids)
				}
			}
		})
	}
	group.Wait()
}

func TestParseTokenizerRefuses(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "qwen2.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ old, new, want string }{
		{`{`, ``, "tokenizer.json: byte 0: an object expected"},
		{`"type":"BPE"`, `"type":"Unigram"`, `model.type: "Unigram"`},
		{`"byte_fallback":false`, `"byte_fallback":true`, "model.byte_fallback"},
		{`"dropout":null`, `"dropout":0.1`, "model.dropout"},
		{`"continuing_subword_prefix":null`, `"continuing_subword_prefix":"##"`, "model.continuing_subword_prefix"},
		{`{"type":"NFC"}`, `{"type":"NFKC"}`, `normalizer: "NFKC"`},
		{`{"type":"NFC"}`, `{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Lowercase"}]}`, `normalizer: "Lowercase"`},
		{`\\p{N}|`, `\\p{N}+|`, "pre_tokenizer: a Split by the pattern"},
		{`"Regex":`, `"String":`, "pre_tokenizer: a Split by a pattern that is not a Regex"},
		{`"behavior":"Isolated"`, `"behavior":"Removed"`, `behavior "Removed"`},
		{`"type":"Split"`, `"type":"Digits"`, `pre_tokenizer: "Digits" is not supported`},
		{`"use_regex":false`, `"use_regex":true`, "pre_tokenizer: ByteLevel: use_regex"},
		{`"decoder":{"type":"ByteLevel"`, `"decoder":{"type":"WordPiece"`, "decoder"},
		{`"vocab":{`, `"vocab":[],"other":{`, "model.vocab: not an object"},
		{`"!":`, `"!":-1,"!!!!":`, `model.vocab: "!": not an id`},
		{`"!":`, `"!":0.`, `model.vocab: "!": not an id`},
		{`"!":`, `"!":2000000000,"?":`, "model.vocab"},
		{`"!":`, `"!!!!!!!!":2000000000,"!":`, "model.vocab: id 2000000000 is out of proportion"},
		{`"!":`, `"!!!!!!!!":1,"!":`, "model.vocab: id 1: two tokens"},
		{`"!":`, `"!":0,"!":`, `model.vocab: "!": listed twice`},
		{`"!":`, `"!!!!!!!!":`, "model.vocab: no token for byte 0x21"},
		{`"merges":[`, `"merges":{},"other":[`, "model.merges: not a list"},
		{`"merges":[`, `"merges":[["!"],`, "model.merges[0]: not a pair"},
		{`"merges":[`, `"merges":[["!","!","!"],`, "model.merges[0]: not a pair"},
		{`"merges":[`, `"merges":[7,`, "model.merges[0]: not a pair"},
		{`"merges":[`, `"merges":["! ! !",`, "model.merges[0]: not a pair"},
		{`"merges":[`, `"merges":[["!","~"],`, `model.merges[0]: "!" and "~"`},
		{`"content":"<|endoftext|>"`, `"content":""`, "added_tokens: id "},
		{`"content":"<|endoftext|>"`, `"content":"!"`, `added_tokens: "!": id `},
		{`"added_tokens":[{"id":`, `"added_tokens":[{"id":-`, "is negative"},
		{`"added_tokens":[{"id":`, `"added_tokens":[{"id":1000000`, "out of proportion"},
		{`"added_tokens":[`, `"added_tokens":[{"id":5,"content":"five"},`, `added_tokens: "five": id 5 is that of`},
	} {
		bad := bytes.Replace(data, []byte(test.old), []byte(test.new), 1)
		if bytes.Equal(bad, data) {
			t.Errorf("%s is not in the file", test.old)
		}
		if _, err := ParseTokenizer(bad); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("with %s: %v; want %s", test.new, err, test.want)
		}
	}
}

// tinyTokenizer is a tokenizer.json with a token for each byte, into which parts
// are spliced: more of vocab, the merges, the added tokens, the pre-tokenizer and
// the normalizer.
func tinyTokenizer(vocab, merges, added, pre, normalizer string) []byte {
	var b bytes.Buffer
	b.WriteString(`{"added_tokens":[` + added + `],"normalizer":` + normalizer + `,"pre_tokenizer":` + pre +
		`,"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{`)
	for r, c := range byteOf {
		if c >= 0 {
			spelling, _ := json.Marshal(string(rune(r)))
			fmt.Fprintf(&b, "%s:%d,", spelling, c)
		}
	}
	b.WriteString(vocab + `},"merges":[` + merges + `]}}`)
	return b.Bytes()
}

// FuzzParseTokenizer checks that what is accepted can encode.
func FuzzParseTokenizer(f *testing.F) {
	const (
		vocab     = `"ab":256,"abc":257,"\u0120a":258`
		byteLevel = `{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}`
		split     = `{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"x"},"behavior":"Isolated"},` +
			`{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}`
	)
	f.Add(vocab, `"a b","ab c"`, `{"id":300,"content":"<s>","special":true}`, byteLevel, `null`)
	f.Add(vocab, `["a","b"],["ab","c"],["\u0120","a"]`, `{"id":301,"content":"caf\u0301","lstrip":true,"normalized":true}`, byteLevel, `{"type":"NFC"}`)
	f.Add(vocab, ``, `{"id":299,"content":"w","single_word":true,"rstrip":true},{"id":300,"content":"wo"}`, split, `{"type":"Sequence","normalizers":[]}`)
	f.Fuzz(func(t *testing.T, vocab, merges, added, pre, normalizer string) {
		tokenizer, err := ParseTokenizer(tinyTokenizer(vocab, merges, added, pre, normalizer))
		if err != nil {
			return
		}
		for _, text := range []string{"hello <s> w\u00f6rld \u0301\n\n 42 wo", strings.Repeat("abc", 50)} {
			for _, id := range tokenizer.Encode(nil, text) {
				if id < 0 || int(id) >= tokenizer.Size() {
					t.Fatalf("Encode gives id %d of %d", id, tokenizer.Size())
				}
			}
		}
	})
}

// FuzzScanner checks that what the scanner reads is what package json reads.
func FuzzScanner(f *testing.F) {
	f.Add([]byte(`{"a": 1, "\"\\\u00e9": 22 , "" : 0}`))
	f.Add([]byte(`{"\ud83d\ude00":1,"\ud800":2,"\\":3}`))
	f.Add([]byte(`{"a":-1,"b":1.5,"c":null,"d":[]}`))
	f.Add([]byte(`{"a":{"b":[1,2,"]}"]},"c":[[],{}] , "d" : true }`))
	f.Add([]byte(`{"a":01,"b" 1,}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := scanner{data: data}
		got := make(map[string]int32)
		err := s.object(func(key []byte) error {
			key = bytes.Clone(key)
			id, err := s.id()
			got[string(bytes.ToValidUTF8(key, []byte("\uFFFD")))] = id
			return err
		})
		if err == nil && s.peek() == 0 && s.at == len(data) {
			var want map[string]int32
			if err := json.Unmarshal(data, &want); err != nil || len(got) != len(want) {
				t.Errorf("%q: read %v; want %v, %v", data, got, want, err)
			}
			for key, id := range want {
				if got[string(bytes.ToValidUTF8([]byte(key), []byte("\uFFFD")))] != id {
					t.Errorf("%q: read %v; want %v", data, got, want)
				}
			}
		}
		s = scanner{data: data}
		values := 0
		err = s.object(func([]byte) error {
			values++
			return skip(&s)
		})
		if valid := json.Valid(data) && s.peek() == 0 && len(bytes.TrimSpace(data)) > 0 && bytes.TrimSpace(data)[0] == '{'; valid != (err == nil && s.at == len(data)) && valid {
			t.Errorf("%q: %d values, %v", data, values, err)
		}
	})
}

func FuzzEncode(f *testing.F) {
	plain, nfc := readTokenizer(f, "gpt2"), readTokenizer(f, "qwen2")
	for _, g := range readTexts(f, "gpt2")[1000:1100] {
		f.Add(g.text)
	}
	f.Add("Z" + strings.Repeat("\u0301\u0323", 40))
	f.Fuzz(func(t *testing.T, text string) {
		if got, want := plain.Decode(encodeVerbatim(plain, text)), validText(text); got != want {
			t.Errorf("Decode(encodeVerbatim(%q)) = %q", text, got)
		}
		// Normalising changes nothing the second time.
		once := nfc.Decode(encodeVerbatim(nfc, text))
		if twice := nfc.Decode(encodeVerbatim(nfc, once)); twice != once {
			t.Errorf("%q: once %q, twice %q", text, once, twice)
		}
	})
}

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
