package server

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"deepprune/engine"
	"deepprune/model"
	"deepprune/prune"
	"deepprune/server/dashboard"
	"deepprune/server/spans"
)

// Options configure a server. The zero value of a field means its default.
type Options struct {
	// Name is the model's name in the API; the checkpoint's by default.
	Name string
	// Defaults are the parameters of policies that the judge was trained for.
	Defaults prune.Options
	// Keys are the API keys, one of which every request must bring but those for
	// health, metrics and the files of the dashboard; nil for a server open to all.
	Keys *Keys
	// Limits bound what clients may ask for.
	Limits Limits
	// Hosts are the names in Host headers that the server answers to; any if there
	// are none. Addresses are always answered to.
	Hosts []string
	// Origins are the sites whose pages may ask the server, such as
	// https://example.org, or "*" for all; none by default.
	Origins []string
	// TLS makes Serve speak TLS with this certificate; nil for plain HTTP.
	TLS *Certificate
	// DrainDelay is the time between saying that the server drains and not
	// accepting connections any more, for proxies to notice; none by default.
	DrainDelay time.Duration
	// DrainTimeout bounds the time that requests get to finish once the server
	// drains; 30 seconds by default.
	DrainTimeout time.Duration
	// Spans receives the spans of requests and groups; nil for none. SpanShare is
	// the share of requests, between 0 and 1, that have spans where the caller did
	// not decide.
	Spans     *spans.Exporter
	SpanShare float64
	// Log receives access and operation logs; none by default.
	Log *slog.Logger
}

func (o Options) withDefaults(m *model.Model) Options {
	o.Name = cmp.Or(o.Name, m.Name)
	o.Limits = o.Limits.withDefaults()
	o.DrainTimeout = cmp.Or(o.DrainTimeout, 30*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Server answers requests with the groups of one engine. Its methods may be called
// from any goroutine.
type Server struct {
	engine      *engine.Engine
	model       *model.Model
	opt         Options
	mux         *http.ServeMux
	public      map[string]bool // patterns of routes that want no key
	crossOrigin *http.CrossOriginProtection
	inFlight    inFlight
	metrics     *metrics
	slots       int // of the engine
	runs        runs
	started     time.Time

	draining  chan struct{} // closed when the server takes no more requests
	drainOnce sync.Once
}

// New makes a server of an engine and its reasoner. It closes neither.
func New(e *engine.Engine, m *model.Model, opt Options) (*Server, error) {
	if e == nil || m == nil {
		return nil, errors.New("server: it takes an engine and its model")
	}
	if err := opt.Limits.check(); err != nil {
		return nil, err
	}
	s := &Server{
		engine: e, model: m, opt: opt.withDefaults(m),
		mux: http.NewServeMux(), public: make(map[string]bool), crossOrigin: http.NewCrossOriginProtection(),
		inFlight: inFlight{byKey: make(map[string]int)},
		runs:     runs{byID: make(map[int64]*run)}, started: time.Now(),
		draining: make(chan struct{}),
	}
	s.slots = e.Stats().Slots
	s.metrics = newMetrics(s)
	s.routes()
	return s, nil
}

// routes says who answers what.
func (s *Server) routes() {
	s.handlePublic("GET /health", health)
	s.handlePublic("GET /ready", s.ready)
	s.handlePublic("GET /metrics", s.metrics.handler().ServeHTTP)
	page := dashboard.Handler(dashboard.Server).ServeHTTP
	s.handlePublic("GET /{$}", page)
	s.handlePublic("GET "+dashboard.Prefix, page)
	s.apiRoutes()
}

// handlePublic adds a route that wants no API key.
func (s *Server) handlePublic(pattern string, h http.HandlerFunc) {
	s.public[pattern] = true
	s.mux.HandleFunc(pattern, h)
}

// drain makes the server say that it takes no more requests.
func (s *Server) drain() { s.drainOnce.Do(func() { close(s.draining) }) }
