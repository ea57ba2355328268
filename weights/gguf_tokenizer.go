package weights

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ggufVocabulary is the tokenizer of a file.
type ggufVocabulary struct {
	pre    ggufPreTokenizer
	tokens []string
	kinds  []int32
	merges []string
	ends   []int64
	config map[string]any // tokenizer_config.json
}

// ggufPreTokenizer is what a name of tokenizer.ggml.pre means.
type ggufPreTokenizer struct {
	patterns     []string // of words, one after the other; GPT-2's where there are none
	nfc          bool
	ignoreMerges bool
}

const (
	wordsBefore = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|`
	wordsAfter  = `| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// wordsOf is the pattern whose numbers have up to so many digits.
func wordsOf(digits string) []string { return []string{wordsBefore + `\p{N}` + digits + wordsAfter} }

var ggufPreTokenizers = map[string]ggufPreTokenizer{
	"gpt-2":            {},
	"qwen2":            {patterns: wordsOf(""), nfc: true},
	"deepseek-r1-qwen": {patterns: wordsOf("")},
	"llama-bpe":        {patterns: wordsOf("{1,3}"), ignoreMerges: true},
	"glm4":             {patterns: wordsOf("{1,3}"), ignoreMerges: true},
	"gpt-4o": {ignoreMerges: true, patterns: []string{
		`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
			`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
			`\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	}},
	"deepseek-v3": {patterns: []string{
		`\p{N}{1,3}`, "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
		"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|" +
			"[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
	}},
}

// Kinds of tokens.
const (
	ggufTokenNormal  = 1
	ggufTokenControl = 3
	ggufTokenAdded   = 4
)

// vocabulary reads the tokenizer.
func (g *ggufFile) vocabulary() (v *ggufVocabulary, err error) {
	m := g.metadata
	model, err := m.text("tokenizer.ggml.model")
	if err != nil {
		return nil, err
	}
	if model != "gpt2" {
		return nil, fmt.Errorf("tokenizer.ggml.model: %q is not supported, only gpt2, byte-level BPE, is", model)
	}
	pre, err := m.text("tokenizer.ggml.pre")
	if err != nil {
		return nil, err
	}
	v = &ggufVocabulary{config: make(map[string]any), ends: []int64{}}
	var ok bool
	if v.pre, ok = ggufPreTokenizers[pre]; !ok {
		return nil, fmt.Errorf("tokenizer.ggml.pre: %q is not supported; supported are %s", pre, strings.Join(slices.Sorted(maps.Keys(ggufPreTokenizers)), ", "))
	}
	if v.tokens, err = m.texts("tokenizer.ggml.tokens"); err != nil {
		return nil, err
	}
	if v.merges, err = m.texts("tokenizer.ggml.merges"); err != nil {
		return nil, err
	}
	v.kinds, err = m.integers("tokenizer.ggml.token_type")
	if errors.Is(err, errGGUFMissing) {
		v.kinds, err = slices.Repeat([]int32{ggufTokenNormal}, len(v.tokens)), nil
	}
	if err != nil {
		return nil, err
	}
	if len(v.kinds) != len(v.tokens) {
		return nil, fmt.Errorf("tokenizer.ggml.token_type: %d kinds of %d tokens", len(v.kinds), len(v.tokens))
	}
	for _, special := range []struct {
		key  string
		name string // in tokenizer_config.json
		end  bool
	}{
		{"tokenizer.ggml.bos_token_id", "bos_token", false},
		{"tokenizer.ggml.eos_token_id", "eos_token", true},
		{"tokenizer.ggml.eot_token_id", "", true},
		{"tokenizer.ggml.eom_token_id", "", true},
	} {
		id, err := m.integer(special.key)
		if errors.Is(err, errGGUFMissing) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if id < 0 || id >= int64(len(v.tokens)) {
			return nil, fmt.Errorf("%s: %d is not below the %d tokens", special.key, id, len(v.tokens))
		}
		if special.name != "" {
			v.config[special.name] = v.tokens[id]
		}
		if special.end && !slices.Contains(v.ends, id) {
			v.ends = append(v.ends, id)
		}
	}
	switch template, err := m.text("tokenizer.chat_template"); {
	case err == nil:
		v.config["chat_template"] = template
	case !errors.Is(err, errGGUFMissing):
		return nil, err
	}
	return v, nil
}

// tokenizer is tokenizer.json. Control tokens are special; tokens that are neither
// normal nor added are never written. Of the added tokens those are in the
// vocabulary, too, that a merge makes.
func (v *ggufVocabulary) tokenizer() (map[string]any, error) {
	vocab := make(map[string]int, len(v.tokens))
	merged := make(map[string]bool)
	for id, kind := range v.kinds {
		if kind == ggufTokenControl || kind == ggufTokenAdded {
			merged[v.tokens[id]] = false
		}
	}
	for _, merge := range v.merges {
		left, right, _ := strings.Cut(merge, " ")
		if _, ok := merged[left+right]; ok {
			merged[left+right] = true
		}
	}
	added := []map[string]any{}
	for id, token := range v.tokens {
		kind := v.kinds[id]
		if kind == ggufTokenNormal || merged[token] {
			if other, ok := vocab[token]; ok {
				return nil, fmt.Errorf("tokenizer.ggml.tokens: %d and %d are both %q", other, id, token)
			}
			vocab[token] = id
		}
		if kind == ggufTokenControl || kind == ggufTokenAdded {
			added = append(added, map[string]any{"id": id, "content": token, "special": kind == ggufTokenControl})
		}
	}
	bytes := map[string]any{"type": "ByteLevel", "add_prefix_space": false, "use_regex": len(v.pre.patterns) == 0}
	var steps []any
	for _, pattern := range v.pre.patterns {
		steps = append(steps, map[string]any{"type": "Split", "pattern": map[string]any{"Regex": pattern}, "behavior": "Isolated"})
	}
	words := map[string]any{"type": "Sequence", "pretokenizers": append(steps, bytes)}
	if len(steps) == 0 {
		words = bytes
	}
	t := map[string]any{
		"added_tokens":  added,
		"pre_tokenizer": words,
		"decoder":       map[string]any{"type": "ByteLevel"},
		"model":         map[string]any{"type": "BPE", "vocab": vocab, "merges": v.merges, "ignore_merges": v.pre.ignoreMerges},
	}
	if v.pre.nfc {
		t["normalizer"] = map[string]any{"type": "NFC"}
	}
	return t, nil
}
