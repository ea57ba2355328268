package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"deepprune/cmd/deepprune/figures"
	"deepprune/cmd/deepprune/live"
	"deepprune/engine"
)

// plainWidth is the width of plain text.
const plainWidth = 80

// narrate tells a run in a few lines: one when it begins, one every so often while
// it goes on, ever rarer, until the events end.
func narrate(w io.Writer, b *live.Board, events <-chan engine.Event) {
	fmt.Fprintf(w, "%s\n", strings.Join(figures.Wrap(b.Question, plainWidth, 20), "\n"))
	fmt.Fprintf(w, "%s, policy %s, seed %d, %s\n", figures.Plural(b.Traces, "trace", "traces"), b.Policy, b.Seed, b.Device)
	next := 500 * time.Millisecond
	for ev := range events {
		b.Apply(ev)
		if ev.Kind != engine.EventStep {
			continue
		}
		c := b.Counts()
		if at := time.Duration(c.Nanos); at >= next {
			fmt.Fprintln(w, progress(c))
			next = at + max(500*time.Millisecond, at/2)
		}
	}
}

// progress is a moment of a run in one line.
func progress(c live.Counts) string {
	parts := []string{figures.Count(c.Running) + " running"}
	for _, p := range []struct {
		n    int
		word string
	}{
		{c.Waiting, "waiting"}, {c.Held, "held"}, {c.Pruned, "pruned"}, {c.Finished, "finished"}, {c.Other, "stopped"},
	} {
		if p.n > 0 {
			parts = append(parts, figures.Count(p.n)+" "+p.word)
		}
	}
	return fmt.Sprintf("%7s  step %s: %s; %s tokens, %s in use",
		figures.Milliseconds(float64(c.Nanos)/1e6), figures.Count(c.Step), strings.Join(parts, ", "),
		figures.Count(c.Tokens), figures.Bytes(c.Bytes))
}
