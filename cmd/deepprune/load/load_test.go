package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// server answers with three tokens in each of n choices; requests whose seed is in
// fates go another way.
func server(t *testing.T, check func(body map[string]any), fates map[float64]string) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		check(body)
		switch fates[body["seed"].(float64)] {
		case "busy":
			w.WriteHeader(429)
			return
		case "broken":
			http.Error(w, "no", 500)
			return
		case "error":
			fmt.Fprintf(w, "data: {\"error\":{\"message\":\"it broke\"}}\n\n")
			return
		case "short":
			fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"text\":\"a\"}]}\n\n")
			return
		}
		fmt.Fprint(w, ": a comment\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n")
		for _, field := range []string{`"text":"a"`, `"delta":{"content":"b"}`, `"delta":{"reasoning_content":"c"}`} {
			for i := range 2 {
				fmt.Fprintf(w, "data: {\"choices\":[{\"index\":%d,%s}]}\n\n", i, field)
			}
		}
		fmt.Fprint(w, "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":6}}\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(s.Close)
	return s
}

func TestRun(t *testing.T) {
	var mu sync.Mutex
	prompts := make(map[string]int)
	s := server(t, func(body map[string]any) {
		mu.Lock()
		defer mu.Unlock()
		prompts[body["prompt"].(string)]++
		if body["model"] != "m" || body["stream"] != true || body["stream_options"].(map[string]any)["include_usage"] != true {
			t.Errorf("body %v", body)
		}
	}, map[float64]string{101: "busy", 103: "broken", 104: "error", 106: "short"})
	r, err := Run(t.Context(), Options{
		URL: s.URL + "/", Body: map[string]any{"model": "m"}, Prompts: []string{"x", "y"}, Seed: 100, Requests: 10, Clients: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Completed != 6 || r.Refused != 1 || r.Failed != 3 || r.InputTokens != 30 || r.OutputTokens != 36 || r.Error == "" {
		t.Errorf("%+v", r)
	}
	if prompts["x"] != 5 || prompts["y"] != 5 {
		t.Errorf("prompts %v", prompts)
	}
	if r.TTFT.Mean <= 0 || r.TTFT.Max > r.E2EL.Max || r.ITL.Max <= 0 || r.OutputThroughput <= r.RequestThroughput {
		t.Errorf("%+v", r)
	}
	var table strings.Builder
	if err := r.Print(&table); err != nil || strings.Count(table.String(), "\n") != 10 || !strings.Contains(table.String(), "6 completed, 1 refused, 3 failed") {
		t.Errorf("%v\n%s", err, table.String())
	}
}

// TestClients: no more requests are under way than there are clients.
func TestClients(t *testing.T) {
	var now, most atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		time.Sleep(2 * time.Millisecond)
		fmt.Fprint(w, "data: [DONE]\n\n")
	}))
	defer s.Close()
	r, err := Run(t.Context(), Options{URL: s.URL, Chat: true, Prompts: []string{"x"}, Requests: 20, Clients: 4})
	if err != nil || r.Completed != 20 || most.Load() > 4 {
		t.Errorf("%v, %+v, %d at once", err, r, most.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Options{URL: s.URL, Prompts: []string{"x"}, Requests: 20, Rate: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for _, o := range []Options{{}, {Prompts: []string{"x"}, Requests: 1}, {Prompts: []string{"x"}, Requests: 1, Clients: -1}, {Requests: 1, Clients: 1}} {
		if _, err := Run(t.Context(), o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func TestDistribution(t *testing.T) {
	var d []time.Duration
	for i := range 100 {
		d = append(d, time.Duration(100-i)*time.Millisecond)
	}
	if got, want := distribution(d), (Distribution{Mean: 50.5, Median: 51, P90: 91, P99: 100, Max: 100}); got != want {
		t.Errorf("got %+v; want %+v", got, want)
	}
	if got := distribution(nil); got != (Distribution{}) {
		t.Errorf("of nothing: %+v", got)
	}
}
