package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"deepprune/cmd/deepprune/live"
	"deepprune/engine"
	"deepprune/prune"
)

const farm = "A farmer has 12 cows and buys 3 more each week. After 4 weeks he sells half of the herd, and every cow left gives 17 litres of milk a day. How many litres a day does the farm give now?"

func TestSolvePlain(t *testing.T) {
	code, stdout, stderr := call(&fakePair{}, "", "solve", "-k", "64", "--seed", "7", farm)
	if code != 0 || stderr != "" {
		t.Fatalf("code %d, stderr %q", code, stderr)
	}
	if strings.ContainsAny(stdout, "\x1b\r") {
		t.Errorf("escape codes in plain text: %q", stdout)
	}
	golden(t, "solve.txt", stdout)
}

// TestSolveJSON: one object, with the names of the design.
func TestSolveJSON(t *testing.T) {
	code, stdout, stderr := call(&fakePair{}, "", "solve", "--json", "-k", "8", "<what> & why")
	if code != 0 || stderr != "" {
		t.Fatalf("code %d, stderr %q", code, stderr)
	}
	if strings.Count(stdout, "\n") != 1 || !strings.Contains(stdout, "<what> & why") {
		t.Errorf("not one plain line: %q", stdout)
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(stdout), &object); err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(`schema question answer warning policy params seed k votes traces clusters usage kv time device model judge
		usage.prompt_tokens usage.generated_tokens usage.judge_tokens usage.judge_pairs usage.judge_relative_cost
		kv.reasoner.block_bytes kv.reasoner.peak_blocks kv.reasoner.reclaimed_blocks kv.judge.block_bytes
		kv.peak_bytes kv.reclaimed_bytes kv.byte_steps time.total_ms time.prefill_ms time.decode_ms time.judge_ms
		device.kind device.name`) {
		if !has(object, path) {
			t.Errorf("the object lacks %s", path)
		}
	}
	traces := object["traces"].([]any)
	for _, name := range strings.Fields("index state tokens answer pruned_at_token pruned_at_step keeper similarity") {
		if !has(traces[1].(map[string]any), name) {
			t.Errorf("a trace lacks %s", name)
		}
	}
	if got := traces[1].(map[string]any)["state"]; got != "pruned" {
		t.Errorf("state of trace 1 is %v; want pruned", got)
	}
	if got := traces[0].(map[string]any)["keeper"]; got != nil {
		t.Errorf("keeper of trace 0 is %v; want null", got)
	}
}

// has reports whether a dotted path leads somewhere, be it to null.
func has(object map[string]any, path string) bool {
	name, rest, deeper := strings.Cut(path, ".")
	v, ok := object[name]
	if !deeper || !ok {
		return ok
	}
	inner, ok := v.(map[string]any)
	return ok && has(inner, rest)
}

func TestSolveQuestion(t *testing.T) {
	for _, c := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", []string{"1 + 1"}, "1 + 1"},
		{"", []string{"how", "many?"}, "how many?"},
		{"  from\na pipe \n", []string{"-"}, "from\na pipe"},
	} {
		code, stdout, stderr := call(&fakePair{}, c.stdin, append([]string{"solve", "--json"}, c.args...)...)
		var res struct{ Question string }
		if err := json.Unmarshal([]byte(stdout), &res); code != 0 || err != nil {
			t.Fatalf("%q: code %d, %v, stderr %q", c.args, code, err, stderr)
		}
		if res.Question != c.want {
			t.Errorf("question %q; want %q", res.Question, c.want)
		}
	}
	code, _, stderr := call(&fakePair{}, strings.Repeat("x", maxQuestion+1), "solve", "-")
	if code != 2 || !strings.Contains(stderr, "longer than") {
		t.Errorf("a huge question: code %d, stderr %q", code, stderr)
	}
}

// TestSolveInterrupt: the first interrupt prints the best vote so far and ends
// with 130.
func TestSolveInterrupt(t *testing.T) {
	for _, format := range []string{"--json", "--plain"} {
		var out, errs bytes.Buffer
		a := testApp(strings.NewReader(""), &out, &errs, &fakePair{block: true})
		signals := make(chan os.Signal, 1)
		a.interrupts = func() (<-chan os.Signal, func()) { return signals, func() {} }
		signals <- os.Interrupt
		if code := a.run([]string{"solve", format, "1+1"}); code != 130 {
			t.Errorf("%s: exit code %d; want 130", format, code)
		}
		if errs.Len() > 0 || !strings.Contains(out.String(), "42") || !strings.Contains(out.String(), "cancelled: the vote") {
			t.Errorf("%s: stdout %q, stderr %q; want the vote so far", format, out.String(), errs.String())
		}
	}
}

// TestSolveTimeout: the deadline prints the best vote so far, with a warning.
func TestSolveTimeout(t *testing.T) {
	code, stdout, stderr := call(&fakePair{block: true}, "", "solve", "--plain", "--timeout", "5ms", "1+1")
	if code != 0 || stderr != "" {
		t.Fatalf("code %d, stderr %q", code, stderr)
	}
	if !strings.Contains(stdout, "\nanswer   42\n") || !strings.Contains(stdout, "\nwarning  deadline: ") {
		t.Errorf("stdout %q; want an answer and a warning", stdout)
	}
}

func TestSolveJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	if code, _, stderr := call(&fakePair{}, "", "solve", "--json", "--journal", path, "1+1"); code != 0 {
		t.Fatalf("code %d, stderr %q", code, stderr)
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != "{}\n" {
		t.Errorf("the journal holds %q, %v", got, err)
	}
}

// TestParams: flags that were given reach the request, those left out mean the
// checkpoint's defaults, and a temperature of 0 means greedy.
func TestParams(t *testing.T) {
	for _, c := range []struct {
		args string
		want engine.Params
	}{
		{"", engine.Params{}},
		{"--temperature 0", engine.Params{Temperature: -1}},
		{"--temperature 0.7 --top-p 0.9 --top-k 20 --min-p 0.1 --max-tokens 99 --stop END --stop a,b",
			engine.Params{Temperature: 0.7, TopP: 0.9, TopK: 20, MinP: 0.1, MaxTokens: 99, Stop: []string{"END", "a,b"}}},
	} {
		args := append(append([]string{"solve", "--json"}, strings.Fields(c.args)...), "1+1")
		_, stdout, stderr := call(&fakePair{}, "", args...)
		var res struct{ Params engine.Params }
		if err := json.Unmarshal([]byte(stdout), &res); err != nil {
			t.Fatalf("%s: %v, stderr %q", c.args, err, stderr)
		}
		got, _ := json.Marshal(res.Params)
		want, _ := json.Marshal(c.want)
		if string(got) != string(want) {
			t.Errorf("%s: params %s; want %s", c.args, got, want)
		}
	}
}

// TestSummary looks at the summaries of runs that ended in unusual ways.
func TestSummary(t *testing.T) {
	e := &fakeEngine{&fakePair{}}
	var b strings.Builder
	for _, c := range []struct {
		name string
		edit func(r *engine.Result)
	}{
		{"nothing pruned", func(r *engine.Result) {
			for i := range r.Traces {
				r.Traces[i].State = prune.Finished
			}
			r.Usage.JudgePairs, r.Usage.JudgeTokens = 0, 0
			r.KV.Reasoner.ReclaimedBlocks, r.KV.ReclaimedBytes = 0, 0
		}},
		{"no answer", func(r *engine.Result) {
			r.Answer, r.Votes, r.Warning = "", nil, "no trace gave an answer"
			for i := range r.Traces {
				r.Traces[i].State = []prune.State{prune.Cancelled, prune.NotStarted, prune.Failed}[i%3]
			}
		}},
		{"many answers", func(r *engine.Result) {
			r.Answer = "an answer that is\nlonger than \x1b[31many line has room for, with escapes in it, and so it is cut"
			r.Votes = nil
			for i := range 12 {
				r.Votes = append(r.Votes, engine.Vote{Answer: strings.Repeat("9", 3*i+1), Weight: float64(13 - i), Traces: make([]int, 12-i)})
			}
			r.Traces[0].State = prune.Length
			r.Clusters = make([]engine.Cluster, 12)
			r.Warning = "the question is outside of what the model was trained for, so the answer is likely to be wrong"
		}},
	} {
		g, _ := e.Submit(t.Context(), engine.Request{Question: farm, Traces: 12, Policy: prunes{}})
		res, _ := g.Wait()
		c.edit(res)
		b.WriteString("--- " + c.name + "\n")
		if err := summarise(plainText(&b), res, plainWidth, nil); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "summary.txt", b.String())
}

// prunes is a policy by name alone; the fake engine asks for no more.
type prunes struct{ prune.Policy }

func (prunes) Name() string { return "deepprune" }

// TestPlainIsRare: a long run is told in few lines.
func TestPlainIsRare(t *testing.T) {
	events := make(chan engine.Event)
	go func() {
		defer close(events)
		for step := range int64(60_000) { // ten minutes of the run's own time
			events <- engine.Event{Kind: engine.EventStep, Step: step, Nanos: step * 10e6}
		}
	}()
	var b strings.Builder
	narrate(&b, live.NewBoard(live.Setup{Question: farm, Traces: 8}), events)
	if lines := strings.Count(b.String(), " step "); lines < 10 || lines > 25 {
		t.Errorf("%d lines of progress; want a few", lines)
	}
}

// TestOutsideWarning: a question the model cannot know is one warning, that the run
// ended early another.
func TestOutsideWarning(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g, err := (&fakeEngine{&fakePair{block: true}}).Submit(ctx, engine.Request{Traces: 2})
	if err != nil {
		t.Fatal(err)
	}
	res, err := outsideGroup{g, strings.Fields("a b c d e f g")}.Wait()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`never saw "a", "b", "c", "d", "e" and 2 more)`, "; deadline: "} {
		if !strings.Contains(res.Warning, want) {
			t.Errorf("warning %q; want %q in it", res.Warning, want)
		}
	}
}
