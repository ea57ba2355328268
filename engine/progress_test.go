package engine

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"deepprune/prune"
)

// TestProgress has readers follow every trace: what they see only grows, is never
// taken back, and is in the end what the result says, stop strings included.
func TestProgress(t *testing.T) {
	p := open(t, 2)
	e := p.start(t, Options{Slots: 5})
	base := ask(t, e, Request{Question: questions[0], Seed: 4, Params: Params{MaxTokens: 50}}).Traces[0].Text
	stop := []string{"never seen", base[len(base)/2 : len(base)/2+6]}
	g, err := e.Submit(context.Background(), Request{
		Question: questions[0], Traces: 9, Seed: 4, Policy: policy(t, "deepprune", 20),
		Params: Params{MaxTokens: 50, Stop: stop, LogProbs: true, TopLogProbs: 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	last := make([]Progress, 9)
	var readers sync.WaitGroup
	for i := range last {
		readers.Go(func() {
			for {
				changed := g.Changed()
				now, before := g.Progress(i), last[i]
				n := len(before.TokenIDs)
				switch {
				case !bytes.HasPrefix(now.Text, before.Text):
					t.Errorf("trace %d: %q was taken back for %q", i, before.Text, now.Text)
				case len(now.TokenIDs) < n || !slices.Equal(now.TokenIDs[:n], before.TokenIDs):
					t.Errorf("trace %d: tokens %v were taken back for %v", i, before.TokenIDs, now.TokenIDs)
				case len(now.LogProbs.Tokens) != len(now.TokenIDs) || len(now.LogProbs.Top) != 2*len(now.TokenIDs):
					t.Errorf("trace %d: %d log-probabilities and %d alternatives of %d tokens", i, len(now.LogProbs.Tokens), len(now.LogProbs.Top), len(now.TokenIDs))
				case !now.State.Ended() && bytes.HasSuffix(now.Text, []byte(stop[1][:1])):
					t.Errorf("trace %d: %q may go on as the stop string %q", i, now.Text, stop[1])
				case !now.State.Ended() && !utf8.Valid(now.Text):
					t.Errorf("trace %d: %q ends in part of a character", i, now.Text)
				}
				last[i] = now
				if now.State.Ended() {
					return
				}
				<-changed
			}
		})
	}
	readers.Wait()
	r, err := g.Wait()
	if err != nil {
		t.Fatal(err)
	}
	stopped := 0
	for i, tr := range r.Traces {
		if got := string(last[i].Text); got != tr.Text || last[i].State != tr.State || last[i].End != tr.End || !slices.Equal(last[i].TokenIDs, tr.TokenIDs) {
			t.Errorf("trace %d: %v %+v %q at last; want %v %+v %q", i, last[i].State, last[i].End, got, tr.State, tr.End, tr.Text)
		}
		if tr.End.Kind == EndStopString {
			stopped++
			if tr.End.Stop != stop[1] {
				t.Errorf("trace %d was stopped by %q; want %q", i, tr.End.Stop, stop[1])
			}
		}
	}
	if stopped == 0 {
		t.Error("no trace met the stop string; the test shows less than it should")
	}
	<-g.Changed() // of a group that has ended: closed
	if got := g.Progress(9); got.TokenIDs != nil || got.State != prune.NotStarted {
		t.Errorf("progress of a trace that there is not: %+v", got)
	}
}

// TestEnds: what ended a trace is told.
func TestEnds(t *testing.T) {
	p := open(t, 2)
	e := p.start(t, Options{})
	eos := p.reasoner.Generation.EOS[0]
	free := ask(t, e, Request{Question: questions[0], Seed: 1, Params: Params{Temperature: -1}}).Traces[0]
	if want := (End{Kind: EndOfText, Token: eos}); free.End != want || free.State != prune.Finished {
		t.Errorf("%v by %+v; want the end of text, %+v", free.State, free.End, want)
	}
	id := free.TokenIDs[7]
	for _, c := range []struct {
		p    Params
		kind EndKind
	}{
		{Params{Temperature: -1, MaxTokens: 5}, EndLength},
		{Params{Temperature: -1, IgnoreEOS: true}, EndContext},
		{Params{Temperature: -1, StopTokens: []int32{id}, IgnoreEOS: true}, EndStopToken},
		{Params{Temperature: -1, Stop: []string{free.Text[4:6], free.Text[4:9], free.Text[3:9]}}, EndStopString},
	} {
		tr := ask(t, e, Request{Question: questions[0], Params: c.p}).Traces[0]
		if tr.End.Kind != c.kind {
			t.Errorf("%+v: ended by %+v; want %d", c.p, tr.End, c.kind)
		}
		if c.kind == EndStopToken && tr.End.Token != id {
			t.Errorf("stopped by token %d; want %d", tr.End.Token, id)
		}
		if s := tr.End.Stop; c.kind == EndStopString && !strings.HasPrefix(free.Text[len(tr.Text):], s) {
			t.Errorf("stopped by %q after %q", s, tr.Text)
		}
	}
}

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		text, stop string
		want       int
	}{
		{"", "ab", 0}, {"a", "ab", 1}, {"xab", "ab", 0}, {"xaba", "abac", 3}, {"aab", "aabaab", 3}, {"aabaa", "aabaab", 5},
		{"xyz", "zz", 1}, {"xyz", "a", 0}, {"ééé", "éa", 2}, {"<", "</s>", 1},
	} {
		if got := overlap([]byte(c.text), c.stop); got != c.want {
			t.Errorf("overlap(%q, %q) = %d; want %d", c.text, c.stop, got, c.want)
		}
	}
}

func TestIncomplete(t *testing.T) {
	for _, c := range []struct {
		text string
		want int
	}{
		{"", 0}, {"abc", 0}, {"é", 0}, {"\xc3", 1}, {"ab\xe2\x82", 2}, {"\xf0\x9f\x98", 3}, {"\xf0\x9f\x98\x80", 0},
		{"\x80", 0}, {"\x80\x80\x80\x80", 0}, {"\xff", 0}, {"\xe2a", 0}, {"a\xc3\xe2", 1},
	} {
		if got := incomplete([]byte(c.text)); got != c.want {
			t.Errorf("incomplete(%q) = %d; want %d", c.text, got, c.want)
		}
	}
}

func TestReadersDoNotMakeTheStepAllocate(t *testing.T) {
	p := open(t, 1)
	e, err := newEngine(p.dev, p.reasoner, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	g := submit(t, e, Request{Question: questions[1], Traces: 8, Params: Params{
		IgnoreEOS: true, MaxTokens: 300, Stop: []string{"\x00"}, LogitBias: map[int32]float32{3: 1, 9: -2},
	}})
	for range 20 {
		e.step()
	}
	for i := range g.traces { // what a trace appends to may grow
		g.traces[i].tokens = slices.Grow(g.traces[i].tokens, 300)
		g.traces[i].text = slices.Grow(g.traces[i].text, 3000)
	}
	if n := testing.AllocsPerRun(50, e.step); n != 0 {
		t.Errorf("%v allocations in a step; want none", n)
	}
}
