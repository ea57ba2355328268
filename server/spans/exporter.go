package spans

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of what waits to be sent.
const (
	queueSpans   = 4096
	batchSpans   = 512
	batchDelay   = 2 * time.Second
	sendTimeout  = 10 * time.Second
	sendAttempts = 4
	firstPause   = 250 * time.Millisecond // before the second attempt; then doubled
	maxPause     = 5 * time.Second
)

// Options say where spans go and whose they are.
type Options struct {
	// Endpoint is the URL that takes spans, such as
	// http://collector:4318/v1/traces.
	Endpoint string
	// Header goes with every batch.
	Header http.Header
	// Resource describes the service; service.name should be in it.
	Resource []Attribute
	// Client sends; one with a time limit by default.
	Client *http.Client
	// OnError is told of batches that were dropped, from the exporter's goroutine;
	// may be nil.
	OnError func(error)
}

// Exporter sends spans to a collector. Its methods may be called from any goroutine.
// A nil Exporter drops all.
type Exporter struct {
	opt     Options
	queue   chan Span
	dropped atomic.Int64
	cancel  context.CancelFunc // ends what is being sent
	sending context.Context
	done    chan struct{}

	mu     sync.RWMutex // held for writing by Close alone
	closed bool
}

// NewExporter starts an exporter.
func NewExporter(opt Options) (*Exporter, error) {
	u, err := url.Parse(opt.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("spans: endpoint %q is not an http or https URL", opt.Endpoint)
	}
	if opt.Client == nil {
		opt.Client = &http.Client{Timeout: sendTimeout}
	}
	if opt.OnError == nil {
		opt.OnError = func(error) {}
	}
	x := &Exporter{opt: opt, queue: make(chan Span, queueSpans), done: make(chan struct{})}
	x.sending, x.cancel = context.WithCancel(context.Background())
	go x.run()
	return x, nil
}

// Export queues spans of sampled contexts. It never waits: what does not fit is
// dropped.
func (x *Exporter) Export(spans ...Span) {
	if x == nil {
		return
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, s := range spans {
		if !s.Sampled {
			continue
		}
		if x.closed {
			x.dropped.Add(1)
			continue
		}
		select {
		case x.queue <- s:
		default:
			x.dropped.Add(1)
		}
	}
}

// Dropped is the number of spans that could not be sent.
func (x *Exporter) Dropped() int64 {
	if x == nil {
		return 0
	}
	return x.dropped.Load()
}

// Close sends what is queued, until ctx ends.
func (x *Exporter) Close(ctx context.Context) error {
	if x == nil {
		return nil
	}
	x.mu.Lock()
	if !x.closed {
		x.closed = true
		close(x.queue)
	}
	x.mu.Unlock()
	defer x.cancel()
	select {
	case <-x.done:
		return nil
	case <-ctx.Done():
		x.cancel()
		<-x.done
		return fmt.Errorf("spans: closing: %w", ctx.Err())
	}
}

// run gathers batches and sends them, until the queue is closed and empty.
func (x *Exporter) run() {
	defer close(x.done)
	var batch []Span
	timer := time.NewTimer(batchDelay)
	defer timer.Stop()
	for open := true; open; {
		due := false
		select {
		case s, ok := <-x.queue:
			if open = ok; ok {
				batch = append(batch, s)
			}
		case <-timer.C:
			due = true
			timer.Reset(batchDelay)
		}
		if len(batch) > 0 && (len(batch) >= batchSpans || due || !open) {
			if err := x.send(batch); err != nil {
				x.dropped.Add(int64(len(batch)))
				x.opt.OnError(fmt.Errorf("spans: %d dropped: %w", len(batch), err))
			}
			batch = batch[:0]
		}
	}
}

// send posts a batch, several times if the collector asks for patience.
func (x *Exporter) send(batch []Span) error {
	body := encode(x.opt.Resource, batch)
	pause := firstPause
	for attempt := 1; ; attempt++ {
		again, after, err := x.post(body)
		if err == nil || !again || attempt == sendAttempts || x.sending.Err() != nil {
			return err
		}
		select {
		case <-time.After(min(max(pause, after), maxPause)):
		case <-x.sending.Done():
			return err
		}
		pause *= 2
	}
}

// post sends a body once. again says whether it may work later, after the time that
// the collector asked for.
func (x *Exporter) post(body []byte) (again bool, after time.Duration, err error) {
	req, err := http.NewRequestWithContext(x.sending, http.MethodPost, x.opt.Endpoint, bytes.NewReader(body))
	if err != nil {
		return false, 0, err
	}
	for name, values := range x.opt.Header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := x.opt.Client.Do(req)
	if err != nil {
		return true, 0, err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection is used again
	if resp.StatusCode/100 == 2 {
		return false, 0, nil
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		again = true
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
		after = time.Duration(seconds) * time.Second
	}
	return again, after, fmt.Errorf("%s: %s", x.opt.Endpoint, resp.Status)
}
