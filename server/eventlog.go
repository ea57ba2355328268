package server

import (
	"unsafe"

	"deepprune/engine"
)

// eventLog keeps the events of a group as the lines of its own journal, of which
// line 1 is the first. What it keeps is bounded: beyond maxLog bytes the oldest
// lines go, but for the two at the beginning, which say what the group is.
//
//	line     1       2           3 …      base  base+1 …
//	         header  submission  dropped …      entries[0] …
type eventLog struct {
	head    [2]engine.JournalLine
	begun   bool // head is set
	entries []logEntry
	base    int     // lines before entries, head included
	tokens  []drawn // of the step that is going on
	bytes   int
}

// logEntry is an event and, of EventStep, what the step drew; of EventDone, what
// came of the group.
type logEntry struct {
	event   engine.Event
	drawn   []drawn
	outcome *engine.JournalOutcome
}

// drawn is a token of a trace.
type drawn struct{ trace, token int32 }

// maxLog bounds the bytes that the log of one group takes: about two million tokens.
const maxLog = 16 << 20

const (
	entryBytes = int(unsafe.Sizeof(logEntry{}))
	drawnBytes = int(unsafe.Sizeof(drawn{}))
	tokenBytes = int(unsafe.Sizeof(int32(0)))
)

// add takes the next event of the group.
func (l *eventLog) add(g *engine.Group, ev engine.Event) {
	switch ev.Kind {
	case engine.EventSubmitted:
		l.head[0], l.head[1] = g.JournalHead(ev)
		l.begun, l.base = true, len(l.head)
		return
	case engine.EventTokens:
		l.tokens = append(l.tokens, drawn{ev.Trace, ev.Token})
		return
	}
	e := logEntry{event: ev}
	switch ev.Kind {
	case engine.EventStep:
		e.drawn = append(e.drawn, l.tokens...)
		l.tokens = l.tokens[:0]
	case engine.EventDone:
		e.outcome = g.JournalEnd(ev).Outcome
	}
	l.entries = append(l.entries, e)
	l.bytes += e.size()
	if l.bytes > maxLog {
		l.forget()
	}
}

func (e *logEntry) size() int { return entryBytes + len(e.drawn)*drawnBytes }

// forget drops the older half of the entries.
func (l *eventLog) forget() {
	n := len(l.entries) / 2
	for i := range n {
		l.bytes -= l.entries[i].size()
	}
	l.entries = append([]logEntry(nil), l.entries[n:]...)
	l.base += n
}

// lines is the number of lines so far.
func (l *eventLog) lines() int {
	if !l.begun {
		return 0
	}
	return l.base + len(l.entries)
}

// line is line n, ok unless it is dropped. 1 ≤ n ≤ lines.
func (l *eventLog) line(n int) (line engine.JournalLine, ok bool) {
	switch {
	case n <= len(l.head):
		return l.head[n-1], true
	case n <= l.base:
		return line, false
	}
	e := &l.entries[n-l.base-1]
	line = engine.JournalLine{Event: e.event, Outcome: e.outcome}
	if e.event.Kind == engine.EventStep {
		line.Sampled = make([]engine.SampledToken, len(e.drawn))
		for i, d := range e.drawn {
			line.Sampled[i] = engine.SampledToken{Group: e.event.Group, Trace: d.trace, Token: d.token}
		}
	}
	return line, true
}
