package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"deepprune/prune"
	"deepprune/server/openai"
)

// groupObject is a group as /v1/groups tells it.
type groupObject struct {
	ID       int64  `json:"id"`
	Object   string `json:"object"` // "group"
	Status   string `json:"status"` // running, finished, cancelled or failed
	Response string `json:"response"`
	Created  int64  `json:"created"`
	Question string `json:"question"`
	Policy   string `json:"policy"`
	K        int    `json:"k"`
	Seed     uint64 `json:"seed"`
	Tokens   int    `json:"tokens"` // generated so far by all traces
	Answer   string `json:"answer"`
	Error    string `json:"error,omitempty"`
	// Of one group alone.
	Traces []traceObject   `json:"traces,omitempty"` // of a group that runs
	Result json.RawMessage `json:"result,omitempty"` // of one that is done: its engine.Result
}

// traceObject is a trace while its group runs.
type traceObject struct {
	Index  int         `json:"index"`
	State  prune.State `json:"state"`
	Tokens int         `json:"tokens"`
}

// object describes a run, with its traces or its result if whole is set.
func (r *run) object(whole bool) groupObject {
	o := groupObject{
		ID: r.id, Object: "group", Status: statusRunning, Response: r.response, Created: r.created.Unix(),
		Question: r.question, Policy: r.policy, K: r.traces, Seed: r.seed,
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done {
		o.Status, o.Answer, o.Error, o.Tokens = r.status, r.answer, r.err, r.tokens
		if whole {
			o.Result = r.result
		}
		return o
	}
	for i := range r.traces {
		p := r.group.Progress(i)
		o.Tokens += len(p.TokenIDs)
		if whole {
			o.Traces = append(o.Traces, traceObject{Index: i, State: p.State, Tokens: len(p.TokenIDs)})
		}
	}
	return o
}

// namedRun is the run that the path names. One of another key's is not to be seen;
// without one the request is answered.
func (s *Server) namedRun(w http.ResponseWriter, r *http.Request) *run {
	if run := s.runs.find(r.PathValue("id")); run != nil && visible(run, r) {
		return run
	}
	openai.NotFound("There is no such group, or it is over and no longer kept.").Write(w)
	return nil
}

// visible reports whether a request may see a run: one with its key.
func visible(run *run, r *http.Request) bool {
	x := exchangeOf(r.Context())
	return x == nil || x.key == run.key
}

// listGroups answers GET /v1/groups: those that run and the latest that are done,
// the latest first.
func (s *Server) listGroups(w http.ResponseWriter, r *http.Request) {
	list := struct {
		Object string        `json:"object"`
		Data   []groupObject `json:"data"`
	}{Object: openai.ObjectList, Data: []groupObject{}}
	for _, run := range s.runs.all() {
		if visible(run, r) {
			list.Data = append(list.Data, run.object(false))
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	sendJSON(w, list)
}

// oneGroup answers GET /v1/groups/{id}.
func (s *Server) oneGroup(w http.ResponseWriter, r *http.Request) {
	if run := s.namedRun(w, r); run != nil {
		w.Header().Set("Cache-Control", "no-store")
		sendJSON(w, run.object(true))
	}
}

// cancelGroup answers DELETE /v1/groups/{id} when the group is over, with what
// became of it. The request that asked for it gets the vote among what had finished.
func (s *Server) cancelGroup(w http.ResponseWriter, r *http.Request) {
	run := s.namedRun(w, r)
	if run == nil {
		return
	}
	if g := run.live(); g != nil {
		g.Cancel()
	}
	for {
		run.mu.Lock()
		done, wait := run.done, run.wait()
		run.mu.Unlock()
		if done {
			break
		}
		select {
		case <-wait:
		case <-r.Context().Done():
			return
		}
	}
	sendJSON(w, run.object(true))
}

// cancelTrace answers DELETE /v1/groups/{id}/traces/{index} when the trace is over.
func (s *Server) cancelTrace(w http.ResponseWriter, r *http.Request) {
	run := s.namedRun(w, r)
	if run == nil {
		return
	}
	index, err := strconv.Atoi(r.PathValue("index"))
	if err != nil || index < 0 || index >= run.traces {
		openai.NotFound("Group %d has no such trace; they are numbered from 0 to %d.", run.id, run.traces-1).Write(w)
		return
	}
	g := run.live()
	if g == nil {
		(&openai.Error{
			Status: http.StatusConflict, Type: "invalid_request_error", Code: "group_over",
			Message: fmt.Sprintf("Group %d is over.", run.id),
		}).Write(w)
		return
	}
	g.CancelTrace(index)
	for {
		changed := g.Changed()
		done := run.isDone()
		if p := g.Progress(index); p.State.Ended() || done {
			sendJSON(w, traceObject{Index: index, State: p.State, Tokens: len(p.TokenIDs)})
			return
		}
		select {
		case <-changed:
		case <-run.ended:
		case <-r.Context().Done():
			return
		}
	}
}

// groupEvents answers GET /v1/groups/{id}/events with the lines of the group's
// journal, from the one after Last-Event-ID on. Who has them all is told to stop
// asking, by 204 as the HTML standard has it.
func (s *Server) groupEvents(w http.ResponseWriter, r *http.Request) {
	run := s.namedRun(w, r)
	if run == nil {
		return
	}
	last, err := strconv.Atoi(r.Header.Get("Last-Event-ID"))
	if err != nil || last < 0 {
		last = 0
	}
	run.mu.Lock()
	over := run.done && last >= run.log.lines()
	run.mu.Unlock()
	if over {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	out := newEventStream(w)
	silence := newHeartbeat()
	defer silence.Stop()
	for {
		run.mu.Lock()
		last = run.addLines(out, last)
		more, done, wait := last < run.log.lines(), run.done, run.wait()
		run.mu.Unlock()
		if out.flush() != nil || done && !more {
			return
		}
		if more {
			continue
		}
		select {
		case <-r.Context().Done():
			return
		case <-wait:
		case <-silence.C:
			out.addText(": the group runs\n\n")
		}
	}
}

// linesAtOnce bounds what a reader takes of a log at a time, in lines.
const linesAtOnce = 256

// addLines adds to a stream the lines after last, some at a time, and returns the
// number of the last one. The caller holds mu.
func (r *run) addLines(out *eventStream, last int) int {
	for n := min(r.log.lines(), last+linesAtOnce); last < n; {
		last++
		line, ok := r.log.line(last)
		if !ok {
			out.addText(": lines are missing here that are no longer kept\n\n")
			last = r.log.base
			continue
		}
		out.addLine(last, &line)
	}
	return last
}

// detokenize answers POST /detokenize with the text of tokens, in the form of vLLM's
// route of this name.
func (s *Server) detokenize(w http.ResponseWriter, r *http.Request, body []byte) error {
	var q struct {
		Tokens []int32 `json:"tokens"`
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return openai.Invalid("tokens", "invalid_type", "The body should be {\"tokens\": [ids]}.")
	}
	sendJSON(w, map[string]string{"prompt": s.model.Tokenizer.Decode(q.Tokens)})
	return nil
}

// tokenize answers POST /tokenize with the tokens of a text, in the form of vLLM's
// route of this name.
func (s *Server) tokenize(w http.ResponseWriter, r *http.Request, body []byte) error {
	var q struct {
		Prompt string `json:"prompt"`
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return openai.Invalid("prompt", "invalid_type", "The body should be {\"prompt\": text}.")
	}
	ids := s.model.Tokenizer.Encode([]int32{}, q.Prompt)
	sendJSON(w, map[string]any{"count": len(ids), "max_model_len": s.model.MaxContext(), "tokens": ids})
	return nil
}
