package server

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"deepprune/engine"
	"deepprune/prune"
)

// samples reads metrics in the text format: name{labels} → value.
func samples(t testing.TB, text string) map[string]float64 {
	t.Helper()
	all := make(map[string]float64)
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(strings.TrimSpace(line[i+1:]), 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all[strings.ReplaceAll(line[:i], `model_name="embedded-reasoner"`, "M")] = v
	}
	return all
}

// TestMetrics asks for a pruned group and compares what the metrics say with its
// audit.
func TestMetrics(t *testing.T) {
	s := newServer(t, Options{}, engine.Options{})
	v := serveOn(t, listen(t), s)
	resp := v.post(t, "/v1/chat/completions", "", object{
		"model": "embedded-reasoner", "seed": 5,
		"messages":  []object{{"role": "user", "content": "(3 + 4) * 5"}},
		"deepprune": object{"traces": 32, "policy": "deepprune"},
	})
	resp.Body.Close()
	v.post(t, "/v1/nothing", "", object{}).Body.Close()
	waitIdle(t, s)
	_, text := fetch(t, "http://"+v.addr+"/metrics")
	m := samples(t, text)
	stats := s.engine.Stats()
	for name, want := range map[string]float64{
		"deepprune_num_requests_running{M}":                                                  0,
		"deepprune_num_requests_waiting{M}":                                                  0,
		"deepprune_num_traces_running{M}":                                                    0,
		"deepprune_kv_cache_usage_perc{M}":                                                   0,
		"deepprune_slots{M}":                                                                 64,
		"deepprune_generation_tokens_total{M}":                                               float64(stats.GeneratedTokens),
		"deepprune_prompt_tokens_total{M}":                                                   float64(stats.PromptTokens),
		"deepprune_judge_tokens_total{M}":                                                    float64(stats.JudgeTokens),
		"deepprune_judge_pairs_total{M}":                                                     float64(stats.PairsJudged),
		"deepprune_steps_total{M}":                                                           float64(stats.Steps),
		`deepprune_traces_pruned_total{M,policy="deepprune"}`:                                float64(stats.TracesPruned),
		`deepprune_request_success_total{finished_reason="stop",M}`:                          1,
		"deepprune_request_params_n_sum{M}":                                                  32,
		"deepprune_request_generation_tokens_sum{M}":                                         float64(stats.GeneratedTokens),
		"deepprune_time_to_first_token_seconds_count{M}":                                     1,
		"deepprune_e2e_request_latency_seconds_count{M}":                                     1,
		"deepprune_judge_seconds_count{M}":                                                   1,
		`deepprune_inter_token_latency_seconds_bucket{M,le="+Inf"}`:                          float64(stats.InterToken.Count),
		`deepprune_http_requests_total{code="200",M,route="POST /v1/chat/completions"}`:      1,
		`deepprune_http_requests_total{code="404",M,route="none"}`:                           1,
		`deepprune_requests_refused_total{M,reason="not_found"}`:                             1,
		`deepprune_http_request_duration_seconds_count{M,route="POST /v1/chat/completions"}`: 1,
		fmt.Sprintf(`deepprune_cache_config_info{block_size="16",M,num_gpu_blocks="%d"}`, stats.Reasoner.Capacity): 1,
	} {
		if got, ok := m[name]; !ok || got != want {
			t.Errorf("%s is %v, %v; want %v", name, got, ok, want)
		}
	}
	blocks, bytes := 0.0, 0.0
	for name, v := range m {
		if strings.HasPrefix(name, "deepprune_kv_blocks_reclaimed_total{") {
			blocks += v
		}
		if strings.HasPrefix(name, "deepprune_kv_bytes_reclaimed_total{") {
			bytes += v
		}
	}
	if blocks != float64(stats.BlocksReclaimed) || bytes != float64(stats.BytesReclaimed) || blocks == 0 {
		t.Errorf("%v blocks and %v bytes reclaimed; want %d and %d", blocks, bytes, stats.BlocksReclaimed, stats.BytesReclaimed)
	}
	if m["deepprune_tokens_saved_estimate{M}"] <= 0 {
		t.Error("no tokens saved")
	}
	if e2e, first := m["deepprune_e2e_request_latency_seconds_sum{M}"], m["deepprune_time_to_first_token_seconds_sum{M}"]; !(first > 0 && first < e2e) {
		t.Errorf("first token after %v s of %v", first, e2e)
	}
}

// TestHistogramsAgree compares the buckets that the engine's latencies give with
// their count: cumulative, and all in the last.
func TestHistogramsAgree(t *testing.T) {
	s := newServer(t, Options{}, engine.Options{})
	v := serveOn(t, listen(t), s)
	v.post(t, "/v1/completions", "", object{"model": "embedded-reasoner", "prompt": "(3 + 4) * 5", "max_tokens": 50, "ignore_eos": true, "n": 3}).Body.Close()
	waitIdle(t, s)
	_, text := fetch(t, "http://"+v.addr+"/metrics")
	bucket := regexp.MustCompile(`(?m)^(deepprune_\w+)_bucket\{.*le="([^"]+)"\} (\S+)$`)
	first := map[string]bool{"0.0001": true, "0.001": true, "1": true} // of the metrics with labels, several times
	last := make(map[string]float64)
	for _, match := range bucket.FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseFloat(match[3], 64)
		if err != nil || n < last[match[1]] && !first[match[2]] {
			t.Errorf("%s le %s: %s after %v", match[1], match[2], match[3], last[match[1]])
		}
		last[match[1]] = n
	}
	m := samples(t, text)
	if got, want := last["deepprune_inter_token_latency_seconds"], m["deepprune_inter_token_latency_seconds_count{M}"]; got != want || want != 147 {
		t.Errorf("%v tokens after others, %v counted; want 147", got, want)
	}
}

func TestTokensSaved(t *testing.T) {
	r := &engine.Result{Traces: []engine.TraceResult{
		{State: prune.Finished, Tokens: 90}, {State: prune.Length, Tokens: 110},
		{State: prune.Pruned, Tokens: 30}, {State: prune.Pruned, Tokens: 120}, {State: prune.NotStarted}, {State: prune.Cancelled, Tokens: 5},
	}}
	if got := tokensSaved(r); got != 70+0+100 {
		t.Errorf("got %v; want 170", got)
	}
	if got := tokensSaved(&engine.Result{Traces: []engine.TraceResult{{State: prune.Pruned, Tokens: 3}}}); got != 0 || math.IsNaN(got) {
		t.Errorf("none ended: %v; want 0", got)
	}
}

// TestMetricsAreDocumented compares the table in docs/server.md with the registry.
func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/server.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	row := regexp.MustCompile("(?m)^\\| `(deepprune_[a-z0-9_]+)(\\{[a-z_,]+\\})?` \\| (.*?) \\|$")
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		got = append(got, m[1]+m[2]+" "+m[3])
	}
	descs := make(chan *prometheus.Desc, 1000)
	newServer(t, Options{}, engine.Options{}).metrics.registry.Describe(descs)
	close(descs)
	form := regexp.MustCompile(`^Desc\{fqName: "(deepprune_\w+)", help: "(.*)", unit: "", constLabels: \{.*\}, variableLabels: \{(.*)\}\}$`)
	var want []string
	for d := range descs {
		m := form.FindStringSubmatch(d.String())
		if m == nil {
			continue // of the Go runtime and the process
		}
		name := m[1]
		if m[3] != "" {
			name += "{" + m[3] + "}"
		}
		want = append(want, name+" "+m[2])
	}
	slices.Sort(got)
	slices.Sort(want)
	if len(want) < 30 {
		t.Fatalf("only %d metrics found", len(want))
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			name, help, _ := strings.Cut(w, " ")
			t.Errorf("docs/server.md lacks\n| `%s` | %s |", name, help)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("docs/server.md has %q, the server does not", g)
		}
	}
}
