package server

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"deepprune/engine"
)

const (
	rawPrompt = "<|im_start|>user\nWhat is (12 + 7) * 3 - 8?<|im_end|>\n<|im_start|>assistant\n<think>\n"
)

func completionBody(more object) object {
	body := object{"model": modelName, "prompt": rawPrompt, "seed": 1, "temperature": 0, "max_tokens": 20}
	for k, v := range more {
		body[k] = v
	}
	return body
}

// piece is what the chunks of a completion's choice add up to.
type piece struct {
	text, finish string
	stop         any
	logProbs     map[string][]any
}

func (p *piece) add(c any) {
	p.text += text(c, "text")
	p.finish, p.stop = text(c, "finish_reason"), at(c, "stop_reason")
	for _, name := range []string{"tokens", "token_logprobs", "top_logprobs", "text_offset"} {
		if list, ok := at(c, "logprobs", name).([]any); ok {
			if p.logProbs == nil {
				p.logProbs = map[string][]any{}
			}
			p.logProbs[name] = append(p.logProbs[name], list...)
		}
	}
}

// complete asks twice, once for a stream, and checks that both answers are the same.
func (c *client) complete(body object) []*piece {
	c.t.Helper()
	delete(body, "stream")
	answer := c.must(completionPath, body)
	if got := text(answer, "object"); got != "text_completion" {
		c.t.Errorf("object: %q", got)
	}
	var choices []*piece
	list, _ := answer["choices"].([]any)
	for i, choice := range list {
		if n := number(choice, "index"); n != i {
			c.t.Errorf("choice %d has the index %d", i, n)
		}
		p := &piece{}
		p.add(choice)
		choices = append(choices, p)
	}
	streamed := make([]*piece, len(choices))
	for _, chunk := range c.stream(completionPath, body) {
		parts, _ := chunk["choices"].([]any)
		for _, part := range parts {
			i := number(part, "index")
			if streamed[i] == nil {
				streamed[i] = &piece{}
			}
			if streamed[i].finish != "" {
				c.t.Errorf("choice %d goes on after its end", i)
			}
			streamed[i].add(part)
		}
	}
	if !reflect.DeepEqual(streamed, choices) {
		c.t.Errorf("streamed %+v\nwant %+v", streamed, choices)
	}
	return choices
}

func TestCompletion(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{CheckInvariants: true})
	p := c.complete(completionBody(object{"max_tokens": 450}))[0]
	if !strings.Contains(p.text, "49") || p.finish != "stop" || p.stop != nil || p.logProbs != nil {
		t.Errorf("%+v", p)
	}
	if p := c.complete(completionBody(object{"echo": true}))[0]; !strings.HasPrefix(p.text, rawPrompt) || len(p.text) == len(rawPrompt) || p.finish != "length" {
		t.Errorf("echo: %+v", p)
	}
	if n := number(c.must(completionPath, completionBody(object{"max_tokens": nil, "ignore_eos": true})), "usage", "completion_tokens"); n != 16 {
		t.Errorf("%d tokens without max_tokens; want 16", n)
	}
}

// TestPrompts checks that every form of prompt gives what each prompt gives alone.
func TestPrompts(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{CheckInvariants: true})
	other := strings.Replace(rawPrompt, "12", "15", 1)
	tokens := func(s string) []int32 { return c.s.model.Tokenizer.Encode(nil, s) }
	first, second := c.complete(completionBody(nil))[0], c.complete(completionBody(object{"prompt": other}))[0]
	for name, prompt := range map[string]any{
		"texts": []string{rawPrompt, other}, "token ids": [][]int32{tokens(rawPrompt), tokens(other)},
	} {
		got := c.complete(completionBody(object{"prompt": prompt}))
		if want := []*piece{first, second}; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v; want %+v", name, got, want)
		}
	}
	if got := c.complete(completionBody(object{"prompt": tokens(rawPrompt)}))[0]; !reflect.DeepEqual(got, first) {
		t.Errorf("ids: %+v; want %+v", got, first)
	}
	// Choices of a prompt stand together.
	got := c.complete(completionBody(object{"prompt": []string{rawPrompt, other}, "n": 2}))
	if want := []*piece{first, first, second, second}; !reflect.DeepEqual(got, want) {
		t.Errorf("n: %+v; want %+v", got, want)
	}
	usage := at(c.must(completionPath, completionBody(object{"prompt": []string{rawPrompt, other}})), "usage")
	if p, g := number(usage, "prompt_tokens"), number(usage, "completion_tokens"); p != len(tokens(rawPrompt))+len(tokens(other)) || g != 40 {
		t.Errorf("usage: %v", usage)
	}
}

func TestCompletionErrors(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{})
	for name, test := range map[string]struct {
		body        any
		status      int
		param, code string
	}{
		"no model of that name": {completionBody(object{"model": "gpt-5"}), http.StatusNotFound, "model", "model_not_found"},
		"no token":              {completionBody(object{"prompt": []int{1, 99999}}), http.StatusBadRequest, "prompt", "invalid_value"},
		"many tokens":           {completionBody(object{"prompt": make([]int, c.s.model.MaxContext()+1)}), http.StatusBadRequest, "prompt", "array_above_max_length"},
		"too long a prompt":     {completionBody(object{"prompt": strings.Repeat("1 + ", 2000)}), http.StatusBadRequest, "", "context_length_exceeded"},
		"no prompt":             {object{"model": modelName}, http.StatusBadRequest, "prompt", "missing_required_parameter"},
	} {
		status, answer := c.ask("POST", completionPath, test.body)
		if status != test.status || text(answer, "error", "param") != test.param || text(answer, "error", "code") != test.code {
			t.Errorf("%s: %d %v; want %d, param %q, code %s", name, status, answer, test.status, test.param, test.code)
		}
	}
	// One prompt of many that cannot be answered ends the others.
	status, _ := c.ask("POST", completionPath, completionBody(object{"prompt": []string{rawPrompt, strings.Repeat("1 + ", 2000)}, "ignore_eos": true}))
	if status != http.StatusBadRequest {
		t.Errorf("status %d", status)
	}
	c.settles()
}

// settles waits until no group runs and no memory is held.
func (c *client) settles() {
	c.t.Helper()
	for range patience {
		if s := c.s.engine.Stats(); s.Groups == 0 {
			if s.UsedBytes != 0 {
				c.t.Errorf("%d bytes are in use", s.UsedBytes)
			}
			return
		}
		time.Sleep(time.Millisecond)
	}
	c.t.Error("groups still run")
}

// patience is how often, a millisecond apart, a test looks for what has to come.
const patience = 60_000

// TestTokenize goes there and back.
func TestTokenize(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{})
	answer := c.must("/tokenize", object{"prompt": "Nina has 3 bags."})
	if n := number(answer, "count"); n == 0 || n != len(answer["tokens"].([]any)) {
		t.Errorf("%v", answer)
	}
	if got := text(c.must("/detokenize", object{"tokens": answer["tokens"]}), "prompt"); got != "Nina has 3 bags." {
		t.Errorf("%q", got)
	}
	for path, body := range map[string]string{"/tokenize": `{"prompt":3}`, "/detokenize": `{"tokens":["a"]}`} {
		if status, _ := c.ask("POST", path, body); status != http.StatusBadRequest {
			t.Errorf("%s: %d", path, status)
		}
	}
	if got := text(c.must("/detokenize", object{"tokens": []int{-1, 99999}}), "prompt"); got != "" {
		t.Errorf("no tokens: %q", got)
	}
}
