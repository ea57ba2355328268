package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// freePort is a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// startProxy starts nginx with deploy/nginx/deepprune.conf in front of three ports.
func startProxy(t *testing.T, nginx string, ports []string) (base string) {
	t.Helper()
	conf, err := os.ReadFile("../../deploy/nginx/deepprune.conf")
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	text := strings.NewReplacer(":8080", ":"+port, ":8081", ":"+ports[0], ":8082", ":"+ports[1], ":8083", ":"+ports[2]).Replace(string(conf))
	dir := t.TempDir()
	main := fmt.Sprintf("daemon off;\nmaster_process off;\npid %[1]s/pid;\nerror_log %[1]s/error.log;\nevents {}\nhttp {\naccess_log off;\n"+
		"client_body_temp_path %[1]s/a;\nproxy_temp_path %[1]s/b;\nfastcgi_temp_path %[1]s/c;\nuwsgi_temp_path %[1]s/d;\nscgi_temp_path %[1]s/e;\n%[2]s}\n", dir, text)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(main), 0o644); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command(nginx, "-c", file, "-p", dir)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	base = "http://127.0.0.1:" + port
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if resp, err := http.Get(base + "/ready"); err == nil {
			resp.Body.Close()
			return base
		} else if time.Now().After(end) {
			t.Fatalf("nginx does not answer: %v\n%s", err, &said)
		}
	}
}

// TestProxy has clients ask three replicas through a proxy and kills one of them:
// its own requests break off, no other fails, equal requests have equal answers
// whoever answers them, and what comes back is used again.
func TestProxy(t *testing.T) {
	nginx := os.Getenv("DEEPPRUNE_NGINX")
	if nginx == "" {
		t.Skip("make proxy-test names an nginx in DEEPPRUNE_NGINX")
	}
	var replicas []*process
	var ports []string
	for range 3 {
		p := startProcess(t, nil)
		replicas = append(replicas, p)
		ports = append(ports, p.base[strings.LastIndexByte(p.base, ':')+1:])
	}
	base := startProxy(t, nginx, ports)

	type answer struct {
		seed     int
		upstream string
		text     string
		whole    bool
		err      error
	}
	ask := func(seed, tokens int, begun func(upstream string)) (a answer) {
		a.seed = seed
		body := fmt.Sprintf(`{"model":"embedded-reasoner","prompt":"(3 + 4) * 5","seed":%d,"ignore_eos":true,"max_tokens":%d,"n":4,"stream":true}`, seed, tokens)
		resp, err := http.Post(base+"/v1/completions", "application/json", strings.NewReader(body))
		if err != nil {
			a.err = err
			return a
		}
		defer resp.Body.Close()
		a.upstream = resp.Header.Get("X-Upstream")
		if resp.StatusCode != 200 {
			a.err = fmt.Errorf("%s", resp.Status)
			return a
		}
		if begun != nil {
			begun(a.upstream)
		}
		text, err := io.ReadAll(resp.Body)
		a.err, a.whole = err, bytes.HasSuffix(text, []byte("data: [DONE]\n\n"))
		for line := range strings.Lines(string(text)) {
			var chunk struct {
				Choices []struct {
					Index int
					Text  string
				}
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok && json.Unmarshal([]byte(data), &chunk) == nil {
				for _, c := range chunk.Choices {
					if c.Index == 0 {
						a.text += c.Text
					}
				}
			}
		}
		return a
	}

	// Streams that run for a while, on all replicas.
	const clients = 12
	answers := make([]answer, clients)
	running := make(chan string, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() { answers[i] = ask(i%3, 700, func(upstream string) { running <- upstream }) })
	}
	load := make(map[string]int)
	for range clients {
		load[<-running]++
	}
	victim := "127.0.0.1:" + ports[0]
	if load[victim] == 0 || len(load) != 3 {
		t.Errorf("the replicas' requests: %v", load)
	}
	replicas[0].cmd.Process.Kill()
	replicas[0].wait()
	wg.Wait()
	texts := make(map[int]string)
	broken := 0
	for i, a := range answers {
		if a.upstream == victim && !a.whole {
			broken++
			continue
		}
		if a.err != nil || !a.whole {
			t.Errorf("request %d of %s: %v, whole %v", i, a.upstream, a.err, a.whole)
		}
		if first, ok := texts[a.seed]; ok && first != a.text {
			t.Errorf("seed %d has two answers", a.seed)
		}
		texts[a.seed] = a.text
	}
	if broken == 0 {
		t.Error("the victim's requests were over before it was killed")
	}
	t.Logf("%v requests; %d broke off with the replica that was killed", load, broken)

	// The others take over at once.
	for i := range 9 {
		if a := ask(i%3, 20, nil); a.err != nil || !a.whole || a.upstream == victim {
			t.Errorf("afterwards: %+v", a)
		}
	}
	// What comes back is used again.
	back := startProcess(t, nil, "--port", ports[0])
	back.until("used again", func() bool {
		a := ask(0, 5, nil)
		if a.err != nil {
			t.Errorf("with the replica back: %v", a.err)
		}
		return a.upstream == victim
	})
	// One that drains takes its leave without a failure.
	go func() {
		time.Sleep(20 * time.Millisecond)
		replicas[1].cmd.Process.Signal(os.Interrupt)
	}()
	for i := range 30 {
		if a := ask(i%3, 20, nil); a.err != nil || !a.whole {
			t.Errorf("while one drains: request %d: %+v", i, a)
		}
	}
	if code := replicas[1].wait(); code != 0 {
		t.Errorf("the one that drains ends with code %d", code)
	}
}
