package browsertest

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
)

// command is the program, running.
type command struct {
	t   *testing.T
	cmd *exec.Cmd
	url string
}

// start runs the program until it tells its address.
func start(t *testing.T, binary string, args ...string) *command {
	t.Helper()
	c := &command{t: t, cmd: exec.Command(binary, args...)}
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.cmd.Stdout, c.cmd.Stderr = out, out
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.Close()
	t.Cleanup(func() { c.cmd.Process.Kill(); in.Close() })
	address := regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
	lines := bufio.NewScanner(in)
	for c.url == "" && lines.Scan() {
		c.url = address.FindString(lines.Text())
	}
	if c.url == "" {
		t.Fatalf("%v told no address: %v", args, lines.Err())
	}
	go io.Copy(io.Discard, in)
	return c
}

// ready waits until its models are loaded.
func (c *command) ready() {
	c.t.Helper()
	for range 300 {
		r, err := http.Get(c.url + "/ready")
		if err != nil {
			c.t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode == http.StatusOK {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.t.Fatal("never ready")
}

// stop ends it as an operator does.
func (c *command) stop() {
	c.t.Helper()
	c.cmd.Process.Signal(syscall.SIGTERM)
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("%s: %v", c.cmd.Args[1], err)
	}
}

// TestProgram asks a real server with the embedded pair, then replays the journal
// that it wrote.
func TestProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	folder := t.TempDir()
	binary := filepath.Join(folder, "deepprune")
	build := exec.Command("go", "build", "-o", binary, "./cmd/deepprune")
	build.Dir = "../../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, out)
	}
	keys, journal := filepath.Join(folder, "keys"), filepath.Join(folder, "run.jsonl")
	if err := os.WriteFile(keys, []byte("someone 0123456789abcdef0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := start(t, binary, "serve", "--port", "0", "--api-keys", keys, "--journal", journal)
	server.ready()
	p := visit(t, server.url, desktop)
	p.until(`document.querySelector("#key-dialog").open && document.activeElement.id === "key"`)
	p.key("0123456789abcdef0123456789abcdef", kb.Enter)
	p.until(`!document.querySelector("#empty").hidden`)
	js[bool](p, `document.querySelector("#ask-question").focus(), true`)
	p.key("What is (12 + 7) * 3 - 8?")
	js[bool](p, `document.querySelector("#ask-k").value = 16, true`)
	p.key(kb.Enter)
	p.untilText("#about", "finished")
	p.until(`document.querySelector("#history a[aria-current]")?.innerText.includes("answer 49")`)
	p.settle()
	if got := p.text("#answer"); got != "49" {
		t.Errorf("answer %q; want 49", got)
	}
	if got := p.text("#saved-note"); !strings.Contains(got, "With the judge’s work counted:") {
		t.Errorf("saved %q; want the judge's work in it", got)
	}
	js[bool](p, `document.querySelector("#lanes").focus(), true`)
	p.untilText("#trace .trace-text", `\boxed{49}`) // the server tells the text
	counts := p.text("#counts")
	server.stop()
	p.untilText("#link", "connection lost")

	replayed := start(t, binary, "replay", journal)
	q := visit(t, replayed.url, desktop)
	q.untilText("#about", "finished")
	q.settle()
	for selector, want := range map[string]string{"#answer": "49", "#question": "What is (12 + 7) * 3 - 8?", "#counts": counts} {
		if got := q.text(selector); got != want {
			t.Errorf("replay: %s: %q; want %q", selector, got, want)
		}
	}
	js[bool](q, `document.querySelector("#lanes").focus(), true`)
	q.untilText("#trace .trace-text", `\boxed{49}`)
	replayed.stop()
}
