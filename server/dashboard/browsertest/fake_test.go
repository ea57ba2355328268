package browsertest

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"deepprune/server/dashboard"
)

// fake is a server of groups whose lines the test hands out one by one. It can go
// away and come back at the same address.
type fake struct {
	t    *testing.T
	addr string

	mu     sync.Mutex
	server *http.Server
	lines  []string      // of group 1
	more   chan struct{} // closed when there are more lines
	key    string        // wanted, "" for none
	asked  []string      // bodies of questions
	ended  []string      // paths of DELETE
	resume []string      // Last-Event-ID of each stream
	refuse int           // status that a question gets, 0 for an answer
}

func newFake(t *testing.T) *fake {
	f := &fake{t: t, more: make(chan struct{})}
	f.start()
	t.Cleanup(f.stop)
	return f
}

func (f *fake) url() string { return "http://" + f.addr + "/" }

func (f *fake) start() {
	f.t.Helper()
	addr := f.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.addr = ln.Addr().String()
	mux := http.NewServeMux()
	page := dashboard.Handler(dashboard.Server)
	mux.Handle("/{$}", page)
	mux.Handle(dashboard.Prefix, page)
	mux.HandleFunc("GET /v1/models", f.guard(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"object":"list","data":[{"id":"fake-model"}]}`)
	}))
	mux.HandleFunc("GET /v1/groups", f.guard(f.list))
	mux.HandleFunc("GET /v1/groups/1/events", f.guard(f.events))
	mux.HandleFunc("POST /v1/chat/completions", f.guard(f.ask))
	mux.HandleFunc("DELETE /v1/groups/", f.guard(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.ended = append(f.ended, r.URL.Path)
	}))
	s := &http.Server{Handler: mux}
	f.mu.Lock()
	f.server = s
	f.mu.Unlock()
	go s.Serve(ln)
}

func (f *fake) stop() {
	f.mu.Lock()
	s := f.server
	f.mu.Unlock()
	s.Close()
}

// guard asks for the key.
func (f *fake) guard(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		key := f.key
		f.mu.Unlock()
		if key != "" && r.Header.Get("Authorization") != "Bearer "+key {
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"error":{"message":"no <b>such</b> key","type":"invalid_request_error"}}`)
			return
		}
		h(w, r)
	}
}

func (f *fake) list(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	data := []any{}
	if len(f.lines) > 0 {
		data = append(data, map[string]any{"id": 1, "question": "listed", "status": "running", "policy": "deepprune", "k": 4})
	}
	json.NewEncoder(w).Encode(map[string]any{"object": "list", "data": data})
}

func (f *fake) ask(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	f.asked = append(f.asked, string(body))
	refuse := f.refuse
	f.mu.Unlock()
	if refuse != 0 {
		w.WriteHeader(refuse)
		io.WriteString(w, `{"error":{"message":"policy \"x\": there is no such"}}`)
		return
	}
	f.say(liveHead...)
	w.Header().Set("Deepprune-Group", "1")
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

func (f *fake) events(w http.ResponseWriter, r *http.Request) {
	last := r.Header.Get("Last-Event-ID")
	f.mu.Lock()
	f.resume = append(f.resume, last)
	f.mu.Unlock()
	next, _ := strconv.Atoi(last)
	w.Header().Set("Content-Type", "text/event-stream")
	for {
		f.mu.Lock()
		lines, more := f.lines, f.more
		f.mu.Unlock()
		for ; next < len(lines); next++ {
			fmt.Fprintf(w, "id: %d\ndata: %s\n\n", next+1, lines[next])
		}
		http.NewResponseController(w).Flush()
		select {
		case <-more:
		case <-r.Context().Done():
			return
		}
	}
}

// say hands out lines.
func (f *fake) say(lines ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lines = append(f.lines, lines...)
	close(f.more)
	f.more = make(chan struct{})
}

// liveHead begins a group of four traces, of which three run.
var liveHead = []string{
	`{"schema":1,"kind":"header","model":"fake-model","judge":"fake-judge","device":{"kind":"cpu","name":"chip"},"block_bytes":1024,"judge_block_bytes":512}`,
	`{"kind":"submitted","step":0,"nanos":1000000,"group":1,"question":"How many?","prompt":[1,2],"k":4,"seed":9,"policy":"deepprune","settings":{"threshold":0.5},"params":{}}`,
	`{"kind":"started","step":1,"nanos":2000000,"group":1,"trace":0}`,
	`{"kind":"started","step":1,"nanos":2000000,"group":1,"trace":1}`,
	`{"kind":"started","step":1,"nanos":2000000,"group":1,"trace":2}`,
	step(2, 0, 1, 2),
}

// liveRest prunes 1 for 0 and lets 0 and 2 finish.
var liveRest = []string{
	`{"kind":"held","step":2,"nanos":12000000,"group":1,"trace":1,"tokens":1}`,
	`{"kind":"judged","step":3,"nanos":13000000,"group":1,"trace":1,"keeper":0,"score":0.75}`,
	`{"kind":"pruned","step":3,"nanos":13000000,"group":1,"trace":1,"tokens":1,"keeper":0,"score":0.75,"reason":"same answer","blocks":1,"bytes":1024}`,
	step(4, 0, 2),
	`{"kind":"ended","step":4,"nanos":14000000,"group":1,"trace":0,"tokens":2,"state":"finished","answer":"12","blocks":1}`,
	`{"kind":"ended","step":4,"nanos":14000000,"group":1,"trace":2,"tokens":2,"state":"finished","answer":"13","blocks":1}`,
	`{"kind":"done","step":4,"nanos":15000000,"group":1,"answer":"12","warning":"the traces disagree","votes":[{"answer":"12","weight":2,"traces":[0]},{"answer":"13","weight":1,"traces":[2]}],"clusters":[{"keeper":0,"members":[0,1],"answer":"12"},{"keeper":2,"members":[2],"answer":"13"}],"usage":{"judge_relative_cost":0.5},"kv":{}}`,
}

// step is the line of a step that draws a token for some traces.
func step(n int, traces ...int) string {
	var sampled []string
	for _, i := range traces {
		sampled = append(sampled, fmt.Sprintf("[1,%d,7]", i))
	}
	return fmt.Sprintf(`{"kind":"step","step":%d,"nanos":%d,"rows":1,"prefill_rows":0,"judge_rows":0,"blocks":3,"judge_blocks":1,"bytes":3584,"sampled":[%s]}`,
		n, (10+n)*1_000_000, strings.Join(sampled, ","))
}

func (f *fake) questions() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.asked...)
}

func (f *fake) stopped() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.ended, " ")
}
