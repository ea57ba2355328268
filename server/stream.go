package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"deepprune/engine"
	"deepprune/server/openai"
)

// heartbeat is how often a stream that has nothing to say says so, for proxies that
// close what is silent.
const heartbeat = 10 * time.Second

func newHeartbeat() *time.Ticker { return time.NewTicker(heartbeat) }

// eventStream writes server-sent events. One goroutine uses it.
type eventStream struct {
	w   http.ResponseWriter
	buf bytes.Buffer
	enc *json.Encoder
}

// newEventStream answers a request with events; the header is sent at once.
func newEventStream(w http.ResponseWriter) *eventStream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx passes on what it gets
	w.WriteHeader(http.StatusOK)
	s := &eventStream{w: w}
	s.enc = json.NewEncoder(&s.buf)
	s.enc.SetEscapeHTML(false)
	return s
}

// add adds an event whose data is the JSON of v to those that flush will send.
func (s *eventStream) add(v any) error {
	s.buf.WriteString("data: ")
	if err := s.enc.Encode(v); err != nil { // ends with a newline
		return err
	}
	s.buf.WriteByte('\n')
	return nil
}

// addLine adds line n of a journal.
func (s *eventStream) addLine(n int, line *engine.JournalLine) {
	fmt.Fprintf(&s.buf, "id: %d\ndata: ", n)
	text, err := line.Append(s.buf.AvailableBuffer())
	if err != nil {
		panic(err) // made of what the engine tells
	}
	s.buf.Write(text) // ends with a newline
	s.buf.WriteByte('\n')
}

// addText adds lines as they are.
func (s *eventStream) addText(text string) { s.buf.WriteString(text) }

// flush sends what was added. The error is of a client that has gone.
func (s *eventStream) flush() error {
	err := writePieces(s.w, s.buf.Bytes())
	s.buf.Reset()
	if err != nil {
		return err
	}
	return http.NewResponseController(s.w).Flush()
}

// writePieces writes a body a piece at a time: it is each piece that a client gets
// the patience of Limits.Write for, so that one that reads slowly gets the whole.
func writePieces(w io.Writer, body []byte) error {
	const most = 16 << 10
	for len(body) > 0 {
		n := min(len(body), most)
		if _, err := w.Write(body[:n]); err != nil {
			return err
		}
		body = body[n:]
	}
	return nil
}

// speaker turns what a trace has come to into what is new of a choice, of type C.
type speaker[C any] interface {
	// next returns what is new since the last call, if there is anything. done says
	// that the group is over. With ended, which comes once, there is always some.
	next(p *engine.Progress, done bool) (news C, some, ended bool)
}

// stream sends the choices of an answer as they grow. Each speaker is a choice, in
// the order of their indices.
//
// A client that reads slowly sees several steps at once; what waits for it is in the
// groups anyway. When the request's context ends, because its client has gone or the
// server has no more patience, the groups end with it, and what is left to say is
// that.
func stream[C any, S speaker[C]](w http.ResponseWriter, a *answer, speakers []S) {
	a.announce(w)
	out := newEventStream(w)
	if out.flush() != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	changes := a.changes(ctx)
	silence := newHeartbeat()
	defer silence.Stop()
	for open := len(speakers); ; {
		select {
		case <-changes:
		case <-silence.C:
			out.addText(": the groups run\n\n")
		}
		for i, s := range speakers {
			done := a.runs[i/a.choices].isDone() // before the look: it is the last one then
			trace, ready := a.trace(i, done)
			if !ready || a.ended[i] {
				continue
			}
			p := a.groups[i/a.choices].Progress(trace)
			news, some, ended := s.next(&p, done)
			if !some {
				continue
			}
			c := openai.Chunk[C]{Choices: []C{news}}
			if a.ended[i] = ended; ended {
				open--
			}
			if open == 0 {
				finishStream(out, a, c)
				return
			}
			if sendChunk(out, a, c) != nil {
				return
			}
		}
		if out.flush() != nil {
			return
		}
		silence.Reset(heartbeat)
	}
}

// finishStream sends the end of a stream: last, which ends the last choice, the
// account of a group, the tokens.
func finishStream[C any](out *eventStream, a *answer, last openai.Chunk[C]) {
	results, err := a.wait()
	if err != nil {
		out.add(err)
	} else {
		if !a.usage {
			last.DeepPrune = a.audit(results)
		}
		sendChunk(out, a, last)
		if a.usage {
			end := openai.Chunk[C]{Choices: []C{}, DeepPrune: a.audit(results)}
			end.Usage.Value = a.tokens(results)
			sendChunk(out, a, end)
		}
	}
	out.addText("data: [DONE]\n\n")
	out.flush() // an error is a client that has gone
}

// sendChunk completes a chunk and adds it to a stream.
func sendChunk[C any](out *eventStream, a *answer, c openai.Chunk[C]) error {
	c.ID, c.Object, c.Created, c.Model = a.id, a.chunk, a.created, a.model
	c.Usage.Present = a.usage
	return out.add(c)
}

// changes signals, until ctx ends, whenever there may be more to see of the groups:
// now to begin with.
func (a *answer) changes(ctx context.Context) <-chan struct{} {
	wake := make(chan struct{}, 1)
	signal := func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	for i, r := range a.runs {
		go func() {
			for {
				changed := a.groups[i].Changed()
				signal()
				select {
				case <-ctx.Done():
					return
				case <-r.ended:
					signal()
					return
				case <-changed:
				}
			}
		}()
	}
	return wake
}
