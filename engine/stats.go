package engine

import (
	"slices"
	"strings"

	"deepprune/kernels"
	"deepprune/kvcache"
	"deepprune/prune"
)

// Counters count what has happened since the engine started.
type Counters struct {
	TracesPruned    int64 `json:"traces_pruned"`
	BlocksReclaimed int64 `json:"blocks_reclaimed"` // of the reasoner, by prunes
	BytesReclaimed  int64 `json:"bytes_reclaimed"`  // likewise
	Preemptions     int64 `json:"preemptions"`      // running traces that lost their blocks
	Evictions       int64 `json:"evictions"`        // held traces that did
	PairsJudged     int64 `json:"pairs_judged"`

	GroupsAccepted int64 `json:"groups_accepted"`
	GroupsEnded    int64 `json:"groups_ended"`

	// Tokens, by what was done with them. Of the PromptTokens of the groups accepted,
	// those found in the prefix cache were not computed; rows of prompts that were,
	// and those that a preempted or evicted trace had computed before, are the rest.
	PromptTokens     int64 `json:"prompt_tokens"`
	PrefillTokens    int64 `json:"prefill_tokens"`
	RecomputedTokens int64 `json:"recomputed_tokens"`
	GeneratedTokens  int64 `json:"generated_tokens"`
	JudgeTokens      int64 `json:"judge_tokens"`
	// PrefixQueries are the tokens of prompts that were looked for in the prefix
	// cache of the reasoner, PrefixHits those found.
	PrefixQueries int64 `json:"prefix_queries"`
	PrefixHits    int64 `json:"prefix_hits"`
}

// Stats is a moment of an engine, as of the end of its last step.
type Stats struct {
	Steps   int64 `json:"steps"`
	Groups  int   `json:"groups"`         // unfinished
	Waiting int   `json:"groups_waiting"` // of these, those that none of their traces has had a slot
	Running int   `json:"running"`        // traces that have a slot
	Slots   int   `json:"slots"`
	// TracesWaiting are traces that could run and have no slot, TracesHeld those that
	// wait at a checkpoint for their policy.
	TracesWaiting int     `json:"traces_waiting"`
	TracesHeld    int     `json:"traces_held"`
	PairsWaiting  int     `json:"pairs_waiting"` // for the judge
	Reasoner      PoolUse `json:"reasoner"`
	Judge         PoolUse `json:"judge"`
	UsedBytes     int64   `json:"used_bytes"`
	PeakBytes     int64   `json:"peak_bytes"`
	CapacityBytes int64   `json:"capacity_bytes"`
	Counters
	// Reclaimed is what prunes gave back, by policy and reason, in order of these.
	Reclaimed []Reclaim `json:"reclaimed"`

	Step       Latency `json:"step"`        // duration of a step
	Cancel     Latency `json:"cancel"`      // from Cancel to the release of the blocks
	Reuse      Latency `json:"reuse"`       // from a prune to the step that can use its blocks
	Queue      Latency `json:"queue"`       // of a group, from Submit to its first slot
	FirstToken Latency `json:"first_token"` // of a group, from Submit to its first token
	InterToken Latency `json:"inter_token"` // of a trace, from one token to the next
	Group      Latency `json:"group"`       // of a group, from Submit to its end
}

// Reclaim is what the prunes of a policy for a reason gave back.
type Reclaim struct {
	Policy string `json:"policy"`
	Reason string `json:"reason"`
	Traces int64  `json:"traces"`
	Blocks int64  `json:"blocks"` // of the reasoner
	Bytes  int64  `json:"bytes"`
}

// maxReclaims bounds the reasons that are told apart, since policies may make up
// theirs; what is beyond counts as the reason "other".
const maxReclaims = 64

// reclaim counts a prune.
func (e *Engine) reclaim(policy, reason string, blocks int) {
	bytes := int64(blocks) * e.kv.BlockBytes()
	e.counts.TracesPruned++
	e.counts.BlocksReclaimed += int64(blocks)
	e.counts.BytesReclaimed += bytes
	find := func(reason string) int {
		return slices.IndexFunc(e.reclaims, func(r Reclaim) bool { return r.Policy == policy && r.Reason == reason })
	}
	i := find(reason)
	if i < 0 && len(e.reclaims) >= maxReclaims {
		policy, reason = "other", "other"
		i = find(reason)
	}
	if i < 0 {
		i = len(e.reclaims)
		e.reclaims = append(e.reclaims, Reclaim{Policy: policy, Reason: reason})
	}
	r := &e.reclaims[i]
	r.Traces++
	r.Blocks += int64(blocks)
	r.Bytes += bytes
}

// PoolUse counts the blocks of one model.
type PoolUse struct {
	BlockTokens int   `json:"block_tokens"`
	BlockBytes  int64 `json:"block_bytes"`
	Used        int   `json:"used"`
	Cached      int   `json:"cached"` // kept for prefix reuse, free when needed
	Capacity    int   `json:"capacity"`
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
		Counters:  e.counts,
		Reclaimed: slices.Clone(e.reclaims),
		Step:      e.lat.step.latency(), Cancel: e.lat.cancel.latency(), Reuse: e.lat.reuse.latency(),
		Queue: e.lat.queue.latency(), FirstToken: e.lat.first.latency(), InterToken: e.lat.inter.latency(),
		Group: e.lat.group.latency(),
	}
	s.PrefixQueries, s.PrefixHits = e.pool.Prefix()
	slices.SortFunc(s.Reclaimed, func(a, b Reclaim) int {
		if c := strings.Compare(a.Policy, b.Policy); c != 0 {
			return c
		}
		return strings.Compare(a.Reason, b.Reason)
	})
	for _, g := range e.groups {
		if g.queued {
			s.Waiting++
		}
		s.TracesHeld += g.held
		s.TracesWaiting += g.live - g.slots
		for i := g.nextStart; i < min(g.startLimit, len(g.traces)); i++ {
			if g.traces[i].state == prune.NotStarted {
				s.TracesWaiting++
			}
		}
	}
	if e.judge != nil {
		s.Judge = poolUse(e.judge.pool, e.judge.kv.BlockBytes())
	}
	for _, g := range e.groups {
		s.PairsWaiting += g.pairs
	}
	return s
}

func poolUse(p *kvcache.Pool, blockBytes int64) PoolUse {
	return PoolUse{BlockTokens: kernels.BlockSize, BlockBytes: blockBytes, Used: p.Used(), Cached: p.Cached(), Capacity: p.Capacity()}
}
