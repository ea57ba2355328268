package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"deepprune/server/openai"
)

// apiRoutes adds the routes of OpenAI's API and of groups.
func (s *Server) apiRoutes() {
	s.mux.HandleFunc("POST /v1/chat/completions", withBody(s.chat))
	s.mux.HandleFunc("POST /v1/completions", withBody(s.completions))
	s.mux.HandleFunc("GET /v1/models", s.models)
	s.mux.HandleFunc("GET /v1/models/{name...}", s.oneModel)
	s.mux.HandleFunc("GET /v1/groups", s.listGroups)
	s.mux.HandleFunc("GET /v1/groups/{id}", s.oneGroup)
	s.mux.HandleFunc("DELETE /v1/groups/{id}", s.cancelGroup)
	s.mux.HandleFunc("GET /v1/groups/{id}/events", s.groupEvents)
	s.mux.HandleFunc("DELETE /v1/groups/{id}/traces/{index}", s.cancelTrace)
	s.mux.HandleFunc("POST /tokenize", withBody(s.tokenize))
	s.mux.HandleFunc("POST /detokenize", withBody(s.detokenize))
}

// withBody gives a handler the whole body of a request. The handler answers the
// request or returns why it cannot.
func withBody(handle func(w http.ResponseWriter, r *http.Request, body []byte) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := readBody(r)
		if err == nil {
			err = handle(w, r, body)
		}
		if err != nil {
			fail(w, err)
		}
	}
}

// readBody reads the body of a request. Its size is bounded in front of here.
func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, openai.TooLarge(large.Limit)
	case err != nil:
		return nil, openai.Invalid("", "incomplete_body", "The body could not be read to its end.")
	}
	return body, nil
}

// sendJSON answers with a value.
func sendJSON(w http.ResponseWriter, v any) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		openai.Internal("The answer cannot be written as JSON: %v.", err).Write(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	writePieces(w, body.Bytes()) // an error is a client that has gone
}

// fail answers with an error of ours.
func fail(w http.ResponseWriter, err error) { wireError(err).Write(w) }
