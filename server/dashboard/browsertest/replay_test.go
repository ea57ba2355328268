package browsertest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

const journal = "../testdata/run.jsonl"

// TestReplay shows the counts of the journal, at its end and on the way.
func TestReplay(t *testing.T) {
	p := visit(t, replay(t, readFile(t, journal)), desktop)
	p.untilText("#play", "Replay") // who wants less motion sees the end at once
	p.settle()
	for selector, want := range map[string]string{
		"#question":       "Tom has 24 apples. Then he buys 3 packs of 7 apples. He gives 5 apples to Mia. How many apples does Tom have now?",
		"#answer":         "40",
		"#answer-note":    "50% of the vote",
		"#about":          "Group 1 · deepprune · 12 traces · seed 3 · finished",
		"#engine":         "embedded-reasoner · embedded-judge",
		"#saved":          "52%",
		"#saved-label":    "estimated",
		"#saved-note":     "1,855 generated, instead of about 3,847 if each stopped trace had become as long as the 5 that finished, 321 on average. With the judge’s work counted: 49%.",
		"#counts":         "5 finished",
		"#memory-figures": "28 blocks, 1.3 MiB",
		"#link":           "recorded",
	} {
		if got := p.text(selector); !strings.Contains(got, want) {
			t.Errorf("%s: %q; want %q in it", selector, got, want)
		}
	}
	if got := p.text("#counts"); !strings.Contains(got, "7 pruned") || strings.Contains(got, "running") {
		t.Errorf("counts %q; want 7 pruned and none running", got)
	}
	votes := js[[]string](p, `[...document.querySelectorAll("#votes li")].map((e) => e.innerText.replace(/\s+/g, " ").trim())`)
	if got, want := strings.Join(votes, "; "), "40 50% weight 6 from 3 traces; 45 42% weight 5 from 1 trace; 46 8% weight 1 from 1 trace"; got != want {
		t.Errorf("votes %q; want %q", got, want)
	}
	widths := js[[]float64](p, `[...document.querySelectorAll("#votes .bar")].map((e) => Math.round(100 * e.getBoundingClientRect().width / e.parentElement.getBoundingClientRect().width))`)
	if got, want := fmt.Sprint(widths), "[50 42 8]"; got != want {
		t.Errorf("the bars of the vote take %s percent; want %s", got, want)
	}
	for _, hidden := range []string{"#ask", "#stop", "#empty", "#notice", "#live"} {
		if !js[bool](p, "document.querySelector("+quote(hidden)+").hidden") {
			t.Errorf("%s is shown in a replay", hidden)
		}
	}

	p.scrub(0)
	p.untilText("#counts", "12 waiting")
	p.untilText("#answer", "not yet")
	p.scrub(250)
	p.until(`!document.querySelector("#counts").innerText.includes("12 waiting")`)
	if got := p.text("#clock"); !strings.HasPrefix(got, "174 ms / 696 ms") {
		t.Errorf("clock %q; want a quarter of the run", got)
	}

	js[bool](p, `document.querySelector("#as-table").open = true`)
	p.scrub(1000)
	p.until(`document.querySelectorAll("#rows tr").length === 12`)
	p.untilText("#rows", "pruned")
	row := js[string](p, `document.querySelectorAll("#rows tr")[11].innerText.replace(/\s+/g, " ")`)
	if !strings.HasPrefix(row, "11 pruned 36 1 1 0.") {
		t.Errorf("row of trace 11: %q", row)
	}
}

func (p *tab) scrub(to int) {
	p.t.Helper()
	js[bool](p, fmt.Sprintf(`(() => { const s = document.querySelector("#scrub"); s.value = %d; s.dispatchEvent(new Event("input")); return true })()`, to))
	p.settle()
}

func TestPlaying(t *testing.T) {
	s := desktop
	s.calm = false
	p := visit(t, replay(t, readFile(t, journal))+"/#speed=0.05", s)
	p.untilText("#play", "Pause") // it begins by itself
	if got := js[string](p, `document.querySelector("#speed").value`); got != "0.05" {
		t.Errorf("speed %s; want that of the address", got)
	}
	p.untilText("#counts", "running")
	js[bool](p, `document.querySelector("#play").click(), true`)
	p.untilText("#play", "Play")
	p.settle()
	if before := p.text("#clock"); js[bool](p, `new Promise((r) => setTimeout(() => r(document.querySelector("#clock").innerText !== `+quote(before)+`), 300))`) {
		t.Error("the clock goes on while it is paused")
	}
	js[bool](p, `(() => { const s = document.querySelector("#speed"); s.value = "16"; s.dispatchEvent(new Event("change")); document.querySelector("#play").click(); return true })()`)
	p.untilText("#play", "Replay")
	p.untilText("#counts", "5 finished")
}

// TestDamagedJournal is told of on the page as well, and what is left is shown.
func TestDamagedJournal(t *testing.T) {
	lines := strings.SplitAfter(readFile(t, journal), "\n")
	lines[40] = lines[40][:len(lines[40])/2] + "\n"
	p := visit(t, replay(t, strings.Join(lines[:len(lines)-3], "")), desktop)
	p.until(`!document.querySelector("#notice").hidden`)
	p.untilText("#notice", "The journal ends before the group does.")
	p.untilText("#notice", "1 damaged line was skipped: engine: journal: line 41")
	p.untilText("#counts", "pruned")
}

func TestSeveralGroups(t *testing.T) {
	one := readFile(t, journal)
	_, body, _ := strings.Cut(one, "\n")
	second := strings.NewReplacer(`"group":1`, `"group":2`, `"sampled":[[1,`, `"sampled":[[2,`, `,[1,`, `,[2,`, "Tom has 24", "Ben has 24").Replace(body)
	p := visit(t, replay(t, one+second), desktop)
	p.untilText("#question", "Ben has 24") // the latest
	p.until(`document.querySelectorAll("#history a").length === 2`)
	js[bool](p, `document.querySelectorAll("#history a")[1].click(), true`)
	p.untilText("#question", "Tom has 24")
	p.until(`document.querySelectorAll("#history a")[1].getAttribute("aria-current") === "page"`)
	p.untilText("#counts", "5 finished")
}

// TestKeyboard walks through the page without a pointer.
func TestKeyboard(t *testing.T) {
	p := visit(t, replay(t, readFile(t, journal)), desktop)
	p.untilText("#counts", "5 finished")
	var walk []string
	for range 30 {
		p.key(kb.Tab)
		at := js[string](p, `document.activeElement === document.body ? "" : document.activeElement.id || document.activeElement.className || document.activeElement.tagName`)
		if at == "" {
			break
		}
		walk = append(walk, at)
		if !js[bool](p, `(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 1 })()`) {
			t.Errorf("the focus on %s cannot be seen", at)
		}
	}
	if got, want := strings.Join(walk, " "), "skip theme play scrub speed order lanes A SUMMARY"; got != want {
		t.Errorf("Tab goes through %q; want %q", got, want)
	}

	js[bool](p, `document.querySelector("#lanes").focus(), true`)
	selected := func() string {
		return js[string](p, `document.getElementById(document.querySelector("#lanes").getAttribute("aria-activedescendant")).textContent`)
	}
	if got := selected(); !strings.HasPrefix(got, "Trace 0: finished") {
		t.Errorf("on focus: %q; want trace 0", got)
	}
	p.key(kb.ArrowDown)
	if got := selected(); !strings.HasPrefix(got, "Trace 1: finished") || !strings.HasSuffix(got, "answer 40") {
		t.Errorf("down: %q; want trace 1 with its answer", got)
	}
	p.key(kb.End)
	if got := selected(); !strings.HasPrefix(got, "Trace 11: pruned at token 36, step ") || !strings.Contains(got, "keeper 1, similarity 0.") {
		t.Errorf("End: %q; want trace 11 with keeper and similarity", got)
	}
	p.settle()
	if tip := p.text("#tip"); !strings.Contains(tip, "judge: ") || !strings.Contains(tip, "with 1 (step ") {
		t.Errorf("beside the lane: %q; want the verdicts", tip)
	}
	if panel := p.text("#trace"); !strings.Contains(panel, "Trace 11") || !strings.Contains(panel, "same answer") {
		t.Errorf("panel %q; want all about trace 11", panel)
	}
	p.key("k")
	if got := selected(); !strings.HasPrefix(got, "Trace 1:") {
		t.Errorf("K: %q; want the keeper", got)
	}
	p.key(kb.ArrowUp, kb.ArrowUp, kb.ArrowUp)
	if got := selected(); !strings.HasPrefix(got, "Trace 0:") {
		t.Errorf("up beyond the first: %q", got)
	}
	p.key(kb.ArrowLeft)
	p.settle()
	if got := p.text("#clock"); got != "682 ms / 696 ms" {
		t.Errorf("left: clock %q; want 2%% before the end", got)
	}
	p.key(kb.Enter)
	if got := js[string](p, `document.activeElement.id`); got != "trace" {
		t.Errorf("Enter: focus on %q; want the trace's panel", got)
	}
	js[bool](p, `document.querySelector("#lanes").focus(), true`)
	p.key(kb.Escape)
	p.settle()
	if got := p.text("#trace-title"); got != "Trace" {
		t.Errorf("Escape: %q is still selected", got)
	}
	p.key(" ")
	p.untilText("#play", "Pause")
}

// TestNames: everything that can be used has a name for those who do not see it.
func TestNames(t *testing.T) {
	for _, url := range []string{replay(t, readFile(t, journal)), newFake(t).url()} {
		p := visit(t, url, desktop)
		p.until(`document.querySelector("#link").innerText !== ""`)
		unnamed := js[[]string](p, `[...document.querySelectorAll("button, a, input, select, textarea, [tabindex], [role=img], dialog, nav, section, aside section")]
			.filter((e) => e.checkVisibility() && !(e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.labels?.length || e.innerText?.trim() || e.textContent?.trim()))
			.map((e) => e.outerHTML)`)
		for _, e := range unnamed {
			t.Errorf("without a name: %s", e)
		}
		if n := js[int](p, `document.querySelectorAll("h1:not([hidden] *)").length`); n > 2 {
			t.Errorf("%d main headings", n)
		}
	}
}

// TestScripts runs the tests of the page's scripts in the browser.
func TestScripts(t *testing.T) {
	files := http.NewServeMux()
	files.Handle("/", http.FileServer(http.Dir("..")))
	s := httptest.NewServer(files)
	t.Cleanup(s.Close)
	p := visit(t, s.URL+"/pagetest/", desktop)
	for _, f := range js[[]string](p, `import("/pagetest/all.js").then((m) => m.runAll()).then((r) => r.passed > 0 ? r.failed : ["no test"])`) {
		t.Error(f)
	}
}
