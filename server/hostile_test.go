package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"deepprune/engine"
)

// TestHostileBodies sends what no client should, and checks that the answer is a
// clear 4xx in OpenAI's shape and that the server goes on.
func TestHostileBodies(t *testing.T) {
	c := newClient(t, Options{Limits: Limits{Body: 1 << 20}}, engine.Options{})
	deep := strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)
	for name, test := range map[string]struct {
		body   string
		status int
	}{
		"empty":              {"", 400},
		"no JSON":            {"hello", 400},
		"half":               {`{"model":"embedded-reasoner","messages":[{"role":"us`, 400},
		"two":                {`{} {}`, 400},
		"invalid UTF-8":      {"{\"model\":\"\xff\xfe\"}", 400},
		"NUL":                {"\x00\x00\x00", 400},
		"deep objects":       {deep, 400},
		"deep arrays":        {strings.Repeat("[", 500_000), 400},
		"deep in a value":    {`{"model":"embedded-reasoner","metadata":` + deep + `}`, 400},
		"large":              {`{"model":"` + strings.Repeat("a", 2<<20) + `"}`, 413},
		"a long name":        {`{"model":"` + strings.Repeat("a", 500_000) + `","messages":[{"role":"user","content":"a"}],"prompt":"a"}`, 404},
		"many messages":      {`{"model":"embedded-reasoner","prompt":[],"messages":[` + strings.Repeat(`{"role":"user","content":""},`, 20_000) + `{}]}`, 400},
		"many stops":         {`{"model":"embedded-reasoner","stop":[` + strings.Repeat(`"a",`, 100_000) + `"b"]}`, 400},
		"many choices":       {`{"model":"embedded-reasoner","prompt":"a","messages":[{"role":"user","content":"a"}],"n":1000000}`, 400},
		"many traces":        {`{"model":"embedded-reasoner","prompt":"a","messages":[{"role":"user","content":"a"}],"deepprune":{"traces":1000000}}`, 400},
		"a large number":     {`{"model":"embedded-reasoner","prompt":"a","messages":[{"role":"user","content":"a"}],"max_tokens":1e400}`, 400},
		"a long number":      {`{"model":"embedded-reasoner","prompt":"a","messages":[{"role":"user","content":"a"}],"seed":` + strings.Repeat("9", 100_000) + `}`, 400},
		"a surrogate":        {`{"model":"\ud800","prompt":"a","messages":[{"role":"user","content":"a"}]}`, 404},
		"control characters": {`{"model":"a\u0000\u001b[31m","prompt":"a","messages":[{"role":"user","content":"a"}]}`, 404},
	} {
		for _, path := range []string{chatPath, completionPath} {
			status, answer := c.ask("POST", path, test.body)
			message := text(answer, "error", "message")
			if status != test.status || message == "" || len(message) > 1000 {
				t.Errorf("%s, %s: %d %.300v; want %d", name, path, status, answer, test.status)
			}
		}
	}
	c.must(chatPath, chatBody(object{"max_tokens": 1}))
	c.settles()
}

// TestBodyWithoutEnd promises more than it sends.
func TestBodyWithoutEnd(t *testing.T) {
	c := newClient(t, Options{Limits: Limits{Read: 200 * time.Millisecond}}, engine.Options{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n{", chatPath)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("%d; want 400", resp.StatusCode)
	}
}

// smallBuffer is what a connection has between the two, in bytes: a fraction of what
// TestSlowReader sends, and enough for it to flow.
const smallBuffer = 32 << 10

// TestSlowReader checks that a client that does not read holds up nobody, and that
// all is there for it when it does.
func TestSlowReader(t *testing.T) {
	s := newServer(t, Options{Limits: Limits{Write: 5 * time.Minute}}, engine.Options{CheckInvariants: true})
	h := httptest.NewUnstartedServer(s)
	h.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		if err := conn.(*net.TCPConn).SetWriteBuffer(smallBuffer); err != nil {
			t.Error(err)
		}
		return ctx
	}
	h.Start()
	t.Cleanup(h.Close)
	c := &client{t, h.URL, s}
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(smallBuffer); err != nil {
		t.Fatal(err)
	}
	const n, tokens = 8, 50
	body := fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"a"}],"stream":true,"n":%d,"max_tokens":%d,"ignore_eos":true,"logprobs":true,"top_logprobs":20,"seed":1}`, modelName, n, tokens)
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%s", chatPath, len(body), body)
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	group := resp.Header.Get(groupHeader)
	// Others are answered while it waits, and its own group comes to its end.
	c.must(chatPath, chatBody(object{"max_tokens": 3}))
	c.over(group, "finished")
	list := 0
	for _, m := range assemble(t, chunksOf(t, c.events(resp))) {
		list += len(m.tokens)
	}
	if list != n*tokens {
		t.Errorf("%d tokens arrived; want %d", list, n*tokens)
	}
}

// brokenPipe is a connection whose client has gone, as the first flush tells.
type brokenPipe struct{ *httptest.ResponseRecorder }

func (brokenPipe) FlushError() error { return net.ErrClosed }

// TestFlushFails: a stream hears of a client that has gone when it flushes.
func TestFlushFails(t *testing.T) {
	w := brokenPipe{httptest.NewRecorder()}
	x := &exchange{ResponseWriter: w, control: http.NewResponseController(w)}
	out := newEventStream(x)
	out.addText(": a comment\n\n")
	if err := out.flush(); !errors.Is(err, net.ErrClosed) || x.broken != err {
		t.Errorf("flush: %v, broken: %v; want %v", err, x.broken, net.ErrClosed)
	}
}

// chunksOf decodes the data of a stream.
func chunksOf(t testing.TB, events []string) (chunks []object) {
	for _, data := range events {
		if data != "[DONE]" {
			chunks = append(chunks, decode(t, data))
		}
	}
	return chunks
}

// TestGoroutinesEnd checks that requests that were answered, refused or left leave
// no goroutine behind.
func TestGoroutinesEnd(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{})
	c.must(chatPath, chatBody(object{"max_tokens": 1}))
	http.DefaultClient.CloseIdleConnections()
	before := runtime.NumGoroutine()
	for i := range 8 {
		resp, group := c.running(t.Context(), object{"n": 2})
		if i%2 == 0 {
			io.CopyN(io.Discard, resp.Body, 100)
		}
		resp.Body.Close()
		c.ask("DELETE", "/v1/groups/"+group, nil)
		c.ask("POST", chatPath, "{")
		c.complete(completionBody(object{"prompt": []string{"a", "b"}, "max_tokens": 2}))
	}
	c.settles()
	http.DefaultClient.CloseIdleConnections()
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("%d goroutines; were %d\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
}
