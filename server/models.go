package server

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"deepprune/server/openai"
)

// models lists the one model that is served.
func (s *Server) models(w http.ResponseWriter, r *http.Request) {
	sendJSON(w, openai.Models{Object: openai.ObjectList, Data: []openai.Model{s.describe()}})
}

// oneModel describes a model by its name, which may have slashes in it.
func (s *Server) oneModel(w http.ResponseWriter, r *http.Request) {
	if name := r.PathValue("name"); name != s.opt.Name {
		openai.ModelNotFound(name).Write(w)
		return
	}
	sendJSON(w, s.describe())
}

func (s *Server) describe() openai.Model {
	return openai.Model{
		ID: s.opt.Name, Object: openai.ObjectModel, Created: s.started.Unix(), OwnedBy: "deepprune",
		MaxModelLen: s.model.MaxContext(),
	}
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
