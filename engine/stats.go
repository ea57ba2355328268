package engine

import "deepprune/kvcache"

// Counters count what has happened since the engine started.
type Counters struct {
	TracesPruned    int64 `json:"traces_pruned"`
	BlocksReclaimed int64 `json:"blocks_reclaimed"`
	Preemptions     int64 `json:"preemptions"`
	Evictions       int64 `json:"evictions"`
	PairsJudged     int64 `json:"pairs_judged"`
}

// Stats is a moment of an engine, as of the end of its last step.
type Stats struct {
	Steps         int64   `json:"steps"`
	Groups        int     `json:"groups"` // unfinished
	Running       int     `json:"running"`
	Slots         int     `json:"slots"`
	Reasoner      PoolUse `json:"reasoner"`
	Judge         PoolUse `json:"judge"`
	UsedBytes     int64   `json:"used_bytes"`
	PeakBytes     int64   `json:"peak_bytes"`
	CapacityBytes int64   `json:"capacity_bytes"`
	Counters

	Step   Latency `json:"step"`   // duration of a step
	Cancel Latency `json:"cancel"` // from Cancel to the release of the blocks
	Reuse  Latency `json:"reuse"`  // from a prune to the step that can use its blocks
}

// PoolUse counts the blocks of one model.
type PoolUse struct {
	BlockBytes int64 `json:"block_bytes"`
	Used       int   `json:"used"`
	Cached     int   `json:"cached"` // kept for prefix reuse, free when needed
	Capacity   int   `json:"capacity"`
}

// Stats asks the step loop for the engine's state, between two steps.
func (e *Engine) Stats() Stats {
	reply := make(chan Stats, 1)
	if e.send(command{kind: commandStats, stats: reply}) {
		select {
		case s := <-reply:
			return s
		case <-e.done:
		}
	}
	<-e.done
	return e.snapshot()
}

// snapshot is called by the step loop, and by others once that has ended.
func (e *Engine) snapshot() Stats {
	s := Stats{
		Steps: e.steps, Groups: len(e.groups), Running: e.running, Slots: e.opt.Slots,
		Reasoner:  poolUse(e.pool, e.kv.BlockBytes()),
		UsedBytes: e.arena.UsedBytes(), PeakBytes: e.arena.PeakBytes(), CapacityBytes: e.kv.Arena.Bytes(),
		Counters: e.counts,
		Step:     e.lat.step.latency(), Cancel: e.lat.cancel.latency(), Reuse: e.lat.reuse.latency(),
	}
	if e.judge != nil {
		s.Judge = poolUse(e.judge.pool, e.judge.kv.BlockBytes())
	}
	return s
}

func poolUse(p *kvcache.Pool, blockBytes int64) PoolUse {
	return PoolUse{BlockBytes: blockBytes, Used: p.Used(), Cached: p.Cached(), Capacity: p.Capacity()}
}
