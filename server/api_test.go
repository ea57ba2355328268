package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"deepprune/engine"
	"deepprune/kernels"
	"deepprune/model"
)

// client asks a server of the embedded pair.
type client struct {
	t    testing.TB
	base string
	s    *Server
}

// newClient starts a server.
func newClient(t testing.TB, opt Options, eopt engine.Options) *client {
	t.Helper()
	s := newServer(t, opt, eopt)
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return &client{t, h.URL, s}
}

// startClient starts a server of a model without a judge.
func startClient(t testing.TB, dev kernels.Device, m *model.Model, opt Options) *client {
	t.Helper()
	e, err := engine.New(dev, m, nil, engine.Options{CheckInvariants: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := New(e, m, opt)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return &client{t, h.URL, s}
}

// object is a JSON object, as a client without types sees it.
type object = map[string]any

// do sends a request; body may be nil, text, or a value for encoding/json.
func (c *client) do(method, path string, body any) *http.Response {
	c.t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			c.t.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, in)
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp
}

// ask sends a request and reads the object that answers it.
func (c *client) ask(method, path string, body any) (status int, answer object) {
	c.t.Helper()
	resp := c.do(method, path, body)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if len(text) == 0 {
		return resp.StatusCode, nil
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		c.t.Fatalf("%s %s: %q: %v", method, path, text, err)
	}
	return resp.StatusCode, answer
}

// must is ask for what has to work.
func (c *client) must(path string, body any) object {
	c.t.Helper()
	status, answer := c.ask("POST", path, body)
	if status != http.StatusOK {
		c.t.Fatalf("POST %s: %d %v", path, status, answer)
	}
	return answer
}

// events reads server-sent events to their end: the data of each.
func (c *client) events(resp *http.Response) []string {
	c.t.Helper()
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/event-stream") {
		body, _ := io.ReadAll(resp.Body)
		c.t.Fatalf("%d, Content-Type %q: %s", resp.StatusCode, got, body)
	}
	var events []string
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			events = append(events, data)
		}
	}
	if err := lines.Err(); err != nil {
		c.t.Fatal(err)
	}
	return events
}

// stream asks for a stream and reads its chunks.
func (c *client) stream(path string, body object) (chunks []object) {
	c.t.Helper()
	body["stream"] = true
	events := c.events(c.do("POST", path, body))
	if n := len(events); n == 0 || events[n-1] != "[DONE]" {
		c.t.Fatalf("the stream ends with %q; want [DONE]", events[max(0, n-1):])
	}
	for _, data := range events[:len(events)-1] {
		var chunk object
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			c.t.Fatalf("%q: %v", data, err)
		}
		if chunk["error"] != nil {
			c.t.Fatalf("in the stream: %v", chunk)
		}
		chunks = append(chunks, chunk)
	}
	return chunks
}

// at walks into objects and arrays by names and indices.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			o, _ := v.(object)
			v = o[p]
		case int:
			a, _ := v.([]any)
			if p >= len(a) {
				return nil
			}
			v = a[p]
		}
	}
	return v
}

// text is a string in an answer, "" for null.
func text(v any, path ...any) string {
	s, _ := at(v, path...).(string)
	return s
}

// number is a number in an answer.
func number(v any, path ...any) int {
	x, _ := at(v, path...).(float64)
	return int(x)
}

const (
	chatPath       = "/v1/chat/completions"
	completionPath = "/v1/completions"
	modelName      = "embedded-reasoner"
	question       = "What is (12 + 7) * 3 - 8?"
)

// chatBody is a conversation of one question, with more fields.
func chatBody(more object) object {
	body := object{"model": modelName, "messages": []object{{"role": "user", "content": question}}, "seed": 1}
	for k, v := range more {
		body[k] = v
	}
	return body
}

// decode reads an object.
func decode(t testing.TB, text string) (o object) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return o
}

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
