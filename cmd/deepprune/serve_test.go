package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// TestMain lets the test binary be the program: the tests of signals need a process.
func TestMain(m *testing.M) {
	if os.Getenv("DEEPPRUNE_TEST_MAIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// process is the program, serving.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	base string

	mu  sync.Mutex
	log strings.Builder
	eof chan struct{} // closed when it has written all it will
}

// startProcess starts the program with "serve" and the arguments on a free port, and
// waits until it is ready.
func startProcess(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(exe, append([]string{"serve", "--port", "0", "--threads", "1"}, args...)...), eof: make(chan struct{})}
	p.cmd.Env = append(append(os.Environ(), "DEEPPRUNE_TEST_MAIN=1"), env...)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	})
	base := make(chan string, 1)
	go func() {
		defer close(p.eof)
		url := regexp.MustCompile(`url=(\S+)`)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			p.mu.Lock()
			p.log.WriteString(lines.Text() + "\n")
			p.mu.Unlock()
			if m := url.FindStringSubmatch(lines.Text()); m != nil {
				base <- m[1]
			}
		}
	}()
	select {
	case p.base = <-base:
	case <-p.eof:
		t.Fatalf("it ended: %s", p.said())
	case <-time.After(time.Minute):
		t.Fatalf("it does not listen: %s", p.said())
	}
	if strings.HasPrefix(p.base, "http:") {
		p.until("ready", func() bool { status, _ := p.get("/ready"); return status == 200 })
	}
	return p
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// until waits for something to be so.
func (p *process) until(what string, so func() bool) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("never %s; the log:\n%s", what, p.said())
		}
	}
}

// get fetches a page; the status is 0 if nobody answers.
func (p *process) get(path string) (status int, body string) {
	resp, err := http.Get(p.base + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// complete asks for some tokens.
func (p *process) complete(tokens int, more string) (*http.Response, error) {
	body := fmt.Sprintf(`{"model":"embedded-reasoner","prompt":"(3 + 4) * 5","seed":1,"ignore_eos":true,"max_tokens":%d%s}`, tokens, more)
	return http.Post(p.base+"/v1/completions", "application/json", strings.NewReader(body))
}

// wait waits for the process to end, and returns its exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.eof:
	case <-time.After(time.Minute):
		p.t.Fatalf("it does not end; the log:\n%s", p.said())
	}
	p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// TestServeDrains: SIGTERM lets a stream finish, and the process ends with code 0.
func TestServeDrains(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no SIGTERM")
	}
	p := startProcess(t, nil, "--drain-delay", "100ms")
	resp, err := p.complete(400, `,"stream":true`)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.until("draining", func() bool { status, _ := p.get("/ready"); return status != 200 })
	rest, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.HasSuffix(rest, []byte("data: [DONE]\n\n")) {
		t.Errorf("the stream ends with %.100q, %v", rest[max(0, len(rest)-100):], err)
	}
	if code := p.wait(); code != 0 || !strings.Contains(p.said(), "msg=stopped") {
		t.Errorf("code %d; the log:\n%s", code, p.said())
	}
}

// TestServeSignals: a drain that takes too long cancels what is left and ends with
// code 0; a second signal ends it at once.
func TestServeSignals(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no SIGTERM")
	}
	begin := func(args ...string) (*process, *http.Response) {
		p := startProcess(t, nil, args...)
		resp, err := p.complete(2000, `,"stream":true,"n":32`)
		if err != nil {
			t.Fatal(err)
		}
		p.cmd.Process.Signal(syscall.SIGTERM)
		p.until("draining", func() bool { return strings.Contains(p.said(), "msg=draining") })
		return p, resp
	}
	p, resp := begin("--drain-timeout", "50ms")
	if code := p.wait(); code != 0 || !strings.Contains(p.said(), "drain timed out") {
		t.Errorf("timed out: code %d; the log:\n%s", code, p.said())
	}
	resp.Body.Close()
	p, resp = begin()
	p.cmd.Process.Signal(syscall.SIGTERM)
	if code := p.wait(); code != exitInterrupted {
		t.Errorf("a second signal: code %d; the log:\n%s", code, p.said())
	}
	resp.Body.Close()
}

// TestServeKilled: after kill -9 in the middle of work, the same command line starts
// again and gives the same tokens.
func TestServeKilled(t *testing.T) {
	journal := filepath.Join(t.TempDir(), "journal.jsonl")
	answer := func(p *process) string {
		resp, err := p.complete(30, "")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var a struct{ Choices []struct{ Text string } }
		if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || len(a.Choices) != 1 || a.Choices[0].Text == "" {
			t.Fatalf("%v, %+v", err, a)
		}
		return a.Choices[0].Text
	}
	p := startProcess(t, nil, "--journal", journal)
	want := answer(p)
	if resp, err := p.complete(2000, `,"stream":true,"n":8`); err != nil {
		t.Fatal(err)
	} else {
		defer resp.Body.Close()
	}
	p.cmd.Process.Kill()
	p.wait()
	p = startProcess(t, nil, "--journal", journal)
	if got := answer(p); got != want {
		t.Errorf("after the restart: %q; want %q", got, want)
	}
}

// TestServeReload: SIGHUP takes new keys; what is wrong with them is logged, and the
// old ones stay.
func TestServeReload(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no SIGHUP")
	}
	keys := filepath.Join(t.TempDir(), "keys")
	write := func(text string) {
		if err := os.WriteFile(keys, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("alice sk-0123456789abcdef\n")
	p := startProcess(t, []string{"DEEPPRUNE_API_KEY=sk-of-the-environment"}, "--api-keys", keys)
	status := func(key string) int {
		r, err := http.NewRequest("GET", p.base+"/v1/models", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+key)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := [3]int{status("sk-0123456789abcdef"), status("sk-of-the-environment"), status("sk-fedcba9876543210")}; got != [3]int{200, 200, 401} {
		t.Errorf("at first: %v", got)
	}
	write("bob sk-fedcba9876543210\n")
	p.cmd.Process.Signal(syscall.SIGHUP)
	p.until("reloaded", func() bool { return strings.Contains(p.said(), "API keys read again") })
	if got := [3]int{status("sk-0123456789abcdef"), status("sk-of-the-environment"), status("sk-fedcba9876543210")}; got != [3]int{401, 200, 200} {
		t.Errorf("afterwards: %v", got)
	}
	write("bob\n")
	p.cmd.Process.Signal(syscall.SIGHUP)
	p.until("refused", func() bool { return strings.Contains(p.said(), "API keys not read again") })
	if got := status("sk-fedcba9876543210"); got != 200 {
		t.Errorf("with a broken file: %d", got)
	}
	if log := p.said(); strings.Contains(log, "sk-") {
		t.Errorf("the log holds a key:\n%s", log)
	}
}

// TestServeMistakes: settings that make no sense end the program before it listens.
func TestServeMistakes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("alice\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args, env string
		code      int
		want      string
	}{
		{"--port 70000", "", 2, "--port: 70000"},
		{"--max-traces 0", "", 2, "--max-traces: 0"},
		{"--drain-timeout -1s", "", 2, "--drain-timeout: -1s"},
		{"--tls-cert x", "", 2, "--tls-cert and --tls-key"},
		{"--tls-cert x --tls-key y", "", 1, "--tls-cert, --tls-key"},
		{"--api-keys " + file, "", 1, "line 1: 1 words"},
		{"--api-keys " + file + "x", "", 1, "no such file"},
		{"--log-format xml", "", 2, "--log-format"},
		{"--log-level loud", "", 2, "--log-level"},
		{"--otlp-endpoint collector", "", 2, "--otlp-endpoint"},
		{"--otlp-share 2", "", 2, "--otlp-share"},
		{"--allowed-origins example.org", "", 2, "--allowed-origins"},
		{"--max-header 10", "", 2, "--max-header"},
		{"--host nowhere.invalid --port 0", "", 1, "--host, --port"},
		{"extra", "", 2, "extra"},
		{"--config " + file + ".yaml", "", 2, "--config"},
		{"--slots 0", "", 2, "--slots: 0"},
		{"", "DEEPPRUNE_PORT=tcp://10.0.0.1:80", 2, "DEEPPRUNE_PORT"},
		{"", "DEEPPRUNE_API_KEY=short", 2, "DEEPPRUNE_API_KEY"},
		{"", "OTEL_EXPORTER_OTLP_HEADERS=x", 2, "OTEL_EXPORTER_OTLP_HEADERS"},
	} {
		var errs bytes.Buffer
		a := testApp(strings.NewReader(""), io.Discard, &errs, &fakePair{})
		a.env = append(a.env, c.env)
		code := a.run(append([]string{"serve"}, strings.Fields(c.args)...))
		if code != c.code || !strings.Contains(errs.String(), c.want) || strings.Count(errs.String(), "\n") != 1 {
			t.Errorf("%s %s: code %d, %q; want %d and %q", c.args, c.env, code, &errs, c.code, c.want)
		}
	}
}

// TestPrintConfig: what is printed is the configuration that gives the same.
func TestPrintConfig(t *testing.T) {
	print := func(args ...string) string {
		code, stdout, stderr := call(&fakePair{}, "", append([]string{"serve", "--print-config"}, args...)...)
		if code != 0 || stderr != "" {
			t.Fatalf("code %d, %s", code, stderr)
		}
		return stdout
	}
	first := print("--max-traces", "7", "--allowed-hosts", "a,b", "--kv-memory", "1GiB")
	for _, line := range []string{"max-traces: 7 # command line", "allowed-hosts: [a, b] # command line", "kv-memory: 1GiB # command line", "port: 8080 # default"} {
		if !strings.Contains(first, line+"\n") {
			t.Errorf("no line %q in\n%s", line, first)
		}
	}
	file := writeConfig(t, first)
	comment := regexp.MustCompile(` #.*`)
	if second := print("--config", file); comment.ReplaceAllString(second, "") != comment.ReplaceAllString(first, "") {
		t.Errorf("printed and read again:\n%s\nwas\n%s", second, first)
	}
}

// TestFlagsAreDocumented compares the table of flags in docs/server.md with serve's
// own; those that all commands share are left to --help.
func TestFlagsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/server.md")
	if err != nil {
		t.Fatal(err)
	}
	var f serveFlags
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	flags.SortFlags = false
	f.add(flags)
	shared := pflag.NewFlagSet("engine", pflag.ContinueOnError)
	new(engineFlags).add(shared)
	n := 0
	var missing []string
	flags.VisitAll(func(f *pflag.Flag) {
		if shared.Lookup(f.Name) != nil {
			return
		}
		n++
		value, usage := pflag.UnquoteUsage(f)
		row := fmt.Sprintf("| `--%s` | %s |", strings.TrimSpace(f.Name+" "+strings.ToUpper(value)), strings.ReplaceAll(usage, "|", "\\|"))
		if def := f.DefValue; def != "" && def != "[]" && def != "false" {
			row = strings.TrimSuffix(row, "|") + "| `" + def + "` |"
		} else {
			row += " |"
		}
		if !strings.Contains(string(text), row+"\n") {
			missing = append(missing, row)
		}
	})
	if len(missing) > 0 {
		t.Errorf("docs/server.md lacks\n%s", strings.Join(missing, "\n"))
	}
	if rows := strings.Count(string(text), "\n| `--"); rows != n {
		t.Errorf("docs/server.md has %d rows of flags; want %d", rows, n)
	}
}
