package ink

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Line builds one line of at most Width cells. Text put into it must be free of
// control characters.
type Line struct {
	Width int
	used  int
	b     strings.Builder
}

// Used is the number of cells filled so far.
func (l *Line) Used() int { return l.used }

// Put writes text in an ink, cut where the line ends.
func (l *Line) Put(i Ink, text string) {
	room := l.Width - l.used
	if room <= 0 || text == "" {
		return
	}
	w := ansi.StringWidth(text)
	if w > room {
		text = ansi.Truncate(text, room, "")
		w = ansi.StringWidth(text)
	}
	l.used += w
	if i == Plain {
		l.b.WriteString(text)
		return
	}
	l.b.WriteString(string(i))
	l.b.WriteString(text)
	l.b.WriteString(reset)
}

// Pad fills the line with spaces up to column.
func (l *Line) Pad(column int) {
	if n := min(column, l.Width) - l.used; n > 0 {
		l.b.WriteString(strings.Repeat(" ", n))
		l.used += n
	}
}

func (l *Line) String() string { return l.b.String() }
