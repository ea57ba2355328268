package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"deepprune/engine"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (run with -update to accept)\n got:\n%s\nwant:\n%s", path, got, want)
	}
}

// call runs a command line on fakes.
func call(p *fakePair, stdin string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = testApp(strings.NewReader(stdin), &out, &errs, p).run(args)
	return code, out.String(), errs.String()
}

// TestMistakes: a mistake in the command line ends with code 2 and one line that
// names what is wrong; nothing is printed and no model is loaded.
func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		args string
		want string // in the line
	}{
		{"frobnicate", `unknown command "frobnicate"`},
		{"--frobnicate", "unknown flag: --frobnicate"},
		{"solve", "requires at least 1 arg"},
		{"solve --frobnicate 1+1", "unknown flag: --frobnicate"},
		{"solve -k 0 1+1", "--traces: 0 is not between 1 and 8192"},
		{"solve -k -3 1+1", "--traces: -3"},
		{"solve -k 999999 1+1", "--traces: 999999"},
		{"solve -k many 1+1", `"many"`},
		{"solve --policy perhaps 1+1", `policy "perhaps": there are `},
		{"solve --device gpu 1+1", `--device: "gpu" is not auto, cpu or cuda`},
		{"solve --threads -1 1+1", "--threads: -1"},
		{"solve --kernels quantum 1+1", `not "quantum"`},
		{"solve --slots 0 1+1", "--slots: 0"},
		{"solve --kv-memory lots 1+1", `"lots" is not a size`},
		{"solve --temperature -1 1+1", "--temperature: -1"},
		{"solve --temperature NaN 1+1", "--temperature: NaN"},
		{"solve --top-p 0 1+1", "--top-p: 0"},
		{"solve --top-p 1.5 1+1", "--top-p: 1.5"},
		{"solve --top-k -1 1+1", "--top-k: -1"},
		{"solve --min-p 2 1+1", "--min-p: 2"},
		{"solve --max-tokens -1 1+1", "--max-tokens: -1"},
		{"solve --stop= 1+1", "--stop: the text is empty"},
		{"solve --seed -1 1+1", `"-1"`},
		{"solve --threshold 1 1+1", "--threshold: the value is not between 0 and 1"},
		{"solve --checkpoint-tokens 0 1+1", "--checkpoint-tokens: the value is not at least 1"},
		{"solve --prune-at 10 1+1", "--prune-at is for --policy scripted"},
		{"solve --timeout -1s 1+1", "--timeout: -1s is negative"},
		{"solve --timeout soon 1+1", `"soon"`},
		{"solve --judge none 1+1", "--policy deepprune needs a judge"},
		{"solve --json --plain 1+1", "[json plain]"},
		{"solve -", "the question is empty"},
		{"bench", "[questions question]"},
		{"bench more --question 1+1", `unknown command "more"`},
		{"bench --question= ", "the question is empty"},
		{"bench --question 1+1 --policy none", "--policy none"},
		{"bench --question 1+1 --limit -1", "--limit: -1"},
		{"bench --question 1+1 --concurrency 0", "--concurrency: 0"},
		{"bench --question 1+1 --seeds x", `"x"`},
		{"info --context -1", "--context: -1 is not between"},
		{"info --context 9223372036854775807", "--context: 9223372036854775807 is not between"},
		{"bench --question 1+1 --seeds 1,2,1", "--seeds: 1 is given twice"},
		{"info more", `unknown command "more"`},
	} {
		p := &fakePair{failed: errors.New("a model was loaded")}
		code, stdout, stderr := call(p, " \n", strings.Fields(c.args)...)
		if code != 2 {
			t.Errorf("%s: exit code %d; want 2", c.args, code)
		}
		if !strings.HasPrefix(stderr, "deepprune: ") || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: stderr %q; want one line with %q", c.args, stderr, c.want)
		}
		if stdout != "" {
			t.Errorf("%s: stdout %q; want nothing", c.args, stdout)
		}
	}
}

// TestFailures: what is not a mistake in the command line ends with code 1.
func TestFailures(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.jsonl")
	if err := os.WriteFile(bad, []byte("{\"question\":\"1+1\"}\n\n{\"answer\":2}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"solve", "--journal", filepath.Join(dir, "no", "such"), "1+1"}, "--journal: open "},
		{[]string{"bench", "--questions", filepath.Join(dir, "missing")}, "--questions: open "},
		{[]string{"bench", "--questions", bad}, "bad.jsonl:3: field question is missing or empty"},
		{[]string{"solve", "1+1"}, "weights: model.safetensors"},
		{[]string{"info"}, "weights: model.safetensors"},
	} {
		p := &fakePair{failed: errors.New("weights: model.safetensors: tensor \"x\":\n  offset past end")}
		code, stdout, stderr := call(p, "", c.args...)
		if code != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: code %d, stdout %q, stderr %q; want 1 and one line with %q", c.args, code, stdout, stderr, c.want)
		}
	}
}

// TestInvalidRequest: a request that the engine refuses as senseless is a mistake
// in the command line too.
func TestInvalidRequest(t *testing.T) {
	code, _, stderr := call(&fakePair{failed: errors.Join(engine.ErrInvalid)}, "", "solve", "1+1")
	if code != 2 || strings.Count(stderr, "\n") != 1 {
		t.Errorf("code %d, stderr %q; want 2 and one line", code, stderr)
	}
}

// TestPanic: a mistake in the program ends in one line.
func TestPanic(t *testing.T) {
	var out, errs bytes.Buffer
	a := testApp(strings.NewReader(""), &out, &errs, nil)
	a.describe = func(*engineFlags) (description, error) { panic("index out of range") }
	if code := a.run([]string{"info"}); code != 1 {
		t.Errorf("exit code %d; want 1", code)
	}
	want := "deepprune: internal error: index out of range (set DEEPPRUNE_DEBUG=1 for the stack)\n"
	if errs.String() != want {
		t.Errorf("stderr %q; want %q", errs.String(), want)
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{}, {"--help"}, {"solve", "--help"}, {"bench", "-h"}, {"help", "info"}} {
		code, stdout, stderr := call(&fakePair{}, "", args...)
		if code != 0 || !strings.Contains(stdout, "Usage:") || stderr != "" {
			t.Errorf("%v: code %d, stdout %q, stderr %q; want the help", args, code, stdout, stderr)
		}
	}
}

func TestInfo(t *testing.T) {
	p := &fakePair{}
	code, stdout, stderr := call(p, "", "info", "--context", "1000")
	if code != 0 || stderr != "" {
		t.Fatalf("code %d, stderr %q", code, stderr)
	}
	// A trace of 1000 tokens takes 63 blocks of 16 tokens, 6 MiB less 96 KiB.
	for _, want := range []string{"version", "a processor", "kernels go", "4,200,000 parameters (4,000,000 BF16, 200,000 F32)",
		"8.0 MiB in files, 16.0 MiB loaded as f32, 6.0 KiB of KV per token", "fits      43 traces of 1,000 tokens in the 256.0 MiB of --kv-memory"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("info lacks %q:\n%s", want, stdout)
		}
	}
	_, stdout, _ = call(p, "", "info", "--json")
	var got struct {
		Version string
		Cores   int
		Kernels []string
		Model   struct {
			Parameters int64
			Context    int
			FileBytes  int64 `json:"file_bytes"`
			KV         int64 `json:"kv_bytes_per_token"`
		}
		Memory map[string]int64
		Fits   map[string]int64
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if got.Version == "" || got.Cores < 1 || len(got.Kernels) == 0 || got.Model.Parameters != 4_200_000 ||
		got.Model.KV != 6<<10 || got.Memory["kv"] != 256<<20 ||
		got.Fits["context"] != 1024 || got.Fits["kv_memory"] != 42 {
		t.Errorf("info --json = %+v", got)
	}
}
