package server

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"deepprune/engine"
)

// engineCollector asks the engine for its state whenever the metrics are looked at,
// which costs it a copy between two steps.
type engineCollector struct {
	stats func() engine.Stats
}

// engineValue is a metric with one value.
type engineValue struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*engine.Stats) float64
}

// engineLatency is a metric that is a distribution.
type engineLatency struct {
	desc   *prometheus.Desc
	bounds []float64 // seconds
	value  func(*engine.Stats) engine.Latency
}

func newDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+"_"+name, help, labels, nil)
}

func gauge(name, help string, value func(*engine.Stats) float64) engineValue {
	return engineValue{newDesc(name, help), prometheus.GaugeValue, value}
}

func counter(name, help string, value func(*engine.Stats) int64) engineValue {
	return engineValue{newDesc(name, help), prometheus.CounterValue, func(s *engine.Stats) float64 { return float64(value(s)) }}
}

var engineValues = []engineValue{
	gauge("num_requests_running", "Groups of which a trace has had a slot.", func(s *engine.Stats) float64 { return float64(s.Groups - s.Waiting) }),
	gauge("num_requests_waiting", "Groups of which no trace has had a slot yet.", func(s *engine.Stats) float64 { return float64(s.Waiting) }),
	gauge("num_traces_running", "Traces that have a slot.", func(s *engine.Stats) float64 { return float64(s.Running) }),
	gauge("num_traces_waiting", "Traces that could run and have no slot.", func(s *engine.Stats) float64 { return float64(s.TracesWaiting) }),
	gauge("num_traces_held", "Traces at a checkpoint, that wait for their policy.", func(s *engine.Stats) float64 { return float64(s.TracesHeld) }),
	gauge("num_judge_pairs_waiting", "Pairs that wait for the judge.", func(s *engine.Stats) float64 { return float64(s.PairsWaiting) }),
	gauge("slots", "Traces that can decode at once.", func(s *engine.Stats) float64 { return float64(s.Slots) }),
	gauge("kv_cache_usage_perc", "KV memory in use, of reasoner and judge; 1 is all of it.", func(s *engine.Stats) float64 { return share(s.UsedBytes, s.CapacityBytes) }),
	gauge("kv_cache_bytes_used", "KV memory in use.", func(s *engine.Stats) float64 { return float64(s.UsedBytes) }),
	gauge("kv_cache_bytes_capacity", "KV memory there is.", func(s *engine.Stats) float64 { return float64(s.CapacityBytes) }),
	gauge("kv_cache_bytes_peak", "Most KV memory that was in use since the start.", func(s *engine.Stats) float64 { return float64(s.PeakBytes) }),
	counter("steps_total", "Steps of the engine.", func(s *engine.Stats) int64 { return s.Steps }),
	counter("prompt_tokens_total", "Prompt tokens of the groups accepted.", func(s *engine.Stats) int64 { return s.PromptTokens }),
	counter("generation_tokens_total", "Tokens generated, those of pruned traces included.", func(s *engine.Stats) int64 { return s.GeneratedTokens }),
	counter("prefill_tokens_total", "Prompt tokens computed: not found in the prefix cache.", func(s *engine.Stats) int64 { return s.PrefillTokens }),
	counter("recomputed_tokens_total", "Tokens computed again after a preemption or an eviction.", func(s *engine.Stats) int64 { return s.RecomputedTokens }),
	counter("prefix_cache_queries_total", "Prompt tokens looked for in the prefix cache.", func(s *engine.Stats) int64 { return s.PrefixQueries }),
	counter("prefix_cache_hits_total", "Prompt tokens found there.", func(s *engine.Stats) int64 { return s.PrefixHits }),
	counter("num_preemptions_total", "Running traces that lost their blocks to others, and were computed again.", func(s *engine.Stats) int64 { return s.Preemptions }),
	counter("num_evictions_total", "Held traces that lost their blocks to others.", func(s *engine.Stats) int64 { return s.Evictions }),
	counter("judge_tokens_total", "Tokens the judge computed.", func(s *engine.Stats) int64 { return s.JudgeTokens }),
	counter("judge_pairs_total", "Pairs of traces the judge scored.", func(s *engine.Stats) int64 { return s.PairsJudged }),
}

var engineLatencies = []engineLatency{
	{newDesc("time_to_first_token_seconds", "Time from a group's arrival to its first token."), secondBuckets, func(s *engine.Stats) engine.Latency { return s.FirstToken }},
	{newDesc("inter_token_latency_seconds", "Time from a trace's token to its next."), stepBuckets, func(s *engine.Stats) engine.Latency { return s.InterToken }},
	{newDesc("e2e_request_latency_seconds", "Time from a group's arrival to its end."), secondBuckets, func(s *engine.Stats) engine.Latency { return s.Group }},
	{newDesc("request_queue_time_seconds", "Time from a group's arrival to its first slot, the prefill of its prompt included."), secondBuckets, func(s *engine.Stats) engine.Latency { return s.Queue }},
	{newDesc("step_seconds", "Time of a step of the engine."), stepBuckets, func(s *engine.Stats) engine.Latency { return s.Step }},
	{newDesc("cancel_seconds", "Time from the cancel of a group or trace to the release of its blocks."), stepBuckets, func(s *engine.Stats) engine.Latency { return s.Cancel }},
	{newDesc("prune_to_reuse_seconds", "Time from a prune to the step that can use its blocks."), stepBuckets, func(s *engine.Stats) engine.Latency { return s.Reuse }},
}

var (
	prunedDesc         = newDesc("traces_pruned_total", "Traces stopped by their policy.", "policy")
	reclaimedBlocks    = newDesc("kv_blocks_reclaimed_total", "Blocks of the reasoner that prunes gave back.", "reason")
	reclaimedBytesDesc = newDesc("kv_bytes_reclaimed_total", "KV memory that prunes gave back.", "reason")
	cacheConfig        = newDesc("cache_config_info", "Block size, in tokens, and number of the reasoner's KV blocks, in labels; 1.", "block_size", "num_gpu_blocks")
)

// Describe is a method of prometheus.Collector.
func (c *engineCollector) Describe(out chan<- *prometheus.Desc) {
	for i := range engineValues {
		out <- engineValues[i].desc
	}
	for i := range engineLatencies {
		out <- engineLatencies[i].desc
	}
	for _, d := range []*prometheus.Desc{prunedDesc, reclaimedBlocks, reclaimedBytesDesc, cacheConfig} {
		out <- d
	}
}

// Collect is a method of prometheus.Collector.
func (c *engineCollector) Collect(out chan<- prometheus.Metric) {
	s := c.stats()
	for i := range engineValues {
		n := &engineValues[i]
		out <- prometheus.MustNewConstMetric(n.desc, n.kind, n.value(&s))
	}
	for i := range engineLatencies {
		d := &engineLatencies[i]
		out <- distribution(d, d.value(&s))
	}
	traces := make(map[string]int64)
	type freed struct{ blocks, bytes int64 }
	reasons := make(map[string]freed)
	for _, r := range s.Reclaimed {
		traces[r.Policy] += r.Traces
		f := reasons[r.Reason]
		reasons[r.Reason] = freed{f.blocks + r.Blocks, f.bytes + r.Bytes}
	}
	for policy, n := range traces {
		out <- prometheus.MustNewConstMetric(prunedDesc, prometheus.CounterValue, float64(n), policy)
	}
	for reason, f := range reasons {
		out <- prometheus.MustNewConstMetric(reclaimedBlocks, prometheus.CounterValue, float64(f.blocks), reason)
		out <- prometheus.MustNewConstMetric(reclaimedBytesDesc, prometheus.CounterValue, float64(f.bytes), reason)
	}
	out <- prometheus.MustNewConstMetric(cacheConfig, prometheus.GaugeValue, 1,
		strconv.Itoa(s.Reasoner.BlockTokens), strconv.Itoa(s.Reasoner.Capacity))
}

// distribution is a latency with the buckets of its metric.
func distribution(d *engineLatency, l engine.Latency) prometheus.Metric {
	buckets := make(map[float64]uint64, len(d.bounds))
	for _, bound := range d.bounds {
		buckets[bound] = uint64(l.AtMost(time.Duration(bound * 1e9)))
	}
	return prometheus.MustNewConstHistogram(d.desc, uint64(l.Count), l.Sum.Seconds(), buckets)
}

func share(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
