package server

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"deepprune/engine"
)

// serving is a server that listens, as a process would.
type serving struct {
	*Server
	addr string
	stop func() // ends it and waits
}

// serveTest starts a server on a free port.
func serveTest(t testing.TB, opt Options, eopt engine.Options) *serving {
	t.Helper()
	return serveOn(t, listen(t), newServer(t, opt, eopt))
}

func serveOn(t testing.TB, ln net.Listener, s *Server) *serving {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln) }()
	v := &serving{Server: s, addr: ln.Addr().String()}
	v.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(v.stop)
	return v
}

// raw sends bytes as they are and returns the status of the answer, 0 for none.
func (v *serving) raw(t testing.TB, request string) (status int, body string) {
	t.Helper()
	c, err := net.Dial("tcp", v.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	sent := make(chan struct{})
	go func() { // a server that has heard enough need not hear all
		defer close(sent)
		io.WriteString(c, request)
	}()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err == nil {
		var b []byte
		b, _ = io.ReadAll(io.LimitReader(resp.Body, 1<<16))
		status, body = resp.StatusCode, string(b)
	}
	c.Close()
	<-sent
	return status, body
}

// settled counts goroutines, when they have not become fewer for a while.
func settled() int {
	n := runtime.NumGoroutine()
	for same := 0; same < 10; same++ {
		http.DefaultClient.CloseIdleConnections()
		time.Sleep(5 * time.Millisecond)
		if now := runtime.NumGoroutine(); now < n {
			n, same = now, 0
		}
	}
	return n
}

// goroutines counts them when they have come down to a number, or do not in time.
func goroutines(atMost int) int {
	n := runtime.NumGoroutine()
	for range 1000 {
		if n <= atMost {
			break
		}
		http.DefaultClient.CloseIdleConnections()
		time.Sleep(10 * time.Millisecond)
		n = runtime.NumGoroutine()
	}
	return n
}

// waitIdle waits until no group runs and the books of all are closed, and checks that
// all blocks are free.
func waitIdle(t testing.TB, s *Server) {
	t.Helper()
	var stats engine.Stats
	for range 2000 {
		if stats = s.engine.Stats(); stats.Groups == 0 && s.inFlight.count() == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if stats.Groups != 0 || stats.UsedBytes != 0 || stats.Reasoner.Used != 0 || stats.Judge.Used != 0 || stats.Running != 0 {
		t.Errorf("not idle: %d groups, %d bytes, %d and %d blocks, %d traces", stats.Groups, stats.UsedBytes, stats.Reasoner.Used, stats.Judge.Used, stats.Running)
	}
	for _, r := range s.runs.all() {
		for done := false; !done; {
			r.mu.Lock()
			done = r.done
			r.mu.Unlock()
			runtime.Gosched()
		}
	}
	if n := s.inFlight.count(); n != 0 {
		t.Errorf("%d requests are under way", n)
	}
}
