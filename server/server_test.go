package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"deepprune/engine"
	"deepprune/kernels/cpu"
	"deepprune/model"
	"deepprune/prune"
	"deepprune/weights"
	"deepprune/weights/embedded"
)

// pair is the embedded reasoner and judge, loaded once for all tests: they are
// never changed, and the device computes for any number of engines in turn.
var pair = sync.OnceValues(func() (p struct {
	reasoner *model.Model
	judge    *engine.Judge
}, err error) {
	dev, err := cpu.New(cpu.Options{})
	if err != nil {
		return p, err
	}
	rc, err := weights.OpenFS(embedded.Reasoner(), "embedded-reasoner")
	if err != nil {
		return p, err
	}
	if p.reasoner, err = model.Load(dev, rc, model.Options{}); err != nil {
		return p, err
	}
	jc, err := weights.OpenFS(embedded.Judge(), "embedded-judge")
	if err != nil {
		return p, err
	}
	jm, err := model.Load(dev, jc, model.Options{})
	if err != nil {
		return p, err
	}
	p.judge, err = engine.NewJudge(jm, jc)
	return p, err
})

// newServer makes a server of the embedded pair on an engine of its own.
func newServer(t testing.TB, opt Options, eopt engine.Options) *Server {
	t.Helper()
	p, err := pair()
	if err != nil {
		t.Fatal(err)
	}
	dev, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	e, err := engine.New(dev, p.reasoner, p.judge, eopt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	opt.Defaults = prune.Options{
		Checkpoint: prune.Checkpoint{Tokens: p.judge.Spec.Checkpoint.Tokens, Words: p.judge.Spec.Checkpoint.Words},
		Threshold:  p.judge.Spec.Threshold,
	}
	s, err := New(e, p.reasoner, opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// listen opens a free port of the loopback interface.
func listen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// fetch gets a page.
func fetch(t testing.TB, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(b))
}

// TestProbes follows a server from loading over ready to its end.
func TestProbes(t *testing.T) {
	s := newServer(t, Options{}, engine.Options{})
	ln := listen(t)
	base := "http://" + ln.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	loaded, served := make(chan struct{}), make(chan error, 1)
	go func() {
		served <- Serve(ctx, ln, Options{}, func(context.Context) (*Server, error) {
			<-loaded
			return s, nil
		})
	}()
	check := func(path string, status int, body string) {
		t.Helper()
		if code, text := fetch(t, base+path); code != status || text != body {
			t.Errorf("GET %s: %d %q; want %d %q", path, code, text, status, body)
		}
	}
	check("/health", 200, "ok")
	check("/ready", 503, "loading")
	check("/v1/models", 503, "loading")
	close(loaded)
	for {
		if code, _ := fetch(t, base+"/ready"); code == 200 {
			break
		}
	}
	check("/ready", 200, "ready")
	s.drain()
	check("/health", 200, "ok")
	check("/ready", 503, "draining")
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("the port is open after Serve has returned")
	}
}

func TestServeReportsLoadErrors(t *testing.T) {
	broken := errors.New("no such model")
	err := Serve(t.Context(), listen(t), Options{}, func(context.Context) (*Server, error) { return nil, broken })
	if !errors.Is(err, broken) {
		t.Errorf("got %v; want %v", err, broken)
	}
}

// TestDrainTimesOut: a stream that is cut off says so, and comes to its end.
func TestDrainTimesOut(t *testing.T) {
	v := serveTest(t, Options{DrainTimeout: 20 * time.Millisecond}, engine.Options{Slots: 2})
	c := &client{t, "http://" + v.addr, v.Server}
	resp, _ := c.running(t.Context(), nil)
	go v.stop()
	chunks := chunksOf(t, c.events(resp))
	choices := assemble(t, chunks)
	if len(choices) != 4 {
		t.Errorf("%d choices; want 4", len(choices))
	}
	for i, m := range choices {
		if m.finish != "length" || m.stop != "cancelled" {
			t.Errorf("choice %d: %+v", i, m)
		}
	}
}
