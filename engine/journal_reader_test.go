package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

const headerText = `{"schema":1,"kind":"header","model":"m"}` + "\n"

func TestDamagedLines(t *testing.T) {
	const good = `{"kind":"done","step":2,"nanos":3,"group":1}` + "\n"
	for _, c := range []struct{ line, want string }{
		{``, "line 2: unexpected end"},
		{`{"kind":"done","step":2`, "line 2: unexpected end"},
		{`{"kind":"done","step":2,"nanos":3,"group":1}}`, "line 2: invalid character"},
		{`[1]`, "line 2: json: cannot unmarshal"},
		{`{}`, `line 2: no "kind"`},
		{`null`, `line 2: no "kind"`},
		{`{"kind":"gone"}`, `line 2: unknown "kind" "gone"`},
		{`{"kind":"tokens","step":1,"nanos":1}`, `line 2: unknown "kind" "tokens"`},
		{`{"kind":"header","schema":1}`, `line 2: "kind" is "header"`},
		{`{"kind":"done","nanos":3,"group":1}`, `line 2: done: no "step"`},
		{`{"kind":"done","step":2,"group":1}`, `line 2: done: no "nanos"`},
		{`{"kind":"done","step":2,"nanos":3}`, `line 2: done: no "group"`},
		{`{"kind":"started","step":2,"nanos":3,"group":1,"trace":4294967296}`, `line 2: json: cannot unmarshal`},
		{`{"kind":"judged","step":2,"nanos":3,"group":1,"trace":1,"keeper":0}`, `line 2: judged: no "score"`},
		{`{"kind":"judged","step":2,"nanos":3,"group":1,"trace":1,"keeper":0,"score":"1"}`, `line 2: judged: json: cannot unmarshal`},
		{`{"kind":"ended","step":2,"nanos":3,"group":1,"trace":1,"tokens":5,"blocks":0}`, `line 2: ended: no "state"`},
		{`{"kind":"ended","step":2,"nanos":3,"group":1,"trace":1,"tokens":5,"blocks":0,"state":"lost"}`, `line 2: ended: unknown state "lost"`},
		{`{"kind":"pruned","step":2,"nanos":3,"group":1,"trace":1,"tokens":5,"keeper":0,"score":1,"blocks":0,"bytes":0}`, `line 2: pruned: no "reason"`},
		{stepText(``), `line 2: step: no "sampled"`},
		{stepText(`,"sampled":[[1,2]]`), `line 2: step: "sampled" 0 is [1 2]`},
		{stepText(`,"sampled":[[1,2,3],[1,2,3000000000]]`), `line 2: step: "sampled" 1 is`},
		{`{"kind":"submitted","step":2,"nanos":3,"group":1,"prompt":"x"}`, "line 2: json: cannot unmarshal"},
		{`{"kind":"done","step":2,"nanos":3,"group":1,"votes":7}`, "line 2: json: cannot unmarshal"},
		{`"` + strings.Repeat("x", maxJournalLine) + `"`, "line 2: longer than"},
	} {
		var got error
		n := 0
		for line, err := range ReadJournal(strings.NewReader(headerText + c.line + "\n" + good)) {
			switch n++; n {
			case 2:
				got = err
			case 3: // the line after the damaged one is read
				if err != nil || line.Event.Kind != EventDone || line.Event.Step != 2 {
					t.Errorf("after %.60s: %+v, %v; want the next line", c.line, line, err)
				}
			}
		}
		if n != 3 || got == nil || !strings.Contains(got.Error(), c.want) {
			t.Errorf("%.60s: error %v in %d lines; want %q", c.line, got, n, c.want)
		}
	}
}

func stepText(sampled string) string {
	return `{"kind":"step","step":2,"nanos":3,"rows":1,"prefill_rows":1,"judge_rows":1,"blocks":1,"judge_blocks":1,"bytes":1` + sampled + `}`
}

func TestJournalBeginsWithItsHeader(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "line 1: there is none"},
		{`{"kind":"done","step":2,"nanos":3,"group":1}`, `line 1: "kind" is "done"; the first line`},
		{`{"kind":"header","schema":2}`, `line 1: "schema" is 2; this program reads 1`},
		{`{"kind":"header","schema":"1"}`, "line 1: json"},
	} {
		var got error
		for _, err := range ReadJournal(strings.NewReader(c.text)) {
			got = err
		}
		if got == nil || !strings.Contains(got.Error(), c.want) {
			t.Errorf("%q: error %v; want %q", c.text, got, c.want)
		}
	}
}

func TestReadErrorEndsTheJournal(t *testing.T) {
	broken := errors.New("broken")
	var got []error
	for _, err := range ReadJournal(io.MultiReader(strings.NewReader(headerText), iotest.ErrReader(broken))) {
		got = append(got, err)
	}
	if len(got) != 2 || got[0] != nil || !errors.Is(got[1], broken) {
		t.Errorf("errors %v; want none, then %v", got, broken)
	}
	// Small reads and a last line without its end make no difference.
	n := 0
	for _, err := range ReadJournal(iotest.OneByteReader(strings.NewReader(strings.TrimSpace(headerText)))) {
		if n++; err != nil {
			t.Error(err)
		}
	}
	if n != 1 {
		t.Errorf("%d lines; want 1", n)
	}
	for range ReadJournal(strings.NewReader(headerText + headerText)) {
		break // and the reader may stop
	}
}

func TestCompareJournals(t *testing.T) {
	record := func(seed uint64, steps int, change func(*Event)) *bytes.Buffer {
		rng := rand.New(rand.NewPCG(seed, 0))
		file := new(bytes.Buffer)
		j := newJournal(file)
		j.header(testHeader)
		j.submitted(Event{Group: 1, Nanos: rand.Int64()}, testSubmission)
		for i := range steps {
			ev := randomEvent(rng, []EventKind{EventPruned, EventStep}[i%2])
			ev.Nanos = rand.Int64()
			if change != nil && i == 6 {
				change(&ev)
			}
			j.record(ev)
		}
		if err := j.close(); err != nil {
			t.Fatal(err)
		}
		return file
	}
	if err := CompareJournals(record(1, 20, nil), record(1, 20, nil)); err != nil {
		t.Errorf("equal runs: %v", err)
	}
	for _, c := range []struct {
		b    io.Reader
		want string
	}{
		{record(1, 20, func(ev *Event) { ev.Trace++ }), "differ at line 9:"},
		{record(1, 20, func(ev *Event) { ev.Reason += "!" }), "differ at line 9:"},
		{record(1, 19, nil), "differ at line 22:"},
		{record(1, 21, nil), "differ at line 23:"},
		{strings.NewReader(""), "second of two: engine: journal: line 1: there is none"},
	} {
		err := CompareJournals(record(1, 20, nil), c.b)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v; want %q", err, c.want)
		}
	}
	err := CompareJournals(strings.NewReader(headerText+"x"), record(1, 1, nil))
	if err == nil || !strings.Contains(err.Error(), "line 1:") {
		t.Errorf("error %v; want one for line 1", err)
	}
}

// The error shows where two long lines part.
func TestDifferenceIsShown(t *testing.T) {
	sampled := make([]SampledToken, 1000)
	journal := func(token int32) io.Reader {
		sampled[900].Token = token
		return bytes.NewReader(appendEvent([]byte(headerText), &Event{Kind: EventStep}, sampled))
	}
	err := CompareJournals(journal(7), journal(8))
	if err == nil || len(err.Error()) > 800 ||
		!strings.Contains(err.Error(), "[0,0,0],[0,0,7],[0,0,0]") || !strings.Contains(err.Error(), "[0,0,0],[0,0,8],[0,0,0]") {
		t.Errorf("error %v; want the token that differs", err)
	}
}

// FuzzReadJournal reads anything: every line gives itself when written and read
// again, and every error names its line.
func FuzzReadJournal(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 4))
	var file bytes.Buffer
	j := newJournal(&file)
	j.header(testHeader)
	j.submitted(Event{Group: 1}, testSubmission)
	for kind := EventStarted; kind < EventDone; kind++ {
		j.record(randomEvent(rng, kind))
	}
	j.done(Event{Group: 1}, testOutcome)
	if err := j.close(); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add([]byte(headerText + "\n\n" + headerText))
	f.Add([]byte(headerText + `{"kind":"done","step":2,"nanos":3,"group":1}` + "\n" + `{"kind":"done","step":2,"nanos":3,"group":1,"votes":null}`))
	f.Add([]byte(headerText + `{"kind":"judged","step":-1,"nanos":0,"group":1,"trace":1,"keeper":0,"score":1e-40}`))
	f.Add([]byte(headerText + `{"kind":"submitted","step":0,"nanos":0,"group":1,"params":{"stop":["` + "\xff" + `"]},"settings":{"a":[1, 2]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		n := 0
		for line, err := range ReadJournal(bytes.NewReader(data)) {
			n++
			if err != nil {
				if want := fmt.Sprintf("engine: journal: line %d: ", n); !strings.HasPrefix(err.Error(), want) {
					t.Fatalf("error %q; want it to begin with %q", err, want)
				}
				continue
			}
			text, err := line.Append(nil)
			if err != nil {
				t.Fatalf("line %d, %+v, cannot be written: %v", n, line, err)
			}
			again, err := parseJournalLine(bytes.TrimSpace(text), n == 1)
			if err != nil {
				t.Fatalf("line %d, written as %s, cannot be read: %v", n, text, err)
			}
			if second, _ := again.Append(nil); !bytes.Equal(second, text) {
				t.Fatalf("line %d became %s; want %s", n, second, text)
			}
		}
		if most := bytes.Count(data, []byte("\n")) + 1; n > most {
			t.Fatalf("%d lines; want at most %d", n, most)
		}
	})
}
