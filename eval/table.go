package eval

import (
	"fmt"
	"io"
	"strings"
)

// Table writes the report for people.
func (r *Report) Table(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d × %d questions and seeds, %d traces each; reasoner %s, judge %s, on %s\n", r.Dataset, r.Questions, r.Runs, r.K, r.Model, orNone(r.Judge), r.Device)
	if r.Interrupted {
		b.WriteString("INTERRUPTED: not all questions are in it\n")
	}
	fmt.Fprintf(&b, "a single trace is right in %s of cases, the vote of %d in %s\n\n", share(r.PassAt1), r.K, share(r.vote()))

	table(&b, []string{"policy", "accuracy", "to none, points", "tokens", "prefixes", "finishers", "judge", "/none", "+judge", "pairs/trace", "started", "ended"}, len(r.Policies), func(i int) []string {
		p := &r.Policies[i]
		return []string{
			p.label(), share(p.Accuracy), points(p.Difference), count(p.Tokens.Prefixes + p.Tokens.Finishers),
			count(p.Tokens.Prefixes), count(p.Tokens.Finishers), count(p.Tokens.Judge),
			percent(p.Generated), percent(p.WithJudge), twoPlaces(p.PairsPerTrace), onePlace(p.Started), onePlace(p.Survivors),
		}
	})
	b.WriteString("(tokens of a question: up to the checkpoint, after it, and what the judge's work was worth)\n")

	var live []*PolicyReport
	for i := range r.Policies {
		if r.Policies[i].Live != nil {
			live = append(live, &r.Policies[i])
		}
	}
	if len(live) > 0 {
		fmt.Fprintf(&b, "\nlive, %d groups in flight:\n", r.Concurrency)
		table(&b, []string{"policy", "questions", "per minute", "speed-up", "latency", "KV peak", "/none", "MiB × steps", "/none"}, len(live), func(i int) []string {
			p := live[i]
			l := p.Live
			return []string{
				p.label(), fmt.Sprint(l.Questions), onePlace(l.PerMinute), twoPlaces(l.SpeedUp), fmt.Sprintf("%.2fs", float64(l.LatencyMS)/1e3),
				mebibytes(l.PeakBytes), percent(l.PeakOverNone), count(float64(l.ByteSteps) / (1 << 20)), percent(l.ByteStepsRatio),
			}
		})
	}
	if r.Replay != nil {
		fmt.Fprintf(&b, "\nreplayed from stored traces; %d replays compared with live runs, %d differ\n", r.Replay.Compared, r.Replay.Differences)
		if r.Replay.First != "" {
			fmt.Fprintf(&b, "THE REPLAY DIFFERS: %s\n", r.Replay.First)
		}
	}
	if j := r.Judging; j != nil {
		fmt.Fprintf(&b, "\njudge: AUROC %s, TNR at FNR .2 %s; within a question %s, %s\n", decimals(j.Judge.AUROC), decimals(j.Judge.TNR), interval(j.Judge.Within.AUROC), interval(j.Judge.Within.TNR))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// vote is the accuracy of none.
func (r *Report) vote() Mean {
	for i := range r.Policies {
		if r.Policies[i].Name == "none" {
			return r.Policies[i].Accuracy
		}
	}
	return Mean{Unknown(), Unknown(), Unknown()}
}

// label is the policy's spec and, for equal-tokens, what it may spend.
func (p *PolicyReport) label() string {
	if p.Name == EqualTokens {
		return fmt.Sprintf("%s (%d)", p.Policy, p.K)
	}
	return p.Policy
}

// table writes rows in columns, the first to the left and the others to the right.
func table(b *strings.Builder, head []string, rows int, row func(i int) []string) {
	lines := [][]string{head}
	for i := range rows {
		lines = append(lines, row(i))
	}
	widths := make([]int, len(head))
	for _, l := range lines {
		for i, cell := range l {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	for _, l := range lines {
		var line strings.Builder
		for i, cell := range l {
			pad := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			if i == 0 {
				line.WriteString(cell + pad)
			} else {
				line.WriteString("  " + pad + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func share(m Mean) string {
	if !m.Mean.Known() {
		return "-"
	}
	return fmt.Sprintf("%.1f%% [%.1f, %.1f]", 100*m.Mean, 100*m.Low, 100*m.High)
}

func points(m Mean) string {
	if !m.Mean.Known() {
		return "-"
	}
	return fmt.Sprintf("%+.1f [%+.1f, %+.1f]", 100*m.Mean, 100*m.Low, 100*m.High)
}

func count(x float64) string {
	s := fmt.Sprintf("%.0f", x)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func onePlace(f Figure) string {
	if !f.Known() {
		return "-"
	}
	return fmt.Sprintf("%.1f", float64(f))
}

func twoPlaces(f Figure) string {
	if !f.Known() {
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(f))
}

func mebibytes(f Figure) string {
	if !f.Known() {
		return "-"
	}
	return fmt.Sprintf("%.1f MiB", float64(f)/(1<<20))
}
