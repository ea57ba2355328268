package server

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"deepprune/engine"
	"deepprune/model"
	"deepprune/prune"
)

// Options configure a server. The zero value of a field means its default.
type Options struct {
	// Name is the model's name in the API; the checkpoint's by default.
	Name string
	// Defaults are the parameters of policies that the judge was trained for.
	Defaults prune.Options
	// DrainTimeout bounds the time that requests get to finish once the server
	// drains; 30 seconds by default.
	DrainTimeout time.Duration
	// Log receives access and operation logs; none by default.
	Log *slog.Logger
}

func (o Options) withDefaults(m *model.Model) Options {
	o.Name = cmp.Or(o.Name, m.Name)
	o.DrainTimeout = cmp.Or(o.DrainTimeout, 30*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Server answers requests with the groups of one engine. Its methods may be called
// from any goroutine.
type Server struct {
	engine   *engine.Engine
	model    *model.Model
	opt      Options
	mux      *http.ServeMux
	handler  http.Handler  // the mux behind what every request passes
	draining chan struct{} // closed when the server stops taking requests
}

// New makes a server of an engine and its reasoner. It closes neither.
func New(e *engine.Engine, m *model.Model, opt Options) (*Server, error) {
	if e == nil || m == nil {
		return nil, errors.New("server: it takes an engine and its model")
	}
	s := &Server{
		engine: e, model: m, opt: opt.withDefaults(m),
		mux: http.NewServeMux(), draining: make(chan struct{}),
	}
	s.routes()
	s.handler = s.mux
	return s, nil
}

// ServeHTTP answers one request, as Serve does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// routes says who answers what.
func (s *Server) routes() {
	s.mux.HandleFunc("GET /health", health)
	s.mux.HandleFunc("GET /ready", s.ready)
}
