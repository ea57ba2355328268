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
	s.mux.HandleFunc("POST /v1/chat/completions", s.chat)
	s.mux.HandleFunc("POST /v1/completions", s.completions)
	s.mux.HandleFunc("GET /v1/models", s.models)
	s.mux.HandleFunc("GET /v1/models/{name...}", s.oneModel)
	s.mux.HandleFunc("GET /v1/groups", s.listGroups)
	s.mux.HandleFunc("GET /v1/groups/{id}", s.oneGroup)
	s.mux.HandleFunc("DELETE /v1/groups/{id}", s.cancelGroup)
	s.mux.HandleFunc("GET /v1/groups/{id}/events", s.groupEvents)
	s.mux.HandleFunc("DELETE /v1/groups/{id}/traces/{index}", s.cancelTrace)
	s.mux.HandleFunc("POST /tokenize", s.tokenize)
	s.mux.HandleFunc("POST /detokenize", s.detokenize)
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
