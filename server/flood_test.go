package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"deepprune/engine"
)

const testSecret = "sk-test-0123456789"

// TestPathTricks: no way of writing a path leads past the API key, to a file, or to
// a mistake of the server's.
func TestPathTricks(t *testing.T) {
	v := serveTest(t, Options{Keys: NewKeys([]Key{{"a", testSecret}})}, engine.Options{})
	for _, c := range []struct {
		request string
		want    []int
	}{
		{"GET /v1/models HTTP/1.1", []int{401}},
		{"GET //v1/models HTTP/1.1", []int{401, 301, 307}},
		{"GET /v1//models HTTP/1.1", []int{401, 301, 307}},
		{"GET /v1/./models HTTP/1.1", []int{401, 301, 307}},
		{"GET /health/../v1/models HTTP/1.1", []int{401, 301, 307}},
		{"GET /v1/models/ HTTP/1.1", []int{401, 404}},
		{"GET /V1/MODELS HTTP/1.1", []int{404}},
		{"GET /v1/models?x=/health HTTP/1.1", []int{401}},
		{"GET /v1/models;/health HTTP/1.1", []int{401, 404}},
		{"GET /v1%2fmodels HTTP/1.1", []int{401, 404}},
		{"GET /%76%31/models HTTP/1.1", []int{401, 404}},
		{"GET http://elsewhere/v1/models HTTP/1.1", []int{401}},
		{"GET /v1/groups/1 HTTP/1.1", []int{401}},
		{"DELETE /v1/groups/1 HTTP/1.1", []int{401}},
		{"GET /v1/groups/../../health HTTP/1.1", []int{200, 301, 307}},
		{"GET /../../../../etc/passwd HTTP/1.1", []int{301, 307, 404}},
		{"GET /dashboard/../../etc/passwd HTTP/1.1", []int{301, 307, 404}},
		{"GET /dashboard/%2e%2e/%2e%2e/etc/passwd HTTP/1.1", []int{301, 307, 404}},
		{"GET /..%5c..%5cwindows HTTP/1.1", []int{404}},
		{"GET /%00 HTTP/1.1", []int{404}},
		{"GET /\xff\xfe HTTP/1.1", []int{400, 404}},
		{"GET /%ff%fe HTTP/1.1", []int{404}},
		{"GET /%zz HTTP/1.1", []int{400}},
		{"GET health HTTP/1.1", []int{400}},
		{"GET * HTTP/1.1", []int{400, 404}},
		{"OPTIONS * HTTP/1.1", []int{200, 404}}, // answered by net/http
		{"CONNECT elsewhere:80 HTTP/1.1", []int{400, 404, 405}},
		{"CONNECT /v1/models HTTP/1.1", []int{400, 401, 404, 405}},
		{"PROPFIND /v1/models HTTP/1.1", []int{405, 401}},
		{"POST /v1/models HTTP/1.1", []int{405, 401}},
		{"DELETE /health HTTP/1.1", []int{405}},
		{"GE\x00T /health HTTP/1.1", []int{400}},
		{"GET /health HTTP/9.9", []int{400, 505}},
		{"GET /" + strings.Repeat("a/", 15_000) + " HTTP/1.1", []int{404}},
		{"nonsense", []int{400}},
		{"", []int{400}},
	} {
		status, body := v.raw(t, c.request+"\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		if !slices.Contains(c.want, status) || strings.Contains(body, "root:") {
			t.Errorf("%.60q: %d %.100q; want one of %v", c.request, status, body, c.want)
		}
	}
	// Nothing of it has hurt.
	if status, body := v.raw(t, "GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: bearer  "+testSecret+"\r\nConnection: close\r\n\r\n"); status != 200 {
		t.Errorf("with the key: %d %q", status, body)
	}
	for _, wrong := range []string{"", "Bearer", "Bearer " + testSecret[1:], "Basic " + testSecret, "Bearer " + testSecret + "x", testSecret, "Bearer \xff"} {
		if status, _ := v.raw(t, "GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: "+wrong+"\r\nConnection: close\r\n\r\n"); status != 401 {
			t.Errorf("Authorization %q: %d; want 401", wrong, status)
		}
	}
}

// TestFloods: a header beyond the limit is refused, whether it is one long line or
// many short ones; a body beyond it is, without being read.
func TestFloods(t *testing.T) {
	before := settled()
	v := serveTest(t, Options{Limits: Limits{Header: 8 << 10, Body: 10_000}}, engine.Options{})
	var many strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&many, "X-%d: y\r\n", i)
	}
	const post = "POST /v1/completions HTTP/1.1\r\nHost: x\r\n"
	chunk := "2710\r\n" + strings.Repeat("x", 10_000) + "\r\n"
	for _, c := range []struct {
		name, request string
		want          int
	}{
		{"a long header", "GET /health HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("y", 1<<20) + "\r\n\r\n", 431},
		{"many headers", "GET /health HTTP/1.1\r\nHost: x\r\n" + many.String() + "\r\n", 431},
		{"a header without end", "GET /health HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X: y\r\n", 1<<17), 431},
		{"a long path", "GET /" + strings.Repeat("a", 1<<20) + " HTTP/1.1\r\nHost: x\r\n\r\n", 431},
		{"two hosts", "GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
		{"no host", "GET /health HTTP/1.1\r\n\r\n", 400},
		{"a body that says it is large", post + "Content-Length: 100000000000\r\n\r\n" + strings.Repeat("x", 1<<20), 413},
		{"a body in chunks without end", post + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat(chunk, 100), 413},
		{"a body of bad length", post + "Content-Length: -1\r\n\r\n", 400},
		{"two lengths", post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400},
		{"bad chunks", post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}", 400},
		{"an unknown encoding", post + "Transfer-Encoding: gzip\r\n\r\n{}", 501},
		{"deep nesting", post + "Content-Length: 9000\r\n\r\n" + strings.Repeat("[", 9000), 400},
		{"no JSON", post + "Content-Length: 2\r\n\r\n\xff\xfe", 400},
	} {
		if status, body := v.raw(t, c.request); status != c.want {
			t.Errorf("%s: %d %.100q; want %d", c.name, status, body, c.want)
		}
	}
	v.stop()
	const own = 8 // the step loop, the device's workers
	if after := goroutines(before + own); after > before+own {
		t.Errorf("%d goroutines, %d before", after, before)
	}
}

// TestSlowClients: who takes for ever to send a header or a body is hung up on, and
// leaves nothing behind.
func TestSlowClients(t *testing.T) {
	v := serveTest(t, Options{Limits: Limits{Read: 50 * time.Millisecond}}, engine.Options{})
	const health = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	v.raw(t, health) // all that runs for good does now
	before := settled()
	const body = "Host: x\r\nContent-Length: 100\r\n\r\n{"
	openings := []string{"", "G", "GET /health HTTP/1.1\r\nX: ", "POST /v1/completions HTTP/1.1\r\n" + body, "POST /nothing HTTP/1.1\r\n" + body}
	var conns []net.Conn
	for i := range 40 {
		c, err := net.Dial("tcp", v.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, openings[i%len(openings)])
		conns = append(conns, c)
	}
	for i, c := range conns {
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		heard, err := io.ReadAll(c) // until the server hangs up
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("client %d is still connected", i)
		}
		if i%len(openings) == 3 && !strings.Contains(string(heard), " 400 ") && !strings.Contains(string(heard), " 408 ") {
			t.Errorf("client %d, half a body: %q", i, heard)
		}
	}
	if after := goroutines(before); after > before {
		stacks := make([]byte, 1<<16)
		t.Errorf("%d goroutines, %d before:\n%s", after, before, stacks[:runtime.Stack(stacks, true)])
	}
	if status, _ := v.raw(t, health); status != 200 {
		t.Errorf("health after slow clients: %d", status)
	}
}

// pipes is a listener of connections that hold nothing: a write waits for its
// reader.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// TestReaderGivenUp: who does not read a stream is given up, and its group's blocks are
// free.
func TestReaderGivenUp(t *testing.T) {
	s := newServer(t, Options{Limits: Limits{Write: 50 * time.Millisecond}}, engine.Options{CheckInvariants: true})
	ln := &pipes{make(chan net.Conn), make(chan struct{})}
	serveOn(t, ln, s)
	ours, theirs := net.Pipe()
	ln.conns <- theirs
	body := `{"model":"embedded-reasoner","prompt":"(3 + 4) * 5","stream":true,"max_tokens":1500,"ignore_eos":true,"n":4}`
	if _, err := fmt.Fprintf(ours, "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
		t.Fatal(err)
	}
	// It reads the first bytes, then nothing.
	if _, err := io.ReadFull(ours, make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	waitIdle(t, s)
}

// TestConnectionFlood: connections beyond the limit wait until others close.
func TestConnectionFlood(t *testing.T) {
	v := serveTest(t, Options{Limits: Limits{Connections: 3}}, engine.Options{})
	var idle []net.Conn
	for range 3 {
		c, err := net.Dial("tcp", v.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET ")
		idle = append(idle, c)
	}
	answered := make(chan int, 1)
	go func() {
		status, _ := v.raw(t, "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		answered <- status
	}()
	select {
	case status := <-answered:
		t.Errorf("a fourth connection is answered: %d", status)
	case <-time.After(50 * time.Millisecond):
	}
	idle[1].Close()
	if status := <-answered; status != 200 {
		t.Errorf("when there is room: %d", status)
	}
}
