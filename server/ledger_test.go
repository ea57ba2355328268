package server

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"deepprune/engine"
	"deepprune/server/spans"
)

// receivedSpan is a span as a collector gets it.
type receivedSpan struct {
	TraceID, SpanID, ParentSpanID, Name string
	StartTimeUnixNano, EndTimeUnixNano  json.Number
	Attributes                          []struct {
		Key   string
		Value map[string]any
	}
	Status struct{ Code int }
}

// TestSpans follows a request of a caller that has a span of its own: the request
// is below it, the group below that, its parts below the group and within its time.
func TestSpans(t *testing.T) {
	var mu sync.Mutex
	received := make(map[string]receivedSpan)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			ResourceSpans []struct {
				ScopeSpans []struct{ Spans []receivedSpan }
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, s := range body.ResourceSpans[0].ScopeSpans[0].Spans {
			if _, twice := received[s.Name]; twice {
				t.Errorf("two spans %s", s.Name)
			}
			received[s.Name] = s
		}
	}))
	defer collector.Close()
	x, err := spans.NewExporter(spans.Options{Endpoint: collector.URL})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, Options{Spans: x}, engine.Options{})
	const trace, caller = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	ask := func(traceparent string) {
		body := `{"model":"embedded-reasoner","seed":5,"messages":[{"role":"user","content":"What is (17 + 8) * 3 - 9?"}],"deepprune":{"traces":12,"policy":"deepprune"}}`
		r := httptest.NewRequest("POST", "/v1/chat/completions", strings.NewReader(body))
		if traceparent != "" {
			r.Header.Set("Traceparent", traceparent)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	ask("00-" + trace + "-" + caller + "-01")
	ask("00-" + trace + "-" + caller + "-00") // the caller wants none
	ask("")                                   // SpanShare is 0
	waitIdle(t, s)
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	const request = "POST /v1/chat/completions"
	parents := map[string]string{request: caller, "group": received[request].SpanID}
	for _, part := range []string{"queue", "prefill", "decode", "judge"} {
		parents[part] = received["group"].SpanID
	}
	if len(received) != len(parents) {
		t.Errorf("%d spans; want %d", len(received), len(parents))
	}
	nano := func(n json.Number) int64 {
		v, err := n.Int64()
		if err != nil {
			t.Error(err)
		}
		return v
	}
	for name, parent := range parents {
		s, ok := received[name]
		if !ok || s.TraceID != trace || s.ParentSpanID != parent || s.Status.Code != 0 {
			t.Errorf("%s: %v, %+v; want it below %s", name, ok, s, parent)
			continue
		}
		start, end := nano(s.StartTimeUnixNano), nano(s.EndTimeUnixNano)
		above := received["group"]
		if name == request {
			continue
		}
		if name == "group" {
			above = received[request]
		}
		const slack = 1e6 // clocks of two kinds
		if start > end || start < nano(above.StartTimeUnixNano)-slack || name != "group" && end > nano(above.EndTimeUnixNano)+slack {
			t.Errorf("%s is not within its parent", name)
		}
	}
	attributes := make(map[string]any)
	for _, a := range received["group"].Attributes {
		for _, v := range a.Value {
			attributes[a.Key] = v
		}
	}
	if attributes["deepprune.policy"] != "deepprune" || attributes["deepprune.traces"] != "12" || attributes["gen_ai.request.model"] != "embedded-reasoner" || attributes["deepprune.judge.pairs"] == "0" {
		t.Errorf("attributes of the group: %v", attributes)
	}
}

// TestLog: a line for each request and each group, which share an id; none for
// probes, and no text of anybody's.
func TestLog(t *testing.T) {
	var buf lockedBuffer
	s := newServer(t, Options{Log: slog.New(slog.NewJSONHandler(&buf, nil))}, engine.Options{})
	offline(s, "GET", "/health")
	r := httptest.NewRequest("POST", "/v1/completions?key=secret", strings.NewReader(`{"model":"embedded-reasoner","prompt":"(3 + 4) * 5","max_tokens":3}`))
	r.Header.Set("X-Request-Id", "mine")
	s.ServeHTTP(httptest.NewRecorder(), r)
	waitIdle(t, s)
	s.opt.Log.Info("end")
	lines := make(map[string]object)
	for line := range strings.Lines(buf.String()) {
		var o object
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		lines[text(o, "msg")] = o
	}
	if got := lines["request"]; text(got, "id") != "mine" || at(got, "status") != 200.0 || text(got, "path") != "/v1/completions" || text(got, "method") != "POST" {
		t.Errorf("request: %v", got)
	}
	if got := lines["group"]; text(got, "id") != "mine" || at(got, "generated_tokens") != 3.0 || text(got, "end") != "length" || at(got, "traces") != 1.0 {
		t.Errorf("group: %v", got)
	}
	if len(lines) != 3 || strings.Contains(buf.String(), "secret") || strings.Contains(buf.String(), "3 + 4") {
		t.Errorf("the log holds\n%s", buf.String())
	}
}
