package live

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"deepprune/cmd/deepprune/figures"
	"deepprune/cmd/deepprune/ink"
	"deepprune/prune"
)

// strokes draw a bar: heavy for a trace that lives, thin for one that was
// stopped, broken for one that waits. They tell the states apart without colour.
type stroke struct{ full, half string }

var (
	heavy  = stroke{"━", "╸"}
	thin   = stroke{"─", "─"} // no half: the arrow joins on
	broken = stroke{"╍", "╸"}
)

// bar draws length tokens on a scale of width cells, in halves of a cell.
func (s stroke) bar(tokens int, scale float64, width int) string {
	if tokens <= 0 || width <= 0 {
		return ""
	}
	halves := int(math.Round(float64(tokens) / scale * float64(2*width)))
	halves = min(max(halves, 1), 2*width)
	return strings.Repeat(s.full, halves/2) + strings.Repeat(s.half, halves%2)
}

// look is the stroke and ink of a lane.
func (b *Board) look(i int) (stroke, ink.Ink) {
	l := &b.lanes[i]
	hue := b.hue(i)
	switch l.state {
	case prune.Pruned:
		return thin, ink.Hue(hue, false)
	case prune.Cancelled, prune.Failed:
		return thin, ink.Track
	case prune.Held:
		return broken, ink.Hue(hue, true)
	}
	if l.away {
		return broken, ink.Hue(hue, true)
	}
	return heavy, ink.Hue(hue, true)
}

// lane writes the line of lane i that has its bar into a line, from column at on.
func (b *Board) lane(out *ink.Line, i, at int, g grid) {
	out.Pad(at)
	end := at + g.width
	if g.form == cell {
		b.cell(out, i, g)
		out.Pad(end)
		return
	}
	n := digits(len(b.lanes))
	out.Put(ink.Faint, fmt.Sprintf("%*d ", n, i))
	tail := 4
	switch g.form {
	case compact:
		tail = 4 + n
	case wide:
		tail = 9 + n
	}
	bar, text := g.width-n-1-tail, 0
	if g.form == wide && b.Text != nil && g.height == 1 && bar >= 30 {
		text = bar / 2
		bar -= text
	}
	s, color := b.look(i)
	out.Put(color, s.bar(b.lanes[i].tokens, b.scale, bar))
	b.tail(out, i, g.form, end-text-out.Used())
	if text > 0 && b.lanes[i].state != prune.Pruned {
		words := b.recent(i, text-2)
		out.Pad(end - ansi.StringWidth(words))
		out.Put(ink.Faint, words)
	}
	out.Pad(end)
}

// tail writes how a lane ends, in at most room cells.
func (b *Board) tail(out *ink.Line, i int, f form, room int) {
	l := &b.lanes[i]
	_, color := b.look(i)
	switch l.state {
	case prune.NotStarted:
		out.Put(ink.Faint, "·")
	case prune.Running:
		if l.away {
			out.Put(ink.Amber, "↺")
		}
	case prune.Held:
		out.Put(ink.Amber, "‖")
	case prune.Finished, prune.Length:
		mark := "●"
		if l.state == prune.Length {
			mark = "┤"
		}
		out.Put(color, mark)
		switch {
		case l.answer != "":
			out.Put(color+ink.Bold, " "+figures.Head(l.answer, room-2))
		case l.state == prune.Length && f == wide:
			out.Put(ink.Faint, " no answer")
		}
	case prune.Pruned:
		b.pruned(out, l, f, color, room)
	case prune.Cancelled:
		out.Put(ink.Amber, "×")
		if f == wide {
			out.Put(ink.Faint, " cancelled")
		}
	case prune.Failed:
		out.Put(ink.Red, "×")
		if f == wide {
			out.Put(ink.Red, " failed")
		}
	}
}

// pruned writes the keeper and the score of a stopped trace.
func (b *Board) pruned(out *ink.Line, l *lane, f form, color ink.Ink, room int) {
	if l.keeper < 0 {
		out.Put(color, "×")
		if f == wide && l.reason != "" {
			out.Put(ink.Faint, " "+figures.Head(l.reason, room-2))
		}
		return
	}
	keeper := ink.Hue(b.hue(l.keeper), true)
	n := digits(len(b.lanes))
	switch f {
	case wide:
		out.Put(color, "→")
		out.Put(keeper, fmt.Sprintf(" %*d", n, l.keeper))
		out.Put(ink.Faint, fmt.Sprintf("  %.2f", l.score))
	case compact:
		out.Put(color, "→")
		out.Put(keeper, strconv.Itoa(l.keeper))
		out.Put(ink.Faint, strings.Replace(fmt.Sprintf(" %.2f", l.score), " 0.", " .", 1)[:4])
	default:
		out.Put(color, "→")
		out.Put(keeper, strconv.Itoa(l.keeper))
	}
}

// cell draws a trace as a short bar, or as one glyph that rises as it grows.
func (b *Board) cell(out *ink.Line, i int, g grid) {
	s, color := b.look(i)
	l := &b.lanes[i]
	if l.tokens == 0 {
		out.Put(ink.Faint, "·")
		return
	}
	if g.width >= 4 {
		out.Put(color, s.bar(l.tokens, b.scale, g.width-1))
		return
	}
	if l.state == prune.Pruned {
		// Stopped traces are lower than the lowest living one and thin.
		out.Put(color, string([]rune("╷│")[min(1, int(2*float64(l.tokens)/b.scale))]))
		return
	}
	level := int(math.Round(8 * float64(l.tokens) / b.scale))
	out.Put(color, string([]rune("▁▂▃▄▅▆▇█")[min(max(level-1, 0), 7)]))
}

// A lane lays out at least saidTokens of a long text, from a multiple of half as
// many on.
const saidTokens = 1024

// said is the last lines of what a trace said, as many as fit under its bar.
func (b *Board) said(i int, g grid) []string {
	n := g.height - 1
	if n > 2 {
		n-- // the blank line below a lane of many lines sets it off from the next
	}
	// Lines should begin where they began in the last frame, so the text is wrapped
	// from its beginning or, if it is long, from one that rarely moves.
	tokens := len(b.lanes[i].ids)
	if over := tokens - saidTokens; over > 0 {
		tokens -= over - over%(saidTokens/2)
	}
	lines := figures.Wrap(b.text(i, tokens), g.width-digits(len(b.lanes))-2, math.MaxInt)
	return lines[max(0, len(lines)-n):]
}

// recent is the last whole words of a trace that fit in width cells.
func (b *Board) recent(i, width int) string {
	text := b.text(i, width)
	tail := figures.Tail(text, width)
	if len(tail) < len(text) && text[len(text)-len(tail)-1] != ' ' {
		_, whole, found := strings.Cut(tail, " ")
		if found {
			return whole
		}
	}
	return tail
}

// text decodes the last n tokens of a trace.
func (b *Board) text(i, n int) string {
	ids := b.lanes[i].ids
	ids = ids[max(0, len(ids)-n):]
	// A cut may fall into a character of several tokens.
	return strings.TrimLeft(figures.Line(b.Text(ids)), "�")
}
