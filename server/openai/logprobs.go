package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"unicode/utf8"
)

// minLogProb stands for what JSON cannot express: the logarithm of nothing.
const minLogProb = -9999

// LogProb is a log-probability as JSON can express it.
type LogProb float64

// MarshalJSON writes minus infinity as OpenAI does, as -9999.
func (p LogProb) MarshalJSON() ([]byte, error) {
	v := float64(p)
	if math.IsNaN(v) || v < minLogProb {
		v = minLogProb
	}
	return json.Marshal(math.Min(v, 0))
}

// TokenLogProb is a token, its text in bytes and its log-probability. It is what
// both forms of log-probabilities are made of.
type TokenLogProb struct {
	Bytes   []byte
	LogProb float64
	Top     []TokenLogProb // the likeliest at its place, likeliest first
}

// ChatLogProbs are the log-probabilities of a message's tokens.
type ChatLogProbs struct {
	Content []ChatLogProb `json:"content"`
	Refusal []ChatLogProb `json:"refusal"` // always null
}

// ChatLogProb is a token, its log-probability and those of the likeliest.
type ChatLogProb struct {
	Token   string           `json:"token"`
	LogProb LogProb          `json:"logprob"`
	Bytes   ByteList         `json:"bytes"`
	Top     []ChatTopLogProb `json:"top_logprobs"`
}

// ChatTopLogProb is one of the likeliest tokens at a place.
type ChatTopLogProb struct {
	Token   string   `json:"token"`
	LogProb LogProb  `json:"logprob"`
	Bytes   ByteList `json:"bytes"`
}

// ByteList is bytes as JSON's numbers: a token may be a part of a character.
type ByteList []byte

// MarshalJSON writes [104, 105].
func (b ByteList) MarshalJSON() ([]byte, error) {
	out := []byte{'['}
	for i, c := range b {
		if i > 0 {
			out = append(out, ',')
		}
		out = fmt.Appendf(out, "%d", c)
	}
	return append(out, ']'), nil
}

// NewChatLogProbs is the log-probabilities of tokens in the form of chat.
func NewChatLogProbs(tokens []TokenLogProb) *ChatLogProbs {
	l := &ChatLogProbs{Content: make([]ChatLogProb, len(tokens))}
	for i, t := range tokens {
		c := ChatLogProb{Token: readable(t.Bytes), LogProb: LogProb(t.LogProb), Bytes: t.Bytes, Top: []ChatTopLogProb{}}
		for _, top := range t.Top {
			c.Top = append(c.Top, ChatTopLogProb{Token: readable(top.Bytes), LogProb: LogProb(top.LogProb), Bytes: top.Bytes})
		}
		l.Content[i] = c
	}
	return l
}

// CompletionLogProbs are the log-probabilities of a text's tokens. Of a prompt's
// first token there is none: null.
type CompletionLogProbs struct {
	Tokens        []string   `json:"tokens"`
	TokenLogProbs []*LogProb `json:"token_logprobs"`
	TopLogProbs   []TopMap   `json:"top_logprobs"`
	TextOffset    []int      `json:"text_offset"` // in characters, from the beginning of the choice's text
}

// TopMap is the likeliest tokens at a place with their log-probabilities, in their
// order; nil is null.
type TopMap []TokenLogProb

// MarshalJSON writes {" the": -0.3, …}, the likeliest first. Of tokens that read the
// same the likeliest counts.
func (m TopMap) MarshalJSON() ([]byte, error) {
	if m == nil {
		return []byte("null"), nil
	}
	out := []byte{'{'}
	seen := make(map[string]bool, len(m))
	for _, t := range m {
		name := readable(t.Bytes)
		if seen[name] {
			continue
		}
		seen[name] = true
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		value, err := LogProb(t.LogProb).MarshalJSON()
		if err != nil {
			return nil, err
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, key...), ':'), value...)
	}
	return append(out, '}'), nil
}

// NewCompletionLogProbs has none yet.
func NewCompletionLogProbs() *CompletionLogProbs {
	return &CompletionLogProbs{Tokens: []string{}, TokenLogProbs: []*LogProb{}, TopLogProbs: []TopMap{}, TextOffset: []int{}}
}

// Add adds a token that begins at a character of the text. known is false for the
// first token of a prompt.
func (l *CompletionLogProbs) Add(t TokenLogProb, offset int, known bool) {
	l.Tokens = append(l.Tokens, readable(t.Bytes))
	l.TextOffset = append(l.TextOffset, offset)
	if !known {
		l.TokenLogProbs = append(l.TokenLogProbs, nil)
		l.TopLogProbs = append(l.TopLogProbs, nil)
		return
	}
	p := LogProb(t.LogProb)
	l.TokenLogProbs = append(l.TokenLogProbs, &p)
	// The token itself is always among them, as in OpenAI's answers.
	l.TopLogProbs = append(l.TopLogProbs, append(TopMap{}, append(t.Top, t)...))
}

// readable is the text of a token; one that is a part of a character is spelled as
// its bytes, "bytes:\xe2\x82", as OpenAI does.
func readable(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var out bytes.Buffer
	out.WriteString("bytes:")
	for _, c := range b {
		fmt.Fprintf(&out, `\x%02x`, c)
	}
	return out.String()
}
