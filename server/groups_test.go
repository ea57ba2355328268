package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"deepprune/engine"
)

// TestVote asks for one answer of a group and checks its account.
func TestVote(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{CheckInvariants: true})
	body := chatBody(object{"deepprune": object{"traces": 16}})
	answer := c.must(chatPath, body)
	list, _ := answer["choices"].([]any)
	m := whole(list[0])
	if len(list) != 1 || !strings.Contains(m.content, "49") || m.finish != "stop" {
		t.Errorf("%d choices, %+v", len(list), m)
	}
	account := answer["deepprune"]
	if got := text(account, "answer"); got != "49" {
		t.Errorf("answer: %q", got)
	}
	if number(account, "k") != 16 || text(account, "policy") != "deepprune" || number(account, "schema") != 1 || number(account, "group") < 1 {
		t.Errorf("account: %v", account)
	}
	traces, _ := at(account, "traces").([]any)
	pruned := 0
	for _, trace := range traces {
		if text(trace, "state") == "pruned" {
			pruned++
		}
	}
	if len(traces) != 16 || pruned == 0 {
		t.Errorf("%d traces, %d pruned", len(traces), pruned)
	}
	if got, want := number(answer, "usage", "completion_tokens"), number(account, "usage", "generated_tokens"); got != want || got == 0 {
		t.Errorf("completion_tokens: %d; want %d", got, want)
	}
	// A stream says the same, and its account is in the last chunk.
	chunks := c.stream(chatPath, body)
	if got := assemble(t, chunks)[0]; fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", m) {
		t.Errorf("streamed %+v; want %+v", got, m)
	}
	for i, chunk := range chunks {
		if _, ok := chunk["deepprune"]; ok != (i == len(chunks)-1) {
			t.Errorf("chunk %d of %d: %v", i, len(chunks), chunk)
		}
	}
	body["stream_options"] = object{"include_usage": true}
	chunks = c.stream(chatPath, body)
	last := chunks[len(chunks)-1]
	if text(last, "deepprune", "answer") != "49" || number(last, "usage", "completion_tokens") != number(answer, "usage", "completion_tokens") {
		t.Errorf("the last chunk: %v", last)
	}
}

// TestPrunedChoices asks for n choices under a policy.
func TestPrunedChoices(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{CheckInvariants: true})
	pruned, finished := 0, 0
	body := chatBody(object{"n": 6, "deepprune": object{"policy": "random", "survivors": 1, "checkpoint": object{"tokens": 10}}})
	for i, m := range c.sameStreamed(body) {
		switch {
		case m.finish == "length" && m.stop == "pruned":
			pruned++
			if m.content != "" {
				t.Errorf("choice %d was pruned after 10 tokens and says %q", i, m.content)
			}
		case m.finish == "stop":
			finished++
		default:
			t.Errorf("choice %d ends with %q, %v", i, m.finish, m.stop)
		}
	}
	if pruned != 5 || finished != 1 {
		t.Errorf("%d pruned, %d finished; want 5 and 1", pruned, finished)
	}
	delete(body, "stream")
	answer := c.must(chatPath, body)
	if number(answer, "deepprune", "k") != 6 || number(answer, "usage", "completion_tokens") < 5*10 {
		t.Errorf("%v", answer)
	}
	// The same for completions.
	delete(body, "messages")
	body["prompt"] = rawPrompt
	pruned = 0
	for _, p := range c.complete(body) {
		if p.finish == "length" && p.stop == "pruned" {
			pruned++
		}
	}
	if pruned != 5 {
		t.Errorf("%d choices of a completion were pruned; want 5", pruned)
	}
}

// TestTimeout checks that a group gives the best vote at its deadline.
func TestTimeout(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{})
	answer := c.must(chatPath, chatBody(object{"ignore_eos": true, "deepprune": object{"policy": "none", "traces": 64, "timeout": 0.05}}))
	if got := text(answer, "deepprune", "warning"); !strings.Contains(got, "deadline") {
		t.Errorf("warning %q", got)
	}
	if m := whole(at(answer, "choices", 0)); m.finish != "length" {
		t.Errorf("%+v", m)
	}
	c.settles()
}

// running starts a stream that would go on for long, and returns it with its group.
func (c *client) running(ctx context.Context, more object) (resp *http.Response, group string) {
	c.t.Helper()
	body := chatBody(object{"stream": true, "ignore_eos": true, "n": 4})
	for k, v := range more {
		body[k] = v
	}
	text := new(bytes.Buffer)
	if err := json.NewEncoder(text).Encode(body); err != nil {
		c.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, "POST", c.base+chatPath, text)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp, err = http.DefaultClient.Do(req); err != nil {
		c.t.Fatal(err)
	}
	if group = resp.Header.Get(groupHeader); group == "" {
		c.t.Fatalf("no group: %d", resp.StatusCode)
	}
	return resp, group
}

// TestClientGoes checks that the groups of a client that has gone end, whether or
// not it asked for a stream.
func TestClientGoes(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{CheckInvariants: true})
	ctx, cancel := context.WithCancel(t.Context())
	resp, group := c.running(ctx, nil)
	buf := make([]byte, 1)
	if _, err := resp.Body.Read(buf); err != nil {
		t.Fatal(err)
	}
	cancel()
	resp.Body.Close()
	c.over(group, "cancelled")

	ctx, cancel = context.WithCancel(t.Context())
	body := `{"model":"embedded-reasoner","prompt":"a","ignore_eos":true,"max_tokens":500,"n":16}`
	req, err := http.NewRequestWithContext(ctx, "POST", c.base+completionPath, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() {
		_, err := http.DefaultClient.Do(req)
		gone <- err
	}()
	for c.s.engine.Stats().Running == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-gone; err == nil {
		t.Error("the request was answered")
	}
	c.settles()
}

// over waits until a group is, and checks how it ended.
func (c *client) over(group, want string) object {
	c.t.Helper()
	for range patience {
		_, g := c.ask("GET", "/v1/groups/"+group, nil)
		if status := text(g, "status"); status != "running" {
			if status != want {
				c.t.Errorf("group %s is %s; want %s", group, status, want)
			}
			c.settles()
			return g
		}
		time.Sleep(time.Millisecond)
	}
	c.t.Fatalf("group %s still runs", group)
	return nil
}

func TestGroups(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{CheckInvariants: true})
	resp, group := c.running(t.Context(), nil)
	defer resp.Body.Close()
	_, g := c.ask("GET", "/v1/groups/"+group, nil)
	if text(g, "object") != "group" || text(g, "question") != question || text(g, "policy") != "none" || number(g, "k") != 4 || number(g, "seed") != 1 || fmt.Sprint(number(g, "id")) != group {
		t.Errorf("%v", g)
	}
	if text(g, "status") == "running" && len(g["traces"].([]any)) != 4 {
		t.Errorf("traces: %v", g["traces"])
	}
	response := text(g, "response")
	if _, same := c.ask("GET", "/v1/groups/"+response, nil); fmt.Sprint(number(same, "id")) != group {
		t.Errorf("by %q: %v", response, same)
	}

	// One trace, then all.
	status, trace := c.ask("DELETE", "/v1/groups/"+group+"/traces/2", nil)
	if status != 200 || text(trace, "state") != "cancelled" || number(trace, "index") != 2 {
		t.Errorf("%d %v", status, trace)
	}
	for _, index := range []string{"4", "-1", "x", "99999999999999999999"} {
		if status, _ := c.ask("DELETE", "/v1/groups/"+group+"/traces/"+index, nil); status != 404 {
			t.Errorf("trace %s: %d", index, status)
		}
	}
	status, g = c.ask("DELETE", "/v1/groups/"+group, nil)
	if status != 200 || text(g, "status") != "cancelled" || text(g, "result", "traces", 2, "state") != "cancelled" {
		t.Errorf("%d %v", status, g)
	}
	if status, _ = c.ask("DELETE", "/v1/groups/"+group, nil); status != 200 {
		t.Errorf("again: %d", status)
	}
	if status, _ = c.ask("DELETE", "/v1/groups/"+group+"/traces/0", nil); status != http.StatusConflict {
		t.Errorf("a trace of a group that is over: %d", status)
	}
	// The stream ended as it should.
	var chunks []object
	for _, data := range c.events(resp) {
		if data != "[DONE]" {
			chunks = append(chunks, decode(t, data))
		}
	}
	for i, m := range assemble(t, chunks) {
		if m.finish != "length" || m.stop != "cancelled" {
			t.Errorf("choice %d ends with %q, %v", i, m.finish, m.stop)
		}
	}
	c.settles()

	c.must(chatPath, chatBody(nil))
	_, list := c.ask("GET", "/v1/groups", nil)
	if data, _ := list["data"].([]any); len(data) != 2 || text(data[0], "status") == "cancelled" || text(data[1], "status") != "cancelled" {
		t.Errorf("%v", list)
	}
	for _, path := range []string{"/v1/groups/99", "/v1/groups/x", "/v1/groups/99/events"} {
		if status, answer := c.ask("GET", path, nil); status != 404 || text(answer, "error", "code") != "not_found" {
			t.Errorf("%s: %d %v", path, status, answer)
		}
	}
}

// TestGroupEvents compares the events of a group with the journal of its engine.
func TestGroupEvents(t *testing.T) {
	var journal lockedBuffer
	c := newClient(t, Options{}, engine.Options{CheckInvariants: true, Journal: &journal})
	answer := c.must(chatPath, chatBody(object{"deepprune": object{"traces": 16}}))
	events := "/v1/groups/" + text(answer, "id") + "/events"
	// The journal is written by a goroutine of its own.
	want := ""
	for !strings.Contains(want, `{"kind":"done"`) {
		time.Sleep(time.Millisecond)
		want = journal.String()
	}
	lines := strings.Split(strings.TrimSuffix(want, "\n"), "\n")
	got := c.events(c.do("GET", events, nil))
	if err := engine.CompareJournals(strings.NewReader(strings.Join(got, "\n")), strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	if len(got) < 50 {
		t.Errorf("%d lines", len(got))
	}

	// From somewhere in between.
	from := func(last string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), "GET", c.base+events, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Last-Event-ID", last)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	for _, last := range []int{0, 1, 2, 20, len(lines) - 1} {
		rest := c.events(from(fmt.Sprint(last)))
		if strings.Join(rest, "\n") != strings.Join(got[last:], "\n") {
			t.Errorf("after %d: %d lines; want %d", last, len(rest), len(got)-last)
		}
	}
	for _, last := range []int{len(lines), len(lines) + 5} {
		resp := from(fmt.Sprint(last))
		resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent {
			t.Errorf("after all %d: %d", last, resp.StatusCode)
		}
	}
	if rest := c.events(from("nonsense")); len(rest) != len(got) {
		t.Errorf("after nonsense: %d lines; want all", len(rest))
	}
}

// TestLiveEvents follows a group from its beginning to its end while it runs.
func TestLiveEvents(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{})
	resp, group := c.running(t.Context(), object{"max_tokens": 60})
	defer resp.Body.Close()
	lines := c.events(c.do("GET", "/v1/groups/"+group+"/events", nil))
	last := decode(t, lines[len(lines)-1])
	if text(decode(t, lines[0]), "kind") != "header" || text(decode(t, lines[1]), "kind") != "submitted" || text(last, "kind") != "done" {
		t.Errorf("%s … %s", lines[0], lines[len(lines)-1])
	}
	tokens := 0
	for _, line := range lines {
		sampled, _ := decode(t, line)["sampled"].([]any)
		tokens += len(sampled)
	}
	if tokens != 4*60 {
		t.Errorf("%d tokens; want 240", tokens)
	}
	if again := c.events(c.do("GET", "/v1/groups/"+group+"/events", nil)); strings.Join(again, "\n") != strings.Join(lines, "\n") {
		t.Errorf("later there are %d lines; were %d", len(again), len(lines))
	}
}

// TestKeys checks that groups are seen by those alone who bring the same key.
func TestGroupKeys(t *testing.T) {
	keys := NewKeys([]Key{{"ann", "ann's-secret-key-1"}, {"bob", "bob's-secret-key-2"}})
	c := newClient(t, Options{Keys: keys}, engine.Options{})
	as := func(secret, method, path, body string) (int, object) {
		req, err := http.NewRequestWithContext(t.Context(), method, c.base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var body2 bytes.Buffer
		if _, err := body2.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, decode(t, body2.String())
	}
	status, answer := as("ann's-secret-key-1", "POST", completionPath, `{"model":"embedded-reasoner","prompt":"a"}`)
	if status != 200 {
		t.Fatalf("%d %v", status, answer)
	}
	path := "/v1/groups/" + text(answer, "id")
	for secret, want := range map[string]int{"ann's-secret-key-1": 200, "bob's-secret-key-2": 404} {
		if status, g := as(secret, "GET", path, ""); status != want {
			t.Errorf("%s: %d %v; want %d", secret, status, g, want)
		}
		if _, list := as(secret, "GET", "/v1/groups", ""); (len(list["data"].([]any)) == 1) != (want == 200) {
			t.Errorf("%s: %v", secret, list)
		}
	}
}
