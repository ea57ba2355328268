// Package browsertest looks at the dashboard in a headless Chromium, as a person
// does: through its elements, by pointer and by keys. It is a module of its own so
// that nobody else comes to need the library that drives the browser.
package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"deepprune/server/dashboard"
)

// browser is the one that all tests share; each has a context of its own in it.
var browser context.Context

func TestMain(m *testing.M) {
	path := os.Getenv("CHROMIUM")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome", "headless-shell"} {
		if path != "" {
			break
		}
		path, _ = exec.LookPath(name)
	}
	if path == "" {
		fmt.Println("skipped: there is no Chromium; set CHROMIUM to its path")
		os.Exit(0)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // the page is our own, and containers have no user namespaces
		chromedp.Flag("force-color-profile", "srgb"),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	var end context.CancelFunc
	browser, end = chromedp.NewContext(allocator)
	if err := chromedp.Do(browser); err != nil {
		fmt.Fprintf(os.Stderr, "starting %s: %v\n", path, err)
		os.Exit(1)
	}
	code := m.Run()
	end()
	stop()
	os.Exit(code)
}

// tab is a page of the browser.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex
	errors []string // uncaught ones, and what the security policy refused
}

// screen is what a page is shown on.
type screen struct {
	width, height int64
	dark, calm    bool
	phone         bool
}

var desktop = screen{width: 1360, height: 1000, calm: true}

// visit opens a page; it must not log an error.
func visit(t *testing.T, url string, s screen) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	ctx, stop := context.WithTimeout(ctx, 150*time.Second)
	t.Cleanup(func() { stop(); cancel() })
	p := &tab{t: t, ctx: ctx}
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			// What the network refuses is the business of the tests.
			if m.IsException() || m.Type == "error" && m.Source != "network" {
				p.mu.Lock()
				p.errors = append(p.errors, m.String())
				p.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, e := range p.errors {
			t.Errorf("the page: %s", e)
		}
	})
	scheme, motion, scale := "light", "no-preference", 1.0
	if s.dark {
		scheme = "dark"
	}
	if s.calm {
		motion = "reduce"
	}
	if s.phone {
		scale = 2
	}
	if _, err := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: s.width, Height: s.height, DeviceScaleFactor: scale, Mobile: s.phone,
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: motion},
	}}); err != nil {
		t.Fatal(err)
	}
	p.do(chromedp.Navigate(url))
	return p
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// js evaluates an expression to a T, awaiting it if it is a promise.
func js[T any](p *tab, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// text is the text of an element as it is shown.
func (p *tab) text(selector string) string {
	p.t.Helper()
	return js[string](p, "document.querySelector("+quote(selector)+").innerText.trim()")
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// until waits until an expression is true.
func (p *tab) until(expression string) {
	p.t.Helper()
	deadline := time.Now().Add(45 * time.Second)
	for !js[bool](p, "Boolean("+expression+")") {
		if time.Now().After(deadline) {
			p.t.Fatalf("never true: %s\n%s", expression, js[string](p, "document.body.innerText"))
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// untilText waits until an element has a text.
func (p *tab) untilText(selector, want string) {
	p.t.Helper()
	p.until("document.querySelector(" + quote(selector) + ")?.innerText.includes(" + quote(want) + ")")
}

func (p *tab) key(keys ...string) {
	p.t.Helper()
	for _, k := range keys {
		p.do(chromedp.KeyEvent(k))
	}
}

// settle waits until the texts of the page are those of the moment shown.
func (p *tab) settle() {
	p.t.Helper()
	js[bool](p, `new Promise((r) => setTimeout(() => requestAnimationFrame(() => r(true)), 300))`)
}

// replay serves a journal as deepprune replay does.
func replay(t *testing.T, journal string) string {
	t.Helper()
	j, err := dashboard.ReadJournal(strings.NewReader(journal), func(err error) { t.Logf("skipped: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(j.Handler())
	t.Cleanup(s.Close)
	return s.URL
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
