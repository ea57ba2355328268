package eval

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"deepprune/prune"
)

// fate is a trace that ended, right or wrong.
func fate(tokens int, answer string) Fate {
	return Fate{State: StateName{prune.Finished}, Tokens: tokens, Answer: JSONText(answer), Right: answer == "1"}
}

// TestReport checks the figures of two questions by hand.
func TestReport(t *testing.T) {
	contenders, err := ParseContenders([]string{"deepprune"}, prune.Options{Checkpoint: prune.Checkpoint{Tokens: 10}})
	if err != nil {
		t.Fatal(err)
	}
	pruned := Fate{State: StateName{prune.Pruned}, Tokens: 10, Prefix: 10}
	survivor := fate(100, "1")
	survivor.Prefix = 10
	early := fate(6, "2")
	early.Prefix = 6
	records := []*Record{
		{Contender: "none", Question: "a", Run: 1, Right: true, Traces: []Fate{fate(100, "1"), fate(80, "1"), fate(60, "2"), fate(60, "1")}, Began: 1e6, TotalMS: 1000, PeakBytes: 400, ByteSteps: 1000},
		{Contender: "none", Question: "b", Run: 1, Right: false, Traces: []Fate{fate(100, "2"), fate(100, "2"), fate(100, "1"), fate(100, "")}, Began: 2e6, TotalMS: 1000, PeakBytes: 200, ByteSteps: 1000},
		{Contender: "deepprune", Question: "a", Run: 1, Right: true, Traces: []Fate{survivor, pruned, pruned, {}}, JudgePairs: 3, JudgeTokens: 50, JudgeCost: 20, Began: 9e6, TotalMS: 300, PeakBytes: 100, ByteSteps: 100},
		{Contender: "deepprune", Question: "b", Run: 1, Right: true, Traces: []Fate{survivor, early, {}, {}}, Began: 9.2e6, TotalMS: 300, PeakBytes: 150, ByteSteps: 400},
		{Contender: "deepprune", Memory: []Moment{{1, 2, 3}}},
	}
	r := NewReport(Header{Schema: 1, K: 4}, contenders, records, 1)
	if r.Questions != 2 || r.Runs != 1 || r.PassAt1.Mean != 0.5 {
		t.Errorf("%d questions, %d runs, pass@1 %v", r.Questions, r.Runs, r.PassAt1)
	}
	p := r.Policies[1]
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"accuracy", float64(p.Accuracy.Mean), 1},
		{"difference", float64(p.Difference.Mean), 0.5},
		{"prefixes", p.Tokens.Prefixes, (30 + 16) / 2.},
		{"finishers", p.Tokens.Finishers, (90 + 90) / 2.},
		{"judge", p.Tokens.Judge, 10},
		{"generated", float64(p.Generated), 226. / 700},
		{"with the judge", float64(p.WithJudge), 246. / 700},
		{"pairs per trace", float64(p.PairsPerTrace), 3. / 5},
		{"started", float64(p.Started), 2.5},
		{"survivors", float64(p.Survivors), 1.5},
		{"pass@1 of those that ended", float64(p.PassAt1), 2. / 3},
		{"wall", p.Live.WallMS, 500},
		{"per minute", float64(p.Live.PerMinute), 240},
		{"speed-up", float64(p.Live.SpeedUp), 4},
		{"latency", float64(p.Live.LatencyMS), 300},
		{"peak", float64(p.Live.PeakBytes), 125},
		{"peak of none", float64(p.Live.PeakOverNone), 0.5},
		{"largest peak", float64(p.Live.PeakMaximum), 150},
		{"byte-steps of none", float64(p.Live.ByteStepsRatio), 0.25},
	} {
		if math.Abs(c.got-c.want) > 1e-9 {
			t.Errorf("%s = %v; want %v", c.name, c.got, c.want)
		}
	}
	if len(r.Memory) != 1 || r.Memory[0].Policy != "deepprune" {
		t.Errorf("memory %+v", r.Memory)
	}
	// Votes of the first 1, 2 and 4: a is right, b is not.
	if len(r.Voting) != 3 || r.Voting[2].Traces != 4 || r.Voting[2].Tokens != 350 || r.Voting[0].Tokens != 100 || r.Voting[1].Accuracy.Mean != 0.5 {
		t.Errorf("voting %+v", r.Voting)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{`"difference_to_none"`, `"pass_at_1"`, `"tokens":{"prefixes"`, `"peak_over_none"`, `"byte_steps_over_none"`, `"questions_per_minute"`, `"dataset"`} {
		if !strings.Contains(string(text), name) {
			t.Errorf("the JSON form lacks %s", name)
		}
	}
}

// TestReplayCheck: replayed records give the accuracy, live ones the times, and
// what differs is told.
func TestReplayCheck(t *testing.T) {
	contenders, err := ParseContenders([]string{"early-vote"}, prune.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var records []*Record
	for _, c := range []string{"none", "early-vote"} {
		for _, q := range []string{"a", "b"} {
			records = append(records, &Record{Contender: c, Question: q, Run: 1, Replayed: true, Right: true, Traces: []Fate{fate(9, "1")}})
		}
		records = append(records, &Record{Contender: c, Question: "a", Run: 1, Right: true, Traces: []Fate{fate(9, "1")}, Began: 1, TotalMS: 5, PeakBytes: 1})
	}
	r := NewReport(Header{K: 1}, contenders, records, 1)
	if r.Questions != 2 || r.Replay.Compared != 2 || r.Replay.Differences != 0 || !r.Policies[1].Replayed || r.Policies[1].Live.Questions != 1 {
		t.Errorf("%+v, %+v", r, r.Replay)
	}
	records[5].Traces = []Fate{fate(8, "1")}
	if r = NewReport(Header{K: 1}, contenders, records, 1); r.Replay.Differences != 1 || !strings.Contains(r.Replay.First, "question a, policy early-vote: trace 0") {
		t.Errorf("%+v", r.Replay)
	}
}

// TestWall: overlapping runs count once, pauses do not.
func TestWall(t *testing.T) {
	records := make(map[key]*Record)
	for i, s := range [][2]float64{{0, 100}, {50, 100}, {60, 10}, {1000, 50}, {1050, 1}} {
		records[key{run: uint64(i)}] = &Record{Began: int64(s[0] * 1e3), TotalMS: s[1]}
	}
	if got := wall(records); got != 201 {
		t.Errorf("wall = %v; want 201", got)
	}
}

func TestPlainVote(t *testing.T) {
	for _, c := range []struct {
		answers string
		want    bool
	}{{"1", true}, {"2", false}, {"1 2", true}, {"2 1", false}, {"2 1 1", true}, {"- - 1", true}, {"2 1 1 2", false}} {
		var traces []Fate
		for _, a := range strings.Fields(c.answers) {
			traces = append(traces, fate(1, strings.Trim(a, "-")))
		}
		if got := plainVote(traces); got != c.want {
			t.Errorf("vote of %s is right: %v", c.answers, got)
		}
	}
}

func TestRecordsFile(t *testing.T) {
	var b bytes.Buffer
	h := Header{Schema: 1, Dataset: "d", K: 2}
	r := &Record{Contender: "none", Question: "a", Run: 3, Answer: "1", Traces: []Fate{fate(5, "1"), {}}}
	for _, v := range []any{h, r} {
		if err := WriteJSON(&b, v); err != nil {
			t.Fatal(err)
		}
	}
	text := b.String()
	got, err := ReadRecords(strings.NewReader(text), "f", h)
	if err != nil || len(got) != 1 || got[0].agrees(r) != nil || got[0].Run != 3 {
		t.Errorf("read %+v, %v", got, err)
	}
	if _, err := ReadRecords(strings.NewReader(text), "f", Header{Schema: 1, Dataset: "d", K: 3}); err == nil || !strings.HasPrefix(err.Error(), "f:1: the records are of another experiment") {
		t.Errorf("another experiment: %v", err)
	}
	if got, err := ReadRecords(strings.NewReader(""), "f", h); err != nil || got != nil {
		t.Errorf("an empty file: %v, %v", got, err)
	}
}
