package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"deepprune/cmd/deepprune/figures"
	"deepprune/cmd/deepprune/ink"
	"deepprune/cmd/deepprune/live"
	"deepprune/engine"
	"deepprune/prune"
)

// maxVotes is how many answers the summary lists.
const maxVotes = 8

// summarise writes what became of a group: the answer, the votes, what was saved.
// hue gives an answer the colour it has in the picture above, under which the text
// is then set; nil for no picture.
func summarise(w io.Writer, r *engine.Result, width int, hue func(answer string) int) error {
	s := summary{r: r, width: min(max(width, 40), 100), hue: hue}
	if hue != nil {
		s.indent = " "
		s.width--
	}
	s.answer()
	s.votes()
	s.traces()
	s.tokens()
	s.judge()
	s.row("memory", s.memory())
	s.row("time", s.time())
	s.row("device", figures.Head(figures.Line(s.r.Device.Kind+" "+s.r.Device.Name), s.width-9))
	if r.Warning != "" {
		for i, l := range figures.Wrap(figures.Line(r.Warning), s.width-9, 4) {
			s.rowIn(ink.Amber, []string{"warning", ""}[min(i, 1)], l)
		}
	}
	_, err := io.WriteString(w, s.b.String())
	return err
}

// summary is a summary being written.
type summary struct {
	r      *engine.Result
	width  int
	indent string
	hue    func(string) int
	b      strings.Builder
}

// row writes a labelled line.
func (s *summary) row(label, text string) { s.rowIn(ink.Plain, label, text) }

func (s *summary) rowIn(i ink.Ink, label, text string) {
	s.b.WriteString(strings.TrimRight(s.indent+ink.Faint.Write(fmt.Sprintf("%-9s", label))+i.Write(text), " ") + "\n")
}

func (s *summary) answer() {
	s.b.WriteString("\n")
	if s.r.Answer == "" {
		s.rowIn(ink.Bold, "answer", "none")
		return
	}
	s.rowIn(ink.Bold, "answer", figures.Head(figures.Line(s.r.Answer), s.width-9))
}

// votes draws a bar for every answer, heaviest first.
func (s *summary) votes() {
	total, widest := 0.0, 0
	votes := s.r.Votes
	for i, v := range votes {
		total += v.Weight
		if i < maxVotes {
			widest = max(widest, ansi.StringWidth(figures.Line(v.Answer)))
		}
	}
	if total <= 0 {
		return
	}
	widest = min(widest, 24)
	const facts = 20 // " 100%  8,192 traces"
	bar := max(8, min(36, s.width-9-widest-2-facts))
	for i, v := range votes {
		label := []string{"votes", ""}[min(i, 1)]
		if i == maxVotes {
			s.row(label, fmt.Sprintf("and %s more", figures.Plural(len(votes)-i, "answer", "answers")))
			break
		}
		color := ink.Accent
		if s.hue != nil {
			color = ink.Hue(s.hue(figures.Line(v.Answer)), true)
		}
		out := ink.Line{Width: s.width}
		answer := figures.Head(figures.Line(v.Answer), widest)
		out.Pad(widest - ansi.StringWidth(answer)) // to the right: most answers are numbers
		out.Put(color+ink.Bold, answer)
		out.Pad(widest + 2)
		out.Put(color, figures.Bar(v.Weight/total, bar))
		out.Pad(widest + 2 + bar + 1)
		out.Put(ink.Plain, fmt.Sprintf("%4s", figures.Percent(v.Weight/total)))
		out.Put(ink.Faint, "  "+figures.Plural(len(v.Traces), "trace", "traces"))
		s.row(label, out.String())
	}
}

// traces counts how the traces ended.
func (s *summary) traces() {
	text := fmt.Sprintf("%s: %s finished", figures.Count(s.r.K), figures.Count(s.count(prune.Finished)))
	for _, p := range []struct {
		state prune.State
		word  string
	}{
		{prune.Length, "at the token limit"}, {prune.Pruned, "pruned"}, {prune.NotStarted, "never started"},
		{prune.Cancelled, "cancelled"}, {prune.Failed, "failed"},
	} {
		if n := s.count(p.state); n > 0 {
			text += fmt.Sprintf(", %s %s", figures.Count(n), p.word)
		}
	}
	if len(s.r.Clusters) > 0 {
		text += "; " + figures.Plural(len(s.r.Clusters), "cluster", "clusters")
	}
	s.row("traces", text)
}

// count is the number of traces that ended in a state.
func (s *summary) count(state prune.State) int {
	n := 0
	for _, t := range s.r.Traces {
		if t.State == state {
			n++
		}
	}
	return n
}

// unpruned estimates the tokens that k traces would have taken: k times the mean
// length of those that ended by themselves.
func unpruned(r *engine.Result) (tokens, mean float64, ok bool) {
	var lengths []int
	for _, t := range r.Traces {
		if t.State == prune.Finished || t.State == prune.Length {
			lengths = append(lengths, t.Tokens)
		}
	}
	mean, ok = live.Mean(lengths)
	return mean * float64(r.K), mean, ok
}

func (s *summary) tokens() {
	u := s.r.Usage
	s.row("tokens", fmt.Sprintf("%s generated, the question has %s", figures.Count(u.GeneratedTokens), figures.Count(u.PromptTokens)))
	estimate, mean, ok := unpruned(s.r)
	if !ok || s.count(prune.Pruned)+s.count(prune.NotStarted) == 0 {
		return
	}
	s.row("", fmt.Sprintf("%s without pruning (est. %s × %.0f, the mean of the finished)",
		figures.Count(int64(estimate)), figures.Count(s.r.K), mean))
	share := 1 - float64(u.GeneratedTokens)/estimate
	whole := 1 - (float64(u.GeneratedTokens)+u.JudgeRelativeCost)/estimate
	text := figures.Percent(share) + " of the tokens (est.)"
	if u.JudgePairs > 0 {
		text += "; " + figures.Percent(whole) + " with the judge's work counted"
	}
	s.rowIn(ink.Green, "saved", text)
}

func (s *summary) judge() {
	u := s.r.Usage
	if u.JudgePairs == 0 {
		return
	}
	s.row("judge", fmt.Sprintf("%s, %s tokens, the work of %s of the reasoner's",
		figures.Plural(u.JudgePairs, "pair", "pairs"), figures.Count(u.JudgeTokens), figures.Count(int64(u.JudgeRelativeCost+0.5))))
}

func (s *summary) memory() string {
	kv := s.r.KV
	return fmt.Sprintf("peak %s of KV; %s reclaimed while running, %s", figures.Bytes(kv.PeakBytes),
		figures.Plural(kv.Reasoner.ReclaimedBlocks, "block", "blocks"), figures.Bytes(kv.ReclaimedBytes))
}

func (s *summary) time() string {
	t := s.r.Time
	text := fmt.Sprintf("%s: prefill %s, decode %s", figures.Milliseconds(t.TotalMS), figures.Milliseconds(t.PrefillMS), figures.Milliseconds(t.DecodeMS))
	if s.r.Usage.JudgePairs > 0 {
		text += ", judge " + figures.Milliseconds(t.JudgeMS)
	}
	return text
}
