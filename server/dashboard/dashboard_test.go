package dashboard

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"testing"
)

func get(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "127.0.0.1:8080"
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHandlerServesEveryFile(t *testing.T) {
	h := Handler(Server)
	entries, err := files.ReadDir("page")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, e := range entries {
		target := Prefix + e.Name()
		if e.Name() == "index.html" {
			target = "/"
		}
		w := get(h, "GET", target)
		if w.Code != http.StatusOK || w.Body.Len() == 0 {
			t.Errorf("%s: status %d, %d bytes", target, w.Code, w.Body.Len())
		}
		total += w.Body.Len()
		if got, want := w.Header().Get("Content-Type"), types[path.Ext(e.Name())]; got != want || want == "" {
			t.Errorf("%s: Content-Type %q; want %q", target, got, want)
		}
		for _, name := range []string{"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "ETag", "Cache-Control"} {
			if w.Header().Get(name) == "" {
				t.Errorf("%s: no %s", target, name)
			}
		}
		tag := w.Header().Get("ETag")
		for _, known := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
			if w := get(h, "GET", target, "If-None-Match", known); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
				t.Errorf("%s, If-None-Match %s: status %d, %d bytes; want 304 and none", target, known, w.Code, w.Body.Len())
			}
		}
		if w := get(h, "GET", target, "If-None-Match", `"other"`); w.Code != http.StatusOK {
			t.Errorf("%s with another tag: status %d", target, w.Code)
		}
		if w := get(h, "HEAD", target); w.Code != http.StatusOK || w.Body.Len() > 0 {
			t.Errorf("HEAD %s: status %d, %d bytes", target, w.Code, w.Body.Len())
		}
		if w := get(h, "POST", target); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
			t.Errorf("POST %s: status %d", target, w.Code)
		}
	}
	if total > 200<<10 {
		t.Errorf("the page has %d bytes; want it to be light", total)
	}
	for _, target := range []string{"/index.html", Prefix, Prefix + "none.js", Prefix + "../dashboard.go", "/other"} {
		if w := get(h, "GET", target); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d; want 404", target, w.Code)
		}
	}
}

func TestPolicyForbidsWhatThePageDoesNotNeed(t *testing.T) {
	for _, d := range strings.Split(policy, ";") {
		for _, word := range []string{"unsafe", "*", "http", "data:"} {
			if strings.Contains(d, word) {
				t.Errorf("the policy has %q", d)
			}
		}
	}
}

func TestSource(t *testing.T) {
	for _, s := range []Source{Server, File} {
		if body := get(Handler(s), "GET", "/").Body.String(); !strings.Contains(body, `<html lang="en" data-source="`+string(s)+`">`) {
			t.Errorf("the page of %s does not say so", s)
		}
	}
}

// TestPageIsSelfContained: no other origin, nothing inline that the policy would
// refuse, no HTML made of text, and every file that is named exists.
func TestPageIsSelfContained(t *testing.T) {
	entries, err := files.ReadDir("page")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := fs.ReadFile(files, "page/"+e.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ pattern, why string }{
			{`https?://`, "another origin"},
			{`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|setHTML`, "HTML made of text"},
			{`\beval\(|new Function`, "eval"},
			{`(?i)<script(?: type="module")?>|\son[a-z]+="|\sstyle="|<style`, "inline script or style"},
			{`EventSource\(`, "a stream without the API key"},
		} {
			for _, found := range regexp.MustCompile(c.pattern).FindAllString(string(text), -1) {
				if found == "http://" && strings.Contains(string(text), `xmlns="http://www.w3.org/2000/svg"`) && path.Ext(e.Name()) == ".svg" {
					continue
				}
				t.Errorf("%s has %q: %s", e.Name(), found, c.why)
			}
		}
		for _, m := range regexp.MustCompile(`(?:href|src)="(dashboard/[^"]*)"|from "\./([^"]*)"`).FindAllStringSubmatch(string(text), -1) {
			name := strings.TrimPrefix(m[1], "dashboard/") + m[2]
			if _, err := fs.Stat(files, "page/"+name); err != nil {
				t.Errorf("%s names %s: %v", e.Name(), name, err)
			}
		}
	}
}

// TestScripts runs the tests of what is pure in the page's scripts. Where there is
// no Node they run in the browser's tests.
func TestScripts(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node")
	}
	out, err := exec.Command(node, "pagetest/node.js").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
