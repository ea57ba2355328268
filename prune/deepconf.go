package prune

import (
	"math"
	"slices"
)

// deepConf is DeepConf online (arXiv 2508.15260), a rival that needs no second
// model: a trace that has become unsure of its tokens is stopped.
//
// The confidence of a token is the mean of -log p over the 20 likeliest; that of a
// window the mean over its tokens; a trace is as good as its least confident
// window. The first traces, the warm-up, run to their end, and a quantile of what
// they are worth becomes the threshold. Of the others, one whose window falls below
// it is stopped. Those that pass it vote, with what they are worth as weight, and
// no more traces start once an answer has enough of the weight.
//
// It differs from the published method in three ways. A window is Window tokens and
// not 2,048, because traces need not be as long as the paper's. It is looked at
// four times a window and not at every token. And after the warm-up traces start in
// waves of the same size, between which the vote is looked at: it is published for
// traces that arrive one by one, and stopping those under way in the middle would
// make the tokens spent depend on the order of events.
type deepConf struct {
	settings
	opt         Options
	checkpoints []Checkpoint // the looks
}

func newDeepConf(o Options) Policy {
	p := &deepConf{opt: o, checkpoints: make([]Checkpoint, maxLooks)}
	for i := range p.checkpoints {
		p.checkpoints[i].Tokens = (i + 1) * max(1, o.Window/looks)
	}
	return p
}

const (
	// confidenceTokens is the likeliest tokens that a confidence is over.
	confidenceTokens = 20
	// looks is how often a window is looked at while it passes by once.
	looks = 4
	// maxLooks bounds the looks at a trace. Beyond, it runs on unwatched.
	maxLooks = 1024
)

func (p *deepConf) Name() string              { return "deepconf" }
func (p *deepConf) Checkpoints() []Checkpoint { return p.checkpoints }
func (p *deepConf) NeedsJudge() bool          { return false }
func (p *deepConf) ConfidenceTokens() int     { return confidenceTokens }

func (p *deepConf) New(k int) Decider {
	d := &confidences{opt: p.opt, traces: make([]confident, k), threshold: math.Inf(-1)}
	d.wave = min(k, p.opt.Warmup)
	return d
}

// confident is what is known of a trace's confidence.
type confident struct {
	ended  bool
	sums   []running // at the last looks, the newest at the end
	lowest float64   // of its windows; +Inf before the first is full
}

// running is the sum of the confidences of the first tokens.
type running struct {
	tokens int
	sum    float64
}

// confidences is the state of the policy for one group.
type confidences struct {
	opt       Options
	traces    []confident
	wave      int     // traces below may start
	open      int     // of these, those that have not ended
	threshold float64 // -Inf during the warm-up
	actions   [1]Action
}

func (d *confidences) Decide(ev Event, s *Snapshot) []Action {
	t := &d.traces[ev.Trace]
	switch ev.Kind {
	case Started:
		for i := range d.traces {
			d.traces[i].lowest = math.Inf(1)
		}
		d.open = d.wave
		return d.act(Action{Kind: Start, Trace: d.wave, Keeper: -1})
	case Reached:
		if d.look(t, &s.Traces[ev.Trace]); t.lowest < d.threshold {
			t.ended = true
			stop := Action{Kind: Stop, Trace: ev.Trace, Keeper: -1, Checkpoint: ev.Checkpoint, Score: t.lowest, Reason: ReasonUnsure}
			if d.open--; d.open > 0 {
				return d.act(stop)
			}
			return append(d.act(stop), d.next(s)...)
		}
		return d.act(Action{Kind: Resume, Trace: ev.Trace, Keeper: -1, Checkpoint: ev.Checkpoint})
	case Ended:
		if t.ended {
			return nil
		}
		if t.ended = true; ev.Trace >= d.wave { // cancelled before it could start
			return nil
		}
		d.look(t, &s.Traces[ev.Trace])
		if math.IsInf(t.lowest, 1) && s.Traces[ev.Trace].Tokens > 0 { // shorter than a window
			t.lowest = s.Traces[ev.Trace].Confidence / float64(s.Traces[ev.Trace].Tokens)
		}
		if d.open--; d.open == 0 {
			return d.next(s)
		}
	}
	return nil
}

func (d *confidences) act(a Action) []Action {
	d.actions[0] = a
	return d.actions[:]
}

// look takes in the confidence of a trace's last window, once that is full.
func (d *confidences) look(t *confident, trace *Trace) {
	now := running{trace.Tokens, trace.Confidence}
	if len(t.sums) == 0 {
		t.sums = append(t.sums, running{})
	}
	t.sums = append(t.sums, now)
	// The window begins at the last look that is a whole window ago.
	for len(t.sums) > 2 && now.tokens-t.sums[1].tokens >= d.opt.Window {
		t.sums = slices.Delete(t.sums, 0, 1)
	}
	if n := now.tokens - t.sums[0].tokens; n >= d.opt.Window {
		t.lowest = min(t.lowest, (now.sum-t.sums[0].sum)/float64(n))
	}
}

// next starts the next wave, if one is needed. All traces of those before have
// ended.
func (d *confidences) next(s *Snapshot) []Action {
	if math.IsInf(d.threshold, -1) {
		d.threshold = d.quantile(s)
	}
	if d.wave == len(d.traces) {
		return nil
	}
	if d.agreed(s) {
		return []Action{{Kind: StopRest, Trace: -1, Keeper: -1, Reason: ReasonDecided}}
	}
	from := d.wave
	d.wave = min(len(d.traces), d.wave+d.opt.Warmup)
	d.open = 0
	for _, t := range d.traces[from:d.wave] {
		if !t.ended {
			d.open++
		}
	}
	if d.open == 0 {
		return d.next(s)
	}
	return []Action{{Kind: Start, Trace: d.wave, Keeper: -1}}
}

// quantile is what the worst of the Keep best of the warm-up is worth.
func (d *confidences) quantile(s *Snapshot) float64 {
	var worth []float64
	for i := range d.traces[:d.wave] {
		if state := s.Traces[i].State; state == Finished || state == Length {
			worth = append(worth, d.traces[i].lowest)
		}
	}
	if len(worth) == 0 {
		return -math.MaxFloat64
	}
	slices.Sort(worth)
	at := (1 - d.opt.Keep) * float64(len(worth)-1)
	i := int(at)
	if i+1 == len(worth) {
		return worth[i]
	}
	return worth[i] + (at-float64(i))*(worth[i+1]-worth[i])
}

// agreed reports whether an answer has enough of the weight.
func (d *confidences) agreed(s *Snapshot) bool {
	total := 0.0
	votes := Tally(d.Votes(s), s.Traces)
	for _, v := range votes {
		total += v.Weight
	}
	return len(votes) > 0 && votes[0].Weight >= d.opt.Confidence*total
}

// Votes gives those that pass the threshold a say, with their worth as weight.
func (d *confidences) Votes(s *Snapshot) []Ballot {
	var b []Ballot
	for i := range s.Traces {
		if t := &d.traces[i]; s.Traces[i].votes() && t.lowest >= d.threshold {
			weight := t.lowest
			if !(weight > 0) || math.IsInf(weight, 0) { // no confidences are known
				weight = 1
			}
			b = append(b, Ballot{Trace: i, Weight: weight})
		}
	}
	return b
}

func (d *confidences) Clusters() []Cluster { return nil }
