package live

import (
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"deepprune/cmd/deepprune/figures"
	"deepprune/cmd/deepprune/ink"
)

// Frame draws the board for a window of width by height cells. It has no more than
// height lines, the last of them without a line break.
//
//	title, question          what runs
//	lanes                    one per trace, in columns
//	states, memory, tokens   sums
func (b *Board) Frame(width, height int) string {
	if width < 8 || height < 3 {
		return ""
	}
	// The last column stays free: some terminals wrap when it is written.
	width--
	c := b.Counts()
	loose := height >= 20 // room for blank lines
	var foot []string
	if loose {
		foot = append(foot, "")
	}
	foot = append(foot, b.states(width, c))
	if height >= 10 {
		foot = append(foot, b.memory(width, c), b.tokens(width, c))
	}
	question := 0
	if height >= 8 {
		question = 1
	}
	// A second line for the question, unless it costs the lanes a column.
	rows := height - len(foot) - 3
	if k := len(b.lanes); height >= 30 && (k-1)/(rows-1) == (k-1)/rows {
		question = 2
	}
	lines := []string{b.title(width, c)}
	for _, s := range figures.Wrap(b.Question, width-2, question) {
		out := ink.Line{Width: width}
		out.Put(ink.Bold, " "+s)
		lines = append(lines, out.String())
	}
	if loose {
		lines = append(lines, "")
	}
	lines = append(lines, b.grid(width-1, height-len(lines)-len(foot))...)
	lines = append(lines, foot...)
	return strings.Join(lines[:min(len(lines), height)], "\n")
}

// grid draws the lanes in at most rows lines.
func (b *Board) grid(width, rows int) []string {
	g := arrange(len(b.lanes), width, rows, b.Text != nil)
	said := make([][]string, g.shown) // under the bars
	if g.height > 1 {
		for i := range said {
			said[i] = b.said(i, g)
		}
	}
	lines := make([]string, 0, g.lines())
	for row := range g.lines() {
		out := ink.Line{Width: width + 1}
		for column := range g.columns {
			i, sub := column*g.perColumn+row/g.height, row%g.height
			if i >= g.shown {
				break
			}
			at := 1 + column*(g.width+gap)
			if g.form == cell {
				at = 1 + column*g.width
			}
			switch {
			case sub == 0:
				b.lane(&out, i, at, g)
			case sub <= len(said[i]):
				out.Pad(at + digits(len(b.lanes)) + 1)
				out.Put(ink.Faint, said[i][sub-1])
			}
		}
		lines = append(lines, out.String())
	}
	return lines
}

// title is the first line: what runs, and for how long.
func (b *Board) title(width int, c Counts) string {
	out := ink.Line{Width: width}
	clock := clock(b.Elapsed)
	out.Put(ink.Accent+ink.Bold, " deepprune")
	facts := []string{figures.Plural(len(b.lanes), "trace", "traces"), "policy " + b.Policy, "seed " + strconv.FormatUint(b.Seed, 10)}
	if b.Device != "" {
		facts = append(facts, b.Device)
	}
	room := width - out.Used() - ansi.StringWidth(clock) - 3
	out.Put(ink.Faint, "  "+figures.Head(strings.Join(facts, " · "), room))
	out.Pad(width - ansi.StringWidth(clock))
	out.Put(ink.Bold, clock)
	return out.String()
}

func clock(d time.Duration) string {
	return figures.Milliseconds(float64(d.Round(10*time.Millisecond)) / float64(time.Millisecond))
}

// states counts the traces by state; the strokes are the legend of the lanes.
func (b *Board) states(width int, c Counts) string {
	out := ink.Line{Width: width}
	part := func(i ink.Ink, mark string, n int, word string) {
		if n == 0 {
			return
		}
		if out.Used() > 1 {
			out.Put(ink.Plain, "   ")
		}
		out.Put(i, mark)
		out.Put(ink.Plain, " "+figures.Count(n)+" ")
		out.Put(ink.Faint, word)
	}
	out.Pad(1)
	waiting := "waiting"
	if b.result != nil {
		waiting = "never started"
	}
	part(ink.Faint, "·", c.Waiting, waiting)
	part(ink.Neutral, "━", c.Running, "running")
	part(ink.Amber, "╍‖", c.Held, "held")
	part(ink.Track, "─→", c.Pruned, "pruned")
	part(ink.Accent, "━●", c.Finished, "finished")
	part(ink.Amber, "─×", c.Other, "stopped")
	if answer, share := b.leading(); answer != "" {
		word := "leading "
		if b.result != nil {
			word = "answer "
		}
		answer = figures.Head(answer, 20)
		tail := figures.Percent(share)
		if at := width - ansi.StringWidth(word+answer+tail) - 1; at > out.Used()+1 {
			out.Pad(at)
			out.Put(ink.Faint, word)
			out.Put(ink.Bold, answer)
			out.Put(ink.Faint, " "+tail)
		}
	}
	return out.String()
}

// memory is the meter of KV blocks: the reasoner's, the judge's, what came back
// since the peak, and what was never used.
func (b *Board) memory(width int, c Counts) string {
	out := ink.Line{Width: width}
	judge := int64(c.JudgeBlocks) * b.JudgeBlockBytes
	facts := figures.Count(c.Blocks) + " blocks"
	if b.JudgeBlockBytes > 0 {
		facts += " + " + figures.Count(c.JudgeBlocks) + " judge"
	}
	facts += " · " + figures.Bytes(c.Bytes)
	if b.result != nil {
		facts = "peak " + figures.Bytes(c.PeakBytes)
	}
	if width >= 100 && b.KVBytes > 0 {
		facts += " of " + figures.Bytes(b.KVBytes)
	}
	back := " · " + figures.Count(c.Reclaimed) + " reclaimed"
	if width >= 100 || b.result != nil {
		back += " (" + figures.Bytes(c.ReclaimedBytes) + ")"
	}
	out.Put(ink.Faint, " KV ")
	meter := min(width-out.Used()-ansi.StringWidth(facts+back)-2, 72)
	if meter >= 8 {
		total := meterScale(c.PeakBytes, b.KVBytes)
		at := func(bytes int64) int {
			return min(meter, int((float64(bytes)*float64(meter)+float64(total)/2)/float64(total)))
		}
		inUse, all, peak := at(c.Bytes-judge), at(c.Bytes), at(c.PeakBytes)
		if c.Bytes > 0 {
			inUse = max(inUse, 1)
			all, peak = max(all, inUse), max(peak, inUse)
		}
		out.Put(ink.Accent, strings.Repeat("━", inUse))
		out.Put(ink.Violet, strings.Repeat("━", all-inUse))
		out.Put(ink.Green, strings.Repeat("╌", max(peak-all, 0)))
		out.Put(ink.Track, strings.Repeat("─", meter-max(peak, all)))
		out.Put(ink.Plain, " ")
	}
	out.Put(ink.Plain, facts)
	out.Put(ink.Green, back)
	return out.String()
}

// meterScale is the memory that fills the meter: all there is, or the next step of
// half an octave above the peak where that is much less.
func meterScale(peak, capacity int64) int64 {
	scale := int64(1 << 20)
	for step := 0; scale < peak+peak/8; step++ {
		if step%2 == 0 {
			scale += scale / 2
		} else {
			scale += scale / 3
		}
	}
	if capacity > 0 {
		scale = min(scale, max(capacity, peak))
	}
	return scale
}

// tokens is the last line: what was generated, judged and saved.
func (b *Board) tokens(width int, c Counts) string {
	out := ink.Line{Width: width}
	out.Put(ink.Plain, " "+figures.Count(c.Tokens))
	out.Put(ink.Faint, " tokens   ")
	out.Put(ink.Green, figures.Count(c.Saved))
	out.Put(ink.Faint, " saved (est.)   ")
	out.Put(ink.Plain, figures.Count(c.Pairs))
	out.Put(ink.Faint, " pairs judged")
	if b.result != nil && b.result.Usage.JudgeTokens > 0 {
		out.Put(ink.Faint, " ("+figures.Count(b.result.Usage.JudgeTokens)+" tokens)")
	}
	if c.Preempted+c.Evicted > 0 && width >= 100 {
		out.Put(ink.Plain, "   "+figures.Count(c.Preempted+c.Evicted))
		out.Put(ink.Faint, " preempted")
	}
	step := "step " + figures.Count(c.Step)
	if at := width - len(step); at > out.Used()+1 {
		out.Pad(at)
		out.Put(ink.Faint, step)
	}
	return out.String()
}
