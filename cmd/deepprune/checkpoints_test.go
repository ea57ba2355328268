package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"deepprune/eval"
)

// tinyCheckpoints are the checkpoints that package model compares with the reference,
// with a chat template, and the GGUF files that were made of some.
func tinyCheckpoints(t *testing.T) []string {
	t.Helper()
	testdata := filepath.Join("..", "..", "model", "testdata")
	goldens, err := filepath.Glob(filepath.Join(testdata, "*", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, golden := range goldens {
		folder := filepath.Dir(golden)
		if strings.HasSuffix(folder, "classifier") {
			continue // of sequences, which writes none
		}
		dir := filepath.Join(t.TempDir(), filepath.Base(folder))
		if err := os.CopyFS(dir, os.DirFS(folder)); err != nil {
			t.Fatal(err)
		}
		template := "{% for m in messages %}{{ m.content }}{% endfor %}"
		if err := os.WriteFile(filepath.Join(dir, "chat_template.jinja"), []byte(template), 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, dir)
		for _, gguf := range []string{folder + ".gguf", folder + "-00001-of-00003.gguf"} {
			if _, err := os.Stat(gguf); err == nil {
				paths = append(paths, gguf)
			}
		}
	}
	return paths
}

// TestRealCheckpoints runs solve, bench and eval on a checkpoint of every
// architecture, which is its own judge, with pruning on.
func TestRealCheckpoints(t *testing.T) {
	spec := writeFile(t, "spec.json", `{"head":"1: ","mid":" 2: ","tail":" same: ","same":"y","different":"n","chat":true,"checkpoint":{"tokens":2},"threshold":0.5}`)
	dataset := writeFile(t, "questions.jsonl", evalQuestions)
	paths := tinyCheckpoints(t)
	if len(paths) < 20 {
		t.Errorf("%d checkpoints; want 14 and the GGUF files of seven", len(paths))
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			common := []string{"--model", path, "--judge", path, "--judge-spec", spec, "--kv-memory", "8MiB", "--max-tokens", "24", "--temperature", "1", "--json", "-k", "4"}
			runJSON := func(into any, args ...string) {
				t.Helper()
				code, stdout, stderr := runReal(t, append(args, common...)...)
				if code != 0 {
					t.Fatalf("%v: code %d, stderr %q", args, code, stderr)
				}
				if err := json.Unmarshal([]byte(stdout), into); err != nil {
					t.Fatalf("%v: %v", args, err)
				}
			}
			var solved struct {
				Usage struct {
					Pairs int `json:"judge_pairs"`
				}
				Traces []struct{ State string }
			}
			runJSON(&solved, "solve", "--policy", "deepprune:confidence=0", "two apples and three")
			if len(solved.Traces) != 4 || solved.Usage.Pairs == 0 {
				t.Errorf("solve: %d traces, %d pairs judged", len(solved.Traces), solved.Usage.Pairs)
			}
			var benched benchReport
			runJSON(&benched, "bench", "--question", "two apples", "--policy", "scripted", "--prune-at", "10", "--keep", "1")
			if !benched.SurvivorsIdentical || benched.On.TracesPruned == 0 {
				t.Errorf("bench: identical %v (%s), %d pruned", benched.SurvivorsIdentical, benched.FirstDifference, benched.On.TracesPruned)
			}
			var compared eval.Report
			runJSON(&compared, "eval", "--dataset", dataset, "--policy", "deepprune:confidence=0", "--judge-pairs", "2")
			if len(compared.Policies) != 2 || compared.Policies[1].Questions != 2 || compared.Policies[1].JudgeTokens == 0 {
				t.Errorf("eval: %+v", compared.Policies)
			}
		})
	}
}
