package server

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"deepprune/engine"
	"deepprune/kernels/cpu"
	"deepprune/model"
	"deepprune/weights"
)

// message is what the chunks of a choice add up to.
type message struct {
	content, reasoning, finish string
	stop                       any
	calls                      []string // name(arguments)
	tokens                     []any    // log-probabilities
}

// assemble adds up the chunks of a chat stream, by choice, and checks their form.
func assemble(t testing.TB, chunks []object) map[int]*message {
	t.Helper()
	choices := map[int]*message{}
	for _, chunk := range chunks {
		if id, first := text(chunk, "id"), text(chunks[0], "id"); id != first || text(chunk, "object") != "chat.completion.chunk" {
			t.Errorf("chunk %v", chunk)
		}
		list, _ := chunk["choices"].([]any)
		for _, c := range list {
			i := number(c, "index")
			m := choices[i]
			if m == nil {
				m = &message{}
				choices[i] = m
				if text(c, "delta", "role") != "assistant" {
					t.Errorf("the first delta of choice %d is %v; want a role", i, c)
				}
			}
			if m.finish != "" {
				t.Errorf("choice %d goes on after its end: %v", i, c)
			}
			m.content += text(c, "delta", "content")
			m.reasoning += text(c, "delta", "reasoning_content")
			m.finish, m.stop = text(c, "finish_reason"), at(c, "stop_reason")
			for _, s := range []string{text(c, "delta", "content"), text(c, "delta", "reasoning_content")} {
				if !utf8.ValidString(s) {
					t.Errorf("%q is not UTF-8", s)
				}
			}
			calls, _ := at(c, "delta", "tool_calls").([]any)
			for _, call := range calls {
				for len(m.calls) <= number(call, "index") {
					m.calls = append(m.calls, "")
				}
				n := number(call, "index")
				if name := text(call, "function", "name"); name != "" {
					m.calls[n] = name + "("
					if id := text(call, "id"); !strings.HasPrefix(id, "call_") || text(call, "type") != "function" {
						t.Errorf("call %v", call)
					}
				}
				m.calls[n] += text(call, "function", "arguments")
			}
			tokens, _ := at(c, "logprobs", "content").([]any)
			m.tokens = append(m.tokens, tokens...)
		}
	}
	for i, m := range choices {
		if m.finish == "" {
			t.Errorf("choice %d has no end", i)
		}
	}
	return choices
}

// whole is a choice of a chat completion.
func whole(c any) *message {
	m := &message{
		content: text(c, "message", "content"), reasoning: text(c, "message", "reasoning_content"),
		finish: text(c, "finish_reason"), stop: at(c, "stop_reason"),
	}
	calls, _ := at(c, "message", "tool_calls").([]any)
	for _, call := range calls {
		m.calls = append(m.calls, text(call, "function", "name")+"("+text(call, "function", "arguments"))
	}
	m.tokens, _ = at(c, "logprobs", "content").([]any)
	return m
}

// sameStreamed asks twice, once for a stream, and checks that both answers are the
// same. It returns the choices.
func (c *client) sameStreamed(body object) []*message {
	c.t.Helper()
	delete(body, "stream")
	answer := c.must(chatPath, body)
	list, _ := answer["choices"].([]any)
	streamed := assemble(c.t, c.stream(chatPath, body))
	if len(streamed) != len(list) {
		c.t.Errorf("%d choices streamed; want %d", len(streamed), len(list))
	}
	var choices []*message
	for i, choice := range list {
		if n := number(choice, "index"); n != i {
			c.t.Errorf("choice %d has the index %d", i, n)
		}
		m := whole(choice)
		if !reflect.DeepEqual(streamed[i], m) {
			c.t.Errorf("choice %d streamed: %+v\nwant %+v", i, streamed[i], m)
		}
		choices = append(choices, m)
	}
	return choices
}

func TestChat(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{CheckInvariants: true})
	answer := c.must(chatPath, chatBody(object{"temperature": 0}))
	if got := text(answer, "object"); got != "chat.completion" {
		t.Errorf("object: %q", got)
	}
	if id := text(answer, "id"); !strings.HasPrefix(id, "chatcmpl-") {
		t.Errorf("id: %q", id)
	}
	choice := at(answer, "choices", 0)
	if got := text(choice, "finish_reason"); got != "stop" {
		t.Errorf("finish_reason: %q", got)
	}
	if got := text(choice, "message", "content"); !strings.Contains(got, "49") {
		t.Errorf("content: %q; want 49 in it", got)
	}
	if got := text(choice, "message", "reasoning_content"); got == "" || strings.Contains(got, "think>") {
		t.Errorf("reasoning_content: %q", got)
	}
	usage := at(answer, "usage")
	if p, g, n := number(usage, "prompt_tokens"), number(usage, "completion_tokens"), number(usage, "total_tokens"); p < 10 || g < 10 || n != p+g {
		t.Errorf("usage: %v", usage)
	}
	if _, ok := answer["deepprune"]; ok {
		t.Error("an account without a policy")
	}
}

func TestChatStreams(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{CheckInvariants: true})
	for name, more := range map[string]object{
		"greedy":    {"temperature": 0},
		"sampled":   {"n": 3, "top_p": 0.9, "top_k": 20, "max_tokens": 80},
		"all":       {"n": 2, "top_k": -1, "top_p": 1, "min_p": 0.02, "temperature": 1.5, "max_tokens": 80},
		"short":     {"n": 2, "max_tokens": 5},
		"completed": {"n": 2, "max_completion_tokens": 5, "max_tokens": 300},
		"one token": {"max_tokens": 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := &client{t, c.base, c.s}
			choices := c.sameStreamed(chatBody(more))
			if n, _ := more["n"].(int); len(choices) != max(n, 1) {
				t.Errorf("%d choices", len(choices))
			}
			if name == "short" || name == "completed" {
				for i, m := range choices {
					if m.finish != "length" || m.stop != nil {
						t.Errorf("choice %d ends with %q, %v; want length", i, m.finish, m.stop)
					}
				}
			}
		})
	}
}

// TestStopStrings cuts what a model says at each place, and checks that no part of
// a stop string is ever said, however it falls on tokens and chunks.
func TestStopStrings(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{})
	plain := whole(at(c.must(chatPath, chatBody(object{"temperature": 0})), "choices", 0))
	said := plain.content
	if len(said) < 10 {
		t.Fatalf("the answer is %q, too short for this test", said)
	}
	for _, cut := range [][2]int{{0, 3}, {3, 9}, {len(said) - 3, len(said)}} {
		stop := said[cut[0]:cut[1]]
		m := c.sameStreamed(chatBody(object{"temperature": 0, "stop": []string{stop, "never said"}}))[0]
		whole := plain.reasoning + "\x00" + plain.content
		want, _, _ := strings.Cut(whole, stop)
		got := m.reasoning
		if m.content != "" || strings.Contains(want, "\x00") {
			got += "\x00" + m.content
		}
		// Space between thoughts and content belongs to neither.
		if strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("stop %q: %q; want %q", stop, got, want)
		}
		if m.finish != "stop" || m.stop != stop {
			t.Errorf("stop %q: finish_reason %q, stop_reason %v", stop, m.finish, m.stop)
		}
	}
}

func TestStopTokens(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{})
	id, ok := c.s.model.Tokenizer.ID("</think>")
	if !ok {
		t.Fatal("no token </think>")
	}
	m := c.sameStreamed(chatBody(object{"temperature": 0, "stop_token_ids": []int32{id}}))[0]
	if m.content != "" || m.reasoning == "" || m.finish != "stop" || m.stop != float64(id) {
		t.Errorf("%+v", m)
	}
	m = c.sameStreamed(chatBody(object{"temperature": 0, "ignore_eos": true, "max_tokens": 200}))[0]
	if m.finish != "length" {
		t.Errorf("finish_reason %q; want length", m.finish)
	}
}

func TestStreamUsage(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{})
	body := chatBody(object{"n": 2, "max_tokens": 9, "stream_options": object{"include_usage": true}})
	chunks := c.stream(chatPath, body)
	for i, chunk := range chunks {
		usage, ok := chunk["usage"]
		list, _ := chunk["choices"].([]any)
		if last := i == len(chunks)-1; !ok || last != (usage != nil) || last != (len(list) == 0) {
			t.Errorf("chunk %d of %d: %v", i, len(chunks), chunk)
		}
	}
	if got := number(chunks[len(chunks)-1], "usage", "completion_tokens"); got != 18 {
		t.Errorf("completion_tokens: %d; want 18", got)
	}
	delete(body, "stream_options")
	for _, chunk := range c.stream(chatPath, body) {
		if _, ok := chunk["usage"]; ok {
			t.Errorf("usage was not asked for: %v", chunk)
		}
	}
}

func TestSeeds(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{})
	said := func(more object) string {
		body := chatBody(more)
		body["messages"] = []object{{"role": "user", "content": "Nina has 3 bags of 29 beads each. Ann gives her 25 more beads. How many beads does Nina have?"}}
		return fmt.Sprintf("%+v", whole(at(c.must(chatPath, body), "choices", 0)))
	}
	if a, b := said(object{"temperature": 1.5}), said(object{"temperature": 1.5}); a != b {
		t.Errorf("the same seed gave %s and %s", a, b)
	}
	different := map[string]bool{}
	for range 4 {
		different[said(object{"temperature": 1.5, "seed": nil})] = true
	}
	if len(different) == 1 {
		t.Error("four answers without a seed are the same")
	}
}

// TestRoles checks that a developer speaks as the system where a template knows no
// developer, and that parts of content are put together.
func TestRoles(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{})
	ask := func(messages ...object) string {
		return fmt.Sprintf("%+v", whole(at(c.must(chatPath, object{"model": modelName, "temperature": 0, "messages": messages}), "choices", 0)))
	}
	user := object{"role": "user", "content": question}
	if a, b := ask(object{"role": "system", "content": "Add."}, user), ask(object{"role": "developer", "content": "Add."}, user); a != b {
		t.Errorf("system: %s; developer: %s", a, b)
	}
	parts := object{"role": "user", "content": []object{{"type": "text", "text": question}}}
	if a, b := ask(user), ask(parts); a != b {
		t.Errorf("text: %s; parts: %s", a, b)
	}
}

// noise makes a model of random weights, that writes any bytes, speak in a chat
// template.
func noise(t testing.TB, template string) *client {
	t.Helper()
	dev, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	checkpoint, err := weights.Open("../model/testdata/qwen3-bf16-tied")
	if err != nil {
		t.Fatal(err)
	}
	defer checkpoint.Close()
	m, err := model.Load(dev, checkpoint, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if m.Chat, err = model.ParseChat(template); err != nil {
		t.Fatal(err)
	}
	return startClient(t, dev, m, Options{Name: modelName})
}

// TestHalfCharacters streams what is mostly no UTF-8.
func TestHalfCharacters(t *testing.T) {
	c := noise(t, "{% for m in messages %}{{ m.content }}{% endfor %}")
	replaced, letters := 0, 0
	for i, m := range c.sameStreamed(object{
		"model": modelName, "messages": []object{{"role": "user", "content": "é"}},
		"n": 8, "max_tokens": 100, "temperature": 2, "seed": 3, "ignore_eos": true,
	}) {
		if m.content == "" {
			t.Errorf("choice %d is empty", i)
		}
		replaced += strings.Count(m.content, "\uFFFD")
		letters += len(m.content)
	}
	if replaced == 0 || replaced*3 == letters {
		t.Errorf("%d of %d bytes were replaced; the test wants both", replaced, letters)
	}
}

func TestChatErrors(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{})
	for name, test := range map[string]struct {
		body        any
		status      int
		param, code string
	}{
		"no model of that name": {chatBody(object{"model": "gpt-5"}), http.StatusNotFound, "model", "model_not_found"},
		"no JSON":               {"{", http.StatusBadRequest, "", "invalid_json"},
		"too long an answer":    {chatBody(object{"max_tokens": 100_000}), http.StatusBadRequest, "max_tokens", "context_length_exceeded"},
		"too long a prompt": {
			chatBody(object{"messages": []object{{"role": "user", "content": strings.Repeat("1 + ", 2000)}}}),
			http.StatusBadRequest, "", "context_length_exceeded",
		},
		"no token":      {chatBody(object{"logit_bias": object{"99999": 1}}), http.StatusBadRequest, "logit_bias", "invalid_value"},
		"no policy":     {chatBody(object{"deepprune": object{"policy": "wish"}}), http.StatusBadRequest, "deepprune", "invalid_value"},
		"no threshold":  {chatBody(object{"deepprune": object{"threshold": 3}}), http.StatusBadRequest, "deepprune", "invalid_value"},
		"no such model": {object{"model": "m", "prompt": "a"}, http.StatusBadRequest, "messages", "missing_required_parameter"},
	} {
		status, answer := c.ask("POST", chatPath, test.body)
		if status != test.status || text(answer, "error", "param") != test.param || text(answer, "error", "code") != test.code || text(answer, "error", "message") == "" {
			t.Errorf("%s: %d %v; want %d, param %q, code %s", name, status, answer, test.status, test.param, test.code)
		}
	}
	m := c.s.model
	chat := m.Chat
	m.Chat = nil
	defer func() { m.Chat = chat }()
	if status, answer := c.ask("POST", chatPath, chatBody(nil)); status != http.StatusBadRequest || text(answer, "error", "param") != "model" {
		t.Errorf("without a template: %d %v", status, answer)
	}
}

func TestTemplateRefuses(t *testing.T) {
	c := noise(t, "{% if messages[0].role != 'user' %}{{ raise_exception('the user begins') }}{% endif %}{{ messages[0].content }}")
	body := object{"model": modelName, "messages": []object{{"role": "assistant", "content": "Hi"}}}
	status, answer := c.ask("POST", chatPath, body)
	if status != http.StatusBadRequest || text(answer, "error", "param") != "messages" || !strings.Contains(text(answer, "error", "message"), "the user begins") {
		t.Errorf("%d %v", status, answer)
	}
}

func TestModels(t *testing.T) {
	c := newClient(t, Options{Name: "a/b"}, engine.Options{})
	_, list := c.ask("GET", "/v1/models", nil)
	if got := text(list, "data", 0, "id"); got != "a/b" || text(list, "object") != "list" || number(list, "data", 0, "max_model_len") != c.s.model.MaxContext() {
		t.Errorf("%v", list)
	}
	if status, m := c.ask("GET", "/v1/models/a/b", nil); status != 200 || text(m, "id") != "a/b" || text(m, "object") != "model" {
		t.Errorf("%d %v", status, m)
	}
	if status, m := c.ask("GET", "/v1/models/c", nil); status != 404 || text(m, "error", "code") != "model_not_found" {
		t.Errorf("%d %v", status, m)
	}
}
