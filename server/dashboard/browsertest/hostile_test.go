package browsertest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
)

// TestHostileText: what a model or a person wrote is shown as it is, and nothing of
// it becomes part of the page.
func TestHostileText(t *testing.T) {
	attack := `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>"'><svg onload=window.pwned=1> javascript:window.pwned=1 {{7*7}} </textarea>`
	text, _ := json.Marshal(attack)
	lines := []string{
		fmt.Sprintf(`{"schema":1,"kind":"header","model":%s,"judge":%s,"device":{"kind":"cpu","name":%s},"block_bytes":1024}`, text, text, text),
		fmt.Sprintf(`{"kind":"submitted","step":0,"nanos":1,"group":1,"question":%s,"prompt":[1],"k":3,"seed":1,"policy":%s,"params":{}}`, text, text),
		`{"kind":"started","step":1,"nanos":2,"group":1,"trace":0}`,
		`{"kind":"started","step":1,"nanos":2,"group":1,"trace":1}`,
		fmt.Sprintf(`{"kind":"pruned","step":2,"nanos":3,"group":1,"trace":1,"tokens":0,"keeper":0,"score":0.9,"reason":%s,"blocks":0,"bytes":0}`, text),
		fmt.Sprintf(`{"kind":"ended","step":3,"nanos":4,"group":1,"trace":0,"tokens":1,"state":"finished","answer":%s,"blocks":0}`, text),
		fmt.Sprintf(`{"kind":"done","step":3,"nanos":5,"group":1,"answer":%s,"warning":%s,"votes":[{"answer":%s,"weight":1,"traces":[0]}],"clusters":[{"keeper":0,"members":[0,1],"answer":%s}],"usage":{},"kv":{}}`, text, text, text, text),
	}
	p := visit(t, replay(t, strings.Join(lines, "\n")+"\ndamaged "+attack), desktop)
	p.untilText("#play", "Replay")
	js[bool](p, `document.querySelector("#as-table").open = true`)
	js[bool](p, `document.querySelector("#lanes").focus(), true`)
	p.key(kb.ArrowDown)
	p.settle()
	p.settle()
	for _, selector := range []string{"#question", "#answer", "#warning", "#about", "#votes", "#trace", "#tip", "#rows", "#history"} {
		if got := js[string](p, "document.querySelector("+quote(selector)+").textContent"); !strings.Contains(got, `<img src=x onerror="window.pwned=1">`) {
			t.Errorf("%s: %q; want the text as it is", selector, got)
		}
	}
	if n := js[int](p, `document.querySelectorAll("img, script:not([src]), [onerror], [onload]").length`); n > 0 {
		t.Errorf("%d elements came out of the text", n)
	}
	if js[bool](p, "window.pwned !== undefined") {
		t.Error("a script in the text ran")
	}
	// Even a mistake in the page would not let one run.
	js[bool](p, `(() => { const d = document.createElement("div"); d.innerHTML = '<img src=x onerror="window.pwned=1">'; document.body.append(d); return true })()`)
	js[bool](p, `(() => { const s = document.createElement("script"); s.textContent = "window.pwned=1"; document.body.append(s); return true })()`)
	p.settle()
	if js[bool](p, "window.pwned !== undefined") {
		t.Error("the policy lets inline scripts run")
	}
	p.mu.Lock()
	p.errors = nil // what the policy refused, on purpose
	p.mu.Unlock()
}

// TestServerGoneAndBack: the page says so, goes on where it was, and ends right.
func TestServerGoneAndBack(t *testing.T) {
	f := newFake(t)
	f.say(liveHead...)
	p := visit(t, f.url(), desktop)
	p.untilText("#counts", "3 running")
	p.untilText("#link", "connected")
	p.untilText("#answer", "not yet")
	f.stop()
	p.untilText("#link", "connection lost")
	if got := p.text("#counts"); !strings.Contains(got, "3 running") {
		t.Errorf("counts %q while the server is away; want what was seen last", got)
	}
	f.mu.Lock()
	f.lines = append(f.lines, liveRest...)
	f.mu.Unlock()
	f.start()
	p.untilText("#counts", "2 finished")
	p.untilText("#link", "connected")
	p.untilText("#answer", "12")
	for selector, want := range map[string]string{
		"#counts": "1 pruned", "#votes": "weight 2 from 1 trace", "#warning": "the traces disagree", "#answer-note": "67% of the vote", "#memory-figures": "1 block, 1.0 KiB",
	} {
		if got := p.text(selector); !strings.Contains(got, want) {
			t.Errorf("%s: %q; want %q in it", selector, got, want)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if got, want := f.resume[len(f.resume)-1], fmt.Sprint(len(liveHead)); got != want {
		t.Errorf("it resumed after line %q; want %s", got, want)
	}
}

// TestKey: the server's key is asked for, kept in the tab, and sent as a header.
func TestKey(t *testing.T) {
	f := newFake(t)
	f.say(liveHead...)
	f.mu.Lock()
	f.key = "right"
	f.mu.Unlock()
	p := visit(t, f.url(), desktop)
	enter := func(key string) {
		t.Helper()
		p.until(`document.querySelector("#key-dialog").open && document.activeElement.id === "key"`)
		p.key(key, kb.Enter)
	}
	enter("wrong")
	p.untilText("#key-why", "does not know this key")
	enter("right")
	p.untilText("#counts", "3 running")
	if js[bool](p, `document.querySelector("#key-dialog").open`) {
		t.Error("the key is asked for again")
	}
	if got := js[string](p, `sessionStorage.getItem("deepprune-key") + location.href + JSON.stringify(localStorage)`); got != "right"+f.url()+"{}" {
		t.Errorf("kept: %q; want the key in the session's storage alone", got)
	}

	q := visit(t, f.url(), desktop) // another tab
	q.until(`document.querySelector("#key-dialog").open`)
	q.key(kb.Escape)
	q.untilText("#notice", "wants an API key")
	q.settle()
	if js[bool](q, `document.querySelector("#key-dialog").open`) {
		t.Error("the key is asked for again though nobody wanted to give one")
	}
	js[bool](q, `document.querySelector("#notice button").click(), true`)
	q.until(`document.querySelector("#key-dialog").open`)
}

// TestAskAndStop asks a question by the keyboard and stops a trace and the group.
func TestAskAndStop(t *testing.T) {
	f := newFake(t)
	p := visit(t, f.url(), desktop)
	p.until(`!document.querySelector("#empty").hidden`)
	js[bool](p, `document.querySelector("#ask-question").focus(), true`)
	p.key("How many?", kb.Tab)
	js[bool](p, `document.querySelector("#ask-k").value = 4, document.querySelector("#ask-seed").value = "18446744073709551615", true`)
	f.mu.Lock()
	f.refuse = 400
	f.mu.Unlock()
	js[bool](p, `document.querySelector("#ask-question").focus(), true`)
	p.key(kb.Enter)
	p.untilText("#notice", `policy "x": there is no such`)
	f.mu.Lock()
	f.refuse = 0
	f.mu.Unlock()
	p.key(kb.Enter)
	p.untilText("#counts", "3 running")
	asked := f.questions()
	if len(asked) != 2 {
		t.Fatalf("%d questions; want 2", len(asked))
	}
	var body struct {
		Model     string
		Stream    bool
		Seed      uint64
		Messages  []struct{ Role, Content string }
		DeepPrune struct {
			Traces int
			Policy string
		}
	}
	if err := json.Unmarshal([]byte(asked[1]), &body); err != nil {
		t.Fatal(err)
	}
	if body.Model != "fake-model" || !body.Stream || body.Seed != 1<<64-1 || len(body.Messages) != 1 || body.Messages[0].Content != "How many?" ||
		body.Messages[0].Role != "user" || body.DeepPrune.Traces != 4 || body.DeepPrune.Policy != "deepprune" {
		t.Errorf("asked %s", asked[1])
	}

	js[bool](p, `document.querySelector("#lanes").focus(), true`)
	p.key(kb.ArrowDown, kb.ArrowDown)
	p.untilText("#trace", "Stop trace 2")
	js[bool](p, `document.querySelector("#trace button.danger").click(), true`)
	p.until(`!document.querySelector("#stop").hidden`)
	for deadline := time.Now().Add(45 * time.Second); f.stopped() == "" && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond) // requests may overtake each other
	}
	js[bool](p, `document.querySelector("#stop").click(), true`)
	p.settle()
	if got, want := f.stopped(), "/v1/groups/1/traces/2 /v1/groups/1"; got != want {
		t.Errorf("stopped %q; want %q", got, want)
	}
	f.say(liveRest...)
	p.untilText("#counts", "2 finished")
	p.until(`document.querySelector("#stop").hidden`)
}
