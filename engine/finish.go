package engine

import (
	"fmt"
	"time"

	"deepprune/prune"
)

// endGroup ends a group: traces that have not ended get the state rest, also those
// that could have started and waited for a slot, so that the result does not depend
// on the number of slots; those that their policy did not let start stay so. The vote
// is taken among what has finished.
func (e *Engine) endGroup(g *Group, rest prune.State, err error, warning string) {
	for i := range g.traces {
		if t := &g.traces[i]; !t.state.Ended() && (t.state != prune.NotStarted || i < g.startLimit) {
			e.endTrace(t, rest)
		}
	}
	e.forgetPairs(g)
	if g.outside != nil {
		g.outside.cancel()
	}
	g.queue = g.queue[:0]
	g.root.Release()
	g.unwatch()
	g.finished = true
	g.leaveQueue()
	e.counts.GroupsEnded++
	e.lat.group.observe(time.Since(g.submitted))
	e.stalls = 0
	for i, h := range e.groups {
		if h == g {
			e.groups = append(e.groups[:i], e.groups[i+1:]...)
			break
		}
	}
	g.show()
	g.result, g.err = e.result(g, warning), err
	e.emit(g, Event{Kind: EventDone, Keeper: -1})
	e.journal.done(Event{Group: g.id, Step: e.steps, Nanos: time.Since(e.start).Nanoseconds()}, g.result.outcome())
	g.end()
}

// result takes the vote and draws up the account of a group.
func (e *Engine) result(g *Group, warning string) *Result {
	now := time.Now()
	r := &Result{
		Schema: 1, Question: g.req.Question, Policy: g.policy.Name(), Params: g.req.Params,
		Seed: g.req.Seed, K: len(g.traces), Model: e.reasoner.Name,
		Votes: []Vote{}, Clusters: []Cluster{},
		Usage: g.usage, KV: g.kv, Time: g.timing,
	}
	info := e.dev.Info()
	r.Device = Device{Kind: info.Kind, Name: info.Name}
	r.KV.Reasoner.BlockBytes = e.kv.BlockBytes()
	if e.judge != nil {
		r.Judge = e.judge.Model.Name
		r.KV.Judge.BlockBytes = e.judge.kv.BlockBytes()
	}
	r.Time.TotalMS = milliseconds(now.Sub(g.submitted))
	if !g.planned.IsZero() {
		r.Time.QueueMS = milliseconds(g.planned.Sub(g.submitted))
	}
	if !g.prefilled.IsZero() {
		r.Time.PrefillMS = milliseconds(g.prefilled.Sub(g.submitted))
		r.Time.DecodeMS = milliseconds(now.Sub(g.prefilled))
	}
	r.Time.JudgeMS = float64(g.judgeNanos) / 1e6
	if g.reasonerFLOPs > 0 {
		r.Usage.JudgeRelativeCost = g.judgeFLOPs / (g.reasonerFLOPs / float64(g.usage.GeneratedTokens))
	}
	if l, ok := g.PromptLogProbs(); ok {
		r.PromptLogProbs = l
	}
	for i := range g.traces {
		r.Traces = append(r.Traces, g.traces[i].result())
	}
	ballots, clusters := g.verdict()
	for _, v := range prune.Tally(ballots, g.snapshot.Traces) {
		r.Votes = append(r.Votes, Vote{Answer: v.Answer, Weight: v.Weight, Traces: v.Traces})
	}
	for _, c := range clusters {
		r.Clusters = append(r.Clusters, Cluster{Keeper: c.Keeper, Members: c.Members, Answer: g.traces[c.Keeper].answer})
	}
	if len(r.Votes) > 0 {
		r.Answer = r.Votes[0].Answer
	}
	if r.Warning = warning; warning == "" {
		r.Warning = g.doubts(r)
	}
	return r
}

// outcome is the part of a result that its journal does not tell otherwise.
func (r *Result) outcome() JournalOutcome {
	return JournalOutcome{Answer: r.Answer, Warning: r.Warning, Votes: r.Votes, Clusters: r.Clusters, Usage: r.Usage, KV: r.KV}
}

// verdict asks the policy for the votes, and does without if it breaks.
func (g *Group) verdict() (ballots []prune.Ballot, clusters []prune.Cluster) {
	if g.broken != nil || g.decider == nil {
		return nil, nil
	}
	defer func() {
		if r := recover(); r != nil {
			g.broken = fmt.Errorf("policy %s: %v", g.policy.Name(), r)
		}
	}()
	return g.decider.Votes(&g.snapshot), g.decider.Clusters()
}

// doubts says why the answer should not be relied on, "" if nothing speaks
// against it.
func (g *Group) doubts(r *Result) string {
	finished, boxed := 0, 0
	for i := range g.traces {
		if t := &g.traces[i]; t.state == prune.Finished {
			finished++
			if t.boxed {
				boxed++
			}
		}
	}
	total := 0.0
	for _, v := range r.Votes {
		total += v.Weight
	}
	switch {
	case finished == 0:
		return "no trace finished; raise the token limit"
	case r.Answer == "":
		return "no trace gave an answer"
	case boxed*2 < finished:
		return "most traces did not mark an answer; it was guessed from their text"
	case len(g.traces) > 2 && r.Votes[0].Weight*2 < total:
		return fmt.Sprintf("the traces disagree: the answer has %.0f%% of the votes", 100*r.Votes[0].Weight/total)
	}
	return ""
}

// result is the trace's line in the result.
func (t *trace) result() TraceResult {
	r := TraceResult{
		Index: t.index, State: t.state, Tokens: len(t.tokens), Answer: t.answer,
		Reason: t.reason, TokenIDs: t.tokens, Text: string(t.text), LogProbs: t.logProbs, End: t.end,
	}
	if t.state == prune.Pruned {
		tokens, step := len(t.tokens), t.prunedAt
		r.PrunedAtToken, r.PrunedAtStep = &tokens, &step
		if t.keeper >= 0 {
			keeper, score := t.keeper, t.score
			r.Keeper, r.Similarity = &keeper, &score
		}
	}
	return r
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
