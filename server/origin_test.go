package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"deepprune/engine"
)

// offline has a server answer a request without a network.
func offline(s *Server, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// TestHosts: a page that has its own name lead to this machine is not answered.
func TestHosts(t *testing.T) {
	s := newServer(t, Options{Hosts: []string{"localhost", "Models.example.org"}}, engine.Options{})
	for _, c := range []struct {
		host string
		want int
	}{
		{"localhost", 200}, {"LOCALHOST:8080", 200}, {"127.0.0.1:8080", 200}, {"[::1]:8080", 200}, {"[::1]", 200}, {"10.1.2.3", 200},
		{"models.example.org", 200}, {"models.example.org.", 200},
		{"evil.example", 421}, {"evil.example:8080", 421}, {"localhost.evil.example", 421}, {"127.0.0.1.evil.example", 421},
		{"xlocalhost", 421}, {"", 421}, {"[", 421}, {":8080", 421}, {"evil.example:80:80", 421},
	} {
		if got := offline(s, "GET", "/health", "Host", c.host).Code; got != c.want {
			t.Errorf("Host %q: %d; want %d", c.host, got, c.want)
		}
	}
	if got := offline(newServer(t, Options{}, engine.Options{}), "GET", "/health", "Host", "anything").Code; got != 200 {
		t.Errorf("without a list: %d; want 200", got)
	}
}

// TestOrigins: pages of other sites may not ask, unless they are listed.
func TestOrigins(t *testing.T) {
	const ours, friend, other = "http://example.com", "https://friend.example", "https://other.example" // httptest asks example.com
	for _, c := range []struct {
		name    string
		allowed []string
		method  string
		header  []string
		want    int
		allow   string // Access-Control-Allow-Origin
	}{
		{"no origin", nil, "POST", nil, 400, ""},
		{"our own", nil, "POST", []string{"Origin", ours}, 400, ""},
		{"another", nil, "POST", []string{"Origin", other}, 403, ""},
		{"null", nil, "POST", []string{"Origin", "null"}, 403, ""},
		{"another, says the browser", nil, "POST", []string{"Sec-Fetch-Site", "cross-site"}, 403, ""},
		{"a sister site", nil, "POST", []string{"Sec-Fetch-Site", "same-site", "Origin", other}, 403, ""},
		{"another deletes", nil, "DELETE", []string{"Origin", other}, 403, ""},
		{"a friend", []string{friend}, "POST", []string{"Origin", friend, "Sec-Fetch-Site", "cross-site"}, 400, friend},
		{"a friend by another scheme", []string{friend}, "POST", []string{"Origin", "http://friend.example"}, 403, ""},
		{"another than the friend", []string{friend}, "POST", []string{"Origin", other}, 403, ""},
		{"all", []string{"*"}, "POST", []string{"Origin", other}, 400, other},
		{"preflight of a friend", []string{friend}, "OPTIONS", []string{"Origin", friend, "Access-Control-Request-Method", "POST"}, 204, friend},
		{"preflight of another", []string{friend}, "OPTIONS", []string{"Origin", other, "Access-Control-Request-Method", "POST"}, 405, ""},
		{"preflight, no list", nil, "OPTIONS", []string{"Origin", other, "Access-Control-Request-Method", "POST"}, 405, ""},
	} {
		s := newServer(t, Options{Origins: c.allowed}, engine.Options{})
		path := "/v1/completions"
		if c.method == "DELETE" {
			path = "/v1/groups/1"
		}
		w := offline(s, c.method, path, c.header...)
		if w.Code != c.want || w.Header().Get("Access-Control-Allow-Origin") != c.allow {
			t.Errorf("%s: %d, allow %q; want %d, %q", c.name, w.Code, w.Header().Get("Access-Control-Allow-Origin"), c.want, c.allow)
		}
		if vary := w.Header().Get("Vary"); (len(c.allowed) > 0) != strings.Contains(vary, "Origin") {
			t.Errorf("%s: Vary %q", c.name, vary)
		}
	}
	// A page may look at what another site serves to all, but not read it.
	w := offline(newServer(t, Options{}, engine.Options{}), "GET", "/v1/models", "Origin", other)
	if w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("GET of another: %d, %v", w.Code, w.Header())
	}
}

// TestPreflight: a page that is trusted may send the headers it asks for.
func TestPreflight(t *testing.T) {
	const friend, headers = "https://friend.example", "authorization,content-type,x-stainless-lang"
	s := newServer(t, Options{Origins: []string{friend}}, engine.Options{})
	w := offline(s, "OPTIONS", "/v1/completions", "Origin", friend,
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", headers)
	if got := w.Header().Get("Access-Control-Allow-Headers"); w.Code != 204 || got != headers {
		t.Errorf("%d, allowed headers %q; want %q", w.Code, got, headers)
	}
}

// TestRequestIDs: a client's id comes back if it is fit for a log, else one of ours.
func TestRequestIDs(t *testing.T) {
	s := newServer(t, Options{}, engine.Options{})
	for _, given := range []string{"abc-123_x.y:z", strings.Repeat("a", 128)} {
		if got := offline(s, "GET", "/health", "X-Request-Id", given).Header().Get("X-Request-Id"); got != given {
			t.Errorf("got %q; want %q", got, given)
		}
	}
	seen := make(map[string]bool)
	for _, given := range []string{"", " ", "a b", "a\nb", "é", strings.Repeat("a", 129), `"`} {
		got := offline(s, "GET", "/health", "X-Request-Id", given).Header().Get("X-Request-Id")
		if !strings.HasPrefix(got, "req-") || len(got) != 36 || seen[got] {
			t.Errorf("%q: got %q", given, got)
		}
		seen[got] = true
	}
}

// TestPanic: a mistake in a handler costs its request alone.
func TestPanic(t *testing.T) {
	s := newServer(t, Options{}, engine.Options{})
	s.handlePublic("GET /early", func(http.ResponseWriter, *http.Request) { panic("early") })
	s.handlePublic("GET /late", func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("half of it"))
		panic("late")
	})
	if w := offline(s, "GET", "/early"); w.Code != 500 || !strings.Contains(w.Body.String(), `"internal_error"`) || strings.Contains(w.Body.String(), "early") {
		t.Errorf("early: %d %q", w.Code, w.Body)
	}
	func() {
		defer func() {
			if r := recover(); r != http.ErrAbortHandler {
				t.Errorf("late: the connection is not cut: %v", r)
			}
		}()
		offline(s, "GET", "/late")
	}()
	if w := offline(s, "GET", "/health"); w.Code != 200 {
		t.Errorf("afterwards: %d", w.Code)
	}
}
