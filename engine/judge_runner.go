package engine

import (
	"fmt"
	"slices"
	"time"

	"deepprune/kernels"
	"deepprune/kvcache"
	"deepprune/model"
	"deepprune/prune"
)

// judgeRunner runs the judge within the step loop: it holds the pairs that wait
// and the keepers' prefixes whose KV they share.
//
//	keeper   | head | keeper's prefix | mid |
//	pair     |        shared blocks         | trace's prefix | tail | -> score
//
// A keeper's prefix is computed in one step and its pairs in the next, all of
// them together as far as the budget goes.
type judgeRunner struct {
	*Judge
	pool    *kvcache.Pool
	kv      kernels.KV
	decoder *model.Decoder
	budget  int // rows of a step
	answers int // pairs that can end in a step

	keepers []*keeperPrefix
	pairs   []*pair // in order of asking
	asked   int     // pairs so far
	work    []judgeWork
	copies  []kvcache.Copy
	batch   kernels.Batch
	logits  []float32

	queue  kernels.Queue  // the judge's device, if it works beside the reasoner's; or nil
	scores kernels.Tensor // logits of this step's batch once it is queued, or nil
	began  time.Time      // when it was
}

// keeperPrefix is the part of the prompt that all pairs against a keeper share.
type keeperPrefix struct {
	group             *Group
	trace, checkpoint int
	tokens            []int32
	seq               *kvcache.Sequence
	computed          int
	users             int // pairs that wait for it
}

// pair is a question to the judge. Once its keeper is computed it forks it.
type pair struct {
	group    *Group
	keeper   *keeperPrefix
	trace    int
	number   int // in order of asking
	tokens   []int32
	seq      *kvcache.Sequence // nil before it is planned
	computed int               // of tokens
	answered bool
}

// judgeWork is n rows of a pair, or of its keeper if pair is nil.
type judgeWork struct {
	keeper *keeperPrefix
	pair   *pair
	n      int
}

func newJudgeRunner(dev kernels.Device, j *Judge, pool *kvcache.Pool, kv kernels.KV, budget int) (*judgeRunner, error) {
	r := &judgeRunner{Judge: j, pool: pool, kv: kv, budget: budget, answers: min(budget, 512)}
	r.logits = make([]float32, max(j.same, j.different)+1)
	r.queue, _ = j.Model.Device().(kernels.Queue)
	if j.Model.Device() == dev {
		r.queue = nil
	}
	var err error
	if r.decoder, err = j.Model.NewDecoder(budget, r.answers); err != nil {
		return nil, fmt.Errorf("engine: judge: %w", err)
	}
	return r, nil
}

// hasWork reports whether the step has judge rows. A nil runner has none.
func (r *judgeRunner) hasWork() bool { return r != nil && len(r.work) > 0 }

// hasQueue reports whether the judge works beside the reasoner. A nil runner has none.
func (r *judgeRunner) hasQueue() bool { return r != nil && r.queue != nil }

// follow has either queue go on when the other has done what it was told, where the
// judge has one of its own.
func (r *judgeRunner) follow(dev kernels.Device) {
	if r.hasQueue() {
		r.queue.Follow(dev)
	}
}

// pairBytes bounds the KV memory that one pair at any of the checkpoints needs, of
// traces of up to generated tokens. A word may be the last before the limit.
func (r *judgeRunner) pairBytes(checkpoints []prune.Checkpoint, generated int) int64 {
	tokens := 0
	for _, c := range checkpoints {
		if c.Tokens == 0 {
			c.Tokens = generated
		}
		tokens = max(tokens, min(c.Tokens, generated))
	}
	length := min(len(r.head)+len(r.mid)+len(r.tail)+2*tokens, r.Model.MaxContext())
	return pageBytes(r.kv, blocksFor(length)+1)
}

// ask queues a pair.
func (r *judgeRunner) ask(g *Group, keeper, trace, checkpoint int) error {
	if err := g.checkPair(keeper, trace, checkpoint); err != nil {
		return err
	}
	r.asked++
	p := &pair{group: g, trace: trace, number: r.asked, keeper: r.prefix(g, keeper, checkpoint)}
	p.tokens = r.traceTokens(g.traces[trace].prefix(checkpoint))
	p.keeper.users++
	g.pairs++
	r.pairs = append(r.pairs, p)
	return nil
}

// prefix finds the keeper's part of the prompt, or makes it.
func (r *judgeRunner) prefix(g *Group, keeper, checkpoint int) *keeperPrefix {
	for _, k := range r.keepers {
		if k.group == g && k.trace == keeper && k.checkpoint == checkpoint {
			return k
		}
	}
	k := &keeperPrefix{group: g, trace: keeper, checkpoint: checkpoint, tokens: r.keeperTokens(g.traces[keeper].prefix(checkpoint))}
	r.keepers = append(r.keepers, k)
	return k
}

// planJudge reserves blocks for pairs in the order in which they were asked, up
// to the judge's budget. At most one pair is cut by the budget, and it goes on in
// the next step.
func (e *Engine) planJudge() {
	r := e.judge
	r.work = r.work[:0]
	left, answers := r.budget, r.answers
	for i := 0; i < len(r.pairs); i++ { // a policy asked for room may shorten it
		if left == 0 || answers == 0 {
			break
		}
		p := r.pairs[i]
		k := p.keeper
		if k.computed < len(k.tokens) {
			planned := slices.ContainsFunc(r.work, func(w judgeWork) bool { return w.pair == nil && w.keeper == k })
			if n := min(len(k.tokens)-k.computed, left); !planned && e.reserveKeeper(p, n) {
				r.work = append(r.work, judgeWork{keeper: k, n: n})
				left -= n
			}
			continue
		}
		if p.seq == nil {
			p.seq, p.computed = k.seq.Fork(), 0
		}
		n := min(len(p.tokens)-p.computed, left)
		if !e.reserve(&r.copies, &p.seq, len(k.tokens)+p.computed+n, asker{group: p.group, trace: -1, pair: p}) {
			if p.computed == 0 {
				p.drop()
			}
			continue
		}
		r.work = append(r.work, judgeWork{keeper: k, pair: p, n: n})
		left -= n
		if p.computed+n == len(p.tokens) {
			answers--
		}
	}
	r.work = slices.DeleteFunc(r.work, func(w judgeWork) bool {
		return w.keeper.seq == nil || w.pair != nil && w.pair.seq == nil
	})
}

// reserveKeeper reserves the next n tokens of the keeper that p waits for.
func (e *Engine) reserveKeeper(p *pair, n int) bool {
	k := p.keeper
	if k.seq == nil {
		k.seq, k.computed = e.judge.pool.NewSequence(), 0
	}
	return e.reserve(&e.judge.copies, &k.seq, k.computed+n, asker{group: p.group, trace: -1, pair: p})
}

// dropStopped forgets the pairs of traces that the policy has stopped since.
func (r *judgeRunner) dropStopped() {
	r.pairs = slices.DeleteFunc(r.pairs, func(p *pair) bool {
		if p.group.traces[p.trace].state != prune.Pruned {
			return false
		}
		r.release(p)
		return true
	})
}

// release ends a pair.
func (r *judgeRunner) release(p *pair) {
	p.drop()
	p.keeper.users--
	p.group.pairs--
}

// drop gives back a pair's blocks. What was computed of it is lost.
func (p *pair) drop() {
	if p.seq != nil {
		p.seq.Release()
		p.seq, p.computed = nil, 0
	}
}

// drop gives back a keeper's blocks. It is computed again when a pair needs it.
func (k *keeperPrefix) drop() {
	if k.seq != nil {
		k.seq.Release()
		k.seq, k.computed = nil, 0
	}
}

// behind reports whether p gives way to a: pairs of younger groups do, and to a
// pair those that were asked later.
func (p *pair) behind(a asker) bool {
	return p.group.id > a.group.id || p.group == a.group && a.pair != nil && p.number > a.pair.number
}

// giveWay drops the last pair that is behind a or, when none of these holds
// blocks, the last keeper that only they wait for; false if there is none.
func (r *judgeRunner) giveWay(a asker) bool {
	var last *pair
	for _, p := range r.pairs {
		if p.seq != nil && p.behind(a) && (last == nil || p.group.id >= last.group.id) {
			last = p
		}
	}
	if last != nil {
		last.drop()
		return true
	}
	for _, k := range slices.Backward(r.keepers) {
		needed := func(p *pair) bool { return p.keeper == k && !p.behind(a) }
		if k.seq != nil && !slices.ContainsFunc(r.pairs, needed) {
			k.drop()
			return true
		}
	}
	return false
}

// forward queues the planned rows.
func (r *judgeRunner) forward() {
	r.began = time.Now()
	r.batch.Reset()
	for _, w := range r.work {
		if w.pair == nil {
			k := w.keeper
			r.batch.Add(k.tokens[k.computed:k.computed+w.n], k.computed, k.seq.Blocks(), false)
			continue
		}
		p := w.pair
		r.batch.Add(p.tokens[p.computed:p.computed+w.n], len(p.keeper.tokens)+p.computed, p.seq.Blocks(), p.computed+w.n == len(p.tokens))
	}
	r.batch.Plan()
	r.scores = r.decoder.Forward(&r.batch, r.kv)
}

// runJudge runs the planned rows, if they are not queued yet, and tells the policies
// the verdicts.
func (e *Engine) runJudge(ev *Event) {
	r := e.judge
	if !r.hasWork() {
		return
	}
	if r.scores == nil {
		r.forward()
	}
	rows := r.batch.Rows()
	row := 0
	for _, w := range r.work {
		e.account(w)
		if w.pair == nil {
			w.keeper.computed += w.n
			continue
		}
		if w.pair.computed += w.n; w.pair.computed == len(w.pair.tokens) {
			r.Model.Device().Read(r.scores, row, r.logits)
			row++
			e.verdict(w.pair, r.probability(r.logits))
		}
	}
	r.scores = nil
	ev.JudgeRows = int32(rows)
	e.counts.JudgeTokens += int64(rows)
	r.pairs = slices.DeleteFunc(r.pairs, func(p *pair) bool { return p.answered })
	nanos := time.Since(r.began).Nanoseconds()
	for _, w := range r.work {
		w.keeper.group.judgeNanos += nanos * int64(w.n) / int64(rows)
	}
	for _, g := range e.groups {
		if len(g.queue) > 0 {
			e.drain(g)
		}
	}
}

// account adds the rows of a piece of work to its group.
func (e *Engine) account(w judgeWork) {
	g, from := w.keeper.group, w.keeper.computed
	last := -1
	if w.pair != nil {
		from = len(w.keeper.tokens) + w.pair.computed
		if w.pair.computed+w.n == len(w.pair.tokens) {
			last = from + w.n - 1
		}
	}
	g.usage.JudgeTokens += w.n
	for p := from; p < from+w.n; p++ {
		g.judgeFLOPs += e.judge.Model.Config.FLOPs(p, p == last)
	}
}

// verdict records a score; the policy hears of it when all of the step are in.
func (e *Engine) verdict(p *pair, score float64) {
	g, k := p.group, p.keeper
	e.judge.release(p)
	p.answered = true
	g.usage.JudgePairs++
	e.counts.PairsJudged++
	e.emit(g, Event{Kind: EventJudged, Trace: int32(p.trace), Keeper: int32(k.trace), Score: float32(score)})
	g.queue = append(g.queue, prune.Event{Kind: prune.Judged, Trace: p.trace, Keeper: k.trace, Checkpoint: k.checkpoint, Score: score})
}

// dropIdle gives back the keepers' prefixes that no pair waits for; false if there
// are none. They are computed again if they are asked for.
func (r *judgeRunner) dropIdle() bool {
	dropped := false
	for _, k := range r.keepers {
		if k.users == 0 && k.seq != nil {
			k.drop()
			dropped = true
		}
	}
	return dropped
}

// forget drops all that concerns a group.
func (r *judgeRunner) forget(g *Group) {
	r.pairs = slices.DeleteFunc(r.pairs, func(p *pair) bool {
		if p.group == g {
			r.release(p)
		}
		return p.group == g
	})
	r.keepers = slices.DeleteFunc(r.keepers, func(k *keeperPrefix) bool {
		if k.group == g {
			k.drop()
		}
		return k.group == g
	})
	r.work = slices.DeleteFunc(r.work, func(w judgeWork) bool { return w.keeper.group == g })
}

// blocks is the number of blocks held for a group.
func (r *judgeRunner) blocks(g *Group) int {
	n := 0
	for _, k := range r.keepers {
		if k.group == g && k.seq != nil {
			n += len(k.seq.Blocks())
		}
	}
	for _, p := range r.pairs {
		if p.group == g && p.seq != nil {
			n += len(p.seq.Blocks()) - len(p.keeper.tokens)/kernels.BlockSize
		}
	}
	return n
}
