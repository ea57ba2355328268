package dashboard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"deepprune/engine"
)

// two is a journal of two groups that overlap, with damage in it.
const two = `{"schema":1,"kind":"header","model":"m","block_bytes":16}
{"kind":"submitted","step":0,"nanos":1,"group":1,"question":"first <b>?","prompt":[1],"k":2,"seed":18446744073709551615,"policy":"none","params":{}}
{"kind":"started","step":1,"nanos":2,"group":1,"trace":0}
what is this
{"kind":"submitted","step":1,"nanos":3,"group":2,"question":"second","prompt":[1],"k":1,"seed":1,"policy":"none","params":{}}
{"kind":"step","step":2,"nanos":4,"rows":2,"prefill_rows":0,"judge_rows":0,"blocks":1,"judge_blocks":0,"bytes":16,"sampled":[[1,0,5],[2,0,6]]}
{"kind":"started","step":2,"nanos":5,"group":9,"trace":0}
{"kind":"ended","step":2,"nanos":5,"group":1,"trace":0,"tokens":1,"state":"finished","answer":"a","blocks":1}
{"kind":"done","step":2,"nanos":6,"group":1,"answer":"a","warning":"","votes":[{"answer":"a","weight":1,"traces":[0]}],"clusters":[],"usage":{},"kv":{}}
{"kind":"step","step":3,"nanos":7,"rows":1,"prefill_rows":0,"judge_rows":0,"blocks":1,"judge_blocks":0,"bytes":16,"sampled":[[2,0,7]]}
`

func read(t *testing.T, text string) (*Journal, []error) {
	t.Helper()
	var damaged []error
	j, err := ReadJournal(strings.NewReader(text), func(err error) { damaged = append(damaged, err) })
	if err != nil {
		t.Fatal(err)
	}
	return j, damaged
}

// events are the data of a stream of events, by id.
func events(t *testing.T, body string) (ids []string, lines []string) {
	t.Helper()
	for event := range strings.SplitSeq(strings.TrimSuffix(body, "\n\n"), "\n\n") {
		id, data, ok := strings.Cut(event, "\n")
		if !ok {
			t.Fatalf("event %q", event)
		}
		ids = append(ids, strings.TrimPrefix(id, "id: "))
		lines = append(lines, strings.TrimPrefix(data, "data: "))
	}
	return ids, lines
}

func TestJournalByGroup(t *testing.T) {
	j, damaged := read(t, two)
	if len(damaged) != 2 || !strings.Contains(damaged[0].Error(), "line 4:") || !strings.Contains(damaged[1].Error(), "group 9") {
		t.Errorf("damaged: %v; want line 4 and a line of group 9", damaged)
	}
	h := j.Handler()

	var list struct {
		Data    []summary
		Damaged []string
	}
	if err := json.Unmarshal(get(h, "GET", "/v1/groups").Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Data) != 2 || list.Data[0].ID != 2 || list.Data[0].Status != "running" || len(list.Damaged) != 2 {
		t.Errorf("list: %+v; want groups 2 and 1, and 2 damaged lines", list)
	}
	first := list.Data[1]
	if want := (summary{ID: 1, Object: "group", Status: "finished", Question: "first <b>?", Policy: "none", K: 2, Seed: 1<<64 - 1, Answer: "a"}); first != want {
		t.Errorf("group 1: %+v; want %+v", first, want)
	}

	w := get(h, "GET", "/v1/groups/1/events")
	if got := w.Header().Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("Content-Type %q", got)
	}
	ids, lines := events(t, w.Body.String())
	if got, want := strings.Join(ids, " "), "1 2 3 4 5 6"; got != want {
		t.Errorf("ids %s; want %s", got, want)
	}
	if want := `"sampled":[[1,0,5]]}`; !strings.HasSuffix(lines[3], want) {
		t.Errorf("the step of group 1 is %s; want it to end with %s", lines[3], want)
	}
	_, lines = events(t, get(h, "GET", "/v1/groups/2/events", "Last-Event-ID", "2").Body.String())
	if len(lines) != 2 || !strings.HasSuffix(lines[0], `"sampled":[[2,0,6]]}`) || !strings.HasSuffix(lines[1], `"sampled":[[2,0,7]]}`) {
		t.Errorf("group 2 after line 2: %q; want both steps", lines)
	}
}

func TestLastEventID(t *testing.T) {
	j, _ := read(t, two)
	h := j.Handler()
	all := get(h, "GET", "/v1/groups/1/events").Body.String()
	for i := range 6 {
		rest := get(h, "GET", "/v1/groups/1/events", "Last-Event-ID", fmt.Sprint(i)).Body.String()
		if !strings.HasSuffix(all, rest) || strings.Count(rest, "\n\n") != 6-i {
			t.Errorf("after %d: %q", i, rest)
		}
	}
	for _, last := range []string{"6", "7", "99999999999"} {
		if w := get(h, "GET", "/v1/groups/1/events", "Last-Event-ID", last); last != "99999999999" && w.Code != http.StatusNoContent {
			t.Errorf("after %s: status %d; want 204, for there is no more", last, w.Code)
		}
	}
	for _, last := range []string{"-1", "x", "1x", ""} {
		if got := get(h, "GET", "/v1/groups/1/events", "Last-Event-ID", last).Body.String(); got != all {
			t.Errorf("after %q: %d bytes; want all", last, len(got))
		}
	}
}

func TestNoSuchGroup(t *testing.T) {
	j, _ := read(t, two)
	h := j.Handler()
	for _, target := range []string{"/v1/groups/3", "/v1/groups/x", "/v1/groups/99999999999999999999", "/v1/groups/3/events", "/v1/groups/-1/events", "/detokenize", "/v1/models"} {
		if w := get(h, "GET", target); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d; want 404", target, w.Code)
		}
	}
	if w := get(h, "GET", "/v1/groups/1"); w.Code != http.StatusOK {
		t.Errorf("group 1: status %d", w.Code)
	}
	if w := get(h, "DELETE", "/v1/groups/1"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: status %d; want 405: a journal is for watching", w.Code)
	}
}

func TestOnlyThisMachine(t *testing.T) {
	j, _ := read(t, two)
	h := j.Handler()
	for host, want := range map[string]int{
		"127.0.0.1:80": 200, "localhost:1": 200, "[::1]:80": 200, "127.0.0.1": 200,
		"example.com": 421, "example.com:80": 421, "127.0.0.1.example.com:80": 421, "10.0.0.1:80": 421, "": 421,
	} {
		r := httptest.NewRequest("GET", "/v1/groups", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("host %q: status %d; want %d", host, w.Code, want)
		}
	}
}

func TestDetokenize(t *testing.T) {
	j, _ := read(t, two)
	j.Decode(func(ids []int32) string { return fmt.Sprintf("<%v>", ids) })
	h := j.Handler()
	post := func(body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "/detokenize", strings.NewReader(body))
		r.Host = "localhost"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	if got, want := post(`{"model":"m","tokens":[5,7]}`).Body.String(), `{"prompt":"<[5 7]>"}`+"\n"; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
	for _, body := range []string{"", "[", `{"tokens":["a"]}`, `{"tokens":[4000000000]}`, `{"tokens":[` + strings.Repeat("1,", maxDetokenize/2) + `1]}`} {
		if w := post(body); w.Code != http.StatusBadRequest {
			t.Errorf("%.20q: status %d; want 400", body, w.Code)
		}
	}
}

func TestReadJournalRefuses(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		r    io.Reader
		want string
	}{
		{strings.NewReader(""), "no group"},
		{strings.NewReader(`{"schema":1,"kind":"header"}`), "no group"},
		{strings.NewReader("\x00\xff\n\n\n"), "no group"},
		{io.MultiReader(strings.NewReader(two), iotest.ErrReader(broken)), "broken"},
	} {
		if _, err := ReadJournal(c.r, func(error) {}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v; want %q", err, c.want)
		}
	}
}

// TestWithoutHeader: the first line is damaged like any other.
func TestWithoutHeader(t *testing.T) {
	_, rest, _ := strings.Cut(two, "\n")
	j, damaged := read(t, "{\n"+rest)
	if len(damaged) != 3 || j.Header != nil {
		t.Errorf("damaged %v, header %v", damaged, j.Header)
	}
	if ids, _ := events(t, get(j.Handler(), "GET", "/v1/groups/1/events").Body.String()); len(ids) != 5 {
		t.Errorf("%d lines; want 5", len(ids))
	}
}

// TestARealJournal: what is served of a journal with one group is that journal.
func TestARealJournal(t *testing.T) {
	text, err := os.ReadFile("testdata/run.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	j, damaged := read(t, string(text))
	if len(damaged) > 0 {
		t.Errorf("damaged: %v", damaged)
	}
	_, lines := events(t, get(j.Handler(), "GET", "/v1/groups/1/events").Body.String())
	if err := engine.CompareJournals(bytes.NewReader(text), strings.NewReader(strings.Join(lines, "\n"))); err != nil {
		t.Error(err)
	}
}

// FuzzReadJournal serves anything: no panic, and what is served of each group can be
// read without an error.
func FuzzReadJournal(f *testing.F) {
	f.Add([]byte(two))
	f.Add([]byte(strings.ReplaceAll(two, "\n", "\r\n")))
	f.Add([]byte(two + two))
	f.Fuzz(func(t *testing.T, data []byte) {
		n := 0
		j, err := ReadJournal(bytes.NewReader(data), func(error) { n++ })
		if err != nil {
			return
		}
		if most := bytes.Count(data, []byte("\n")) + 1; n > most {
			t.Fatalf("%d damaged lines of %d", n, most)
		}
		for _, g := range j.groups {
			r := httptest.NewRequest("GET", "/", nil)
			r.SetPathValue("id", fmt.Sprint(g.id))
			w := httptest.NewRecorder()
			j.events(w, r)
			_, lines := events(t, w.Body.String())
			text := strings.Join(lines, "\n")
			if j.Header == nil {
				text = `{"schema":1,"kind":"header"}` + "\n" + text
			}
			for _, err := range engine.ReadJournal(strings.NewReader(text)) {
				if err != nil {
					t.Fatalf("group %d: %v", g.id, err)
				}
			}
		}
	})
}
