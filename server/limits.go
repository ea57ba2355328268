package server

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"deepprune/engine"
	"deepprune/server/openai"
)

// Limits bound what clients may ask for and how slow they may be. The zero value of
// a field means its default.
type Limits struct {
	Body        int64 // bytes of a body; 8 MiB
	Header      int   // bytes of a request's header; 64 KiB
	Traces      int   // k of a group; 512
	Tokens      int   // generated tokens of a trace; what the context allows
	Prompt      int   // tokens of a prompt; what the context allows
	Requests    int   // POST requests under way; 1,024
	Concurrency int   // of these with the same API key; no bound of its own
	Connections int   // open connections; 4,096

	Read  time.Duration // for a header, and again for a body; 30 s
	Write time.Duration // for what is written to a client, a part of a stream say; 30 s
	Idle  time.Duration // of a connection between requests; 2 minutes
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Body:        cmp.Or(l.Body, 8<<20),
		Header:      cmp.Or(l.Header, 64<<10),
		Traces:      cmp.Or(l.Traces, 512),
		Tokens:      l.Tokens,
		Prompt:      l.Prompt,
		Requests:    cmp.Or(l.Requests, 1024),
		Concurrency: l.Concurrency,
		Connections: cmp.Or(l.Connections, 4096),
		Read:        cmp.Or(l.Read, 30*time.Second),
		Write:       cmp.Or(l.Write, 30*time.Second),
		Idle:        cmp.Or(l.Idle, 2*time.Minute),
	}
}

// check refuses bounds that make no sense.
func (l *Limits) check() error {
	for _, c := range []struct {
		name  string
		value int64
	}{
		{"Body", l.Body}, {"Header", int64(l.Header)}, {"Traces", int64(l.Traces)}, {"Tokens", int64(l.Tokens)},
		{"Prompt", int64(l.Prompt)}, {"Requests", int64(l.Requests)}, {"Concurrency", int64(l.Concurrency)},
		{"Connections", int64(l.Connections)}, {"Read", int64(l.Read)}, {"Write", int64(l.Write)}, {"Idle", int64(l.Idle)},
	} {
		if c.value < 0 {
			return fmt.Errorf("server: Limits.%s: %d is negative", c.name, c.value)
		}
	}
	return nil
}

// retryAfter is how many seconds a client that is refused for want of room is told
// to wait: about as long as a group takes.
const retryAfter = 1

// busy is the error of a server, or of a key, that has enough to do.
func busy(x *exchange, code, message string) *openai.Error {
	x.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	return &openai.Error{Status: http.StatusTooManyRequests, Type: "rate_limit_error", Code: code, Message: message}
}

// inFlight counts the POST requests under way, for each key and in all. Its methods
// may be called from any goroutine.
type inFlight struct {
	mu    sync.Mutex
	total int
	byKey map[string]int
}

// enter counts a request in, or refuses it; leave counts it out.
func (s *Server) enter(x *exchange) (leave func(), err *openai.Error) {
	f, l := &s.inFlight, &s.opt.Limits
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.total >= l.Requests:
		return nil, busy(x, "server_busy", fmt.Sprintf("The server works on %d requests already.", f.total))
	case x.key != "" && l.Concurrency > 0 && f.byKey[x.key] >= l.Concurrency:
		return nil, busy(x, "key_busy", fmt.Sprintf("%d requests with this API key are under way already.", l.Concurrency))
	}
	f.total++
	f.byKey[x.key]++
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.total--
		if f.byKey[x.key]--; f.byKey[x.key] == 0 {
			delete(f.byKey, x.key)
		}
	}, nil
}

// bound applies the limits of tokens to a request that has its prompt, and refuses
// what is beyond them.
func (s *Server) bound(r *engine.Request) *openai.Error {
	l := &s.opt.Limits
	if l.Prompt > 0 && len(r.Prompt) > l.Prompt {
		return openai.Invalid("", "context_length_exceeded", "The prompt has %d tokens; this server takes %d.", len(r.Prompt), l.Prompt)
	}
	if l.Tokens > 0 {
		if r.Params.MaxTokens > l.Tokens {
			return openai.Invalid("max_tokens", "max_tokens_exceeded", "%d tokens are more than the %d that this server allows.", r.Params.MaxTokens, l.Tokens)
		}
		if room := s.model.MaxContext() - len(r.Prompt); r.Params.MaxTokens == 0 {
			r.Params.MaxTokens = max(min(l.Tokens, room), 0)
		}
	}
	return nil
}

// count is how many requests are under way.
func (f *inFlight) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.total
}
