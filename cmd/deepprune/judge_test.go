package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"deepprune/engine"
	"deepprune/eval"
	"deepprune/prune"
)

// writeFile writes a file of the test's own folder and returns its path.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// manyQuestions is a data set of n questions.
func manyQuestions(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"id\":\"q%d\",\"question\":\"%d + 1\",\"answer\":%d}\n", i, i, i+1)
	}
	return b.String()
}

func TestJudgeSample(t *testing.T) {
	dataset := writeFile(t, "questions.jsonl", manyQuestions(7))
	out := filepath.Join(t.TempDir(), "traces.jsonl")
	code, stdout, stderr := call(&fakePair{}, "", "judge", "sample", "--dataset", dataset, "-k", "5", "--prefix-tokens", "40", "--out", out)
	if code != 0 || stdout != "" || !strings.Contains(stderr, "7 of 7 questions") {
		t.Fatalf("code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	traces, err := readTraces(out, 0, func(*eval.Sampled) error { return nil })
	if err != nil || len(traces) != 7 {
		t.Fatalf("%d questions, %v", len(traces), err)
	}
	for i, s := range traces {
		if s.ID != fmt.Sprintf("q%d", i) || s.Answer != fmt.Sprint(i+1) || len(s.Traces) != 5 || s.Seed != s.Question.Seed(1) {
			t.Errorf("line %d is %+v", i, s)
		}
		for j, tr := range s.Traces {
			// The fake's text is the number of tokens that it is made of.
			want := eval.SampledTrace{Index: j, Prefix: "40", PrefixTokens: 40, Answer: "42", Tokens: 100 + j, State: eval.StateName{State: prune.Finished}}
			if tr != want {
				t.Errorf("line %d, trace %d is %+v; want %+v", i, j, tr, want)
			}
		}
	}
}

// TestJudgeSampleResume: a file that was cut anywhere is completed to the same
// bytes.
func TestJudgeSampleResume(t *testing.T) {
	dataset := writeFile(t, "questions.jsonl", manyQuestions(6))
	whole := filepath.Join(t.TempDir(), "whole.jsonl")
	args := []string{"judge", "sample", "--dataset", dataset, "-k", "2", "--prefix-tokens", "9", "--resume", "--out"}
	if code, _, stderr := call(&fakePair{}, "", append(args, whole)...); code != 0 {
		t.Fatal(stderr)
	}
	want, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, len(want) / 3, len(want) / 2, len(want) - 1, len(want)} {
		cut := writeFile(t, "cut.jsonl", string(want[:n]))
		if code, _, stderr := call(&fakePair{}, "", append(args, cut)...); code != 0 {
			t.Fatalf("cut at %d: %s", n, stderr)
		}
		if got, _ := os.ReadFile(cut); !bytes.Equal(got, want) {
			t.Errorf("cut at %d: completed to\n%s\nwant\n%s", n, got, want)
		}
	}
	code, _, stderr := call(&fakePair{}, "", append(args, whole, "--seed", "2")...)
	if code != 1 || !strings.Contains(stderr, "another seed") {
		t.Errorf("resumed with another seed: code %d, %q", code, stderr)
	}
	if code, _, stderr = call(&fakePair{}, "", append(args, whole, "-k", "3")...); code != 1 || !strings.Contains(stderr, "has 2 traces, not 3") {
		t.Errorf("resumed with another k: code %d, %q", code, stderr)
	}
	if got, _ := os.ReadFile(whole); !bytes.Equal(got, want) {
		t.Error("a file that was refused was changed")
	}
}

// refusingPair has an engine that refuses one question.
type refusingPair struct {
	*fakePair
	question string
}

func (p refusingPair) Engine(journal io.Writer) (runner, error) {
	e, err := p.fakePair.Engine(journal)
	return refusing{e, p.question}, err
}

type refusing struct {
	runner
	question string
}

func (e refusing) Submit(ctx context.Context, r engine.Request) (group, error) {
	if r.Question == e.question {
		return nil, fmt.Errorf("engine: %w: the prompt has 9 tokens", engine.ErrTooLarge)
	}
	return e.runner.Submit(ctx, r)
}

// TestJudgeSampleSkips: a question that cannot be run is named, the others are
// stored, and the exit code tells.
func TestJudgeSampleSkips(t *testing.T) {
	dataset := writeFile(t, "questions.jsonl", manyQuestions(5))
	out := filepath.Join(t.TempDir(), "traces.jsonl")
	var errs bytes.Buffer
	a := testApp(strings.NewReader(""), &bytes.Buffer{}, &errs, nil)
	a.open = func(*engineFlags) (pair, error) { return refusingPair{&fakePair{}, "2 + 1"}, nil }
	code := a.run([]string{"judge", "sample", "--dataset", dataset, "-k", "2", "--prefix-tokens", "9", "--out", out})
	if code != 1 || !strings.Contains(errs.String(), "question q2: engine: request too large") || !strings.Contains(errs.String(), "1 question could not be run") {
		t.Errorf("code %d, stderr %q", code, errs.String())
	}
	traces, err := readTraces(out, 0, func(*eval.Sampled) error { return nil })
	if err != nil || len(traces) != 4 || traces[2].ID != "q3" {
		t.Errorf("%d questions are stored, %v", len(traces), err)
	}
}

// TestJudgeSampleInterrupt: the second interrupt ends groups under way.
func TestJudgeSampleInterrupt(t *testing.T) {
	dataset := writeFile(t, "questions.jsonl", manyQuestions(2))
	out := filepath.Join(t.TempDir(), "traces.jsonl")
	var errs bytes.Buffer
	a := testApp(strings.NewReader(""), &bytes.Buffer{}, &errs, &fakePair{block: true}) // groups end when they are cancelled alone
	signals := make(chan os.Signal, 2)
	a.interrupts = func() (<-chan os.Signal, func()) { return signals, func() {} }
	signals <- os.Interrupt
	go func() {
		time.Sleep(20 * time.Millisecond)
		signals <- os.Interrupt
	}()
	if code := a.run([]string{"judge", "sample", "--dataset", dataset, "-k", "2", "--prefix-tokens", "9", "--out", out}); code != 130 {
		t.Errorf("code %d, %q", code, errs.String())
	}
}

// fakeScorer says that two prefixes of equal length are the same.
type fakeScorer struct{ asked []engine.Pair }

func (s *fakeScorer) Score(scores []float64, pairs []engine.Pair) error {
	s.asked = append(s.asked, pairs...)
	for i, p := range pairs {
		scores[i] = 0.1
		if len(p.Keeper) == len(p.Trace) {
			scores[i] = 0.9
		}
	}
	return nil
}
func (s *fakeScorer) Work(p engine.Pair) (shared, own eval.Work) {
	return eval.Work{Tokens: len(p.Keeper), FLOPs: 1}, eval.Work{Tokens: len(p.Trace), FLOPs: 1}
}
func (s *fakeScorer) Cut(text string, tokens int) string { return text[:min(len(text), tokens)] }
func (s *fakeScorer) Name() string                       { return "fake" }
func (s *fakeScorer) Threshold() float64                 { return 0.5 }
func (s *fakeScorer) Close() error                       { return nil }

// callJudge runs a command line on a fake judge.
func callJudge(s *fakeScorer, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	a := testApp(strings.NewReader(""), &out, &errs, &fakePair{})
	a.openScorer = func(*engineFlags) (scorer, error) { return s, nil }
	code = a.run(args)
	return code, out.String(), errs.String()
}

const stored = `{"id":"a","question":"6*7","answer":"42","traces":[{"index":0,"prefix":"one","answer":"42","tokens":9,"state":"finished","text":"one, so 42"},{"index":1,"prefix":"two","answer":"42","tokens":9,"state":"finished","text":"two, so 42"},{"index":2,"prefix":"three","answer":"41","tokens":9,"state":"finished","text":"three 41"},{"index":3,"prefix":"x","answer":null,"tokens":9,"state":"length","text":"x"}]}
{"id":"b","question":"1+1","answer":"2","traces":[{"index":0,"prefix":"2?","answer":"2","tokens":9,"state":"finished","text":"2? Hm"},{"index":1,"prefix":"it is","answer":"2","tokens":9,"state":"finished","text":"it is 2"}]}
`

func TestJudgeEval(t *testing.T) {
	traces := writeFile(t, "traces.jsonl", stored)
	s := &fakeScorer{}
	code, stdout, stderr := callJudge(s, "judge", "eval", "--traces", traces, "--json")
	if code != 0 {
		t.Fatal(stderr)
	}
	var r eval.JudgeReport
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	if len(s.asked) != 4 || s.asked[0] != (engine.Pair{Keeper: "one", Trace: "two"}) {
		t.Errorf("asked %v", s.asked)
	}
	p := r.Prefixes[0]
	// Scores: .9 same; .1 .1 different; .1 same ("2?" and "it is").
	if r.Judge != "fake" || r.Questions != 2 || p.Judge.Pairs != 4 || p.Judge.AUROC != 0.75 || p.Judge.Within.Questions != 1 || p.Judge.Within.AUROC.Mean != 1 {
		t.Errorf("report %+v", r)
	}
	if p.Giveaway != 0.2 { // "2?" of the five traces with an answer
		t.Errorf("giveaway %v; want 0.2", p.Giveaway)
	}
	scores := filepath.Join(t.TempDir(), "scores.jsonl")
	if code, _, stderr = callJudge(&fakeScorer{}, "judge", "eval", "--traces", traces, "--scores", scores); code != 0 {
		t.Fatal(stderr)
	}
	lines, err := os.ReadFile(scores)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"prefixes":"as stored","question":"6*7","a":"one","b":"three","same":false,"score":0.1}` + "\n"; strings.Count(string(lines), "\n") != 4 || !strings.Contains(string(lines), want) {
		t.Errorf("scores\n%s\nlack %s", lines, want)
	}
	if code, stdout, stderr = callJudge(&fakeScorer{}, "judge", "eval", "--traces", traces, "--prefix-tokens", "2,6", "--prefix-words", "1"); code != 0 {
		t.Fatal(stderr)
	}
	for _, want := range []string{"prefixes of 2 tokens: 4 pairs", "prefixes of 6 tokens", "prefixes of 1 reasoning words", "n-gram overlap", "equal text"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the table lacks %q:\n%s", want, stdout)
		}
	}
	s = &fakeScorer{}
	if code, _, stderr = callJudge(s, "judge", "eval", "--traces", traces, "--question-only", "--limit", "1", "--most", "2"); code != 0 {
		t.Fatal(stderr)
	}
	if len(s.asked) != 2 || s.asked[0] != (engine.Pair{Keeper: "6*7", Trace: "6*7"}) {
		t.Errorf("asked %v of the question alone", s.asked)
	}
}

// TestJudgePairs: pairs that were written can be measured, and no question is on
// both sides of the split.
func TestJudgePairs(t *testing.T) {
	traces := writeFile(t, "traces.jsonl", stored)
	out := filepath.Join(t.TempDir(), "pairs.jsonl")
	if code, _, stderr := call(&fakePair{}, "", "judge", "pairs", "--traces", traces, "--out", out, "--repeat", "2"); code != 0 || !strings.Contains(stderr, "6 pairs of 2 questions, 2 with the same answer") {
		t.Fatalf("code %d, stderr %q", code, stderr)
	}
	code, stdout, stderr := callJudge(&fakeScorer{}, "judge", "eval", "--pairs", out)
	if code != 0 || !strings.Contains(stdout, "prefixes as they are: 6 pairs, 33.3% the same") {
		t.Errorf("code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	held := filepath.Join(t.TempDir(), "held.jsonl")
	spec := writeFile(t, "judge.json", `{"head":"H ","mid":" M ","tail":" T","same":" yes","different":" no"}`)
	if code, _, stderr := call(&fakePair{}, "", "judge", "pairs", "--traces", traces, "--out", out, "--held-out", held, "--share", "0.5", "--format", "messages", "--spec", spec, "--seed", "3"); code != 0 {
		t.Fatal(stderr)
	}
	var lines []string
	for _, path := range []string{out, held} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Split(strings.TrimSpace(string(text)), "\n")...)
	}
	all := strings.Join(lines, "\n")
	if want := `{"messages":[{"role":"user","content":"H one M two T"},{"role":"assistant","content":"yes"}]}`; !strings.Contains(all, want) {
		t.Errorf("no line %s in\n%s", want, all)
	}
}

func TestJudgeMistakes(t *testing.T) {
	traces := writeFile(t, "traces.jsonl", `{"question":"q","traces":[{"prefix":"a","answer":"1","tokens":5,"state":"finished"}]}`)
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"judge nothing", 2, `unknown command "nothing"`},
		{"judge sample", 2, `required flag(s) "dataset", "out"`},
		{"judge sample --dataset x --out y", 2, "--prefix-tokens or --prefix-words"},
		{"judge sample --dataset x --out y --prefix-tokens 4 -k 0", 2, "--traces: 0"},
		{"judge sample --dataset x --out y --prefix-tokens 4 --concurrency -1", 2, "--concurrency: -1"},
		{"judge sample --dataset /no/such --out y --prefix-tokens 4", 1, "--dataset: open /no/such"},
		{"judge sample --dataset " + traces + " --out /no/such/y --prefix-tokens 4", 1, "--out: open /no/such/y"},
		{"judge eval", 2, "[traces pairs]"},
		{"judge eval --traces a --pairs b", 2, "[pairs traces]"},
		{"judge eval --pairs b --prefix-tokens 5", 2, "need --traces"},
		{"judge eval --traces " + traces + " --prefix-tokens 5", 1, "whole texts are not stored"},
		{"judge eval --traces " + traces, 1, "no question has two traces"},
		{"judge eval --traces a --judge none", 2, "nothing to measure"},
		{"judge pairs --traces a --out b --format csv", 2, `"csv" is not pairs or messages`},
		{"judge pairs --traces a --out b --repeat 0", 2, "--repeat: 0"},
		{"judge pairs --traces a --out b --held-out b", 2, "same file"},
		{"judge pairs --traces a --out b --share 1", 2, "--share: 1"},
	} {
		code, stdout, stderr := callJudge(&fakeScorer{}, strings.Fields(c.args)...)
		if code != c.code || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: code %d, stdout %q, stderr %q; want %d and one line with %q", c.args, code, stdout, stderr, c.code, c.want)
		}
	}
}

func TestMeter(t *testing.T) {
	var b strings.Builder
	now := time.Unix(0, 0)
	m := &meter{w: &b, what: "question", total: 100, now: func() time.Time { return now }}
	m.start, m.shown = now, now
	m.begin(20)
	for done := 20; done <= 100; done++ {
		m.show(done, "")
		now = now.Add(10 * time.Second)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 27 || lines[0] != "23 of 100 questions, 12m50s left" || lines[26] != "100 of 100 questions in 13m20s" {
		t.Errorf("%d lines, first %q, last %q", len(lines), lines[0], lines[len(lines)-1])
	}
	for d, want := range map[time.Duration]string{0: "0s", 59 * time.Second: "59s", time.Hour - 1: "1h00m", 26*time.Hour + time.Minute: "26h01m"} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q; want %q", d, got, want)
		}
	}
}
