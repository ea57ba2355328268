package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const smallJournal = `{"schema":1,"kind":"header","model":"embedded-reasoner"}
{"kind":"submitted","step":0,"nanos":1,"group":1,"question":"q","prompt":[1],"k":2,"seed":1,"policy":"none","params":{}}
damaged
{"kind":"done","step":2,"nanos":3,"group":1,"answer":"a","warning":"","votes":[],"clusters":[],"usage":{},"kv":{}}
`

func TestReplayServesTheJournal(t *testing.T) {
	name := filepath.Join(t.TempDir(), "run.jsonl")
	if err := os.WriteFile(name, []byte(smallJournal), 0o644); err != nil {
		t.Fatal(err)
	}
	out, print := io.Pipe()
	var stderr bytes.Buffer
	a := testApp(strings.NewReader(""), print, &stderr, &fakePair{})
	signals := make(chan os.Signal, 1)
	a.interrupts = func() (<-chan os.Signal, func()) { return signals, func() {} }
	code := make(chan int)
	go func() { code <- a.run([]string{"replay", "--speed", "0.25", name}) }()
	line := make([]byte, 200)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	address, speed, _ := strings.Cut(strings.TrimSpace(string(line[:n])), "#")
	if !strings.HasPrefix(address, "http://127.0.0.1:") || speed != "speed=0.25" {
		t.Errorf("printed %q; want an address of this machine with the speed", line[:n])
	}
	for path, want := range map[string]string{
		"":                     `data-source="file"`,
		"v1/groups":            `"question":"q"`,
		"v1/groups/1/events":   `"kind":"done"`,
		"dashboard/app.js":     "import",
		"v1/groups/1":          `"answer":"a"`,
		"v1/chat/completions/": "not found",
	} {
		r, err := http.Get(address + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if !strings.Contains(string(body), want) {
			t.Errorf("%q: %.200s; want %s in it", path, body, want)
		}
	}
	r, err := http.Post(address+"detokenize", "application/json", strings.NewReader(`{"tokens":[1,2,3]}`))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(r.Body)
	r.Body.Close()
	if got, want := string(body), `{"prompt":"3"}`+"\n"; got != want { // the fake's text is a count
		t.Errorf("text %q; want %q", got, want)
	}
	signals <- syscall.SIGTERM
	if got := <-code; got != 0 {
		t.Errorf("exit code %d; want 0", got)
	}
	if !strings.Contains(stderr.String(), "skipped: engine: journal: line 3:") {
		t.Errorf("standard error: %q; want the damaged line", stderr.String())
	}
}

func TestReplayMistakes(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"replay"}, exitUsage, "accepts 1 arg"},
		{[]string{"replay", "a", "b"}, exitUsage, "accepts 1 arg"},
		{[]string{"replay", "--port", "65536", empty}, exitUsage, "--port: 65536 is not between 0 and 65535"},
		{[]string{"replay", "--speed", "-1", empty}, exitUsage, "--speed: -1 is not between"},
		{[]string{"replay", "--speed", "nan", empty}, exitUsage, "--speed: NaN is not between"},
		{[]string{"replay", empty + "-not"}, exitFailure, "no such file"},
		{[]string{"replay", empty}, exitFailure, "the journal has no group"},
	} {
		code, stdout, stderr := call(&fakePair{}, "", c.args...)
		if code != c.code || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: code %d, output %q, %q; want code %d and %q", c.args, code, stdout, stderr, c.code, c.want)
		}
	}
}
