package eval

import (
	"cmp"
	"slices"
)

// Report compares policies. Its JSON form is part of the command line's interface.
type Report struct {
	Header
	Device      string         `json:"device"`
	Questions   int            `json:"questions"`
	Runs        int            `json:"runs"`
	PassAt1     Mean           `json:"pass_at_1"` // of a trace of none
	Policies    []PolicyReport `json:"policies"`
	Voting      []VotingPoint  `json:"voting"` // of the first n traces of none
	Memory      []MemorySeries `json:"memory,omitempty"`
	Judging     *PrefixReport  `json:"judging,omitempty"`
	Replay      *ReplayCheck   `json:"replay,omitempty"`
	Interrupted bool           `json:"interrupted,omitempty"`
}

// PolicyReport is a contender over all questions. Ratios are to none on the same
// questions.
type PolicyReport struct {
	Policy     string `json:"policy"`
	Name       string `json:"name"`
	Questions  int    `json:"questions"`
	Replayed   bool   `json:"replayed"` // accuracy and tokens are
	K          int    `json:"k"`        // of equal-tokens: what the budget buys
	Accuracy   Mean   `json:"accuracy"`
	Difference Mean   `json:"difference_to_none"`
	PassAt1    Figure `json:"pass_at_1"` // share of right ones among the traces that ended

	Tokens        Shares `json:"tokens"` // per question
	Generated     Figure `json:"generated_over_none"`
	WithJudge     Figure `json:"with_judge_over_none"`
	JudgeTokens   Figure `json:"judge_tokens"`    // per question, as the judge counts them
	PairsPerTrace Figure `json:"pairs_per_trace"` // of the traces that started
	Started       Figure `json:"started"`         // per question
	Survivors     Figure `json:"survivors"`       // per question

	Live *LiveReport `json:"live,omitempty"`
}

// Shares are tokens in three parts: up to the checkpoint, after it, and what the
// judge's work was worth.
type Shares struct {
	Prefixes  float64 `json:"prefixes"`
	Finishers float64 `json:"finishers"`
	Judge     float64 `json:"judge"`
}

// Total is all three.
func (s Shares) Total() float64 { return s.Prefixes + s.Finishers + s.Judge }

// LiveReport is what only a live run shows.
type LiveReport struct {
	Questions      int     `json:"questions"`
	WallMS         float64 `json:"wall_ms"`
	PerMinute      Figure  `json:"questions_per_minute"`
	SpeedUp        Figure  `json:"speed_up"`
	LatencyMS      Figure  `json:"latency_ms"` // mean, of a question
	PeakBytes      Figure  `json:"peak_bytes"` // mean, of a question
	PeakMaximum    int64   `json:"peak_bytes_maximum"`
	PeakOverNone   Figure  `json:"peak_over_none"` // mean of the ratios question by question
	ByteSteps      Figure  `json:"byte_steps"`     // mean, of a question
	ByteStepsRatio Figure  `json:"byte_steps_over_none"`
}

// VotingPoint is plain voting among the first n traces.
type VotingPoint struct {
	Traces   int     `json:"traces"`
	Tokens   float64 `json:"tokens"` // per question
	Accuracy Mean    `json:"accuracy"`
}

// MemorySeries is the memory of the first question under a contender, alone.
type MemorySeries struct {
	Policy  string   `json:"policy"`
	Moments []Moment `json:"moments"`
}

// ReplayCheck compares replays with live runs of the same questions.
type ReplayCheck struct {
	Compared    int    `json:"compared"`
	Differences int    `json:"differences"`
	First       string `json:"first_difference,omitempty"`
}

// key is what two records of different contenders have in common.
type key struct {
	question string
	run      uint64
}

func (r *Record) key() key { return key{r.Question, r.Run} }

// NewReport draws up the accounts of contenders from their records. Replayed
// records, where a contender has any, give its accuracy and tokens, live ones its
// times and memory. seed is that of the intervals.
func NewReport(h Header, contenders []Contender, records []*Record, seed uint64) *Report {
	r := &Report{Header: h}
	byContender := make(map[string][2]map[key]*Record) // live, replayed
	memory := make(map[string][]Moment)
	for _, rec := range records {
		if rec.Question == "" {
			memory[rec.Contender] = rec.Memory
			continue
		}
		sides := byContender[rec.Contender]
		side := 0
		if rec.Replayed {
			side = 1
		}
		if sides[side] == nil {
			sides[side] = make(map[key]*Record)
		}
		sides[side][rec.key()] = rec
		byContender[rec.Contender] = sides
	}
	none := byContender[contenders[0].Spec]
	baseline := preferred(none)
	questions, runs := make(map[string]bool), make(map[uint64]bool)
	for k := range baseline {
		questions[k.question], runs[k.run] = true, true
	}
	r.Questions, r.Runs = len(questions), len(runs)
	for i := range contenders {
		c := &contenders[i]
		sides := byContender[c.Spec]
		if len(preferred(sides)) == 0 {
			continue
		}
		p := newPolicyReport(c, preferred(sides), baseline, seed)
		p.Replayed = len(sides[1]) > 0
		if len(sides[0]) > 0 {
			p.Live = newLiveReport(sides[0], none[0])
		}
		r.Policies = append(r.Policies, p)
		r.compare(c, sides)
		if m := memory[c.Spec]; m != nil {
			r.Memory = append(r.Memory, MemorySeries{c.Spec, m})
		}
	}
	r.PassAt1 = passAt1(baseline, seed)
	r.Voting = voting(baseline, h.K, seed)
	return r
}

// preferred are the records that accuracy and tokens are taken from.
func preferred(sides [2]map[key]*Record) map[key]*Record {
	if len(sides[1]) > 0 {
		return sides[1]
	}
	return sides[0]
}

// compare checks replays against live runs.
func (r *Report) compare(c *Contender, sides [2]map[key]*Record) {
	for _, k := range keys(sides[1]) {
		live := sides[0][k]
		if live == nil {
			continue
		}
		if r.Replay == nil {
			r.Replay = &ReplayCheck{}
		}
		r.Replay.Compared++
		if err := sides[1][k].agrees(live); err != nil {
			r.Replay.Differences++
			r.Replay.First = cmp.Or(r.Replay.First, "question "+k.question+", policy "+c.Spec+": "+err.Error())
		}
	}
}

// keys are in order, so that sums of floating-point numbers and intervals do not
// depend on the order of a map.
func keys(records map[key]*Record) []key {
	list := make([]key, 0, len(records))
	for k := range records {
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.question, b.question), cmp.Compare(a.run, b.run))
	})
	return list
}

// perQuestion averages a value over the runs of each question.
func perQuestion(records map[key]*Record, value func(key, *Record) float64) []float64 {
	var means []float64
	last, n := "", 0
	for _, k := range keys(records) {
		if len(means) == 0 || k.question != last {
			if n > 0 {
				means[len(means)-1] /= float64(n)
			}
			means = append(means, 0)
			last, n = k.question, 0
		}
		means[len(means)-1] += value(k, records[k])
		n++
	}
	if n > 0 {
		means[len(means)-1] /= float64(n)
	}
	return means
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func newPolicyReport(c *Contender, records, baseline map[key]*Record, seed uint64) PolicyReport {
	p := PolicyReport{Policy: c.Spec, Name: c.Name, PassAt1: Unknown()}
	p.Accuracy = Bootstrap(perQuestion(records, func(_ key, r *Record) float64 { return one(r.Right) }), seed)
	both := make(map[key]*Record) // with a record of none
	for k, r := range records {
		if baseline[k] != nil {
			both[k] = r
		}
	}
	p.Difference = Bootstrap(perQuestion(both, func(k key, r *Record) float64 { return one(r.Right) - one(baseline[k].Right) }), seed)
	var generated, cost, judge, noneTokens, noneCost float64
	var pairs, started, survivors, right, ended int
	questions := make(map[string]bool)
	for _, k := range keys(records) {
		r := records[k]
		questions[k.question] = true
		p.K = max(p.K, len(r.Traces))
		prefixes, finishers := r.tokens()
		p.Tokens.Prefixes += float64(prefixes)
		p.Tokens.Finishers += float64(finishers)
		p.Tokens.Judge += r.JudgeCost
		judge += float64(r.JudgeTokens)
		pairs += r.JudgePairs
		started += r.Started()
		survivors += r.Survivors()
		for i := range r.Traces {
			if s := r.Traces[i].State.State; s.Ended() && r.Traces[i].Answer != "" {
				ended++
				if r.Traces[i].Right {
					right++
				}
			}
		}
		if b := baseline[k]; b != nil {
			generated += float64(prefixes + finishers)
			cost += r.Cost()
			before, after := b.tokens()
			noneTokens += float64(before + after)
			noneCost += b.Cost()
		}
	}
	n := float64(len(records))
	p.Questions = len(questions)
	p.Tokens = Shares{p.Tokens.Prefixes / n, p.Tokens.Finishers / n, p.Tokens.Judge / n}
	p.JudgeTokens = Figure(judge / n)
	p.Generated, p.WithJudge = over(generated, noneTokens), over(cost, noneCost)
	p.PairsPerTrace = ratio(pairs, started)
	p.Started, p.Survivors = Figure(float64(started)/n), Figure(float64(survivors)/n)
	p.PassAt1 = ratio(right, ended)
	return p
}

func over(a, b float64) Figure {
	if b == 0 {
		return Unknown()
	}
	return Figure(a / b)
}

// newLiveReport compares the live records of a contender with those of none, on
// the questions that both have.
func newLiveReport(records, none map[key]*Record) *LiveReport {
	l := &LiveReport{LatencyMS: Unknown(), PeakOverNone: Unknown()}
	var latency, peak, steps, peakRatio, theirSteps, ourSteps float64
	shared := make(map[key]*Record)
	theirs := make(map[key]*Record)
	for _, k := range keys(records) {
		r := records[k]
		latency += r.TotalMS
		peak += float64(r.PeakBytes)
		steps += float64(r.ByteSteps)
		l.PeakMaximum = max(l.PeakMaximum, r.PeakBytes)
		if b := none[k]; b != nil && b.PeakBytes > 0 {
			shared[k], theirs[k] = r, b
			peakRatio += float64(r.PeakBytes) / float64(b.PeakBytes)
			ourSteps += float64(r.ByteSteps)
			theirSteps += float64(b.ByteSteps)
		}
	}
	n := float64(len(records))
	l.Questions = len(records)
	l.WallMS = wall(records)
	l.PerMinute = over(60e3*n, l.WallMS)
	l.SpeedUp = over(wall(theirs), wall(shared))
	l.LatencyMS, l.PeakBytes, l.ByteSteps = Figure(latency/n), Figure(peak/n), Figure(steps/n)
	l.PeakOverNone = over(peakRatio, float64(len(shared)))
	l.ByteStepsRatio = over(ourSteps, theirSteps)
	return l
}

// wall is the time in which at least one of the records' groups was under way, in
// milliseconds: what the set took, pauses between interrupted runs left out.
func wall(records map[key]*Record) float64 {
	type span struct{ from, to float64 }
	spans := make([]span, 0, len(records))
	for _, r := range records {
		from := float64(r.Began) / 1e3
		spans = append(spans, span{from, from + r.TotalMS})
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	total, end := 0.0, 0.0
	for _, s := range spans {
		if s.to > end {
			total += s.to - max(s.from, end)
			end = s.to
		}
	}
	return total
}

// passAt1 is the share of right ones among the traces of none: what one trace
// alone would score.
func passAt1(none map[key]*Record, seed uint64) Mean {
	return Bootstrap(perQuestion(none, func(_ key, r *Record) float64 {
		right := 0
		for i := range r.Traces {
			if r.Traces[i].Right {
				right++
			}
		}
		return float64(right) / float64(max(1, len(r.Traces)))
	}), seed)
}

// voting is what plain voting makes of the first 1, 2, 4, … traces of none: the
// curve that a policy must beat.
func voting(none map[key]*Record, k int, seed uint64) []VotingPoint {
	var points []VotingPoint
	if len(none) == 0 {
		return nil
	}
	for n := 1; ; n = min(2*n, k) {
		tokens := 0.0
		values := perQuestion(none, func(_ key, r *Record) float64 {
			first := r.Traces[:min(n, len(r.Traces))]
			for i := range first {
				tokens += float64(first[i].Tokens)
			}
			return one(plainVote(first))
		})
		points = append(points, VotingPoint{n, tokens / float64(len(none)), Bootstrap(values, seed)})
		if n == k {
			return points
		}
	}
}

// plainVote reports whether the answer most traces give is right; of equally
// frequent ones, the first given.
func plainVote(traces []Fate) bool {
	counts := make(map[JSONText]int)
	best, right := 0, false
	for i := range traces {
		if a := traces[i].Answer; a != "" {
			counts[a]++
			best = max(best, counts[a])
		}
	}
	for i := range traces {
		if a := traces[i].Answer; a != "" && counts[a] == best {
			right = traces[i].Right
			break
		}
	}
	return right
}
