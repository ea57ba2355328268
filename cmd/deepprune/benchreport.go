package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"deepprune/cmd/deepprune/figures"
	"deepprune/engine"
	"deepprune/kernels"
	"deepprune/prune"
)

// benchReport is what bench found. Its JSON form is part of the command line's
// interface.
type benchReport struct {
	Schema    int           `json:"schema"`
	Questions int           `json:"questions"`
	Seeds     int           `json:"seeds"`
	K         int           `json:"k"`
	Policy    string        `json:"policy"`
	Params    engine.Params `json:"params"`
	Model     string        `json:"model"`
	Judge     string        `json:"judge"`
	Device    kernels.Info  `json:"device"`

	Off       benchSide  `json:"off"`
	On        benchSide  `json:"on"`
	OnOverOff benchRatio `json:"on_over_off"`

	SurvivorsIdentical bool       `json:"survivors_identical"`
	Compared           comparison `json:"compared"`
	FirstDifference    string     `json:"first_difference,omitempty"`

	// Memory is the KV memory of the first run over time: of a policy that measures
	// shapes, when groups run one at a time.
	Memory []memoryRow `json:"memory,omitempty"`
}

// benchSide is the sums over the runs of one side.
type benchSide struct {
	GeneratedTokens int     `json:"generated_tokens"`
	JudgeTokens     int     `json:"judge_tokens"`
	JudgePairs      int     `json:"judge_pairs"`
	TokensWithJudge int     `json:"tokens_with_judge"` // generated and the judge's
	CostWithJudge   float64 `json:"cost_with_judge"`   // in tokens of the reasoner
	WallMS          float64 `json:"wall_ms"`
	PeakBytes       int64   `json:"peak_bytes"` // of the largest group
	ReclaimedBytes  int64   `json:"reclaimed_bytes"`
	ByteSteps       int64   `json:"byte_steps"`
	TracesPruned    int     `json:"traces_pruned"`
	NeverStarted    int     `json:"traces_never_started"`

	// Accuracies are over the runs whose answer is known, null without any.
	// TraceAccuracy is the share of right answers among single finished traces.
	Accuracy      *float64 `json:"accuracy"`
	TraceAccuracy *float64 `json:"trace_accuracy"`
	Correct       int      `json:"correct"`
	Known         int      `json:"known"`

	Latency map[string]benchLatency `json:"latency"`
}

// benchLatency is a distribution in milliseconds.
type benchLatency struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
}

// benchRatio is pruning on over off; 0 where off is 0.
type benchRatio struct {
	GeneratedTokens float64 `json:"generated_tokens"`
	TokensWithJudge float64 `json:"tokens_with_judge"`
	CostWithJudge   float64 `json:"cost_with_judge"`
	Wall            float64 `json:"wall"`
	PeakBytes       float64 `json:"peak_bytes"`
	ByteSteps       float64 `json:"byte_steps"`
}

// maxMemoryRows bounds the rows of memory over time in the JSON form.
const maxMemoryRows = 512

func newBenchReport(jobs []job, req engine.Request, d description, off, on *runs) *benchReport {
	first := on.results[0]
	r := &benchReport{
		Schema: 1, K: req.Traces, Policy: req.Policy.Name(), Params: first.Params,
		Model: first.Model, Judge: first.Judge, Device: d.Device,
		Off: newBenchSide(jobs, off), On: newBenchSide(jobs, on),
	}
	seeds := make(map[uint64]bool)
	for i, j := range jobs {
		seeds[j.seed] = true
		r.Compared.add(j.name, off.results[i], on.results[i])
	}
	r.Questions, r.Seeds = len(jobs)/len(seeds), len(seeds)
	r.SurvivorsIdentical = r.Compared.identical()
	r.FirstDifference = r.Compared.first
	a, b := r.Off, r.On
	r.OnOverOff = benchRatio{
		GeneratedTokens: over(b.GeneratedTokens, a.GeneratedTokens),
		TokensWithJudge: over(b.TokensWithJudge, a.TokensWithJudge),
		CostWithJudge:   over(b.CostWithJudge, a.CostWithJudge),
		Wall:            over(b.WallMS, a.WallMS),
		PeakBytes:       over(b.PeakBytes, a.PeakBytes),
		ByteSteps:       over(b.ByteSteps, a.ByteSteps),
	}
	return r
}

func over[T int | int64 | float64](a, b T) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func newBenchSide(jobs []job, r *runs) benchSide {
	s := benchSide{WallMS: milliseconds(r.wall), Latency: make(map[string]benchLatency)}
	traces, right := 0, 0
	for i, res := range r.results {
		u := res.Usage
		s.GeneratedTokens += u.GeneratedTokens
		s.JudgeTokens += u.JudgeTokens
		s.JudgePairs += u.JudgePairs
		s.CostWithJudge += float64(u.GeneratedTokens) + u.JudgeRelativeCost
		s.PeakBytes = max(s.PeakBytes, res.KV.PeakBytes)
		s.ReclaimedBytes += res.KV.ReclaimedBytes
		s.ByteSteps += res.KV.ByteSteps
		want := jobs[i].Answer
		if want != "" {
			s.Known++
			if prune.Normalise(res.Answer) == want {
				s.Correct++
			}
		}
		for _, t := range res.Traces {
			switch t.State {
			case prune.Pruned:
				s.TracesPruned++
			case prune.NotStarted:
				s.NeverStarted++
			}
			if want != "" && (t.State == prune.Finished || t.State == prune.Length) {
				traces++
				if prune.Normalise(t.Answer) == want {
					right++
				}
			}
		}
	}
	s.TokensWithJudge = s.GeneratedTokens + s.JudgeTokens
	s.Accuracy, s.TraceAccuracy = share(s.Correct, s.Known), share(right, traces)
	for name, l := range map[string]engine.Latency{"step": r.stats.Step, "cancel": r.stats.Cancel, "reuse": r.stats.Reuse} {
		if l.Count > 0 {
			s.Latency[name] = benchLatency{l.Count, milliseconds(l.P50), milliseconds(l.P99)}
		}
	}
	return s
}

func share(n, of int) *float64 {
	if of == 0 {
		return nil
	}
	x := float64(n) / float64(of)
	return &x
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// table writes the report for people.
func (r *benchReport) table(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s × %s, %s each, policy %s\n", figures.Plural(r.Questions, "question", "questions"),
		figures.Plural(r.Seeds, "seed", "seeds"), figures.Plural(r.K, "trace", "traces"), r.Policy)
	fmt.Fprintf(&b, "reasoner %s, judge %s, on %s\n\n", figures.Line(r.Model), figures.Line(orNone(r.Judge)), figures.Line(r.Device.Kind+" "+r.Device.Kernels))

	row := func(name, off, on, ratio string) {
		fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("%-24s %14s %14s %8s", name, off, on, ratio), " "))
	}
	ratio := func(x float64) string { return fmt.Sprintf("%.2f", x) }
	a, c, q := &r.Off, &r.On, r.OnOverOff
	row("pruning", "off", "on", "on/off")
	row("generated tokens", figures.Count(a.GeneratedTokens), figures.Count(c.GeneratedTokens), ratio(q.GeneratedTokens))
	if c.JudgePairs > 0 {
		row("  with the judge's", figures.Count(a.TokensWithJudge), figures.Count(c.TokensWithJudge), ratio(q.TokensWithJudge))
		row("  with the judge's work", figures.Count(int64(a.CostWithJudge)), figures.Count(int64(c.CostWithJudge)), ratio(q.CostWithJudge))
	}
	row("wall clock", figures.Milliseconds(a.WallMS), figures.Milliseconds(c.WallMS), ratio(q.Wall))
	row("KV peak of a group", figures.Bytes(a.PeakBytes), figures.Bytes(c.PeakBytes), ratio(q.PeakBytes))
	row("KV MiB × steps", figures.Count(a.ByteSteps>>20), figures.Count(c.ByteSteps>>20), ratio(q.ByteSteps))
	row("KV reclaimed by prunes", figures.Bytes(a.ReclaimedBytes), figures.Bytes(c.ReclaimedBytes), "")
	row("traces pruned", figures.Count(a.TracesPruned), figures.Count(c.TracesPruned), "")
	if c.NeverStarted > 0 {
		row("traces never started", figures.Count(a.NeverStarted), figures.Count(c.NeverStarted), "")
	}
	if c.JudgePairs > 0 {
		row("pairs judged", figures.Count(a.JudgePairs), figures.Count(c.JudgePairs), "")
	}
	if a.Accuracy != nil && c.Accuracy != nil {
		row("right answers", fmt.Sprintf("%d of %d", a.Correct, a.Known), fmt.Sprintf("%d of %d", c.Correct, c.Known), "")
		row("accuracy", tenths(a.Accuracy), tenths(c.Accuracy), "")
		row("  of a single trace", tenths(a.TraceAccuracy), "", "")
	}
	for _, l := range []struct{ key, name string }{
		{"step", "step"}, {"cancel", "cancel to release"}, {"reuse", "prune to reuse"},
	} {
		x, off := a.Latency[l.key]
		y, on := c.Latency[l.key]
		if off || on {
			row(l.name+", p50", latency(x.P50, off), latency(y.P50, on), "")
			row(l.name+", p99", latency(x.P99, off), latency(y.P99, on), "")
		}
	}
	b.WriteString("\n" + r.verdict() + "\n")
	r.memory(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// verdict says in a sentence whether pruning left the traces alone.
func (r *benchReport) verdict() string {
	what := fmt.Sprintf("%s of %s compared", figures.Plural(r.Compared.Tokens, "token", "tokens"), figures.Plural(r.Compared.Traces, "trace", "traces"))
	switch {
	case r.SurvivorsIdentical:
		return "Every trace is token for token that of the unpruned run, as far as it went: " + what + "."
	case r.FirstDifference != "":
		return "THE TRACES DIFFER: " + r.FirstDifference + " (" + what + ")."
	}
	return "Nothing was pruned, so nothing is shown about survivors (" + what + ")."
}

// memory writes the KV memory of the first run over time.
func (r *benchReport) memory(b *strings.Builder) {
	if len(r.Memory) == 0 {
		return
	}
	rows := make([]memoryRow, 0, 16)
	top := int64(1)
	for i := range min(16, len(r.Memory)) {
		row := r.Memory[(i+1)*len(r.Memory)/min(16, len(r.Memory))-1]
		rows = append(rows, row)
		top = max(top, row.OffBytes, row.OnBytes)
	}
	fmt.Fprintf(b, "\n%8s %12s %12s %12s %12s\n", "step", "KV off", "KV on", "avoided", "reclaimed")
	for _, m := range rows {
		line := fmt.Sprintf("%8s %12s %12s %12s %12s  %s", figures.Count(m.Step), figures.Bytes(m.OffBytes), figures.Bytes(m.OnBytes),
			figures.Bytes(m.AvoidedBytes), figures.Bytes(m.ReclaimedBytes), shadow(m, top, 20))
		fmt.Fprintln(b, strings.TrimRight(line, " "))
	}
}

// shadow draws the memory in use with pruning, and what it avoided behind it.
func shadow(m memoryRow, top int64, width int) string {
	on := int(float64(m.OnBytes)/float64(top)*float64(width) + 0.5)
	off := int(float64(m.OffBytes)/float64(top)*float64(width) + 0.5)
	return strings.Repeat("█", on) + strings.Repeat("░", max(off-on, 0))
}

func tenths(x *float64) string {
	if x == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", 100**x)
}

func latency(ms float64, ok bool) string {
	if !ok {
		return "-"
	}
	return figures.Milliseconds(ms)
}

func orNone(name string) string {
	if name == "" {
		return "none"
	}
	return name
}
