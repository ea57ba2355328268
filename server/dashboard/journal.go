package dashboard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"

	"deepprune/engine"
)

// maxDetokenize bounds the body of a request for text, in bytes.
const maxDetokenize = 4 << 20

// Journal is a journal that was read, group by group. It does not change, so it is
// safe for concurrent use.
type Journal struct {
	// Header is nil if the first line was damaged.
	Header  *engine.JournalHeader
	groups  []*recording // in order of submission
	byID    map[int64]*recording
	running []*recording // whose end has not been read; of no interest later
	// damaged says what was skipped.
	damaged []string
	text    func(ids []int32) string
}

// recording is the lines of one group.
type recording struct {
	id         int64
	submission *engine.JournalSubmission
	outcome    *engine.JournalOutcome
	done       bool
	lines      [][]byte // without their newline; the header first
}

// ReadJournal reads a journal to its end. A damaged line is skipped and reported by
// a call of damaged, in order; the error is of r, or says that no group was found.
func ReadJournal(r io.Reader, damaged func(error)) (*Journal, error) {
	j := &Journal{byID: make(map[int64]*recording)}
	var header []byte
	in := &watched{r: r}
	for line, err := range engine.ReadJournal(in) {
		if err == nil {
			header, err = j.add(line, header)
		}
		if err != nil {
			if in.err != nil {
				return nil, err
			}
			j.damaged = append(j.damaged, err.Error())
			damaged(err)
		}
	}
	if len(j.groups) == 0 {
		return nil, errors.New("the journal has no group")
	}
	return j, nil
}

// watched keeps the error of a reader, to tell it from those of lines.
type watched struct {
	r   io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// add sorts a line into the groups that it is about. header is the text of the
// first line, if it has been met.
func (j *Journal) add(line engine.JournalLine, header []byte) ([]byte, error) {
	text := func(l engine.JournalLine) ([]byte, error) {
		b, err := l.Append(nil)
		return slices.Clip(b[:max(0, len(b)-1)]), err
	}
	switch {
	case line.Header != nil:
		j.Header = line.Header
		return text(line)
	case line.Event.Kind == engine.EventStep:
		return header, j.addStep(line, text)
	}
	b, err := text(line)
	if err != nil {
		return header, err
	}
	if line.Submission != nil {
		g := &recording{id: line.Event.Group, submission: line.Submission}
		if j.byID[g.id] != nil {
			return header, fmt.Errorf("group %d is submitted twice", g.id)
		}
		if header != nil {
			g.lines = append(g.lines, header)
		}
		g.lines = append(g.lines, b)
		j.groups = append(j.groups, g)
		j.running = append(j.running, g)
		j.byID[g.id] = g
		return header, nil
	}
	g := j.byID[line.Event.Group]
	if g == nil || g.done {
		return header, fmt.Errorf("a line of kind %v is about group %d, which does not run", line.Event.Kind, line.Event.Group)
	}
	g.lines = append(g.lines, b)
	if line.Event.Kind == engine.EventDone {
		g.done, g.outcome = true, line.Outcome
		j.running = slices.DeleteFunc(j.running, func(r *recording) bool { return r == g })
	}
	return header, nil
}

// addStep gives every group that runs the step with its own tokens.
func (j *Journal) addStep(line engine.JournalLine, text func(engine.JournalLine) ([]byte, error)) error {
	all := line.Sampled
	for _, g := range j.running {
		line.Sampled = nil
		for _, s := range all {
			if s.Group == g.id {
				line.Sampled = append(line.Sampled, s)
			}
		}
		b, err := text(line)
		if err != nil {
			return err
		}
		g.lines = append(g.lines, b)
	}
	return nil
}

// Decode makes the text of traces available to the page. Before Handler.
func (j *Journal) Decode(text func(ids []int32) string) { j.text = text }

// Handler serves the page with the journal behind it. It answers only requests that
// name this machine, so that no other site can read the journal through a name that
// it points here.
func (j *Journal) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/groups", j.list)
	mux.HandleFunc("GET /v1/groups/{id}", j.one)
	mux.HandleFunc("GET /v1/groups/{id}/events", j.events)
	if j.text != nil {
		mux.HandleFunc("POST /detokenize", j.detokenize)
	}
	page := Handler(File)
	mux.Handle("/{$}", page)
	mux.Handle(Prefix, page)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "this address is for this machine alone", http.StatusMisdirectedRequest)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// summary is a group in the list of groups.
type summary struct {
	ID       int64  `json:"id"`
	Object   string `json:"object"`
	Status   string `json:"status"` // running: the journal ends before the group does
	Question string `json:"question"`
	Policy   string `json:"policy"`
	K        int    `json:"k"`
	Seed     uint64 `json:"seed"`
	Answer   string `json:"answer"`
}

func (g *recording) summary() summary {
	s := summary{
		ID: g.id, Object: "group", Status: "running",
		Question: g.submission.Question, Policy: g.submission.Policy, K: g.submission.K, Seed: g.submission.Seed,
	}
	if g.done {
		s.Status = "finished"
	}
	if g.outcome != nil {
		s.Answer = g.outcome.Answer
	}
	return s
}

// list answers with all groups, the latest first, and with what was skipped.
func (j *Journal) list(w http.ResponseWriter, _ *http.Request) {
	reply := struct {
		Object  string    `json:"object"`
		Data    []summary `json:"data"`
		Damaged []string  `json:"damaged,omitempty"`
	}{Object: "list", Damaged: j.damaged}
	for _, g := range slices.Backward(j.groups) {
		reply.Data = append(reply.Data, g.summary())
	}
	sendJSON(w, reply)
}

func (j *Journal) one(w http.ResponseWriter, r *http.Request) {
	if g := j.named(w, r); g != nil {
		sendJSON(w, g.summary())
	}
}

// named is the group that the path names; without one the request is answered.
func (j *Journal) named(w http.ResponseWriter, r *http.Request) *recording {
	if id, err := strconv.ParseInt(r.PathValue("id"), 10, 64); err == nil {
		if g := j.byID[id]; g != nil {
			return g
		}
	}
	http.Error(w, "the journal has no such group", http.StatusNotFound)
	return nil
}

// events sends a group's lines after that of Last-Event-ID. What the page makes of
// their times is its own business, so they are sent at once; who has them all is
// told to stop asking, by 204 as the HTML standard has it.
func (j *Journal) events(w http.ResponseWriter, r *http.Request) {
	g := j.named(w, r)
	if g == nil {
		return
	}
	last, err := strconv.Atoi(r.Header.Get("Last-Event-ID"))
	if err != nil {
		last = 0
	}
	last = min(max(last, 0), len(g.lines))
	if last == len(g.lines) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	for i, line := range g.lines[last:] {
		if _, err := fmt.Fprintf(w, "id: %d\ndata: %s\n\n", last+i+1, line); err != nil {
			return // the client has gone
		}
	}
}

// detokenize answers with the text of tokens, in the form of vLLM's route of this
// name.
func (j *Journal) detokenize(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Tokens []int32 `json:"tokens"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxDetokenize)).Decode(&request); err != nil {
		http.Error(w, fmt.Sprintf("reading the request: %v", err), http.StatusBadRequest)
		return
	}
	sendJSON(w, map[string]string{"prompt": j.text(request.Tokens)})
}

func sendJSON(w http.ResponseWriter, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.Encode(v) // an error is a client that has gone
}
