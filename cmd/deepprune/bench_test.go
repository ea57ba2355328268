package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"deepprune/engine"
	"deepprune/prune"
)

func questionsFile(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "questions.jsonl")
	text := `{"question": "6 * 7", "answer": 42}
{"question": "5 * 8", "answer": "40.0", "source": "ignored"}

{"question": "what?"}
`
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBenchTable(t *testing.T) {
	code, stdout, stderr := call(&fakePair{}, "", "bench", "--questions", questionsFile(t), "--seeds", "1,2", "-k", "16", "--concurrency", "2")
	if code != 0 {
		t.Fatalf("code %d, stderr %q", code, stderr)
	}
	clock := regexp.MustCompile(`(?m)^wall clock .*$`)
	golden(t, "bench.txt", clock.ReplaceAllString(stdout, "wall clock"))
}

func TestBenchJSON(t *testing.T) {
	code, stdout, stderr := call(&fakePair{}, "", "bench", "--questions", questionsFile(t), "--limit", "2", "-k", "16", "--json")
	if code != 0 {
		t.Fatalf("code %d, stderr %q", code, stderr)
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(stdout), &object); err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(`off.generated_tokens on.generated_tokens on.judge_tokens
		on_over_off.generated_tokens on_over_off.tokens_with_judge on_over_off.wall on_over_off.peak_bytes on_over_off.byte_steps
		survivors_identical compared.traces compared.tokens`) {
		if !has(object, path) {
			t.Errorf("the object lacks %s", path)
		}
	}
	var r benchReport
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	if r.Questions != 2 || r.Seeds != 1 || r.K != 16 || !r.SurvivorsIdentical || r.Compared.Traces != 32 {
		t.Errorf("report %+v", r)
	}
	// Twelve of 16 traces stop at 40 tokens.
	if got, want := r.On.GeneratedTokens, 2*(12*40+100+104+108+112); got != want {
		t.Errorf("%d tokens generated; want %d", got, want)
	}
	if r.Compared.Tokens != r.On.GeneratedTokens {
		t.Errorf("%d tokens compared; want all %d of the pruned runs", r.Compared.Tokens, r.On.GeneratedTokens)
	}
	if got := r.On.TokensWithJudge - r.On.GeneratedTokens; got != r.On.JudgeTokens || got == 0 {
		t.Errorf("%d tokens of the judge in the sum; want %d", got, r.On.JudgeTokens)
	}
	// 42 is right, 40 is not what the fake answers.
	if r.On.Known != 2 || r.On.Correct != 1 {
		t.Errorf("%d of %d right; want 1 of 2", r.On.Correct, r.On.Known)
	}
}

// TestBenchDifference: a survivor that differs is found and named.
func TestBenchDifference(t *testing.T) {
	_, stdout, _ := call(&fakePair{spoil: true}, "", "bench", "--question", "6 * 7", "-k", "16")
	if want := "THE TRACES DIFFER: question 1, seed 1: trace 5 differs at token 17: 5017 without pruning, 9 with"; !strings.Contains(stdout, want) {
		t.Errorf("stdout %q; want %q", stdout, want)
	}
}

func TestComparison(t *testing.T) {
	run := func(traces ...engine.TraceResult) *engine.Result { return &engine.Result{Traces: traces} }
	trace := func(s prune.State, ids ...int32) engine.TraceResult {
		return engine.TraceResult{State: s, TokenIDs: ids, Tokens: len(ids)}
	}
	off := run(trace(prune.Finished, 1, 2, 3), trace(prune.Finished, 4, 5, 6))
	for _, c := range []struct {
		name string
		on   *engine.Result
		want bool
		sum  int // tokens compared
	}{
		{"a prefix was pruned", run(trace(prune.Finished, 1, 2, 3), trace(prune.Pruned, 4)), true, 4},
		{"nothing was pruned", run(trace(prune.Finished, 1, 2, 3), trace(prune.Finished, 4, 5, 6)), false, 6},
		{"a survivor differs", run(trace(prune.Finished, 1, 2, 9), trace(prune.Pruned, 4)), false, 4},
		{"a pruned trace differs", run(trace(prune.Finished, 1, 2, 3), trace(prune.Pruned, 9)), false, 4},
		{"a survivor is shorter", run(trace(prune.Finished, 1, 2), trace(prune.Pruned, 4)), false, 3},
		{"a survivor is longer", run(trace(prune.Finished, 1, 2, 3, 4), trace(prune.Pruned, 4)), false, 4},
		{"a cancelled trace is shorter", run(trace(prune.Cancelled, 1, 2), trace(prune.Pruned, 4)), true, 3},
		{"pruned before it started", run(trace(prune.Finished, 1, 2, 3), trace(prune.Pruned)), true, 3},
	} {
		var got comparison
		got.add(c.name, off, c.on)
		if got.identical() != c.want || got.Tokens != c.sum {
			t.Errorf("%s: identical %v with %d tokens (%s); want %v with %d", c.name, got.identical(), got.Tokens, got.first, c.want, c.sum)
		}
	}
}

func TestCompareMemory(t *testing.T) {
	off := []memoryPoint{{1, 10, 0}, {2, 20, 0}, {3, 30, 0}, {4, 40, 0}}
	on := []memoryPoint{{1, 10, 0}, {2, 12, 8}}
	got := compareMemory(off, on, 2)
	want := []memoryRow{{2, 20, 12, 8, 8}, {4, 40, 0, 40, 8}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("rows %v; want %v", got, want)
	}
	if got := compareMemory(nil, nil, 5); len(got) != 0 {
		t.Errorf("rows of nothing: %v", got)
	}
	if got := compareMemory(off, on, 99); len(got) != 4 || got[3].Step != 4 {
		t.Errorf("rows %v; want every step", got)
	}
}

// TestRealSpeed measures the smallest shape with one thread, as JSON.
func TestRealSpeed(t *testing.T) {
	code, stdout, stderr := runReal(t, "bench", "speed", "--model", "random:tiny", "--threads", "1", "--kv-dtype", "bf16", "-k", "1,2", "--prompt", "20", "--new", "6", "--json")
	var got struct {
		DType   string `json:"dtype"`
		KVDType string `json:"kv_dtype"`
		Decode  []struct {
			K          int     `json:"k"`
			TokensPerS float64 `json:"tokens_s"`
		} `json:"decode"`
	}
	if err := json.Unmarshal([]byte(stdout), &got); code != 0 || err != nil || len(got.Decode) != 2 || got.Decode[1].K != 2 || got.Decode[1].TokensPerS <= 0 || got.DType != "f32" || got.KVDType != "bf16" {
		t.Errorf("code %d, %v, %+v, stderr %q; want two rows of f32 weights and bf16 KV", code, err, got, stderr)
	}
	for _, args := range [][]string{{"-k", "0"}, {"--prompt", "1"}, {"--new", "3"}, {"--repeat", "0"}, {"--dtype", "q8"}, {"--kv-dtype", "int4"}} {
		if code, _, _ := runReal(t, append([]string{"bench", "speed", "--model", "random:tiny"}, args...)...); code != 2 {
			t.Errorf("%q: code %d; want 2", args, code)
		}
	}
	if _, available := systemMemory(); available > 0 {
		// 30 TiB of KV.
		code, _, stderr := runReal(t, "bench", "speed", "--model", "random:qwen3-0.6b", "-k", "1,8192", "--new", "32000")
		if code != 1 || !strings.Contains(stderr, "the KV") {
			t.Errorf("more KV than memory: code %d, stderr %q; want a refusal", code, stderr)
		}
	}
}
