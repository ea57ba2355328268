package engine

// A reader of a group's events can write the group's own journal with them: the two
// lines of JournalHead, a line for each event but EventTokens, which wait for the
// next EventStep and become its Sampled, and JournalEnd for EventDone.

// JournalHead is the lines with which a journal of the group begins: what it runs
// on and what it was asked. submitted is its first event.
func (g *Group) JournalHead(submitted Event) (header, submission JournalLine) {
	h, s := g.engine.journalHeader(), g.submission()
	h.Schema = journalSchema
	return JournalLine{Header: &h}, JournalLine{Event: submitted, Submission: &s}
}

// JournalEnd is the last line of a journal of the group, which it waits for: what
// became of it. done is its last event.
func (g *Group) JournalEnd(done Event) JournalLine {
	line := JournalLine{Event: done}
	if r, _ := g.Wait(); r != nil {
		outcome := r.outcome()
		line.Outcome = &outcome
	}
	return line
}
