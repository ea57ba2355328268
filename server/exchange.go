package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"deepprune/server/openai"
	"deepprune/server/spans"
)

// exchange is one request and its answer, as what every request passes sees them.
// It is the http.ResponseWriter of its handler, used by the handler's goroutine.
type exchange struct {
	http.ResponseWriter
	control *http.ResponseController
	id      string // of the X-Request-Id header
	pattern string // of the route, "" for none
	key     string // name of the API key, "" without
	span    spans.Context
	caller  spans.SpanID // zero for none
	start   time.Time
	status  int   // 0 until the header is written
	written int64 // bytes of the body

	writePatience time.Duration
	writeBy       time.Time // deadline of writes
	broken        error     // of the first write or flush that failed
}

// exchangeKey finds the exchange in the context of its request.
type exchangeKey struct{}

// exchangeOf is the exchange of a request's context; nil outside of one.
func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// Unwrap lets http.ResponseController reach the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// FlushError sends what has been written; http.ResponseController calls it.
func (x *exchange) FlushError() error {
	x.hurry()
	if x.status == 0 {
		x.status = http.StatusOK
	}
	err := x.control.Flush()
	if x.broken == nil {
		x.broken = err
	}
	return err
}

func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= 200 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(p []byte) (int, error) {
	x.hurry()
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(p)
	x.written += int64(n)
	if x.broken == nil {
		x.broken = err
	}
	return n, err
}

// hurry gives the client writePatience from now to take what is written, so that
// one that reads nothing holds its handler no longer. A stream may last as long as
// it is read.
func (x *exchange) hurry() {
	if now := time.Now(); x.writeBy.Sub(now) < x.writePatience*3/4 {
		x.writeBy = now.Add(x.writePatience)
		x.control.SetWriteDeadline(x.writeBy)
	}
}

// timedBody gives a client until a deadline to send its body, and none after that.
// (http.Server.ReadTimeout would end streams that last longer.)
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// boundBody bounds the size of a request's body and the time that it may take, of one
// that is refused as well: net/http reads what a handler leaves before it answers.
func boundBody(w http.ResponseWriter, r *http.Request, l *Limits) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Now().Add(l.Read))
	r.Body = &timedBody{http.MaxBytesReader(w, r.Body, l.Body), control}
}

// ServeHTTP answers a request: what every request passes, then the route.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{
		ResponseWriter: w, control: http.NewResponseController(w), start: time.Now(),
		id: requestID(r.Header.Get("X-Request-Id")), writePatience: s.opt.Limits.Write,
	}
	s.trace(x, r.Header.Get("Traceparent"))
	w.Header().Set("X-Request-Id", x.id)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	defer s.finish(x, r)
	if err := s.pass(x, r); err != nil {
		s.refuse(err).Write(x)
	}
}

// pass leads a request to its route, or says why not.
func (s *Server) pass(x *exchange, r *http.Request) *openai.Error {
	boundBody(x.ResponseWriter, r, &s.opt.Limits)
	if err := s.checkHost(r); err != nil {
		return err
	}
	if done, err := s.checkOrigin(x, r); done || err != nil {
		return err
	}
	_, x.pattern = s.mux.Handler(r)
	if x.pattern == "" {
		return s.noRoute(x, r)
	}
	if !s.public[x.pattern] {
		var err *openai.Error
		if x.key, err = s.checkKey(x, r); err != nil {
			return err
		}
		if r.Method == http.MethodPost {
			leave, err := s.enter(x)
			if err != nil {
				return err
			}
			defer leave()
		}
	}
	s.mux.ServeHTTP(x, r)
	return nil
}

// noRoute says whether it is the path or the method that nobody answers.
func (s *Server) noRoute(x *exchange, r *http.Request) *openai.Error {
	// The mux knows, and says it to whoever writes down what it answers.
	answer := statusOnly{header: make(http.Header)}
	h, _ := s.mux.Handler(r)
	h.ServeHTTP(&answer, r)
	if answer.status == http.StatusMethodNotAllowed {
		x.Header().Set("Allow", answer.header.Get("Allow"))
		return &openai.Error{
			Status: http.StatusMethodNotAllowed, Type: "invalid_request_error", Code: "method_not_allowed",
			Message: "This path takes " + answer.header.Get("Allow") + ".",
		}
	}
	return openai.NotFound("There is nothing at this path.")
}

// statusOnly is a response of which the body is dropped.
type statusOnly struct {
	header http.Header
	status int
}

func (a *statusOnly) Header() http.Header         { return a.header }
func (a *statusOnly) Write(p []byte) (int, error) { return len(p), nil }
func (a *statusOnly) WriteHeader(status int)      { a.status = status }

// finish ends an exchange, however its handler ended.
func (s *Server) finish(x *exchange, r *http.Request) {
	panicked := recover()
	if panicked != nil && panicked != http.ErrAbortHandler {
		// A mistake in the program; it costs one request.
		s.opt.Log.Error("handler panicked", "id", x.id, "route", x.pattern, "panic", panicked, "stack", string(debug.Stack()))
		if x.status == 0 {
			openai.Internal("The request could not be answered because of a mistake in the server.").Write(x)
		} else {
			panicked = http.ErrAbortHandler // the client must not take what it has for all
		}
	}
	if x.status == 0 {
		x.status = http.StatusOK // what the client gets of a handler that writes nothing
	}
	s.metrics.answered(x)
	if x.span.Sampled && !probes[x.pattern] {
		s.opt.Spans.Export(x.requestSpan(r.Method, r.URL.Path, r.RemoteAddr))
	}
	s.log(x, r)
	if panicked == http.ErrAbortHandler {
		panic(panicked)
	}
}

// log writes the access log: a line per request, probes for those who ask only.
func (s *Server) log(x *exchange, r *http.Request) {
	level := slog.LevelInfo
	if probes[x.pattern] {
		level = slog.LevelDebug
	}
	if !s.opt.Log.Enabled(r.Context(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("id", x.id), slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.Int("status", x.status), slog.Int64("bytes", x.written),
		slog.Float64("ms", time.Since(x.start).Seconds()*1e3), slog.String("remote", r.RemoteAddr),
	}
	if x.key != "" {
		attrs = append(attrs, slog.String("key", x.key))
	}
	if x.broken != nil || r.Context().Err() != nil {
		attrs = append(attrs, slog.Bool("gone", true))
	}
	s.opt.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// requestID takes the client's id if it is fit for logs and headers, else it makes
// one.
func requestID(given string) string {
	const most = 128
	fit := given != "" && len(given) <= most
	for i := 0; fit && i < len(given); i++ {
		c := given[i]
		fit = 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == ':'
	}
	if fit {
		return given
	}
	var b [16]byte
	rand.Read(b[:])
	return "req-" + hex.EncodeToString(b[:])
}
