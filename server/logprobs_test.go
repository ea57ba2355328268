package server

import (
	"maps"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"deepprune/engine"
	"deepprune/model"
	"deepprune/server/openai"
)

// TestChatLogProbs checks that the tokens are those of the text and that the
// likeliest stand in order.
func TestChatLogProbs(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{CheckInvariants: true})
	for _, m := range c.sameStreamed(chatBody(object{"n": 2, "temperature": 1, "logprobs": true, "top_logprobs": 3})) {
		said := ""
		for i, token := range m.tokens {
			said += text(token, "token")
			p, _ := at(token, "logprob").(float64)
			top, _ := at(token, "top_logprobs").([]any)
			if p > 0 || len(top) != 3 || len(at(token, "bytes").([]any)) != len(text(token, "token")) {
				t.Fatalf("token %d: %v", i, token)
			}
			for j := range top {
				q, _ := at(top[j], "logprob").(float64)
				if before, _ := at(top, max(0, j-1), "logprob").(float64); q > before {
					t.Errorf("token %d: %v is not in order", i, top)
				}
				if text(top[j], "token") == text(token, "token") && q != p {
					t.Errorf("token %d: %v and %v", i, token, top[j])
				}
			}
			if best, _ := at(top, 0, "logprob").(float64); best < p {
				t.Errorf("token %d: %v is likelier than the likeliest, %v", i, p, best)
			}
		}
		thoughts, content, _ := strings.Cut(said, "</think>")
		if strings.TrimSpace(thoughts) != m.reasoning || strings.TrimSpace(content) != m.content {
			t.Errorf("the tokens say %q; want %q and %q", said, m.reasoning, m.content)
		}
	}
	m := c.sameStreamed(chatBody(object{"temperature": 0, "logprobs": true, "max_tokens": 5}))[0]
	if len(m.tokens) != 5 || len(at(m.tokens, 0, "top_logprobs").([]any)) != 0 {
		t.Errorf("%v", m.tokens)
	}
	if m := c.sameStreamed(chatBody(object{"max_tokens": 5}))[0]; m.tokens != nil {
		t.Errorf("log-probabilities were not asked for: %v", m.tokens)
	}
}

// TestEchoLogProbs scores a text as evaluation harnesses do, and compares it with
// the same text as it was generated.
func TestEchoLogProbs(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{CheckInvariants: true})
	generated := c.complete(completionBody(object{"logprobs": 2}))[0]
	echoed := c.complete(completionBody(object{"logprobs": 2, "echo": true}))[0]
	if echoed.text != rawPrompt+generated.text {
		t.Errorf("%q; want the prompt and %q", echoed.text, generated.text)
	}
	n := len(echoed.logProbs["tokens"]) - len(generated.logProbs["tokens"])
	if n != len(c.s.model.Tokenizer.Encode(nil, rawPrompt)) {
		t.Errorf("%d tokens of the prompt", n)
	}
	if echoed.logProbs["token_logprobs"][0] != nil || echoed.logProbs["top_logprobs"][0] != nil {
		t.Errorf("the first token has a log-probability: %v", echoed.logProbs["token_logprobs"][0])
	}
	checkOffsets(t, echoed)
	checkOffsets(t, generated)

	// The whole as a prompt of token ids, of which nothing is generated.
	ids := append(c.s.model.Tokenizer.Encode(nil, rawPrompt), c.s.model.Tokenizer.Encode(nil, generated.text)...)
	scored := c.complete(completionBody(object{"prompt": ids, "logprobs": 2, "echo": true, "max_tokens": 0}))[0]
	if scored.text != echoed.text || scored.finish != "length" || len(scored.logProbs["tokens"]) != len(ids) {
		t.Errorf("%+v", scored)
	}
	for i := 1; i < len(ids); i++ {
		a, b := scored.logProbs["token_logprobs"][i].(float64), echoed.logProbs["token_logprobs"][i].(float64)
		if math.Abs(a-b) > 1e-5 {
			t.Errorf("token %d: %v as a prompt, %v as it was generated", i, a, b)
		}
	}
	// One token beyond, as lm-eval asks for it.
	beyond := c.complete(completionBody(object{"prompt": ids, "logprobs": 1, "echo": true, "max_tokens": 1}))[0]
	if len(beyond.logProbs["tokens"]) != len(ids)+1 {
		t.Errorf("%d tokens; want %d", len(beyond.logProbs["tokens"]), len(ids)+1)
	}
	if usage := at(c.must(completionPath, completionBody(object{"prompt": ids, "echo": true, "max_tokens": 0})), "usage"); number(usage, "completion_tokens") != 0 {
		t.Errorf("usage of an echo alone: %v", usage)
	}
	// Without echo, of what is generated alone.
	if p := c.complete(completionBody(object{"logprobs": 0}))[0]; len(p.logProbs["tokens"]) != 20 || len(p.logProbs["top_logprobs"][3].(object)) != 1 {
		t.Errorf("%+v", p)
	}
}

// checkOffsets checks that every token begins where it says.
func checkOffsets(t *testing.T, p *piece) {
	t.Helper()
	for i, token := range p.logProbs["tokens"] {
		at := int(p.logProbs["text_offset"][i].(float64))
		if !strings.HasPrefix(p.text[min(at, len(p.text)):], token.(string)) {
			t.Errorf("token %d, %q, does not stand at %d", i, token, at)
		}
	}
}

// TestCheckpointDefaults: what a request leaves out is the checkpoint's, what it says
// is not, nothing included.
func TestCheckpointDefaults(t *testing.T) {
	s := newServer(t, Options{}, engine.Options{})
	m := *s.model
	m.Generation = model.Generation{Temperature: 0.7, TopK: 5, TopP: 0.9, MinP: 0.1, RepetitionPenalty: 1.3}
	s.model = &m
	if got := s.params(new(openai.Sampling)); !reflect.DeepEqual(got, engine.Params{}) {
		t.Errorf("of nothing: %+v; want all left to the engine", got)
	}
	zero, one, all := 0.0, 1.0, int64(0)
	p := s.params(&openai.Sampling{Temperature: &zero, TopK: &all, TopP: &one, MinP: &zero, RepetitionPenalty: &one})
	if p.Temperature >= 0 || p.TopK != m.Config.VocabSize || p.TopP != 1 || !(p.MinP > 0 && p.MinP < 1e-30) || p.RepetitionPenalty != 1 {
		t.Errorf("of no adjustment: %+v", p)
	}
}

// TestPenalties checks that what is asked for reaches the engine.
func TestPenalties(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{})
	said := func(more object) string {
		// Hot enough for any change of the logits to show.
		body := completionBody(object{"max_tokens": 100, "temperature": 1.8, "top_k": 0, "top_p": 1})
		maps.Copy(body, more)
		return c.complete(body)[0].text
	}
	plain := said(nil)
	first := strconv.Itoa(int(c.s.model.Tokenizer.Encode(nil, plain)[0]))
	for name, more := range map[string]object{
		"frequency": {"frequency_penalty": 2}, "presence": {"presence_penalty": 2}, "repetition": {"repetition_penalty": 3},
		"bias": {"logit_bias": object{first: -100}},
	} {
		if said(more) == plain {
			t.Errorf("%s: no difference", name)
		}
	}
	id, _ := c.s.model.Tokenizer.ID("7")
	if p := c.complete(completionBody(object{"logit_bias": object{strconv.Itoa(int(id)): 100}, "max_tokens": 6}))[0]; p.text != "777777" {
		t.Errorf("logit_bias: %q; want sevens", p.text)
	}
}
