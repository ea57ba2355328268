package server

import (
	"testing"

	"deepprune/engine"
)

// TestEventLogForgets checks the numbers of lines when the oldest are dropped.
func TestEventLogForgets(t *testing.T) {
	l := eventLog{begun: true, base: 2}
	const traces = 4096
	total := 2
	for step := int64(1); l.base == 2; step++ {
		for i := range int32(traces) {
			l.add(nil, engine.Event{Kind: engine.EventTokens, Trace: i, Token: int32(step)})
		}
		l.add(nil, engine.Event{Kind: engine.EventStep, Step: step})
		total++
		if l.bytes > maxLog {
			t.Fatalf("%d bytes are kept", l.bytes)
		}
	}
	if l.lines() != total {
		t.Errorf("%d lines; want %d", l.lines(), total)
	}
	bytes := 0
	for n := 1; n <= total; n++ {
		line, ok := l.line(n)
		if want := n <= 2 || n > l.base; ok != want {
			t.Errorf("line %d: %v; want %v", n, ok, want)
		}
		if !ok || n <= 2 {
			continue
		}
		if line.Event.Step != int64(n-2) || len(line.Sampled) != traces || line.Sampled[5] != (engine.SampledToken{Trace: 5, Token: int32(n - 2)}) {
			t.Errorf("line %d is of step %d with %d tokens", n, line.Event.Step, len(line.Sampled))
		}
		bytes += l.entries[n-l.base-1].size()
	}
	if bytes != l.bytes {
		t.Errorf("%d bytes are counted; want %d", l.bytes, bytes)
	}
}
