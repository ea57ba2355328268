package server

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"deepprune/engine"
)

// post asks a server that listens, with a key or without.
func (v *serving) post(t testing.TB, path, secret string, body any) *http.Response {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+v.addr+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// refusal is the code of an error and the status it came with.
func refusal(t testing.TB, resp *http.Response) (status int, code string) {
	t.Helper()
	defer resp.Body.Close()
	var body struct {
		Error struct{ Type, Code, Message string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		t.Errorf("%s: the body is no error: %v", resp.Status, err)
	}
	if body.Error.Message == "" || body.Error.Type == "" {
		t.Errorf("%s: the error says nothing: %+v", resp.Status, body)
	}
	return resp.StatusCode, body.Error.Code
}

// long is a request that runs until it is cancelled.
func long() object {
	return object{"model": "embedded-reasoner", "prompt": "(3 + 4) * 5", "stream": true, "max_tokens": 2000, "ignore_eos": true}
}

// TestConcurrency: a key has its bound, all together have theirs, and neither keeps
// anybody from cancelling.
func TestConcurrency(t *testing.T) {
	const a, b, c = "sk-aaaaaaaaaaaaaaaa", "sk-bbbbbbbbbbbbbbbb", "sk-cccccccccccccccc"
	v := serveTest(t, Options{
		Keys:   NewKeys([]Key{{"a", a}, {"b", b}, {"c", c}}),
		Limits: Limits{Concurrency: 2, Requests: 3},
	}, engine.Options{})
	var running []*http.Response
	for _, key := range []string{a, a, b} {
		resp := v.post(t, "/v1/completions", key, long())
		defer resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Fatalf("%s", resp.Status)
		}
		running = append(running, resp)
	}
	if status, code := refusal(t, v.post(t, "/v1/completions", c, long())); status != 429 || code != "server_busy" {
		t.Errorf("a fourth request: %d %s; want 429 server_busy", status, code)
	}
	running[2].Body.Close()
	for v.inFlight.count() > 2 { // until the server has noticed
		time.Sleep(time.Millisecond)
	}
	resp := v.post(t, "/v1/completions", a, long())
	if after := resp.Header.Get("Retry-After"); after == "" {
		t.Error("no Retry-After")
	}
	if status, code := refusal(t, resp); status != 429 || code != "key_busy" {
		t.Errorf("a third request of a: %d %s; want 429 key_busy", status, code)
	}
	cancel, err := http.NewRequestWithContext(t.Context(), "DELETE", "http://"+v.addr+"/v1/groups/"+running[0].Header.Get("Deepprune-Group"), nil)
	if err != nil {
		t.Fatal(err)
	}
	cancel.Header.Set("Authorization", "Bearer "+a)
	if resp, err := http.DefaultClient.Do(cancel); err != nil || resp.StatusCode/100 != 2 {
		t.Errorf("cancelling while busy: %v, %v", resp.Status, err)
	} else {
		resp.Body.Close()
	}
	running[1].Body.Close()
	waitIdle(t, v.Server)
	if status := v.post(t, "/v1/completions", a, object{"model": "embedded-reasoner", "prompt": "1 + 1", "max_tokens": 1}).StatusCode; status != 200 {
		t.Errorf("afterwards: %d", status)
	}
}

// TestQueue: beyond MaxWaiting groups that wait, requests are told to come later.
func TestQueue(t *testing.T) {
	v := serveTest(t, Options{}, engine.Options{Slots: 1, MaxWaiting: 2})
	var running []*http.Response
	refused := 0
	for range 8 {
		resp := v.post(t, "/v1/completions", "", long())
		if resp.StatusCode == 200 {
			running = append(running, resp)
			continue
		}
		if resp.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		if status, code := refusal(t, resp); status != 429 || code != "server_busy" {
			t.Errorf("%d %s; want 429 server_busy", status, code)
		}
		refused++
	}
	if len(running) < 2 || len(running) > 3 || refused != 8-len(running) {
		t.Errorf("%d run or wait, %d are refused", len(running), refused)
	}
	for _, r := range running {
		r.Body.Close()
	}
	waitIdle(t, v.Server)
}

// TestManyPrompts: a request may have more prompts than can wait at once.
func TestManyPrompts(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{Slots: 2, MaxWaiting: 3})
	prompts := make([]string, 20)
	for i := range prompts {
		prompts[i] = strconv.Itoa(i) + " + 1 ="
	}
	for i, p := range c.complete(completionBody(object{"prompt": prompts, "max_tokens": 8})) {
		if p.finish == "" {
			t.Errorf("prompt %d: %+v", i, p)
		}
	}
	waitIdle(t, c.s)
}

// TestTokenLimits: what a server allows of k, prompt and length.
func TestTokenLimits(t *testing.T) {
	v := serveTest(t, Options{Limits: Limits{Traces: 4, Tokens: 20, Prompt: 30, Body: 2000}}, engine.Options{})
	for _, c := range []struct {
		name string
		body object
		want int
		code string
	}{
		{"within", object{"max_tokens": 20, "n": 4}, 200, ""},
		{"k", object{"n": 5}, 400, ""},
		{"k of a group", object{"deepprune": object{"traces": 5}}, 400, ""},
		{"length", object{"max_tokens": 21}, 400, "max_tokens_exceeded"},
		{"prompt", object{"prompt": strings.Repeat("1 + ", 40) + "1"}, 400, "context_length_exceeded"},
		{"body", object{"prompt": strings.Repeat("x", 2000)}, 413, "request_too_large"},
	} {
		body := object{"model": "embedded-reasoner", "prompt": "(3 + 4) * 5"}
		for k, x := range c.body {
			body[k] = x
		}
		resp := v.post(t, "/v1/completions", "", body)
		if resp.StatusCode == 200 {
			resp.Body.Close()
			if c.want != 200 {
				t.Errorf("%s: 200; want %d", c.name, c.want)
			}
			continue
		}
		if status, code := refusal(t, resp); status != c.want || c.code != "" && code != c.code {
			t.Errorf("%s: %d %s; want %d %s", c.name, status, code, c.want, c.code)
		}
	}
	// A prompt is not called messages where there are none.
	resp := v.post(t, "/v1/completions", "", object{"model": "embedded-reasoner", "prompt": strings.Repeat("1 + ", 40)})
	var refused object
	if err := json.NewDecoder(resp.Body).Decode(&refused); err != nil || at(refused, "error", "param") != nil {
		t.Errorf("%v, %v; want no param", err, refused)
	}
	resp.Body.Close()
	// A length left out is the most that is allowed.
	resp = v.post(t, "/v1/chat/completions", "", object{
		"model": "embedded-reasoner", "messages": []object{{"role": "user", "content": "(3 + 4) * 5"}}, "ignore_eos": true,
	})
	defer resp.Body.Close()
	var answer object
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if got := at(answer, "usage", "completion_tokens"); got != 20.0 {
		t.Errorf("%v tokens; want 20", got)
	}
}

// TestDefaultLength: the length of a completion that does not say is within the limit.
func TestDefaultLength(t *testing.T) {
	c := newClient(t, Options{Limits: Limits{Tokens: 5}}, engine.Options{})
	body := completionBody(object{"ignore_eos": true})
	delete(body, "max_tokens")
	if got := number(c.must(completionPath, body), "usage", "completion_tokens"); got != 5 {
		t.Errorf("%d tokens; want 5", got)
	}
}

func TestLimitsThatMakeNoSense(t *testing.T) {
	s := newServer(t, Options{}, engine.Options{})
	if _, err := New(s.engine, s.model, Options{Limits: Limits{Traces: -1}}); err == nil || !strings.Contains(err.Error(), "Limits.Traces") {
		t.Errorf("got %v", err)
	}
	if _, err := New(nil, s.model, Options{}); err == nil {
		t.Error("a server without an engine")
	}
}
