package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/charmbracelet/x/term"

	"deepprune/cmd/deepprune/figures"
)

// meter shows on standard error how far a long run is and how long it will still
// take: on a line that is rewritten where that is a terminal, else on a new line
// once in a while.
type meter struct {
	w        io.Writer
	terminal bool
	what     string // "questions"
	total    int
	before   int // done when this run began
	start    time.Time
	shown    time.Time
	now      func() time.Time
}

// every is the time between two lines where lines stay.
const every = 30 * time.Second

func (a *app) newMeter(what string, total int) *meter {
	m := &meter{w: a.stderr, what: what, total: total, now: time.Now}
	if f, ok := a.stderr.(*os.File); ok {
		m.terminal = term.IsTerminal(f.Fd())
	}
	m.start = m.now()
	m.shown = m.start
	return m
}

// begin tells how many were done before.
func (m *meter) begin(done int) { m.before = done }

// rate is n per second of the run so far.
func (m *meter) rate(n int) int {
	return int(float64(n) / max(m.now().Sub(m.start).Seconds(), 1e-3))
}

// show tells that done are done. note is added, "" for none.
func (m *meter) show(done int, note string) {
	now := m.now()
	interval := every
	if m.terminal {
		interval = 200 * time.Millisecond
	}
	if now.Sub(m.shown) < interval && done < m.total {
		return
	}
	m.shown = now
	line := fmt.Sprintf("%s of %s", figures.Count(done), figures.Plural(m.total, m.what, m.what+"s"))
	if note != "" {
		line += ", " + note
	}
	elapsed := now.Sub(m.start)
	switch {
	case done >= m.total:
		line += " in " + span(elapsed)
	case done > m.before:
		left := time.Duration(float64(elapsed) / float64(done-m.before) * float64(m.total-done))
		line += ", " + span(left) + " left"
	}
	switch {
	case m.terminal && done < m.total:
		fmt.Fprintf(m.w, "\r%s\x1b[K", line)
	case m.terminal:
		fmt.Fprintf(m.w, "\r%s\x1b[K\n", line)
	default:
		fmt.Fprintln(m.w, line)
	}
}

// leave ends the line of a run that stops before its end.
func (m *meter) leave() {
	if m.terminal {
		fmt.Fprintln(m.w)
	}
}

// span is a time as people say it: 42s, 3m20s, 2h05m.
func span(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
}
