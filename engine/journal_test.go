package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
)

var testHeader = JournalHeader{
	Model: "reasoner", Judge: "judge", Device: Device{Kind: "cpu", Name: "a \"chip\""},
	Slots: 16, StepTokens: 256, KVBytes: 1 << 40, BlockBytes: 131072, JudgeBlockBytes: 4096,
}

var testSubmission = JournalSubmission{
	Question: "What is 2 < 3?\nSay \"yes\".", Prompt: []int32{1, 2, 50_000}, K: 64, Seed: math.MaxUint64,
	Policy: "deepprune", Settings: json.RawMessage(`{"tau":0.5}`),
	Params: Params{Temperature: 0.7, TopP: 0.95, MaxTokens: 400, Stop: []string{"\n\n"}},
}

var testOutcome = JournalOutcome{
	Answer: "2 < 3", Warning: "a \"doubt\"",
	Votes:    []Vote{{Answer: "2 < 3", Weight: 1.0 / 3, Traces: []int{0, 63}}},
	Clusters: []Cluster{{Keeper: 0, Members: []int{0, 1, 63}, Answer: "2 < 3"}},
	Usage:    Usage{PromptTokens: 3, GeneratedTokens: 900, JudgeTokens: 70, JudgePairs: 5, JudgeRelativeCost: 31.25},
	KV:       KVUse{PeakBytes: 1 << 40, Reasoner: ModelKV{BlockBytes: 131072, PeakBlocks: 9, ReclaimedBlocks: 4}},
}

// randomEvent fills the fields that belong to the kind.
func randomEvent(rng *rand.Rand, kind EventKind) Event {
	ev := Event{Kind: kind, Step: rng.Int64(), Nanos: rng.Int64(), Keeper: -1}
	fields := fieldsOf[kind]
	set := func(f eventFields, to any) {
		if fields&f == 0 {
			return
		}
		switch to := to.(type) {
		case *int32:
			*to = int32(rng.Uint32())
		case *int64:
			*to = int64(rng.Uint64())
		}
	}
	set(fieldGroup, &ev.Group)
	set(fieldTrace, &ev.Trace)
	set(fieldTokens, &ev.Tokens)
	set(fieldKeeper, &ev.Keeper)
	set(fieldRows, &ev.Rows)
	set(fieldPrefillRows, &ev.PrefillRows)
	set(fieldJudgeRows, &ev.JudgeRows)
	set(fieldBlocks, &ev.Blocks)
	set(fieldJudgeBlocks, &ev.JudgeBlocks)
	set(fieldBytes, &ev.Bytes)
	if fields&fieldScore != 0 {
		ev.Score = rng.Float32()
	}
	if fields&fieldState != 0 {
		ev.State = uint8(rng.IntN(8))
	}
	texts := []string{"", "same answer", "a\"b\\c\n\x00\x7f", "größer als ½ 🙂\u2028"}
	if fields&fieldReason != 0 {
		ev.Reason = texts[rng.IntN(len(texts))]
	}
	if fields&fieldAnswer != 0 {
		ev.Answer = texts[rng.IntN(len(texts))]
	}
	return ev
}

func readAll(t *testing.T, r io.Reader) []JournalLine {
	t.Helper()
	var lines []JournalLine
	for line, err := range ReadJournal(r) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestJournalRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var file bytes.Buffer
	j := newJournal(&file)
	j.header(testHeader)
	header := testHeader
	header.Schema = journalSchema
	want := []JournalLine{{Header: &header}}
	submitted := Event{Kind: EventSubmitted, Group: 3, Step: 4, Nanos: 5, Keeper: -1}
	j.record(submitted) // has its own call
	j.submitted(submitted, testSubmission)
	want = append(want, JournalLine{Event: submitted, Submission: &testSubmission})
	var sampled []SampledToken
	for range 20_000 {
		ev := randomEvent(rng, EventStarted+EventKind(rng.IntN(int(EventDone-EventStarted))))
		if ev.Kind == EventTokens {
			ev.Group, ev.Trace, ev.Token, ev.Tokens = int64(rng.IntN(9)), rng.Int32(), rng.Int32(), 7
			sampled = append(sampled, SampledToken{ev.Group, ev.Trace, ev.Token})
			j.record(ev)
			continue
		}
		line := JournalLine{Event: ev}
		if ev.Kind == EventStep {
			line.Sampled, sampled = sampled, nil
		}
		j.record(ev)
		want = append(want, line)
	}
	finished := Event{Kind: EventDone, Group: 3, Step: 6, Nanos: 7, Keeper: -1}
	j.record(finished) // has its own call
	j.done(finished, testOutcome)
	want = append(want, JournalLine{Event: finished, Outcome: &testOutcome})
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	text := file.String()
	got := readAll(t, &file)
	if len(got) != len(want) {
		t.Fatalf("%d lines; want %d", len(got), len(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("line %d = %+v; want %+v", i+1, got[i], want[i])
		}
	}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if !json.Valid([]byte(line)) {
			t.Fatalf("line %d is not JSON: %s", i+1, line)
		}
	}
}

func TestJournalLines(t *testing.T) {
	for _, c := range []struct {
		ev   Event
		want string
	}{
		{Event{Kind: EventStarted, Group: 1, Trace: 2, Step: 3, Nanos: 4, Keeper: -1}, `{"kind":"started","step":3,"nanos":4,"group":1,"trace":2}`},
		{Event{Kind: EventJudged, Group: 1, Trace: 2, Keeper: 0, Score: 0.1, Step: 3, Nanos: 4}, `{"kind":"judged","step":3,"nanos":4,"group":1,"trace":2,"keeper":0,"score":0.1}`},
		{Event{Kind: EventJudged, Score: float32(math.NaN())}, `{"kind":"judged","step":0,"nanos":0,"group":0,"trace":0,"keeper":0,"score":null}`},
		{Event{Kind: EventPruned, Group: 1, Trace: 2, Tokens: 9, Keeper: -1, Reason: `vote "decided"`, Blocks: 5, Bytes: 6, Step: 3, Nanos: 4}, `{"kind":"pruned","step":3,"nanos":4,"group":1,"trace":2,"tokens":9,"keeper":-1,"score":0,"reason":"vote \"decided\"","blocks":5,"bytes":6}`},
		{Event{Kind: EventEnded, Group: 1, Trace: 2, Tokens: 9, State: 3, Answer: "2 < 3", Blocks: 5}, `{"kind":"ended","step":0,"nanos":0,"group":1,"trace":2,"tokens":9,"state":"finished","answer":"2 < 3","blocks":5}`},
		{Event{Kind: EventStep, Step: 3, Nanos: 4, Rows: 5, PrefillRows: 6, JudgeRows: 7, Blocks: 8, JudgeBlocks: 9, Bytes: 10}, `{"kind":"step","step":3,"nanos":4,"rows":5,"prefill_rows":6,"judge_rows":7,"blocks":8,"judge_blocks":9,"bytes":10,"sampled":[[1,0,523],[1,4,88]]}`},
	} {
		got := string(appendEvent(nil, &c.ev, []SampledToken{{1, 0, 523}, {1, 4, 88}}))
		if got != c.want+"\n" {
			t.Errorf("line %swant %s", got, c.want)
		}
	}
}

func TestNilJournal(t *testing.T) {
	var j *journal
	j.header(testHeader)
	j.submitted(Event{}, testSubmission)
	j.record(Event{Kind: EventStep})
	if err := j.close(); err != nil {
		t.Error(err)
	}
}

// gate is a writer that waits for each write to be let through.
type gate struct {
	bytes.Buffer
	open chan struct{}
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	return g.Buffer.Write(p)
}

func TestFullRingWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const events = 1000
		w := &gate{open: make(chan struct{})}
		j := newJournalSize(w, 8)
		j.header(testHeader)
		synctest.Wait() // the header is being written
		recorded := 0
		closed := make(chan error)
		go func() {
			for i := range events {
				j.record(Event{Kind: EventStep, Step: int64(i)})
				recorded++
			}
			closed <- j.close()
		}()
		synctest.Wait()
		if recorded != 8 {
			t.Errorf("%d events recorded though nothing is written; want 8", recorded)
		}
		close(w.open)
		if err := <-closed; err != nil {
			t.Fatal(err)
		}
		lines := readAll(t, w)
		if len(lines) != events+1 {
			t.Fatalf("%d lines; want %d", len(lines), events+1)
		}
		for i, line := range lines[1:] {
			if line.Event.Step != int64(i) {
				t.Fatalf("line %d is step %d; want %d", i+2, line.Event.Step, i)
			}
		}
	})
}

// A ring that is full of tokens, for which nobody is woken, must not stand still.
func TestManyTokensInOneStep(t *testing.T) {
	var file bytes.Buffer
	j := newJournalSize(&file, 4)
	j.header(testHeader)
	for i := range int32(100) {
		j.record(Event{Kind: EventTokens, Trace: i, Token: i})
	}
	j.record(Event{Kind: EventStep})
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	lines := readAll(t, &file)
	if n := len(lines[1].Sampled); n != 100 {
		t.Errorf("%d tokens in the step's line; want 100", n)
	}
}

// A step is written without waiting for the next one.
func TestJournalFollowsSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var file bytes.Buffer
		j := newJournal(&file)
		j.header(testHeader)
		for step := range int64(3) {
			j.record(Event{Kind: EventTokens})
			j.record(Event{Kind: EventStep, Step: step})
			synctest.Wait()
			if got, want := bytes.Count(file.Bytes(), []byte("\n")), int(step)+2; got != want {
				t.Errorf("%d lines after step %d; want %d", got, step, want)
			}
		}
		if err := j.close(); err != nil {
			t.Fatal(err)
		}
	})
}

// failing fails from its second write on.
type failing struct {
	writes int
	err    error // nil: writes less than it was given
}

func (f *failing) Write(p []byte) (int, error) {
	if f.writes++; f.writes == 1 {
		return len(p), nil
	}
	return len(p) - 1, f.err
}

func TestFailingWriterDoesNotStallTheEngine(t *testing.T) {
	full := errors.New("disk full")
	for _, err := range []error{full, nil} {
		want := err
		if err == nil {
			want = io.ErrShortWrite
		}
		w := &failing{err: err}
		j := newJournalSize(w, 2)
		j.header(testHeader)
		for range 10_000 {
			j.record(Event{Kind: EventStep})
		}
		if got := j.close(); !errors.Is(got, want) {
			t.Errorf("close() = %v; want %v", got, want)
		}
		if w.writes != 2 {
			t.Errorf("%d writes; want none after the failed one", w.writes)
		}
	}
}

func TestJournalRefusesWhatIsNotJSON(t *testing.T) {
	var file bytes.Buffer
	j := newJournal(&file)
	j.header(testHeader)
	j.submitted(Event{}, JournalSubmission{Params: Params{Temperature: math.Inf(1)}})
	if err := j.close(); err == nil || !strings.Contains(err.Error(), "Inf") {
		t.Errorf("close() = %v; want the encoder's error", err)
	}
}

func TestRecordAllocatesNothing(t *testing.T) {
	j := newJournal(io.Discard)
	j.header(testHeader)
	step := func() {
		for i := range int32(64) {
			j.record(Event{Kind: EventTokens, Trace: i, Token: 1000 + i})
		}
		j.record(Event{Kind: EventPruned, Score: 0.3, Reason: "same answer"})
		j.record(Event{Kind: EventEnded})
		j.record(Event{Kind: EventStep})
	}
	for range 200 { // its buffers grow to the size of the largest step
		step()
	}
	if n := testing.AllocsPerRun(500, step); n != 0 {
		t.Errorf("%v allocations a step; want 0", n)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkJournalStep(b *testing.B) {
	j := newJournal(io.Discard)
	j.header(testHeader)
	b.ReportAllocs()
	for b.Loop() {
		for i := range int32(64) {
			j.record(Event{Kind: EventTokens, Trace: i, Token: 1000 + i})
		}
		j.record(Event{Kind: EventStep})
	}
	if err := j.close(); err != nil {
		b.Fatal(err)
	}
}

// TestJournalOfARun writes the journal of the same request twice: all but the times
// is equal, and it has what the tokens and decisions depend on.
func TestJournalOfARun(t *testing.T) {
	p := open(t, 2)
	journals := make([]bytes.Buffer, 2)
	for i := range journals {
		e, err := New(p.dev, p.reasoner, p.judge, Options{Journal: &journals[i]})
		if err != nil {
			t.Fatal(err)
		}
		ask(t, e, Request{Question: questions[0], Traces: 12, Seed: 4, Policy: policy(t, "deepprune", 36)})
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	text := journals[0].String()
	for _, want := range []string{`"policy":"deepprune"`, `"settings":{"checkpoint":{"tokens":36}`, `"finishers":3`, `"kind":"judged"`, `"kind":"pruned"`, `"state":"finished","answer":"`, `"kind":"done"`, `"votes":[{"answer":"`, `"clusters":[{"keeper":0,`, `"generated_tokens":`} {
		if !strings.Contains(text, want) {
			t.Errorf("the journal has no %s", want)
		}
	}
	if err := CompareJournals(&journals[0], &journals[1]); err != nil {
		t.Error(err)
	}
}
