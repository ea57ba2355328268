package main

import "deepprune/engine"

// memoryPoint is the KV memory after a step of a group, counted from its first.
type memoryPoint struct {
	step      int
	bytes     int64 // in use by the engine
	reclaimed int64 // given back by prunes so far
}

// memorySeries follows a group's events to their end.
func memorySeries(events <-chan engine.Event) []memoryPoint {
	var series []memoryPoint
	reclaimed := int64(0)
	for ev := range events {
		switch ev.Kind {
		case engine.EventPruned:
			reclaimed += ev.Bytes
		case engine.EventStep:
			series = append(series, memoryPoint{len(series) + 1, ev.Bytes, reclaimed})
		}
	}
	return series
}

// memoryRow is a step of both sides. Avoided is what the unpruned run held more.
type memoryRow struct {
	Step           int   `json:"step"`
	OffBytes       int64 `json:"off_bytes"`
	OnBytes        int64 `json:"on_bytes"`
	AvoidedBytes   int64 `json:"avoided_bytes"`
	ReclaimedBytes int64 `json:"reclaimed_bytes"` // so far
}

// compareMemory lines the two sides up by step, in at most n rows that are evenly
// spaced and include the last. A side that has ended holds nothing.
func compareMemory(off, on []memoryPoint, n int) []memoryRow {
	steps := max(len(off), len(on))
	n = min(n, steps)
	rows := make([]memoryRow, 0, n)
	for i := range n {
		step := (i + 1) * steps / n
		row := memoryRow{Step: step}
		if step <= len(off) {
			row.OffBytes = off[step-1].bytes
		}
		if step <= len(on) {
			row.OnBytes = on[step-1].bytes
		}
		if len(on) > 0 {
			row.ReclaimedBytes = on[min(step, len(on))-1].reclaimed
		}
		row.AvoidedBytes = row.OffBytes - row.OnBytes
		rows = append(rows, row)
	}
	return rows
}
