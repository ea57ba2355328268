package server

import (
	"io"
	"net/http"
)

// probes are the routes that machines ask every few seconds.
var probes = map[string]bool{"GET /health": true, "GET /ready": true, "GET /metrics": true}

// health answers as long as the process can answer at all.
func health(w http.ResponseWriter, r *http.Request) { say(w, http.StatusOK, "ok") }

// ready answers whether requests are taken: not while loading or draining.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	select {
	case <-s.draining:
		say(w, http.StatusServiceUnavailable, "draining")
	default:
		say(w, http.StatusOK, "ready")
	}
}

// say answers a probe with a word.
func say(w http.ResponseWriter, status int, word string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	io.WriteString(w, word+"\n")
}
