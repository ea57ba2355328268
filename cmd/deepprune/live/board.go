// Package live draws a group of traces while it runs.
//
// A [Board] is the state of a group as a person sees it, folded from the engine's
// events; it counts, and [Board.Frame] draws it for a window of any size. Both are
// pure, so that a frame can be tested and the plain output can use the same
// counts. [Watch] shows a board on a terminal: one goroutine folds the events,
// the screen is redrawn from the board a fixed number of times a second, so the
// engine never waits for the terminal.
//
// A line of a frame is never wider than the window and a frame never higher.
package live

import (
	"time"

	"deepprune/cmd/deepprune/figures"
	"deepprune/engine"
	"deepprune/prune"
)

// Setup is what is known of a group before it runs.
type Setup struct {
	Question string
	Policy   string
	Traces   int
	Seed     uint64
	Device   string // "cpu avx512", say
	// KVBytes is the memory for KV blocks, and BlockBytes and JudgeBlockBytes are
	// the sizes of a block of the reasoner and of the judge.
	KVBytes, BlockBytes, JudgeBlockBytes int64
	// Threshold is the judge's score above which a trace is drawn in the colour of
	// a keeper, before the policy has decided.
	Threshold float64
	// Text decodes generated tokens; nil draws no text.
	Text func(ids []int32) string
	// Answer extracts the answer of a whole trace; nil shows answers at the end only.
	Answer func(text string) string
}

// Board is a group as a person sees it. It is used by one goroutine at a time.
type Board struct {
	Setup
	// Elapsed is shown as the running time.
	Elapsed time.Duration

	lanes  []lane
	counts Counts
	first  int64 // Nanos of the first event
	scale  float64
	hues   map[int]int    // hue of a keeper
	voices map[string]int // hue of an answer
	hueN   int            // hues given out
	result *engine.Result
}

// lane is one trace.
type lane struct {
	state   prune.State
	tokens  int
	keeper  int // that it was pruned in favour of, -1 for none
	score   float64
	cluster int     // keeper of the cluster the judge sees it in, -1 for none or its own
	likely  float64 // the score that says so
	reason  string
	answer  string
	away    bool // preempted or evicted: its blocks are gone for now
	ids     []int32
	members int // traces pruned in its favour
}

// Counts are the sums a board keeps.
type Counts struct {
	Step  int64
	Nanos int64 // since the group's first event

	Waiting, Running, Held, Finished, Pruned, Other int // traces by state

	Tokens int // generated
	Pairs  int // judged
	// Saved estimates the tokens that pruned traces would have gone on to
	// generate: as many as those that have ended have on average.
	Saved int

	Blocks, JudgeBlocks int   // in use by the whole engine
	Bytes, PeakBytes    int64 // the same, and its peak
	Reclaimed           int   // reasoner blocks given back by prunes
	ReclaimedBytes      int64
	Preempted, Evicted  int
}

// NewBoard returns the board of a group that has not begun.
func NewBoard(s Setup) *Board {
	s.Question = figures.Line(s.Question)
	b := &Board{
		Setup:  s,
		lanes:  make([]lane, s.Traces),
		hues:   make(map[int]int),
		voices: make(map[string]int),
		first:  -1,
		scale:  firstScale,
	}
	for i := range b.lanes {
		b.lanes[i].keeper, b.lanes[i].cluster = -1, -1
	}
	return b
}

// Apply folds an event in. Events of traces the board does not have are ignored,
// and so is what comes after Finish: the result holds it already.
func (b *Board) Apply(ev engine.Event) {
	if b.result != nil {
		return
	}
	if b.first < 0 {
		b.first = ev.Nanos
	}
	b.counts.Step = max(b.counts.Step, ev.Step)
	b.counts.Nanos = max(b.counts.Nanos, ev.Nanos-b.first)
	if ev.Kind == engine.EventStep {
		b.counts.Blocks, b.counts.JudgeBlocks = int(ev.Blocks), int(ev.JudgeBlocks)
		b.counts.Bytes = ev.Bytes
		b.counts.PeakBytes = max(b.counts.PeakBytes, ev.Bytes)
		return
	}
	if int(ev.Trace) >= len(b.lanes) || ev.Trace < 0 {
		return
	}
	l := &b.lanes[ev.Trace]
	switch ev.Kind {
	case engine.EventStarted:
		l.state, l.away = prune.Running, false
	case engine.EventTokens:
		l.grow(int(ev.Tokens))
		l.state, l.away = prune.Running, false
		if b.Text != nil {
			l.ids = append(l.ids, ev.Token)
		}
	case engine.EventHeld:
		l.state = prune.Held
	case engine.EventResumed:
		l.state = prune.Running
		if l.cluster < 0 {
			b.keep(int(ev.Trace))
		}
	case engine.EventJudged:
		b.counts.Pairs++
		// Keepers come before those who join them, so there are no circles.
		if s := float64(ev.Score); s > max(b.Threshold, l.likely) && ev.Keeper >= 0 && ev.Keeper < ev.Trace {
			l.cluster, l.likely = int(ev.Keeper), s
			b.keep(b.root(l.cluster))
		}
	case engine.EventPruned:
		l.grow(int(ev.Tokens))
		b.prune(l, int(ev.Keeper), float64(ev.Score), ev.Reason)
		b.counts.Reclaimed += int(ev.Blocks)
		b.counts.ReclaimedBytes += ev.Bytes
	case engine.EventEnded:
		l.grow(int(ev.Tokens))
		b.end(l, prune.State(ev.State))
	case engine.EventPreempted:
		l.away = true
		b.counts.Preempted++
	case engine.EventEvicted:
		l.away = true
		b.counts.Evicted++
	}
}

// grow sets the length of a trace; a count of 0 is an event that does not say.
func (l *lane) grow(tokens int) { l.tokens = max(l.tokens, tokens) }

func (b *Board) prune(l *lane, keeper int, score float64, reason string) {
	l.state, l.away = prune.Pruned, false
	l.keeper, l.score, l.reason = -1, score, figures.Line(reason)
	if keeper < 0 || keeper >= len(b.lanes) {
		return
	}
	l.keeper = keeper
	b.lanes[keeper].members++
	b.keep(keeper)
}

func (b *Board) end(l *lane, s prune.State) {
	if l.state == prune.Pruned || s > prune.Failed {
		return
	}
	l.state, l.away = s, false
	if (s == prune.Finished || s == prune.Length) && b.Text != nil && b.Answer != nil && len(l.ids) == l.tokens {
		l.answer = figures.Line(b.Answer(b.Text(l.ids)))
	}
}

// keep makes a trace the keeper of its own cluster, which gives it a hue.
func (b *Board) keep(i int) {
	if _, ok := b.hues[i]; !ok {
		b.hues[i] = b.hueN
		b.hueN++
	}
}

// root is the keeper of a trace's cluster, itself if it is in none.
func (b *Board) root(i int) int {
	for range b.lanes {
		l := &b.lanes[i]
		switch {
		case l.state == prune.Pruned && l.keeper >= 0:
			i = l.keeper
		case l.cluster >= 0:
			i = l.cluster
		default:
			return i
		}
	}
	return i
}

// hue is the colour of a trace: that of its answer, or of its keeper's answer, or
// of its cluster while there is none; -1 if it has neither.
func (b *Board) hue(i int) int {
	root := b.root(i)
	own, ok := b.hues[root]
	if !ok {
		own = -1
	}
	answer := b.lanes[i].answer
	if answer == "" {
		answer = b.lanes[root].answer
	}
	if answer == "" {
		return own
	}
	return b.voice(answer, own)
}

// voice is the hue of an answer. The first time it is heard it takes the one
// proposed, unless that is another answer's.
func (b *Board) voice(answer string, proposed int) int {
	hue, heard := b.voices[answer]
	if heard {
		return hue
	}
	for _, taken := range b.voices {
		if taken == proposed {
			proposed = -1
		}
	}
	if proposed < 0 {
		proposed = b.hueN
		b.hueN++
	}
	b.voices[answer] = proposed
	return proposed
}

// Hue is the colour an answer has in the frames drawn so far, -1 for none.
func (b *Board) Hue(answer string) int {
	if hue, ok := b.voices[answer]; ok {
		return hue
	}
	return -1
}

// Finish replaces what the events told by the result of the group, so that the
// last frame is exact even if events were lost.
func (b *Board) Finish(res *engine.Result) {
	b.result = res
	for i := range b.lanes {
		b.lanes[i].members, b.lanes[i].cluster = 0, -1
	}
	for _, c := range res.Clusters {
		for _, i := range c.Members {
			if i != c.Keeper && i >= 0 && i < len(b.lanes) && c.Keeper >= 0 && c.Keeper < len(b.lanes) {
				b.lanes[i].cluster = c.Keeper
			}
		}
	}
	for _, t := range res.Traces {
		if t.Index < 0 || t.Index >= len(b.lanes) {
			continue
		}
		l := &b.lanes[t.Index]
		l.tokens, l.answer, l.away = t.Tokens, figures.Line(t.Answer), false
		l.state = t.State
		if t.State == prune.Pruned {
			keeper, score := -1, 0.0
			if t.Keeper != nil {
				keeper = *t.Keeper
			}
			if t.Similarity != nil {
				score = *t.Similarity
			}
			b.prune(l, keeper, score, t.Reason)
		}
	}
	b.counts.Pairs = res.Usage.JudgePairs
	b.counts.Reclaimed = res.KV.Reasoner.ReclaimedBlocks
	b.counts.ReclaimedBytes = res.KV.ReclaimedBytes
	b.counts.PeakBytes = max(b.counts.PeakBytes, res.KV.PeakBytes)
	b.counts.Blocks, b.counts.JudgeBlocks, b.counts.Bytes = 0, 0, 0
	b.Elapsed = time.Duration(res.Time.TotalMS * float64(time.Millisecond))
	b.scale = float64(max(b.longest(), 1))
}

// Counts sums up the board.
func (b *Board) Counts() Counts {
	c := b.counts
	var ended, pruned []int
	for i := range b.lanes {
		l := &b.lanes[i]
		c.Tokens += l.tokens
		switch l.state {
		case prune.NotStarted:
			c.Waiting++
		case prune.Running:
			c.Running++
		case prune.Held:
			c.Held++
		case prune.Finished, prune.Length:
			c.Finished++
			ended = append(ended, l.tokens)
		case prune.Pruned:
			c.Pruned++
			pruned = append(pruned, l.tokens)
		default:
			c.Other++
		}
	}
	mean, ok := Mean(ended)
	if !ok {
		// Nothing has ended: the longest trace is what the others would have
		// reached at least.
		mean = float64(b.longest())
	}
	saved := 0.0
	for _, n := range pruned {
		saved += mean - float64(n)
	}
	if b.result != nil {
		// Whoever has not started by now never will.
		saved += mean * float64(c.Waiting)
	}
	c.Saved = max(0, int(saved))
	return c
}

// Mean is the mean of lengths; false if there are none.
func Mean(lengths []int) (float64, bool) {
	if len(lengths) == 0 {
		return 0, false
	}
	sum := 0
	for _, n := range lengths {
		sum += n
	}
	return float64(sum) / float64(len(lengths)), true
}

func (b *Board) longest() int {
	n := 0
	for i := range b.lanes {
		n = max(n, b.lanes[i].tokens)
	}
	return n
}

// leading is the answer ahead among the traces that have ended, each with the
// weight of its cluster, and its share of the weight so far.
func (b *Board) leading() (answer string, share float64) {
	if b.result != nil {
		total, best := 0.0, 0.0
		for _, v := range b.result.Votes {
			total += v.Weight
			if v.Answer == b.result.Answer {
				best = v.Weight
			}
		}
		if total == 0 {
			return figures.Line(b.result.Answer), 0
		}
		return figures.Line(b.result.Answer), best / total
	}
	weights := make(map[string]int)
	total := 0
	for i := range b.lanes {
		l := &b.lanes[i]
		if l.answer == "" {
			continue
		}
		weights[l.answer] += 1 + l.members
		total += 1 + l.members
		// In order of index, so ties go to the answer that was first.
		if weights[l.answer] > weights[answer] {
			answer = l.answer
		}
	}
	if total == 0 {
		return "", 0
	}
	return answer, float64(weights[answer]) / float64(total)
}

// firstScale is the length, in tokens, that fills a lane at first.
const firstScale = 48

// Ease moves the scale of the lanes towards the longest trace, in steps of half an
// octave; dt is the time since the last frame.
func (b *Board) Ease(dt time.Duration) {
	if b.result != nil {
		return
	}
	target := float64(firstScale)
	for step := 0; target < 1.05*float64(b.longest()); step++ {
		if step%2 == 0 {
			target *= 4.0 / 3
		} else {
			target *= 3.0 / 2
		}
	}
	// A fifth of a second to close most of the distance: the eye follows.
	b.scale += (target - b.scale) * min(1, dt.Seconds()/0.1)
}
