// Command gpucheck runs what `make gpu-check` put into its folder on a machine with a
// GPU and without Go, and writes report.json there: the device's conformance tests,
// the models' tests on it, NVIDIA's compute-sanitizer over the small ones where that
// is found, runs that must be the same, and the benchmarks.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// report is what report.json holds.
type report struct {
	Date   string          `json:"date"`
	Host   json.RawMessage `json:"info"` // of deepprune info
	Checks []check         `json:"checks"`
	Speed  []speed         `json:"speed"`
	Passed bool            `json:"passed"`
}

// check is one program's run.
type check struct {
	Name    string   `json:"name"`
	Passed  bool     `json:"passed"`
	Skipped string   `json:"skipped,omitempty"` // why it was not run
	Seconds float64  `json:"seconds"`
	Failed  []string `json:"failed,omitempty"` // tests
	Output  string   `json:"output,omitempty"` // its end, if it failed
}

// speed is a report of bench speed.
type speed struct {
	Arguments []string        `json:"arguments"`
	Report    json.RawMessage `json:"report"`
}

// small are the parts of the suite that a sanitizer ends in minutes.
const small = "^TestDevice$/^(tensors|norms|swiglu|linear_bf16|linear_int8|rotary|attention|sharing|greedy|filters|routes|experts)$"

var benchmarks = [][]string{
	{"--model", "random:qwen3-8b", "--dtype", "bf16", "--prompt", "2048", "--new", "256", "-k", "1,8,64"},
	{"--model", "random:qwen3-8b", "--dtype", "bf16", "--prompt", "2048", "--new", "128", "-k", "256,512"},
	{"--model", "random:qwen3-8b", "--dtype", "int8", "--prompt", "2048", "--new", "128", "-k", "1,64,512"},
	{"--model", "random:qwen3-0.6b", "--dtype", "bf16", "--prompt", "512", "--new", "128", "-k", "1,8,64,512"},
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gpucheck:", err)
		os.Exit(1)
	}
}

func run() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.Chdir(filepath.Dir(program)); err != nil {
		return err
	}
	r := report{Date: time.Now().UTC().Format(time.DateOnly), Passed: true}
	if r.Host, err = output("./deepprune", "info", "--device", "cuda", "--json"); err != nil {
		return err
	}
	r.test("conformance", "./cuda.test", "-test.v", "-test.timeout", "30m")
	r.test("models", "./model.test", "-test.v", "-test.timeout", "30m", "-test.run", "^Test(Forward|Embedded)")
	r.same()
	r.sanitize("memcheck")
	r.sanitize("racecheck")
	for _, arguments := range benchmarks {
		fmt.Println("bench speed", strings.Join(arguments, " "))
		b, err := output("./deepprune", append([]string{"bench", "speed", "--device", "cuda", "--json"}, arguments...)...)
		if err != nil {
			r.add(check{Name: "bench speed " + strings.Join(arguments, " "), Output: err.Error()})
			continue
		}
		r.Speed = append(r.Speed, speed{arguments, b})
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile("report.json", append(b, '\n'), 0o644); err != nil {
		return err
	}
	if !r.Passed {
		return fmt.Errorf("checks failed: see report.json")
	}
	return nil
}

func (r *report) add(c check) {
	r.Checks = append(r.Checks, c)
	word := "passed"
	switch {
	case c.Skipped != "":
		word = "skipped: " + c.Skipped
	case !c.Passed:
		word, r.Passed = "FAILED", false
	}
	fmt.Printf("%s %s (%.0f s)\n", c.Name, word, c.Seconds)
}

var (
	failedTest  = regexp.MustCompile(`--- FAIL: (\S+)`)
	skippedTest = regexp.MustCompile(`--- SKIP: (\S+)`)
)

// test runs a program of tests. One that skips a test has not passed: there is a GPU.
func (r *report) test(name, program string, arguments ...string) {
	began := time.Now()
	cmd := exec.Command(program, arguments...)
	cmd.Env = append(os.Environ(), "DEEPPRUNE_TEST_DEVICE=cuda")
	out, err := cmd.CombinedOutput()
	c := check{Name: name, Seconds: time.Since(began).Seconds()}
	for _, pattern := range []*regexp.Regexp{failedTest, skippedTest} {
		for _, m := range pattern.FindAllSubmatch(out, -1) {
			c.Failed = append(c.Failed, string(m[1]))
		}
	}
	if c.Passed = err == nil && len(c.Failed) == 0; !c.Passed {
		c.Output = fmt.Sprintf("%v\n%s", err, out[max(0, len(out)-8<<10):])
	}
	r.add(c)
}

// sanitize runs the small tests under one of compute-sanitizer's tools.
func (r *report) sanitize(tool string) {
	name := "compute-sanitizer " + tool
	program, err := exec.LookPath("compute-sanitizer")
	if err != nil {
		program = "/usr/local/cuda/bin/compute-sanitizer"
		if _, err := os.Stat(program); err != nil {
			r.add(check{Name: name, Skipped: "there is no compute-sanitizer"})
			return
		}
	}
	r.test(name, program, "--tool", tool, "--error-exitcode", "9", "./cuda.test", "-test.v", "-test.timeout", "60m", "-test.run", small)
}

// same compares the tokens of a group that decodes all at once with those of one that
// decodes few traces at a time.
func (r *report) same() {
	began := time.Now()
	c := check{Name: "slots"}
	many, err := tokens("64")
	few, err2 := tokens("7")
	switch err := errors.Join(err, err2); {
	case err != nil:
		c.Output = err.Error()
	case len(many) != traces:
		c.Output = fmt.Sprintf("tokens of %d traces; want %d", len(many), traces)
	default:
		if c.Passed = reflect.DeepEqual(many, few); !c.Passed {
			c.Output = fmt.Sprintf("64 slots: %v\n7 slots: %v", many, few)
		}
	}
	c.Seconds = time.Since(began).Seconds()
	r.add(c)
}

// traces is those of the group that same decodes.
const traces = 64

// tokens decodes a group with so many slots and returns the tokens of its traces, as
// the journal has them.
func tokens(slots string) (map[int][]int, error) {
	const journal = "journal.jsonl"
	defer os.Remove(journal)
	if _, err := output("./deepprune", "solve", "--device", "cuda", "--json", "--policy", "none", "--slots", slots,
		"-k", strconv.Itoa(traces), "--seed", "5", "--journal", journal,
		"Tom has 3 bags of 12 apples each. He gives away 7 apples. How many apples does he have?"); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(journal)
	if err != nil {
		return nil, err
	}
	all := make(map[int][]int)
	for line := range bytes.Lines(data) {
		var step struct {
			Sampled [][3]int `json:"sampled"` // group, trace, token
		}
		if err := json.Unmarshal(line, &step); err != nil {
			return nil, fmt.Errorf("journal: %w", err)
		}
		for _, s := range step.Sampled {
			all[s[1]] = append(all[s[1]], s[2])
		}
	}
	return all, nil
}

// output is what a program writes.
func output(program string, arguments ...string) ([]byte, error) {
	cmd := exec.Command(program, arguments...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", program, arguments[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return bytes.TrimSpace(out), nil
}
