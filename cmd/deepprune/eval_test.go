package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"deepprune/eval"
)

const evalQuestions = `{"id":"a","question":"What is (12 + 7) * 3 - 8?","answer":"49"}
{"id":"b","question":"Tom has 24 apples. He buys 3 bags with 7 apples each. How many apples has Tom?","answer":"45"}
`

// TestRealEval: what is replayed from stored traces is what a live run of the
// embedded pair does, under every policy, to the last token of the judge.
func TestRealEval(t *testing.T) {
	dataset := writeFile(t, "questions.jsonl", evalQuestions)
	dir := t.TempDir()
	stored, out, page := filepath.Join(dir, "traces.jsonl"), filepath.Join(dir, "records.jsonl"), filepath.Join(dir, "page.html")
	plot := filepath.Join(dir, "plot.svg")
	code, _, stderr := runReal(t, "judge", "sample", "--dataset", dataset, "-k", "8", "--prefix-tokens", "20", "--max-tokens", "56", "--out", stored)
	if code != 0 {
		t.Fatal(stderr)
	}
	// Thresholds on either side of what the judge says, whatever it has learnt.
	args := []string{"eval", "--stored", stored, "-k", "8", "--live", "2", "--max-tokens", "56", "--checkpoint-tokens", "20", "--out", out, "--html", page, "--plot", plot, "--json", "--policy",
		"deepprune,deepprune:threshold=0.9:finishers=1,deepprune:threshold=0.2:confidence=1,deepprune-paper:threshold=0.6,random,early-vote,adaptive-consistency,equal-tokens,deepconf:window=8:warmup=3"}
	code, stdout, stderr := runReal(t, args...)
	if code != 0 {
		t.Fatal(stderr)
	}
	var r eval.Report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	if r.Replay == nil || r.Replay.Compared != 18 || r.Replay.Differences != 0 {
		t.Errorf("replay %+v; want 18 compared, none different", r.Replay)
	}
	if len(r.Policies) != 10 || len(r.Memory) != 10 || len(r.Memory[0].Moments) < 40 {
		t.Errorf("%d policies, memory of %d", len(r.Policies), len(r.Memory))
	}
	for _, p := range r.Policies {
		if p.Questions != 2 || p.Live == nil || p.Live.Questions != 2 || !(p.Live.PerMinute > 0) || !(p.Live.PeakBytes > 0) || !(p.Tokens.Finishers > 0) {
			t.Errorf("%s: %+v, live %+v", p.Policy, p, p.Live)
		}
	}
	if p := r.Policies[1]; !(p.JudgeTokens > 0) || !(p.Tokens.Prefixes > 0) || p.Tokens.Judge == 0 {
		t.Errorf("deepprune judged nothing: %+v", p)
	}
	if text, err := os.ReadFile(page); err != nil || !bytes.Contains(text, []byte("KV memory over time")) {
		t.Errorf("the page: %.80q, %v", text, err)
	}
	if text, err := os.ReadFile(plot); err != nil || !bytes.HasPrefix(text, []byte("<svg ")) {
		t.Errorf("the plot: %.80q, %v", text, err)
	}

	// Records that were cut are completed to the same report, the times excepted.
	records, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(out, records[:len(records)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr = runReal(t, append(args, "--resume")...)
	if code != 0 {
		t.Fatal(stderr)
	}
	var again eval.Report
	if err := json.Unmarshal([]byte(stdout), &again); err != nil {
		t.Fatal(err)
	}
	for i := range r.Policies {
		a, b := r.Policies[i], again.Policies[i]
		a.Live, b.Live = nil, nil
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		if !bytes.Equal(x, y) {
			t.Errorf("resumed: %s\nat once: %s", y, x)
		}
	}
	if again.Replay.Compared != 18 || again.Replay.Differences != 0 {
		t.Errorf("resumed: replay %+v", again.Replay)
	}
}

// TestEval: on fakes, whose unpruned runs answer 42.
func TestEval(t *testing.T) {
	dataset := writeFile(t, "questions.jsonl", "{\"question\":\"6 * 7\",\"answer\":\"42.0\"}\n{\"question\":\"6 * 8\",\"answer\":48}\n")
	code, stdout, stderr := call(&fakePair{}, "", "eval", "--dataset", dataset, "-k", "16", "--seeds", "1,2", "--policy", "deepprune,random,equal-tokens")
	if code != 0 {
		t.Fatal(stderr)
	}
	for _, want := range []string{"2 × 2 questions and seeds, 16 traces each", "deepprune ", "random ", "equal-tokens (", "live, 4 groups in flight", "50.0% [0.0, 100.0]"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the table lacks %q:\n%s", want, stdout)
		}
	}
}

// TestEvalInterrupt: what is done is reported and kept.
func TestEvalInterrupt(t *testing.T) {
	dataset := writeFile(t, "questions.jsonl", manyQuestions(3))
	out := filepath.Join(t.TempDir(), "records.jsonl")
	var stdout, stderr bytes.Buffer
	a := testApp(strings.NewReader(""), &stdout, &stderr, &fakePair{})
	signals := make(chan os.Signal, 1)
	a.interrupts = func() (<-chan os.Signal, func()) { return signals, func() {} }
	signals <- os.Interrupt
	code := a.run([]string{"eval", "--dataset", dataset, "-k", "2", "--policy", "early-vote", "--out", out})
	if code != 130 && code != 0 { // it may have been faster than the signal
		t.Errorf("code %d, stderr %q", code, stderr.String())
	}
	if code, _, errs := call(&fakePair{}, "", "eval", "--dataset", dataset, "-k", "2", "--policy", "early-vote", "--out", out, "--resume"); code != 0 {
		t.Errorf("resumed: code %d, %q", code, errs)
	}
	text, err := os.ReadFile(out)
	if err != nil || bytes.Count(text, []byte("\n")) != 1+2+2*3 {
		t.Errorf("records %s, %v; want a header, two of memory and six of runs", text, err)
	}
}

func TestEvalMistakes(t *testing.T) {
	dataset := writeFile(t, "questions.jsonl", manyQuestions(1))
	unknown := writeFile(t, "unknown.jsonl", `{"question":"why?"}`)
	traces := writeFile(t, "traces.jsonl", stored)
	out := writeFile(t, "records.jsonl", "{\"k\":3}\n")
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"eval", 2, "[dataset stored]"},
		{"eval --dataset a --stored b", 2, "[dataset stored]"},
		{"eval --dataset a -k 0", 2, "--traces: 0"},
		{"eval --dataset a --live 3", 2, "--live is for --stored"},
		{"eval --stored a --seeds 1,2", 2, "of one seed"},
		{"eval --dataset a --resume", 2, "--resume needs"},
		{"eval --dataset a --policy perhaps", 2, `policy "perhaps"`},
		{"eval --dataset a --policy random", 2, "follows another policy"},
		{"eval --dataset a --policy deepprune --judge none", 2, "needs a judge"},
		{"eval --dataset a --threshold 1", 2, "--threshold: 1"},
		{"eval --dataset /no/such", 1, "--dataset: open /no/such"},
		{"eval --dataset " + unknown, 1, "question 1 has no answer"},
		{"eval --stored " + traces, 1, "sampled with another seed"},
		{"eval --dataset " + dataset + " --out " + out + " --resume", 1, "of another experiment"},
	} {
		code, stdout, stderr := call(&fakePair{}, "", strings.Fields(c.args)...)
		if code != c.code || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: code %d, stdout %q, stderr %q; want %d and one line with %q", c.args, code, stdout, stderr, c.code, c.want)
		}
	}
}

// TestEvalSkips: a question that cannot be run is named, the others count, and the
// exit code tells.
func TestEvalSkips(t *testing.T) {
	dataset := writeFile(t, "questions.jsonl", manyQuestions(4))
	var stdout, stderr bytes.Buffer
	a := testApp(strings.NewReader(""), &stdout, &stderr, nil)
	a.open = func(*engineFlags) (pair, error) { return refusingPair{&fakePair{}, "2 + 1"}, nil }
	code := a.run([]string{"eval", "--dataset", dataset, "-k", "2", "--policy", "early-vote"})
	if code != 1 || !strings.Contains(stderr.String(), "question q2, policy early-vote: engine: request too large") || !strings.Contains(stderr.String(), "2 runs could not be carried out") {
		t.Errorf("code %d, stderr %q", code, stderr.String())
	}
	if !strings.Contains(stdout.String(), "3 × 1 questions and seeds") {
		t.Errorf("stdout %q", stdout.String())
	}
}
