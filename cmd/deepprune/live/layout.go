package live

import "strconv"

// form is how much of a lane there is room for.
type form uint8

const (
	wide    form = iota // index, bar, keeper and score or answer, text
	compact             // index, bar, keeper and score or answer, abbreviated
	mini                // index, bar, keeper or answer
	cell                // one glyph or a short bar, the colour says the rest
)

// Widths at which the forms begin to look right.
const (
	wideWidth    = 34
	compactWidth = 17
	miniWidth    = 11
	gap          = 2 // between columns
)

// grid is where the lanes go: columns of perColumn lanes, each width cells wide
// and height lines high, filled column by column.
//
//	0 ━━━━━━╸      16 ──→ 3        …
//	1 ─────→ 0     17 ━━━━━━╸
type grid struct {
	form      form
	columns   int
	perColumn int
	width     int
	height    int
	shown     int // lanes that fit
}

// arrange places k lanes in width by rows cells. It takes the form that tells most
// and, within a form, the fewest columns.
func arrange(k, width, rows int, text bool) grid {
	if k <= 0 || rows <= 0 || width <= 0 {
		return grid{form: cell}
	}
	columns := (k + rows - 1) / rows
	g := grid{columns: columns, perColumn: (k + columns - 1) / columns, height: 1, shown: k}
	g.width = (width - (columns-1)*gap) / columns
	switch {
	case g.width >= wideWidth:
		g.form = wide
		if text {
			g.height = min(max(1, rows/g.perColumn), 7)
		}
	case g.width >= compactWidth:
		g.form = compact
	case g.width >= miniWidth:
		g.form = mini
	default:
		return cells(k, width, rows)
	}
	return g
}

// cells places k lanes as the widest cells that fit, one blank between them
// unless even that is too much.
func cells(k, width, rows int) grid {
	g := grid{form: cell, height: 1, width: 1}
	for w := miniWidth; w > 1; w-- {
		if (width+1)/w*rows >= k {
			g.width = w
			break
		}
	}
	g.columns = min(k, max(1, (width+1)/g.width))
	if g.width == 1 {
		g.columns = min(k, width)
	}
	g.perColumn = min(rows, (k+g.columns-1)/g.columns)
	g.shown = min(k, g.columns*g.perColumn)
	return g
}

// lines is how many lines the grid takes.
func (g grid) lines() int { return g.perColumn * g.height }

// digits is the width of the largest index of k traces.
func digits(k int) int { return len(strconv.Itoa(max(k-1, 0))) }
