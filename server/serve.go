package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Serve answers requests on ln until ctx ends, then drains: /ready answers 503, no
// connection is accepted, and requests get DrainTimeout to finish before their
// groups are cancelled. It returns nil after a drain, whether or not requests had
// to be cancelled, and closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	return Serve(ctx, ln, func(context.Context) (*Server, error) { return s, nil })
}

// Serve is Server.Serve for a server that is still to be made: it listens at once,
// and until load returns every request but that for /health is answered 503.
func Serve(ctx context.Context, ln net.Listener, load func(context.Context) (*Server, error)) error {
	f := &front{}
	// Handlers end with work, which outlives ctx by the time of the drain.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	hs := &http.Server{
		Handler:           f,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return work },
	}
	listening := make(chan error, 1)
	go func() { listening <- hs.Serve(ln) }()

	s, err := load(ctx)
	if err != nil {
		return errors.Join(err, hs.Close())
	}
	f.server.Store(s)
	select {
	case err := <-listening:
		return fmt.Errorf("server: %w", err)
	case <-ctx.Done():
	}
	s.drain()
	patience, end := context.WithTimeout(work, s.opt.DrainTimeout)
	defer end()
	if err := hs.Shutdown(patience); err == nil {
		return nil
	}
	stop()
	grace, end := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer end()
	if err := hs.Shutdown(grace); err != nil {
		hs.Close()
	}
	return nil
}

// drain makes the server say that it takes no more requests.
func (s *Server) drain() {
	select {
	case <-s.draining:
	default:
		close(s.draining)
	}
}

// front passes requests on to the server once there is one.
type front struct {
	server atomic.Pointer[Server]
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s := f.server.Load(); s != nil {
		s.ServeHTTP(w, r)
		return
	}
	if r.URL.Path == "/health" {
		health(w, r)
		return
	}
	w.Header().Set("Retry-After", "5")
	say(w, http.StatusServiceUnavailable, "loading")
}
