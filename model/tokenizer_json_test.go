package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

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

// FuzzScanner checks that the scanner accepts the objects that package json
// accepts, and reads what that reads.
func FuzzScanner(f *testing.F) {
	f.Add([]byte(`{"a": 1, "\"\\\u00e9": 22 , "" : 0}`))
	f.Add([]byte(`{"\ud83d\ude00":1,"\ud800":2,"\\":3}`))
	f.Add([]byte(`{"a":-1,"b":1.5,"c":null,"d":[]}`))
	f.Add([]byte(`{"a":{"b":[1,2,"]}"]},"c":[[],{}] , "d" : true }`))
	f.Add([]byte(`{"a":01,"b" 1,}`))
	f.Add([]byte(`{"a":[1 2]}{`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := scanner{data: data}
		err := s.object(func([]byte) error { return skip(&s) })
		accepted := err == nil && s.peek() == 0 && s.at == len(data)
		isObject := json.Valid(data) && bytes.HasPrefix(bytes.TrimSpace(data), []byte("{"))
		if accepted != isObject {
			t.Errorf("%q: accepted %v, %v; want %v", data, accepted, err, isObject)
		}

		s = scanner{data: data}
		got := make(map[string]int32)
		err = s.object(func(key []byte) error {
			name := string(key)
			id, err := s.id()
			got[name] = id
			return err
		})
		if err != nil || !accepted || !utf8.Valid(data) { // bytes that are no UTF-8 stay as they are
			return
		}
		var want map[string]int32
		if err := json.Unmarshal(data, &want); err != nil || !maps.Equal(got, want) {
			t.Errorf("%q: read %v; want %v, %v", data, got, want, err)
		}
	})
}
