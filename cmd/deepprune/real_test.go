package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runReal runs a command line on the engine and the embedded pair.
func runReal(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// TestRealSolve answers a question with the embedded pair, twice: the same command
// line gives the same object but for times, with a journal and on one thread too.
func TestRealSolve(t *testing.T) {
	args := []string{"solve", "--json", "-k", "6", "--max-tokens", "60", "--checkpoint-tokens", "20", "--policy", "deepprune-paper", "(3 + 4) * 5"}
	journal := filepath.Join(t.TempDir(), "journal.jsonl")
	var first string
	for i, more := range [][]string{nil, {"--journal", journal, "--threads", "1", "--slots", "2"}} {
		code, stdout, stderr := runReal(t, append(args, more...)...)
		if code != 0 || stderr != "" {
			t.Fatalf("code %d, stderr %q", code, stderr)
		}
		var object map[string]any
		if err := json.Unmarshal([]byte(stdout), &object); err != nil {
			t.Fatal(err)
		}
		// What a run depends on beside its question is time and memory.
		delete(object, "time")
		delete(object, "kv")
		for _, trace := range object["traces"].([]any) {
			delete(trace.(map[string]any), "pruned_at_step")
		}
		same, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = string(same)
		} else if string(same) != first {
			t.Errorf("two runs differ:\n%s\n%s", first, same)
		}
	}
	lines, err := os.ReadFile(journal)
	if err != nil || !strings.HasPrefix(string(lines), `{"kind":"header"`) || !strings.Contains(string(lines), `"kind":"done"`) {
		t.Errorf("the journal begins with %.60q, %v", lines, err)
	}
}

// TestRealBench prunes by a schedule and finds the survivors untouched.
func TestRealBench(t *testing.T) {
	schedule := filepath.Join(t.TempDir(), "schedule.jsonl")
	if err := os.WriteFile(schedule, []byte("{\"token\": 20, \"stop\": [1, 2]}\n{\"token\": 30, \"keep\": [0]}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := runReal(t, "bench", "--json", "--question", "(3 + 4) * 5", "-k", "4", "--max-tokens", "48",
		"--policy", "scripted", "--prune-schedule", schedule)
	if code != 0 {
		t.Fatalf("code %d, stderr %q", code, stderr)
	}
	var r benchReport
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	if !r.SurvivorsIdentical || r.Compared.Traces != 4 || r.Compared.Tokens != 48+20+20+30 {
		t.Errorf("identical %v (%s), compared %+v", r.SurvivorsIdentical, r.FirstDifference, r.Compared)
	}
	if r.Off.GeneratedTokens != 4*48 || r.On.GeneratedTokens != 48+20+20+30 || r.On.TracesPruned != 3 {
		t.Errorf("%d tokens off, %d on, %d pruned", r.Off.GeneratedTokens, r.On.GeneratedTokens, r.On.TracesPruned)
	}
	if len(r.Memory) == 0 || r.On.ReclaimedBytes == 0 || r.OnOverOff.ByteSteps >= 1 {
		t.Errorf("memory over time %v, %d bytes reclaimed, byte steps %v", r.Memory, r.On.ReclaimedBytes, r.OnOverOff.ByteSteps)
	}
}

// TestRealErrors: a damaged checkpoint is one line that names file and tensor.
func TestRealErrors(t *testing.T) {
	dir := t.TempDir()
	source := os.DirFS(filepath.Join("..", "..", "weights", "embedded", "reasoner"))
	if err := os.CopyFS(dir, source); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "model.safetensors"), 100_000); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"--model", dir}, []string{"--model", "model.safetensors", "tensor"}},
		{[]string{"--judge", dir}, []string{"--judge", "model.safetensors", "tensor"}},
		{[]string{"--model", filepath.Join(dir, "none")}, []string{"--model", "model.safetensors"}},
		{[]string{"--device", "cuda"}, []string{"--device cuda", "no CUDA"}},
		{[]string{"--max-tokens", "9999999"}, []string{"max_tokens: 9999999"}},
		{[]string{"--kv-memory", "400KiB"}, []string{"KV memory"}},
	} {
		code, stdout, stderr := runReal(t, append(append([]string{"solve"}, c.args...), "1 + 1")...)
		if code != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: code %d, stdout %q, stderr %q; want 1 and one line", c.args, code, stdout, stderr)
		}
		for _, want := range c.want {
			if !strings.Contains(stderr, want) {
				t.Errorf("%v: stderr %q lacks %q", c.args, stderr, want)
			}
		}
	}
}

// TestRealQuestionOutside asks what the embedded reasoner cannot know: it answers,
// and warns.
func TestRealQuestionOutside(t *testing.T) {
	code, stdout, stderr := runReal(t, "solve", "--plain", "-k", "3", "--max-tokens", "30", "Who wrote Faust?")
	if code != 0 || !strings.Contains(stdout, "outside") || !strings.Contains(stdout, `"Faust"`) {
		t.Errorf("code %d, stderr %q, no warning that names the unknown word in:\n%s", code, stderr, stdout)
	}
}
