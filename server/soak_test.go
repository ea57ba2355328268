package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"deepprune/engine"
)

// soak is many clients at once on a server whose memory is too small for them.
type soak struct {
	*serving
	client *http.Client
	tokens int // of the shortest request

	mu        sync.Mutex
	texts     map[string]string // what a request came to, by its body
	completed int
	left      int // in the middle of a stream
	cancelled int
	trimmed   int // a trace of them was cancelled
}

// TestSoak has clients ask, leave in the middle of a stream, cancel groups and
// traces. No request fails that should not, equal requests get equal answers whatever
// happened to their neighbours, and afterwards nothing is left: no block, no group,
// no goroutine. DEEPPRUNE_SOAK is the number of requests; make soak asks for 1,000
// from 64 clients.
func TestSoak(t *testing.T) {
	requests, clients, tokens := 60, 16, 30
	if text := os.Getenv("DEEPPRUNE_SOAK"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		requests, clients, tokens = n, 64, 60
	}
	s := newServer(t, Options{}, engine.Options{Slots: 24, KVBytes: 3 << 20, CheckInvariants: true})
	before := settled()
	k := &soak{serving: serveOn(t, listen(t), s), client: &http.Client{Transport: &http.Transport{}}, tokens: tokens, texts: make(map[string]string)}
	var wg sync.WaitGroup
	numbers := make(chan int)
	for range clients {
		wg.Go(func() {
			for n := range numbers {
				if err := k.request(t.Context(), n); err != nil {
					t.Errorf("request %d: %v", n, err)
				}
			}
		})
	}
	for n := range requests {
		numbers <- n
	}
	close(numbers)
	wg.Wait()
	k.client.CloseIdleConnections()
	waitIdle(t, s)
	stats := s.engine.Stats()
	t.Logf("%d completed, %d left, %d groups and %d traces cancelled; %d preemptions, %d evictions, %d pruned", k.completed, k.left, k.cancelled, k.trimmed,
		stats.Preemptions, stats.Evictions, stats.TracesPruned)
	if k.completed == 0 || k.left < requests/5 || k.cancelled == 0 || k.trimmed == 0 || stats.Preemptions == 0 || stats.TracesPruned == 0 {
		t.Error("not all that should happen did")
	}
	if n := k.completed + k.left + k.cancelled + k.trimmed; n != requests {
		t.Errorf("%d of %d requests are accounted for", n, requests)
	}
	k.stop()
	if after := goroutines(before); after > before {
		t.Errorf("%d goroutines, %d before", after, before)
	}
}

// request is one request of a client, whose number says what becomes of it.
func (k *soak) request(ctx context.Context, n int) error {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	// Few kinds, so that many requests are equal.
	kind := rng.IntN(6)
	body := object{
		"model": "embedded-reasoner", "seed": kind, "stream": true, "max_tokens": k.tokens + k.tokens/3*kind,
		"messages": []object{{"role": "user", "content": fmt.Sprintf("(%d + 8) * 3 - %d", 11+kind, kind+1)}},
	}
	switch kind {
	case 0: // one trace
	case 1:
		body["n"] = 4
	case 2:
		body["n"], body["deepprune"] = 6, object{"policy": "deepprune-paper"}
	default:
		body["deepprune"] = object{"policy": "deepprune", "traces": 2 * kind}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "POST", "http://"+k.addr+"/v1/chat/completions", strings.NewReader(string(text)))
	if err != nil {
		return err
	}
	resp, err := k.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		answer, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("%s: %.200s", resp.Status, answer)
	}
	group := resp.Header.Get("Deepprune-Group")
	fate := n % 12 // 4 of 12 leave, 1 cancels its group, 1 a trace
	patience := rng.IntN(6)
	lines := bufio.NewReader(resp.Body)
	var said strings.Builder
	for events := 0; ; {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		if strings.Contains(data, `"error"`) {
			return fmt.Errorf("in the stream: %.200s", data)
		}
		said.WriteString(spoken(data))
		if events++; events != patience+1 {
			continue
		}
		switch {
		case fate < 4:
			cancel()
			k.count(&k.left)
			return nil
		case fate == 4:
			if err := k.delete(group); err != nil {
				return err
			}
		case fate == 5:
			if err := k.delete(group + "/traces/0"); err != nil {
				return err
			}
		}
	}
	switch {
	case fate < 4:
		k.count(&k.left) // it was over before
	case fate == 4:
		k.count(&k.cancelled)
	case fate == 5:
		k.count(&k.trimmed)
	default:
		k.count(&k.completed)
		return k.compare(string(text), said.String())
	}
	return nil
}

// spoken is what a chunk says, without ids and times; choices one after the other.
func spoken(data string) string {
	var chunk struct {
		Choices []struct {
			Index int
			Delta struct{ Content string }
			End   string `json:"finish_reason"`
		}
	}
	if json.Unmarshal([]byte(data), &chunk) != nil {
		return ""
	}
	var b strings.Builder
	for _, c := range chunk.Choices {
		if c.Index == 0 {
			b.WriteString(c.Delta.Content + c.End)
		}
	}
	return b.String()
}

func (k *soak) count(n *int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	*n++
}

// compare compares an answer with that to the same request before.
func (k *soak) compare(request, said string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if first, ok := k.texts[request]; ok && first != said {
		return fmt.Errorf("%s: %q; it was %q", request, said, first)
	}
	k.texts[request] = said
	return nil
}

// delete cancels a group or a trace; one that is over already is as good.
func (k *soak) delete(what string) error {
	r, err := http.NewRequest("DELETE", "http://"+k.addr+"/v1/groups/"+what, nil)
	if err != nil {
		return err
	}
	resp, err := k.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case 200, 202, 204, 404, 409:
		return nil
	}
	return fmt.Errorf("DELETE %s: %s", what, resp.Status)
}

// TestGoneClient: the blocks of a client that goes away are free at once, not when
// its traces would have ended.
func TestGoneClient(t *testing.T) {
	v := serveTest(t, Options{}, engine.Options{CheckInvariants: true})
	for range 3 {
		resp := v.post(t, "/v1/completions", "", long())
		if _, err := io.ReadFull(resp.Body, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		for v.engine.Stats().UsedBytes == 0 {
			time.Sleep(time.Millisecond)
		}
		resp.Body.Close()
		waitIdle(t, v.Server)
	}
	s := v.engine.Stats()
	if s.GeneratedTokens >= 3*2000 || s.Cancel.Count != 3 {
		t.Errorf("%d tokens, %d cancels; want fewer than %d, and 3", s.GeneratedTokens, s.Cancel.Count, 3*2000)
	}
}
