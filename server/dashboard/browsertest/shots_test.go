package browsertest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestShots takes pictures for a person to look at, into the folder that
// DASHBOARD_SHOTS names, of the journal that DASHBOARD_JOURNAL names.
func TestShots(t *testing.T) {
	folder := os.Getenv("DASHBOARD_SHOTS")
	if folder == "" {
		t.Skip("set DASHBOARD_SHOTS to a folder to take pictures")
	}
	journal := os.Getenv("DASHBOARD_JOURNAL")
	if journal == "" {
		journal = "../testdata/run.jsonl"
	}
	url := replay(t, readFile(t, journal))
	for _, c := range []struct {
		name string
		s    screen
		at   string // share of the run
		full bool
	}{
		{"light-end", desktop, "1", false},
		{"light-mid", desktop, "0.3", false},
		{"dark-end", screen{width: 1360, height: 1000, dark: true, calm: true}, "1", false},
		{"dark-mid", screen{width: 1360, height: 1000, dark: true, calm: true}, "0.36", false},
		{"light-full", desktop, "1", true},
		{"phone-end", screen{width: 360, height: 780, calm: true, phone: true}, "1", true},
		{"phone-dark-mid", screen{width: 360, height: 780, dark: true, calm: true, phone: true}, "0.36", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := visit(t, url, c.s)
			p.until(`document.querySelector("#play").innerText === "Replay"`)
			js[bool](p, `(() => { const s = document.querySelector("#scrub"); s.value = 1000 * `+c.at+`; s.dispatchEvent(new Event("input")); return true })()`)
			if c.at != "1" && !c.s.phone {
				js[bool](p, `document.querySelector("#lanes").focus(), true`)
				for range 9 {
					p.key(kb.ArrowDown)
				}
			}
			p.settle()
			p.settle()
			take := chromedp.CaptureScreenshot()
			if c.full {
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
