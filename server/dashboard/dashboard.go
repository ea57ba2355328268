// Package dashboard is the page that shows groups while they run: each trace a lane
// that grows, what the judge said, what was pruned in favour of whom, the memory,
// the vote. It is plain HTML, CSS and JavaScript modules, embedded, without a build
// step and without a library.
//
// [Handler] serves the page's files; the page reads everything else from the routes
// of groups: GET v1/groups, GET v1/groups/{id}/events (server-sent events, each a
// line of a journal), POST v1/chat/completions to ask, DELETE to stop a group or a
// trace, and, where there is one, POST detokenize for the text of a trace. A
// [Journal] answers the same routes from a file, so the page has one source of data.
//
// Invariants: the page asks nothing of any other origin, runs no inline script and
// no eval (its Content-Security-Policy says so), and makes no HTML of what a model or
// a person wrote. Its files need no API key; the data does.
package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed page/*.html page/*.css page/*.js page/*.svg
var files embed.FS

// Source is where the page's data comes from.
type Source string

const (
	// Server runs groups: the page can ask and stop.
	Server Source = "server"
	// File is a journal: the page can only watch.
	File Source = "file"
)

// Prefix is the path below which the page's files lie; the page itself is "/".
const Prefix = "/dashboard/"

// policy lets the page load its own files and talk to its own server.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// asset is a file of the page, ready to be sent.
type asset struct {
	body      []byte
	mediaType string
	tag       string // ETag
}

// Handler serves the page at "/" and its files below [Prefix]; anything else is not
// found. Safe for concurrent use.
func Handler(source Source) http.Handler {
	assets := make(map[string]asset)
	entries, err := files.ReadDir("page")
	if err != nil {
		panic(err) // embedded
	}
	for _, entry := range entries {
		body, err := fs.ReadFile(files, path.Join("page", entry.Name()))
		if err != nil {
			panic(err)
		}
		at := Prefix + entry.Name()
		if entry.Name() == "index.html" {
			at = "/"
			body = bytes.Replace(body, []byte(`data-source="server"`), []byte(`data-source="`+string(source)+`"`), 1)
		}
		sum := sha256.Sum256(body)
		assets[at] = asset{body, types[path.Ext(entry.Name())], `"` + hex.EncodeToString(sum[:12]) + `"`}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := assets[r.URL.Path]
		switch {
		case !ok:
			http.NotFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		default:
			a.serve(w, r)
		}
	})
}

func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// A new binary has a new page under the same paths: ask each time, by the tag.
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", a.tag)
	if matches(r.Header.Get("If-None-Match"), a.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", a.mediaType)
	if r.Method != http.MethodHead {
		w.Write(a.body)
	}
}

// matches compares an If-None-Match header with a tag; weak ones match as well (RFC
// 9110, 13.1.2).
func matches(header, tag string) bool {
	for _, candidate := range strings.Split(header, ",") {
		if c := strings.TrimPrefix(strings.TrimSpace(candidate), "W/"); c == tag || c == "*" {
			return true
		}
	}
	return false
}
