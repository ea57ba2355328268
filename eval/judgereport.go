package eval

import (
	"fmt"
	"io"
	"strings"
)

// JudgeReport says how well a judge predicts from prefixes which traces will end
// in the same answer. Its JSON form is part of the command line's interface.
type JudgeReport struct {
	Schema    int            `json:"schema"`
	Judge     string         `json:"judge"`
	Source    string         `json:"source"` // the file of traces or pairs
	Questions int            `json:"questions"`
	Prefixes  []PrefixReport `json:"prefixes"`
}

// PrefixReport is the judge and its baselines on prefixes cut in one way.
type PrefixReport struct {
	Cut string `json:"cut"` // "as stored", "40 tokens", "25 words"
	// Giveaway is the share of prefixes in which their trace's answer already
	// stands; unknown for a file of pairs.
	Giveaway  Figure     `json:"giveaway"`
	Judge     Separation `json:"judge"`
	Baselines []Baseline `json:"baselines"`
}

// Baseline is what needs no judge.
type Baseline struct {
	Name string `json:"name"`
	Separation
}

// NewPrefixReport measures scores, which belong to pairs one by one, against the
// baselines.
func NewPrefixReport(cut string, pairs []Pair, scores []float64, threshold float64, seed uint64) PrefixReport {
	r := PrefixReport{Cut: cut, Giveaway: Unknown()}
	of := func(score func(i int) float64) []Score {
		list := make([]Score, len(pairs))
		for i, p := range pairs {
			list[i] = Score{Question: p.Question, Score: score(i), Same: p.Same}
		}
		return list
	}
	r.Judge = Separate(of(func(i int) float64 { return scores[i] }), threshold, seed)
	for _, b := range []struct {
		name  string
		score func(a, b string) float64
	}{{"n-gram overlap", Overlap}, {"equal text", equality}} {
		s := Separate(of(func(i int) float64 { return b.score(pairs[i].A, pairs[i].B) }), 0.5, seed)
		s.Calibration, s.ECE = nil, Unknown()
		r.Baselines = append(r.Baselines, Baseline{b.name, s})
	}
	return r
}

// Stands reports whether an answer stands in a text as a word or number of its
// own.
func Stands(answer, text string) bool {
	if answer == "" {
		return false
	}
	for from := 0; ; {
		i := strings.Index(text[from:], answer)
		if i < 0 {
			return false
		}
		i += from
		end := i + len(answer)
		if !(i > 0 && joins(text[i-1], text[i])) && !(end < len(text) && joins(text[end-1], text[end])) {
			return true
		}
		from = i + 1
	}
}

// joins reports whether two bytes beside each other belong to one word or number.
func joins(a, b byte) bool {
	word := func(c byte) bool {
		return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || c >= 0x80
	}
	return word(a) && word(b)
}

// Table writes the report for people.
func (r *JudgeReport) Table(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "judge %s on %d questions of %s\n", r.Judge, r.Questions, r.Source)
	for i := range r.Prefixes {
		p := &r.Prefixes[i]
		j := &p.Judge
		fmt.Fprintf(&b, "\nprefixes %s: %d pairs, %s the same; %d questions have both kinds (%s the same)\n",
			p.Cut, j.Pairs, percent(j.Same), j.Within.Questions, percent(j.Within.Same))
		if p.Giveaway.Known() {
			fmt.Fprintf(&b, "the answer already stands in %s of the prefixes\n", percent(p.Giveaway))
		}
		fmt.Fprintf(&b, "%-18s %8s %13s   %-22s %-22s %6s\n", "", "AUROC", "TNR at FNR .2", "AUROC in a question", "TNR in a question", "ECE")
		row := func(name string, s *Separation) {
			fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("%-18s %8s %13s   %-22s %-22s %6s", name, decimals(s.AUROC), decimals(s.TNR),
				interval(s.Within.AUROC), interval(s.Within.TNR), decimals(s.ECE)), " "))
		}
		row("judge", j)
		for k := range p.Baselines {
			row(p.Baselines[k].Name, &p.Baselines[k].Separation)
		}
		fmt.Fprintf(&b, "threshold %s misses %s of the same pairs and recognises %s of the others; FNR .2 is at %s\n",
			decimals(j.At.Threshold), percent(Figure(j.At.FNR)), percent(Figure(j.At.TNR)), decimals(j.Threshold))
		b.WriteString("score      ")
		for _, bin := range j.Calibration {
			fmt.Fprintf(&b, " %6.1f-", bin.From)
		}
		b.WriteString("\n  mean     ")
		for _, bin := range j.Calibration {
			fmt.Fprintf(&b, " %7s", decimals(bin.Mean))
		}
		b.WriteString("\n  the same ")
		for _, bin := range j.Calibration {
			fmt.Fprintf(&b, " %7s", decimals(bin.Same))
		}
		b.WriteString("\n  pairs    ")
		for _, bin := range j.Calibration {
			fmt.Fprintf(&b, " %7d", bin.Pairs)
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func decimals(f Figure) string {
	if !f.Known() {
		return "-"
	}
	return fmt.Sprintf("%.3f", float64(f))
}

func percent(f Figure) string {
	if !f.Known() {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", 100*float64(f))
}

func interval(m Mean) string {
	if !m.Mean.Known() {
		return "-"
	}
	return fmt.Sprintf("%.3f [%.3f, %.3f]", m.Mean, m.Low, m.High)
}
