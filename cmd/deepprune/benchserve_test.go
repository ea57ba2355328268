package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"deepprune/cmd/deepprune/load"
)

// TestBenchServe measures the program itself.
func TestBenchServe(t *testing.T) {
	p := startProcess(t, nil)
	run := func(args ...string) (code int, stdout, stderr string) {
		var out, errs bytes.Buffer
		a := testApp(strings.NewReader(""), &out, &errs, &fakePair{})
		code = a.run(append([]string{"bench", "serve", "--url", p.base, "--question", "(3 + 4) * 5"}, args...))
		return code, out.String(), errs.String()
	}
	code, stdout, stderr := run("--requests", "6", "--concurrency", "3", "--max-tokens", "20", "--ignore-eos", "-n", "2", "--json")
	var r load.Report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 0 {
		t.Fatalf("code %d, %v, %s", code, err, stderr)
	}
	if r.Completed != 6 || r.OutputTokens != 6*2*20 || r.InputTokens == 0 || r.TTFT.Mean <= 0 || r.ITL.Mean <= 0 {
		t.Errorf("%+v", r)
	}
	code, stdout, _ = run("--requests", "2", "--rate", "1000", "-k", "4", "--completions", "--max-tokens", "30")
	if code != 0 || !strings.Contains(stdout, "2 completed, 0 refused, 0 failed") || !strings.Contains(stdout, "time to first token") {
		t.Errorf("code %d:\n%s", code, stdout)
	}
}

func TestBenchServeMistakes(t *testing.T) {
	nothing := httptest.NewServer(http.NotFoundHandler())
	defer nothing.Close()
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"", 2, "question"},
		{"--question x --url nowhere", 2, "--url"},
		{"--question x --requests 0", 2, "--requests: 0"},
		{"--question x --rate -1", 2, "--rate: -1"},
		{"--question x -k 4 -n 2", 2, "--traces asks for one answer"},
		{"--question x --max-tokens 0", 2, "--max-tokens: 0"},
		{"--questions none.jsonl", 1, "--questions"},
		{"--question x --url " + nothing.URL, 1, "404"},
		{"--question x --model m --requests 2 --url " + nothing.URL, 1, "no request was completed"},
	} {
		code, _, stderr := call(&fakePair{}, "", append([]string{"bench", "serve"}, strings.Fields(c.args)...)...)
		if code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: code %d, %q; want %d and %q", c.args, code, stderr, c.code, c.want)
		}
	}
}
