package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	added        []addedToken
	normalizer   json.RawMessage
	preTokenizer json.RawMessage
	decoder      json.RawMessage
	model        struct {
		kind         string
		dropout      float64
		prefix       string // continuing_subword_prefix
		suffix       string // end_of_word_suffix
		byteFallback bool
		ignoreMerges bool
		vocab        []byte
		merges       []byte
	}
}

// readTokenizerJSON finds the parts of the file. Those it does not know, such as
// the post_processor, are skipped.
func readTokenizerJSON(data []byte) (*tokenizerJSON, error) {
	file := new(tokenizerJSON)
	s := scanner{data: data}
	err := s.object(func(key []byte) error {
		switch string(key) {
		case "added_tokens":
			return within("added_tokens", s.read(&file.added))
		case "normalizer":
			return within("normalizer", s.read(&file.normalizer))
		case "pre_tokenizer":
			return within("pre_tokenizer", s.read(&file.preTokenizer))
		case "decoder":
			return within("decoder", s.read(&file.decoder))
		case "model":
			return within("model", s.object(func(key []byte) error { return within(string(key), file.readModel(&s, key)) }))
		}
		return skip(&s)
	})
	if err == nil && s.peek() != 0 {
		err = s.expected("the end")
	}
	return file, err
}

// readModel reads the member of model called key.
func (file *tokenizerJSON) readModel(s *scanner, key []byte) (err error) {
	m := &file.model
	switch string(key) {
	case "type":
		return s.read(&m.kind)
	case "dropout":
		return s.read(&m.dropout)
	case "continuing_subword_prefix":
		return s.read(&m.prefix)
	case "end_of_word_suffix":
		return s.read(&m.suffix)
	case "byte_fallback":
		return s.read(&m.byteFallback)
	case "ignore_merges":
		return s.read(&m.ignoreMerges)
	case "vocab":
		m.vocab, err = s.value()
	case "merges":
		m.merges, err = s.value()
	default:
		err = skip(s)
	}
	return err
}

// skip skips a value.
func skip(s *scanner) error {
	raw, err := s.value()
	if err == nil && !json.Valid(raw) {
		err = errors.New("not valid JSON")
	}
	return err
}

func within(field string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	return nil
}

// ParseTokenizer reads a tokenizer.json of the byte-level BPE kind: of GPT-2,
// Llama 3, Qwen2, Qwen3, DeepSeek V3, gpt-oss, GLM 4 and their descendants.
// Whatever would change the result and is not implemented is refused by name.
func ParseTokenizer(data []byte) (*BPE, error) {
	t, err := parseTokenizer(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	return t, nil
}

func parseTokenizer(data []byte) (*BPE, error) {
	file, err := readTokenizerJSON(data)
	if err != nil {
		return nil, err
	}
	m := &file.model
	switch {
	case m.kind != "BPE" && m.kind != "": // old files do not say
		return nil, fmt.Errorf("model.type: %q is not supported, only BPE is", m.kind)
	case m.dropout != 0:
		return nil, errors.New("model.dropout: not supported")
	case m.prefix != "" || m.suffix != "":
		return nil, errors.New("model.continuing_subword_prefix and end_of_word_suffix: not supported")
	case m.byteFallback:
		return nil, errors.New("model.byte_fallback: not supported")
	}
	t := &BPE{ignoreMerges: m.ignoreMerges}
	if err := t.readNormalizer(file.normalizer); err != nil {
		return nil, fmt.Errorf("normalizer: %w", err)
	}
	if err := t.readPreTokenizer(file.preTokenizer); err != nil {
		return nil, fmt.Errorf("pre_tokenizer: %w", err)
	}
	if err := readDecoder(file.decoder); err != nil {
		return nil, fmt.Errorf("decoder: %w", err)
	}
	vocab, err := t.readVocab(m.vocab, file.added)
	if err != nil {
		return nil, fmt.Errorf("model.vocab: %w", err)
	}
	if err := t.readMerges(m.merges, vocab); err != nil {
		return nil, fmt.Errorf("model.merges%w", err)
	}
	if err := t.readAdded(file.added, vocab); err != nil {
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
	if len(all) == 0 || all[len(all)-1].Type != "ByteLevel" {
		return errors.New("not supported; want ByteLevel, or a sequence of Splits and ByteLevel")
	}
	splits, last := all[:len(all)-1], all[len(all)-1]
	if len(splits) == 0 && isSet(last.UseRegex) {
		t.split(splitters[patternGPT2])
		t.addSpace = isSet(last.AddPrefixSpace)
		return nil
	}
	if isSet(last.UseRegex) || isSet(last.AddPrefixSpace) {
		return errors.New("ByteLevel: use_regex and add_prefix_space are not supported after Split")
	}
	patterns := make([]string, len(splits))
	for i, s := range splits {
		switch {
		case s.Type != "Split":
			return fmt.Errorf("%q is not supported; want ByteLevel, or a sequence of Splits and ByteLevel", s.Type)
		case s.Pattern.Regex == nil:
			return errors.New("a Split by a pattern that is not a Regex is not supported")
		}
		patterns[i] = *s.Pattern.Regex
	}
	pattern := strings.Join(patterns, patternSeparator)
	splitter, ok := splitters[pattern]
	if !ok {
		return fmt.Errorf("a Split by the pattern %q is not supported, only by those of DeepSeek V3, GPT-2, Llama 3, o200k and Qwen2", pattern)
	}
	for _, s := range splits {
		// What does not match is removed from nothing if all text matches.
		if s.Behavior == "Removed" && s.Invert && splitter.all {
			continue
		}
		if s.Behavior != "Isolated" || s.Invert {
			return fmt.Errorf("a Split with behavior %q and invert %v is not supported", s.Behavior, s.Invert)
		}
	}
	t.split(splitter)
	return nil
}

func (t *BPE) split(s splitter) {
	t.classes, t.next = s.table(), s.next
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

// vocabulary finds the tokens of a file by their spelling.
type vocabulary struct {
	words words
	odd   map[string]int32 // those that spell no bytes
	bytes []byte           // memory of find
}

// find looks for the token of this spelling, or of these spellings together.
func (v *vocabulary) find(spelling ...[]byte) (int32, bool) {
	v.bytes = v.bytes[:0]
	spelled := true
	for _, s := range spelling {
		if spelled {
			v.bytes, spelled = spelledBytes(v.bytes, s)
		}
	}
	if spelled {
		return v.words.find(string(v.bytes))
	}
	id, ok := v.odd[string(bytes.Join(spelling, nil))]
	return id, ok
}

// readVocab fills in the tokens.
func (t *BPE) readVocab(raw []byte, addedTokens []addedToken) (*vocabulary, error) {
	type entry struct {
		begin, end int // of the bytes in all
		id         int32
		spelled    bool
	}
	var (
		s       = scanner{data: raw}
		all     = make([]byte, 0, len(raw))
		entries = make([]entry, 0, len(raw)/16)
		largest = int32(-1)
	)
	if s.peek() != '{' {
		return nil, errors.New("not an object")
	}
	err := s.object(func(key []byte) error {
		e := entry{begin: len(all)}
		if all, e.spelled = spelledBytes(all, key); !e.spelled {
			if all = append(all[:e.begin], key...); !utf8.Valid(key) {
				return fmt.Errorf("%q: not UTF-8", key)
			}
		}
		e.end = len(all)
		var err error
		if e.id, err = s.id(); err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
		largest = max(largest, e.id)
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, a := range addedTokens {
		largest = max(largest, a.ID)
	}
	if limit := 2*(len(entries)+len(addedTokens)) + spareIDs; int(largest) >= limit {
		return nil, fmt.Errorf("id %d is out of proportion to %d tokens", largest, len(entries)+len(addedTokens))
	}

	t.tokens = make([]string, largest+1)
	t.whole = make([]atomic.Uint32, largest+1)
	taken := make([]bool, largest+1)
	for i := range t.bytes {
		t.bytes[i] = -1
	}
	vocab := &vocabulary{words: newWords(t.tokens, len(entries)), odd: make(map[string]int32)}
	text := string(all) // of which every token is a part
	for _, e := range entries {
		token := text[e.begin:e.end]
		if taken[e.id] && t.tokens[e.id] != token {
			return nil, fmt.Errorf("id %d: two tokens, one of them %q", e.id, token)
		}
		listed := false
		taken[e.id] = true
		t.tokens[e.id] = token
		if e.spelled {
			listed = !vocab.words.add(e.id)
		} else { // the reference decodes it as it is; no merge leads there
			_, listed = vocab.odd[token]
			vocab.odd[token] = e.id
		}
		if listed {
			return nil, fmt.Errorf("%q: listed twice", token)
		}
		if !e.spelled {
			continue
		}
		if len(token) == 1 {
			t.bytes[token[0]] = e.id
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
func (t *BPE) readMerges(raw []byte, vocab *vocabulary) error {
	s := scanner{data: raw}
	if s.peek() != '[' {
		return errors.New(": not a list")
	}
	type entry struct{ left, right, id int32 }
	entries := make([]entry, 0, len(raw)/16)
	err := s.list(func() error {
		left, right, err := s.pair()
		if err != nil {
			return fmt.Errorf("[%d]: %w", len(entries), err)
		}
		a, okA := vocab.find(left)
		b, okB := vocab.find(right)
		id, okAB := vocab.find(left, right)
		if !okA || !okB || !okAB {
			return fmt.Errorf("[%d]: %q and %q: one of them, or both together, is not in the vocabulary", len(entries), left, right)
		}
		entries = append(entries, entry{a, b, id})
		return nil
	})
	if err != nil {
		return err
	}
	t.merges = newMerges(len(entries))
	for rank, e := range entries {
		t.merges.set(e.left, e.right, merge{int32(rank), e.id})
	}
	return nil
}

func (t *BPE) readAdded(tokens []addedToken, vocab *vocabulary) error {
	t.words = vocab.words
	t.tokens = slices.Clone(t.tokens) // those of words stay as they are
	t.addedIDs = make(map[string]int32, len(tokens))
	for _, a := range tokens {
		if a.ID < 0 {
			return fmt.Errorf("%q: id %d is negative", a.Content, a.ID)
		}
		written := a.Content
		if a.Normalized {
			written = t.normalize(a.Content)
		}
		// The reference decodes it like any other token.
		bytes, spelled := spelledBytes(nil, []byte(written))
		if !spelled {
			bytes = []byte(written)
		}
		switch id, inVocab := vocab.find([]byte(a.Content)); {
		case a.Content == "" || len(a.Content) > maxContent || !utf8.ValidString(a.Content):
			return fmt.Errorf("id %d: content of %d bytes; want 1 to %d of UTF-8", a.ID, len(a.Content), maxContent)
		case inVocab && id != a.ID:
			return fmt.Errorf("%q: id %d, but %d in the vocabulary", a.Content, a.ID, id)
		case !inVocab && t.tokens[a.ID] != "" && t.tokens[a.ID] != string(bytes):
			return fmt.Errorf("%q: id %d is that of %q", a.Content, a.ID, t.tokens[a.ID])
		}
		t.tokens[a.ID] = string(bytes)
		t.addedIDs[a.Content] = a.ID
		if a.Special && spelled {
			t.words.remove(string(bytes)) // no user's word may be one
		}
		if a.Normalized {
			t.addedAfter.add(written, a)
		} else {
			t.added.add(written, a)
		}
	}
	return nil
}
