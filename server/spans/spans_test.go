package spans

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestTraceparent(t *testing.T) {
	const header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	c, ok := ParseTraceparent(header)
	if !ok || !c.Sampled || c.Trace[0] != 0x0a || c.Trace[15] != 0x9c || c.Span != [8]byte{0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31} {
		t.Errorf("got %+v, %v", c, ok)
	}
	if got := c.Traceparent(); got != header {
		t.Errorf("got %q; want %q", got, header)
	}
	for _, good := range []string{
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff",
		"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-adds",
		" 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 ",
	} {
		if _, ok := ParseTraceparent(good); !ok {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{
		"", "00", header[:54], header + "-more", header + "x",
		"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
		"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
		"00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
	} {
		if c, ok := ParseTraceparent(bad); ok || c != (Context{}) {
			t.Errorf("%q is taken: %+v", bad, c)
		}
	}
}

func FuzzParseTraceparent(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Add("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-x")
	f.Fuzz(func(t *testing.T, header string) {
		c, ok := ParseTraceparent(header)
		if !ok {
			return
		}
		if again, ok := ParseTraceparent(c.Traceparent()); !ok || again != c {
			t.Errorf("%q: %+v, written and read again %+v, %v", header, c, again, ok)
		}
	})
}

func TestSampling(t *testing.T) {
	const n = 4000
	for _, share := range []float64{0, 0.25, 1} {
		sampled := 0
		for range n {
			if New(share).Sampled {
				sampled++
			}
		}
		if got := float64(sampled) / n; got < share-0.05 || got > share+0.05 {
			t.Errorf("share %v: %v were sampled", share, got)
		}
	}
}

// collector stands in for one: it keeps what it is sent.
type collector struct {
	*httptest.Server
	bodies chan []byte
	header chan http.Header
	refuse atomic.Int32 // requests to answer with 503 before any is taken
	tries  atomic.Int32
}

func newCollector(t *testing.T) *collector {
	c := &collector{bodies: make(chan []byte, 100), header: make(chan http.Header, 100)}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.tries.Add(1)
		if c.refuse.Add(-1) >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		c.header <- r.Header
		c.bodies <- body
	}))
	t.Cleanup(c.Close)
	return c
}

// TestExport compares what arrives with the form that OTLP prescribes, after a
// collector that was busy twice.
func TestExport(t *testing.T) {
	c := newCollector(t)
	c.refuse.Store(2)
	x, err := NewExporter(Options{
		Endpoint: c.URL + "/v1/traces", Header: http.Header{"X-Tenant": {"a"}},
		Resource: []Attribute{{"service.name", "test"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	parent, _ := ParseTraceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	child := parent.Child()
	child.Span = SpanID{1, 2, 3, 4, 5, 6, 7, 8}
	at := time.Unix(1700000000, 5)
	x.Export(
		Span{
			Context: child, Parent: parent.Span, Name: "decode", Kind: Internal, Start: at, End: at.Add(time.Second),
			Attributes: []Attribute{{"s", "x"}, {"b", true}, {"i", 3}, {"j", int64(1) << 60}, {"f", 0.5}}, Error: "cancelled",
		},
		Span{Context: Context{Trace: parent.Trace, Span: child.Span}, Name: "not sampled"},
	)
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	const want = `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"test"}}]},` +
		`"scopeSpans":[{"scope":{"name":"deepprune/server"},"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"0102030405060708",` +
		`"parentSpanId":"b7ad6b7169203331","flags":1,"name":"decode","kind":1,"startTimeUnixNano":"1700000000000000005","endTimeUnixNano":"1700000001000000005",` +
		`"attributes":[{"key":"s","value":{"stringValue":"x"}},{"key":"b","value":{"boolValue":true}},{"key":"i","value":{"intValue":"3"}},` +
		`{"key":"j","value":{"intValue":"1152921504606846976"}},{"key":"f","value":{"doubleValue":0.5}}],"status":{"code":2,"message":"cancelled"}}]}]}]}`
	if got := string(<-c.bodies); got != want {
		t.Errorf("got\n%s; want\n%s", got, want)
	}
	if h := <-c.header; h.Get("Content-Type") != "application/json" || h.Get("X-Tenant") != "a" {
		t.Errorf("header %v", h)
	}
	if x.Dropped() != 0 || c.tries.Load() != 3 {
		t.Errorf("%d dropped, %d tries; want 0 and 3", x.Dropped(), c.tries.Load())
	}
	x.Export(Span{Context: child}) // after Close
	if x.Dropped() != 1 {
		t.Errorf("%d dropped after the end; want 1", x.Dropped())
	}
}

// TestBatches: many spans arrive in few requests, each once.
func TestBatches(t *testing.T) {
	c := newCollector(t)
	x, err := NewExporter(Options{Endpoint: c.URL})
	if err != nil {
		t.Fatal(err)
	}
	const n = batchSpans*2 + 3
	for range n {
		x.Export(Span{Context: New(1), Name: "a"})
	}
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(c.bodies)
	seen := make(map[string]bool)
	requests := 0
	for body := range c.bodies {
		requests++
		var r struct {
			ResourceSpans []struct {
				ScopeSpans []struct{ Spans []struct{ TraceID string } }
			}
		}
		if err := json.Unmarshal(body, &r); err != nil {
			t.Fatal(err)
		}
		for _, s := range r.ResourceSpans[0].ScopeSpans[0].Spans {
			seen[s.TraceID] = true
		}
	}
	if len(seen) != n || requests != 3 {
		t.Errorf("%d spans in %d requests; want %d in 3", len(seen), requests, n)
	}
}

// TestDeadCollector: a collector that never answers costs spans, not time.
func TestDeadCollector(t *testing.T) {
	release := make(chan struct{})
	c := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-release }))
	defer c.Close()
	defer close(release)
	var told atomic.Int32
	x, err := NewExporter(Options{Endpoint: c.URL, OnError: func(error) { told.Add(1) }})
	if err != nil {
		t.Fatal(err)
	}
	const n = queueSpans + 2*batchSpans
	for range n {
		x.Export(Span{Context: New(1)})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.Close(ctx); err == nil {
		t.Error("Close sent what nobody took")
	}
	if x.Dropped() != n || told.Load() == 0 {
		t.Errorf("%d dropped, told %d times; want %d", x.Dropped(), told.Load(), n)
	}
}

func TestNilExporter(t *testing.T) {
	var x *Exporter
	x.Export(Span{Context: New(1)})
	if x.Dropped() != 0 || x.Close(t.Context()) != nil {
		t.Error("a nil exporter does something")
	}
}

func TestFromEnvironment(t *testing.T) {
	read := func(pairs ...string) (Options, error) {
		return FromEnvironment(func(name string) string {
			if i := slices.Index(pairs, name); i >= 0 {
				return pairs[i+1]
			}
			return ""
		}, "deepprune")
	}
	opt, err := read()
	if err != nil || opt.Endpoint != "" {
		t.Errorf("nothing set: %+v, %v", opt, err)
	}
	opt, err = read("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/", "OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x, a=b",
		"OTEL_RESOURCE_ATTRIBUTES", "service.name=one,zone=b", "OTEL_SERVICE_NAME", "two")
	if err != nil || opt.Endpoint != "http://c:4318/v1/traces" || opt.Header.Get("Authorization") != "Bearer x" || opt.Header.Get("A") != "b" {
		t.Errorf("%+v, %v", opt, err)
	}
	if want := []Attribute{{"service.name", "two"}, {"zone", "b"}}; !slices.Equal(opt.Resource, want) {
		t.Errorf("resource %v; want %v", opt.Resource, want)
	}
	if opt, _ := read("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://d/x"); opt.Endpoint != "https://d/x" {
		t.Errorf("endpoint %q", opt.Endpoint)
	}
	if opt, _ := read("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c", "OTEL_SDK_DISABLED", "TRUE"); opt.Endpoint != "" {
		t.Errorf("endpoint %q though disabled", opt.Endpoint)
	}
	for _, bad := range []string{"novalue", "=x", "a=%zz"} {
		if _, err := read("OTEL_EXPORTER_OTLP_HEADERS", bad); err == nil || !strings.Contains(err.Error(), "OTEL_EXPORTER_OTLP_HEADERS") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, bad := range []string{"", "c:4318", "ftp://c", "http://", "%"} {
		if _, err := NewExporter(Options{Endpoint: bad}); err == nil {
			t.Errorf("endpoint %q is taken", bad)
		}
	}
}
