package browsertest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestShots takes pictures for a person to look at, into the folder that
// DASHBOARD_SHOTS names: of the dashboard at DASHBOARD_URL, or else of the journal
// that the other tests use.
func TestShots(t *testing.T) {
	folder := os.Getenv("DASHBOARD_SHOTS")
	if folder == "" {
		t.Skip("set DASHBOARD_SHOTS to a folder to take pictures")
	}
	url := os.Getenv("DASHBOARD_URL")
	if url == "" {
		url = replay(t, readFile(t, journal))
	}
	light := screen{width: 1360, height: 960, calm: true}
	dark, darkPhone := light, phone
	dark.dark, darkPhone.dark = true, true
	for _, c := range []struct {
		name    string
		s       screen
		at      int // in thousandths of the run
		order   string
		selects int // lanes down, 0 for none
		whole   bool
	}{
		{"light-end", light, 1000, "index", 0, false},
		{"light-mid", light, 330, "index", 0, false},
		{"light-cluster", light, 1000, "cluster", 0, false},
		{"light-trace", light, 620, "cluster", 5, true},
		{"dark-end", dark, 1000, "index", 0, false},
		{"dark-mid", dark, 330, "index", 18, false},
		{"dark-whole", dark, 1000, "cluster", 0, true},
		{"phone-end", phone, 1000, "index", 0, true},
		{"phone-dark-mid", darkPhone, 330, "index", 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := visit(t, url, c.s)
			p.until(`document.querySelector("#play").innerText === "Replay"`)
			js[bool](p, fmt.Sprintf(`(() => { const o = document.querySelector("#order"); o.value = %q; o.dispatchEvent(new Event("change")); return true })()`, c.order))
			p.scrub(c.at)
			if c.selects > 0 {
				js[bool](p, `document.querySelector("#lanes").focus({ preventScroll: true }), true`)
				for range c.selects {
					p.key(kb.ArrowDown)
				}
			}
			p.settle()
			p.settle()
			take := chromedp.CaptureScreenshot()
			if c.whole {
				take = chromedp.FullScreenshot(100)
			}
			picture, err := chromedp.Run(p.ctx, take)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, "dashboard-"+c.name+".png"), picture, 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}
