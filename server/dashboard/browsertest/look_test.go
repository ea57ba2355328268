package browsertest

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

var phone = screen{width: 360, height: 780, calm: true, phone: true}

// TestPhone: nothing is wider than a narrow phone, in a replay and at a server.
func TestPhone(t *testing.T) {
	f := newFake(t)
	f.say(liveHead...)
	long := strings.Replace(readFile(t, journal), "Tom has 24", strings.Repeat("unbreakable", 60)+" Tom has 24", 1)
	for name, url := range map[string]string{"replay": replay(t, readFile(t, journal)), "server": f.url(), "long words": replay(t, long)} {
		p := visit(t, url, phone)
		p.until(`!document.querySelector("#group").hidden && document.querySelector("#counts").innerText !== ""`)
		js[bool](p, `document.querySelector("#as-table").open = true`)
		js[bool](p, `document.querySelector("#lanes").focus(), true`)
		p.settle()
		if got := js[int](p, `document.documentElement.scrollWidth`); got > 360 {
			t.Errorf("%s: the page is %d pixels wide; want 360", name, got)
		}
		wide := js[[]string](p, `[...document.querySelectorAll("body *")].filter((e) => !e.closest(".scroll table, .unseen, .skip, #key-dialog") && e.getBoundingClientRect().right > 361)
			.map((e) => e.tagName + "#" + e.id + "." + e.className)`)
		if len(wide) > 0 {
			t.Errorf("%s: beyond the edge: %v", name, wide)
		}
		small := js[[]string](p, `[...document.querySelectorAll("button:not(.inline), select, input, textarea")].filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 28)
			.map((e) => e.id)`)
		if len(small) > 0 {
			t.Errorf("%s: too small for a finger: %v", name, small)
		}
	}
}

// contrasts measures the text of the page against what it stands on, as WCAG does:
// 4.5:1, or 3:1 for large text.
const contrasts = `(() => {
	const channel = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
	const parse = (s) => s.match(/[\d.]+/g).map(Number);
	const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
	const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((m, n) => n - m); return (x + 0.05) / (y + 0.05); };
	const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0.99) return c; } return [255, 255, 255]; };
	const bad = [];
	for (const e of document.querySelectorAll("body *")) {
		if (!e.checkVisibility() || e.closest(".unseen, option") || ![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
		const s = getComputedStyle(e);
		const size = parseFloat(s.fontSize);
		const want = size >= 24 || (size >= 18.66 && s.fontWeight >= 700) ? 3 : 4.5;
		const got = ratio(parse(s.color), ground(e));
		if (got < want) bad.push(e.tagName + "#" + e.id + "." + e.className + " " + got.toFixed(2) + " < " + want + ": " + e.textContent.trim().slice(0, 30));
	}
	const probe = document.querySelector("#probe");
	const paper = ground(document.body);
	for (const name of [...Array(8).keys()].map((i) => "hue-" + i).concat("accent", "judge", "edge", "good", "bad")) {
		probe.style.color = "var(--" + name + ")";
		const got = ratio(parse(getComputedStyle(probe).color), paper);
		if (got < 3) bad.push("--" + name + " " + got.toFixed(2) + " < 3");
	}
	return bad;
})()`

// TestContrast in both themes, by the system's wish and by the switch against it.
func TestContrast(t *testing.T) {
	f := newFake(t)
	f.say(liveHead...)
	f.say(liveRest...)
	for _, dark := range []bool{false, true} {
		s := desktop
		s.dark = dark
		p := visit(t, f.url(), s)
		p.untilText("#counts", "2 finished")
		js[bool](p, `document.querySelector("#as-table").open = true`)
		js[bool](p, `document.querySelector("#lanes").focus(), true`)
		p.settle()
		check := func(name string, wantDark bool) {
			t.Helper()
			if got := js[bool](p, `parseInt(getComputedStyle(document.body).backgroundColor.match(/\d+/)) < 128`); got != wantDark {
				t.Errorf("%s: dark is %v; want %v", name, got, wantDark)
			}
			for _, b := range js[[]string](p, contrasts) {
				t.Errorf("%s: %s", name, b)
			}
		}
		check("system", dark)
		js[bool](p, `document.querySelector("#theme").click(), true`)
		check("light", false)
		js[bool](p, `document.querySelector("#theme").click(), true`)
		check("dark", true)
		p.do(chromedp.Reload())
		p.until(`document.documentElement?.dataset.theme === "dark"`) // it is kept
	}
}

// TestManyLanes draws 512 of them. What a frame costs is told, not judged.
func TestManyLanes(t *testing.T) {
	for _, k := range []int{64, 512} {
		p := visit(t, replay(t, manyLanes(k, 200)), screen{width: 1360, height: 1000})
		p.untilText("#play", "Pause")
		ms := js[float64](p, `new Promise((r) => {
			let n = 0; const t0 = performance.now();
			const tick = () => ++n < 40 ? requestAnimationFrame(tick) : r((performance.now() - t0) / n);
			requestAnimationFrame(tick);
		})`)
		t.Logf("%d lanes: a frame each %.1f ms", k, ms)
		js[bool](p, `document.querySelector("#play").click(), true`)
		p.scrub(1000)
		if got := p.text("#counts"); !strings.Contains(got, "finished") {
			t.Errorf("%d lanes: counts %q", k, got)
		}
	}
}
