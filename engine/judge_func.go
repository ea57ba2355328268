package engine

import (
	"context"
	"fmt"

	"deepprune/prune"
)

// JudgeFunc is a judge that is not a model: it scores pairs of unfinished traces of
// a question, each the probability that both end in the same answer. It is called on
// a goroutine of its own, so it may take its time and ask others: the traces that it
// is not asked about go on meanwhile. A group has one call under way at most; what
// its policy asks in between is gathered for the next one.
//
// ctx ends with the group. An error, or a wrong number of scores, breaks the group.
// For decisions that do not depend on how a group was run a score must depend on the
// question and the pair alone.
type JudgeFunc func(ctx context.Context, question string, pairs []Pair) (scores []float64, err error)

// outsideJudge is the pairs of a group that wait for its JudgeFunc. Owned by the step
// loop.
type outsideJudge struct {
	ask      JudgeFunc
	ctx      context.Context
	cancel   context.CancelFunc
	waiting  []outsidePair
	underWay []outsidePair // of the call under way; nil: none
	void     bool          // nobody wants what that call says any more
}

type outsidePair struct{ keeper, trace, checkpoint int }

// newOutsideJudge is nil for a request without a JudgeFunc.
func newOutsideJudge(ctx context.Context, r *Request) *outsideJudge {
	if r.Judge == nil {
		return nil
	}
	j := &outsideJudge{ask: r.Judge}
	j.ctx, j.cancel = context.WithCancel(ctx)
	return j
}

// askOutside queues a pair for the group's JudgeFunc.
func (g *Group) askOutside(keeper, trace, checkpoint int) error {
	if err := g.checkPair(keeper, trace, checkpoint); err != nil {
		return err
	}
	g.pairs++
	g.outside.waiting = append(g.outside.waiting, outsidePair{keeper, trace, checkpoint})
	return nil
}

// checkPair refuses a pair that cannot be judged: both traces must be there and have
// reached the checkpoint, or ended before it.
func (g *Group) checkPair(keeper, trace, checkpoint int) error {
	for _, i := range []int{keeper, trace} {
		if i < 0 || i >= len(g.traces) {
			return fmt.Errorf("asked to judge trace %d of %d", i, len(g.traces))
		}
		if t := &g.traces[i]; checkpoint < 0 || checkpoint >= len(g.checkpoints) || checkpoint >= len(t.marks) && !t.state.Ended() {
			return fmt.Errorf("asked to judge trace %d, which has not reached checkpoint %d", i, checkpoint)
		}
	}
	return nil
}

// callJudges starts the calls of the groups that have pairs waiting and none under
// way.
func (e *Engine) callJudges() {
	for _, g := range e.groups {
		j := g.outside
		if j == nil || len(j.waiting) == 0 || j.underWay != nil {
			continue
		}
		j.underWay, j.waiting = j.waiting, nil
		pairs := make([]Pair, len(j.underWay))
		for i, p := range j.underWay {
			pairs[i] = Pair{g.traces[p.keeper].prefix(p.checkpoint), g.traces[p.trace].prefix(p.checkpoint)}
		}
		go func() {
			c := command{kind: commandVerdicts, group: g}
			c.scores, c.err = j.call(g.req.Question, pairs)
			e.send(c)
		}()
	}
}

// call asks the function, and takes a panic for an error.
func (j *outsideJudge) call(question string, pairs []Pair) (scores []float64, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	scores, err = j.ask(j.ctx, question, pairs)
	if err == nil && len(scores) != len(pairs) {
		err = fmt.Errorf("%d scores for %d pairs", len(scores), len(pairs))
	}
	return scores, err
}

// verdicts takes in what a JudgeFunc returned. Of traces that the policy has stopped
// meanwhile nothing is said.
func (e *Engine) verdicts(g *Group, scores []float64, err error) {
	j := g.outside
	pairs := j.underWay
	j.underWay = nil
	if j.void {
		j.void = false
		return
	}
	g.pairs -= len(pairs)
	if err != nil {
		g.broken = fmt.Errorf("judge: %w", err)
		return
	}
	for i, p := range pairs {
		if g.traces[p.trace].state == prune.Pruned {
			continue
		}
		g.usage.JudgePairs++
		e.counts.PairsJudged++
		e.emit(g, Event{Kind: EventJudged, Trace: int32(p.trace), Keeper: int32(p.keeper), Score: float32(scores[i])})
		g.queue = append(g.queue, prune.Event{Kind: prune.Judged, Trace: p.trace, Keeper: p.keeper, Checkpoint: p.checkpoint, Score: scores[i]})
	}
	e.drain(g)
}

// forget drops all that a group has asked. A nil judge has nothing.
func (j *outsideJudge) forget(g *Group) {
	if j == nil {
		return
	}
	g.pairs -= len(j.waiting)
	j.waiting = nil
	if j.underWay != nil && !j.void {
		g.pairs -= len(j.underWay)
		j.void = true
	}
}

// awaitsJudge reports whether a JudgeFunc is at work that somebody waits for.
func (e *Engine) awaitsJudge() bool {
	for _, g := range e.groups {
		if g.outside != nil && g.outside.underWay != nil && !g.outside.void {
			return true
		}
	}
	return false
}
