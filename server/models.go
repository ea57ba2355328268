package server

import (
	"net/http"

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
