package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"unicode/utf8"
)

const (
	// maxContent bounds the text of an added token, which every place of a text
	// may be compared with.
	maxContent = 1 << 10
	// spareIDs and the tokens themselves bound the largest id: ids have gaps in
	// practice, but memory is spent on each.
	spareIDs = 1 << 16
)

// tokenizerJSON is a tokenizer.json, so far as it is understood.
type tokenizerJSON struct {
	AddedTokens  []addedToken    `json:"added_tokens"`
	Normalizer   json.RawMessage `json:"normalizer"`
	PreTokenizer json.RawMessage `json:"pre_tokenizer"`
	Decoder      json.RawMessage `json:"decoder"`
	Model        struct {
		Type         string          `json:"type"`
		Dropout      *float64        `json:"dropout"`
		Prefix       string          `json:"continuing_subword_prefix"`
		Suffix       string          `json:"end_of_word_suffix"`
		ByteFallback bool            `json:"byte_fallback"`
		IgnoreMerges bool            `json:"ignore_merges"`
		Vocab        json.RawMessage `json:"vocab"`
		Merges       json.RawMessage `json:"merges"`
	} `json:"model"`
}

// ParseTokenizer reads a tokenizer.json of the byte-level BPE kind: of GPT-2,
// Llama 3, Qwen2, Qwen3 and their descendants. Whatever would change the result
// and is not implemented is refused by name.
func ParseTokenizer(data []byte) (*BPE, error) {
	t, err := parseTokenizer(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	return t, nil
}

func parseTokenizer(data []byte) (*BPE, error) {
	var file tokenizerJSON
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, err
	}
	m := &file.Model
	switch {
	case m.Type != "BPE" && m.Type != "": // old files do not say
		return nil, fmt.Errorf("model.type: %q is not supported, only BPE is", m.Type)
	case m.Dropout != nil && *m.Dropout != 0:
		return nil, errors.New("model.dropout: not supported")
	case m.Prefix != "" || m.Suffix != "":
		return nil, errors.New("model.continuing_subword_prefix and end_of_word_suffix: not supported")
	case m.ByteFallback:
		return nil, errors.New("model.byte_fallback: not supported")
	}
	t := &BPE{ignoreMerges: m.IgnoreMerges}
	if err := t.readNormalizer(file.Normalizer); err != nil {
		return nil, fmt.Errorf("normalizer: %w", err)
	}
	if err := t.readPreTokenizer(file.PreTokenizer); err != nil {
		return nil, fmt.Errorf("pre_tokenizer: %w", err)
	}
	if err := readDecoder(file.Decoder); err != nil {
		return nil, fmt.Errorf("decoder: %w", err)
	}
	vocab, err := t.readVocab(m.Vocab, file.AddedTokens)
	if err != nil {
		return nil, fmt.Errorf("model.vocab: %w", err)
	}
	if err := t.readMerges(m.Merges, vocab); err != nil {
		return nil, fmt.Errorf("model.merges%w", err)
	}
	if err := t.readAdded(file.AddedTokens, vocab); err != nil {
		return nil, fmt.Errorf("added_tokens: %w", err)
	}
	return t, nil
}

// step is a normalizer, pre-tokenizer or decoder, or a sequence of them.
type step struct {
	Type          string `json:"type"`
	Normalizers   []step `json:"normalizers"`
	PreTokenizers []step `json:"pretokenizers"`
	Decoders      []step `json:"decoders"`

	AddPrefixSpace *bool `json:"add_prefix_space"`
	UseRegex       *bool `json:"use_regex"`
	Pattern        struct {
		Regex  *string `json:"Regex"`
		String *string `json:"String"`
	} `json:"pattern"`
	Behavior string `json:"behavior"`
	Invert   bool   `json:"invert"`
}

// isSet reads a switch that is on where the file does not say.
func isSet(b *bool) bool { return b == nil || *b }

// steps reads one step, or the steps of a sequence; none for null.
func steps(raw json.RawMessage, list func(*step) []step) ([]step, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var s *step
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	switch {
	case s == nil:
		return nil, nil
	case s.Type == "Sequence":
		return list(s), nil
	}
	return []step{*s}, nil
}

func (t *BPE) readNormalizer(raw json.RawMessage) error {
	all, err := steps(raw, func(s *step) []step { return s.Normalizers })
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.Type != "NFC" {
			return fmt.Errorf("%q is not supported, only NFC is", s.Type)
		}
		t.nfc = true
	}
	return nil
}

func (t *BPE) readPreTokenizer(raw json.RawMessage) error {
	all, err := steps(raw, func(s *step) []step { return s.PreTokenizers })
	if err != nil {
		return err
	}
	switch {
	case len(all) == 1 && all[0].Type == "ByteLevel" && isSet(all[0].UseRegex):
		t.next = splitters[patternGPT2]
		t.addSpace = isSet(all[0].AddPrefixSpace)
		return nil
	case len(all) == 2 && all[0].Type == "Split" && all[1].Type == "ByteLevel":
	default:
		return errors.New("not supported; want ByteLevel, or a sequence of Split and ByteLevel")
	}
	split, bytes := all[0], all[1]
	if split.Behavior != "Isolated" || split.Invert {
		return fmt.Errorf("a Split with behavior %q and invert %v is not supported", split.Behavior, split.Invert)
	}
	if isSet(bytes.UseRegex) || isSet(bytes.AddPrefixSpace) {
		return errors.New("ByteLevel: use_regex and add_prefix_space are not supported after Split")
	}
	if split.Pattern.Regex == nil {
		return errors.New("a Split by a pattern that is not a Regex is not supported")
	}
	next, ok := splitters[*split.Pattern.Regex]
	if !ok {
		return fmt.Errorf("a Split by the pattern %q is not supported, only by those of GPT-2, Llama 3 and Qwen2", *split.Pattern.Regex)
	}
	t.next = next
	return nil
}

func readDecoder(raw json.RawMessage) error {
	all, err := steps(raw, func(s *step) []step { return s.Decoders })
	if err != nil {
		return err
	}
	if len(all) != 1 || all[0].Type != "ByteLevel" {
		return errors.New("not supported, only ByteLevel is")
	}
	return nil
}

// readVocab fills in the tokens. It returns their ids by their spelling in the file.
func (t *BPE) readVocab(raw json.RawMessage, addedTokens []addedToken) (map[string]int32, error) {
	s := scanner{data: raw}
	if !s.enter('{') {
		return nil, errors.New("not an object")
	}
	vocab := make(map[string]int32, len(raw)/16)
	largest := int64(-1)
	for s.more('}') {
		token, _ := s.text()
		id, ok := s.integer()
		if !ok || id < 0 {
			return nil, fmt.Errorf("%q: not an id", token)
		}
		if _, ok := vocab[token]; ok {
			return nil, fmt.Errorf("%q: listed twice", token)
		}
		vocab[token] = int32(id)
		largest = max(largest, id)
	}
	for _, a := range addedTokens {
		largest = max(largest, int64(a.ID))
	}
	if limit := int64(2*(len(vocab)+len(addedTokens)) + spareIDs); largest >= limit {
		return nil, fmt.Errorf("id %d is out of proportion to %d tokens", largest, len(vocab)+len(addedTokens))
	}

	t.tokens = make([]string, largest+1)
	t.whole = make([]atomic.Uint32, largest+1)
	t.words = make(map[string]int32, len(vocab))
	taken := make([]bool, largest+1)
	for i := range t.bytes {
		t.bytes[i] = -1
	}
	for spelling, id := range vocab {
		if taken[id] {
			return nil, fmt.Errorf("id %d: two tokens, one of them %q", id, spelling)
		}
		taken[id] = true
		bytes, ok := spelledBytes(spelling)
		if !ok {
			t.tokens[id] = spelling // as the reference decodes it; no merge leads there
			continue
		}
		t.tokens[id] = bytes
		t.words[bytes] = id
		if len(bytes) == 1 {
			t.bytes[bytes[0]] = id
		}
	}
	for b, id := range t.bytes {
		if inUTF8 := b < 0xC0 || 0xC2 <= b && b <= 0xF4; inUTF8 && id < 0 {
			return nil, fmt.Errorf("no token for byte 0x%02X", b)
		}
	}
	return vocab, nil
}

// readMerges reads ["a b", …] or [["a", "b"], …]. Its errors begin with the index.
func (t *BPE) readMerges(raw json.RawMessage, vocab map[string]int32) error {
	s := scanner{data: raw}
	if !s.enter('[') {
		return errors.New(": not a list")
	}
	t.merges = make(map[pair]merge, len(raw)/16)
	for rank := int32(0); s.more(']'); rank++ {
		left, right, ok := s.pair()
		if !ok {
			return fmt.Errorf("[%d]: not a pair of tokens", rank)
		}
		a, okA := vocab[left]
		b, okB := vocab[right]
		id, okAB := vocab[left+right]
		if !okA || !okB || !okAB {
			return fmt.Errorf("[%d]: %q and %q: one of them, or both together, is not in the vocabulary", rank, left, right)
		}
		t.merges[pair{a, b}] = merge{rank: rank, id: id}
	}
	return nil
}

func (t *BPE) readAdded(tokens []addedToken, vocab map[string]int32) error {
	t.addedIDs = make(map[string]int32, len(tokens))
	for _, a := range tokens {
		switch id, inVocab := vocab[a.Content]; {
		case a.Content == "" || len(a.Content) > maxContent || !utf8.ValidString(a.Content):
			return fmt.Errorf("id %d: content of %d bytes; want 1 to %d of UTF-8", a.ID, len(a.Content), maxContent)
		case a.ID < 0:
			return fmt.Errorf("%q: id %d is negative", a.Content, a.ID)
		case inVocab && id != a.ID:
			return fmt.Errorf("%q: id %d, but %d in the vocabulary", a.Content, a.ID, id)
		case !inVocab && t.tokens[a.ID] != "" && t.tokens[a.ID] != a.Content:
			return fmt.Errorf("%q: id %d is that of %q", a.Content, a.ID, t.tokens[a.ID])
		}
		t.tokens[a.ID] = a.Content
		t.addedIDs[a.Content] = a.ID
		if a.Special {
			delete(t.words, a.Content) // no user's word may be one
		}
		if a.Normalized {
			t.addedAfter.add(t.normalize(a.Content), a)
		} else {
			t.added.add(a.Content, a)
		}
	}
	return nil
}

// spelledBytes is what a token of the file stands for: GPT-2 spells every byte as
// a printable character, itself where it is one in Latin-1, else the next from
// U+0100 on. It reports whether the spelling uses these characters only.
func spelledBytes(spelling string) (string, bool) {
	plain := true
	for i := range len(spelling) {
		if c := spelling[i]; c < '!' || '~' < c {
			plain = false
			break
		}
	}
	if plain {
		return spelling, true
	}
	out := make([]byte, 0, len(spelling))
	for _, r := range spelling {
		if int(r) >= len(byteOf) || byteOf[r] < 0 {
			return "", false
		}
		out = append(out, byte(byteOf[r]))
	}
	return string(out), true
}

// byteOf is the byte that a character spells, or -1.
var byteOf = func() (table [324]int16) {
	for i := range table {
		table[i] = -1
	}
	next := 256
	for b := range 256 {
		if '!' <= b && b <= '~' || 0xA1 <= b && b <= 0xFF && b != 0xAD {
			table[b] = int16(b)
		} else {
			table[next] = int16(b)
			next++
		}
	}
	return table
}()
