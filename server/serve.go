package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Serve answers requests on ln until ctx ends, then drains: /ready answers 503, and
// after DrainDelay no connection is accepted; requests get DrainTimeout to finish
// before their groups are cancelled. It returns nil after a drain, whether or not
// requests had to be cancelled, and closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	return Serve(ctx, ln, s.opt, func(context.Context) (*Server, error) { return s, nil })
}

// Serve is Server.Serve for a server that is still to be made: it listens at once,
// and until load returns every request but that for /health is answered 503. Of opt
// it needs what concerns connections: Limits, TLS, and the drain.
func Serve(ctx context.Context, ln net.Listener, opt Options, load func(context.Context) (*Server, error)) error {
	if err := opt.Limits.check(); err != nil {
		return err
	}
	l := opt.Limits.withDefaults()
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	// Handlers work in a context that outlives ctx by the time of the drain.
	work, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	f := &front{limits: l}
	hs := &http.Server{
		Handler:           f,
		ReadHeaderTimeout: l.Read,
		IdleTimeout:       l.Idle,
		MaxHeaderBytes:    l.Header,
		BaseContext:       func(net.Listener) context.Context { return work },
		ErrorLog:          slog.NewLogLogger(opt.Log.Handler(), slog.LevelDebug),
	}
	if opt.TLS != nil {
		hs.TLSConfig = opt.TLS.config()
	}
	ln = &boundedListener{Listener: ln, room: make(chan struct{}, l.Connections), closed: make(chan struct{})}
	listening := make(chan error, 1)
	go func() {
		if opt.TLS != nil {
			listening <- hs.ServeTLS(ln, "", "")
		} else {
			listening <- hs.Serve(ln)
		}
	}()

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
	opt.Log.Info("draining", "delay", s.opt.DrainDelay, "timeout", s.opt.DrainTimeout)
	time.Sleep(s.opt.DrainDelay)
	patience, end := context.WithTimeout(work, s.opt.DrainTimeout)
	defer end()
	if hs.Shutdown(patience) == nil {
		return nil
	}
	// What is left is cut off: the handlers' contexts end, and with them the groups.
	opt.Log.Warn("drain timed out; requests are cancelled", "requests", s.inFlight.count())
	abandon()
	grace, end := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer end()
	if hs.Shutdown(grace) != nil {
		hs.Close()
	}
	return nil
}

// front passes requests on to the server once there is one.
type front struct {
	limits Limits
	server atomic.Pointer[Server]
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s := f.server.Load(); s != nil {
		s.ServeHTTP(w, r)
		return
	}
	boundBody(w, r, &f.limits)
	if r.URL.Path == "/health" {
		health(w, r)
		return
	}
	w.Header().Set("Retry-After", "5")
	say(w, http.StatusServiceUnavailable, "loading")
}

// boundedListener leaves connections beyond a number to wait in the kernel.
type boundedListener struct {
	net.Listener
	room      chan struct{} // holds one for each open connection
	closed    chan struct{}
	closeOnce sync.Once
}

func (l *boundedListener) Accept() (net.Conn, error) {
	select {
	case l.room <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.room
		return nil, err
	}
	return &boundedConn{Conn: c, room: l.room}, nil
}

func (l *boundedListener) Close() error {
	l.closeOnce.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// boundedConn makes room when it is closed.
type boundedConn struct {
	net.Conn
	room chan struct{}
	once sync.Once
}

func (c *boundedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.room })
	return err
}
