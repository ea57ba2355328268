package model

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

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
