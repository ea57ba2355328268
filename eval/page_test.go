package eval

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"

	"deepprune/prune"
)

var (
	pageFile = flag.String("page", "", "write the page of the example to this file, to look at")
	plotFile = flag.String("plot", "", "write the plot of the example to this file, to look at")
)

// exampleReport is a report with everything in it, of made-up records.
func exampleReport(t *testing.T) *Report {
	t.Helper()
	contenders, err := ParseContenders([]string{"deepprune", "deepprune-paper", "random", "early-vote", "equal-tokens", "deepprune:finishers=1:spares=-1"},
		prune.Options{Checkpoint: prune.Checkpoint{Tokens: 40}})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(7, 7))
	const k, questions = 64, 150
	var records []*Record
	clock := int64(1_000_000)
	for n, c := range contenders {
		kept := k
		if n > 0 {
			kept = 6 + 2*n
		}
		var moments []Moment
		for i := range 400 {
			bytes := int64(i) * 40_000
			if n > 0 && i > 60 {
				bytes = 2_400_000 + int64((i-60)*(n+4)*1_000)
			}
			moments = append(moments, Moment{i + 1, float64(i), bytes})
		}
		records = append(records, &Record{Contender: c.Spec, Memory: moments})
		for q := range questions {
			r := &Record{Contender: c.Spec, Question: fmt.Sprint("q", q), Run: 1, Answer: "1", Right: rng.Float64() < 0.83}
			for i := range k {
				right := rng.Float64() < 0.7
				f := Fate{State: StateName{prune.Finished}, Tokens: 350 + rng.IntN(100), Answer: JSONText(fmt.Sprint(right)), Right: right}
				if n > 0 {
					f.Prefix = 40
				}
				if i >= kept {
					f = Fate{State: StateName{prune.Pruned}, Tokens: 40, Prefix: 40}
				}
				r.Traces = append(r.Traces, f)
			}
			if n == 1 || n == 2 {
				r.JudgePairs, r.JudgeTokens, r.JudgeCost = 90*n, 4000*n, 900*float64(n)
			}
			r.Began, r.TotalMS, r.PeakBytes, r.ByteSteps = clock, float64(40*kept), int64(kept)*400_000, int64(kept)*9_000_000
			clock += int64(r.TotalMS * 300)
			records = append(records, r)
		}
		clock += 1e9
	}
	r := NewReport(Header{Schema: 1, Dataset: "held <out>.jsonl", K: k, Model: "reasoner", Judge: "judge", Concurrency: 4, Slots: 64}, contenders, records, 1)
	r.Device = "cpu avx512"
	var pairs []Pair
	var scores []float64
	for i := range 4000 {
		same := rng.Float64() < 0.75
		x := rng.NormFloat64() - 1
		if same {
			x += 2
		}
		scores = append(scores, 1/(1+math.Exp(-2*x)))
		b := "so it is 5"
		if !same && rng.Float64() < 0.5 {
			b = "but it is 6 then"
		}
		pairs = append(pairs, Pair{Question: i % 100, A: "so it is 5", B: b, Same: same})
	}
	judging := NewPrefixReport("at the checkpoint", pairs, scores, 0.6, 1)
	r.Judging = &judging
	r.Replay = &ReplayCheck{Compared: 40}
	return r
}

// TestPage: the page is well-formed, loads nothing, and holds what it should.
func TestPage(t *testing.T) {
	r := exampleReport(t)
	var b bytes.Buffer
	if err := r.Page(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if *pageFile != "" {
		if err := os.WriteFile(*pageFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"held &lt;out&gt;.jsonl", "equal-tokens (", "KV memory over time", "AUROC", "prefers-color-scheme: dark", "40 replays were compared"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if m := regexp.MustCompile(`(?i)https?://|<script|@import|url\(|NaN|Inf\b|%!`).FindString(text); m != "" {
		t.Errorf("the page holds %q", m)
	}
	plots := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(text, -1)
	if len(plots) != 4 {
		t.Fatalf("%d plots; want 4", len(plots))
	}
	for i, p := range plots {
		if err := xml.Unmarshal([]byte(p), new(struct{ XMLName xml.Name })); err != nil {
			t.Errorf("plot %d: %v", i, err)
		}
	}
}

// TestPlot: the file is well-formed, carries its style and names every policy.
func TestPlot(t *testing.T) {
	r := exampleReport(t)
	var b bytes.Buffer
	if err := r.Plot(&b); err != nil {
		t.Fatal(err)
	}
	if *plotFile != "" {
		if err := os.WriteFile(*plotFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := xml.Unmarshal(b.Bytes(), new(struct {
		XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
	})); err != nil {
		t.Error(err)
	}
	for _, p := range r.Policies {
		if !strings.Contains(b.String(), ">"+shorten(p.label(), 28)+"</text>") {
			t.Errorf("the plot does not name %s", p.label())
		}
	}
	if text := b.String(); !strings.Contains(text, "prefers-color-scheme: dark") || strings.Contains(text, "NaN") {
		t.Errorf("the plot begins with %.400q", text)
	}
}

// TestPageOfLittle: whatever is missing is left out.
func TestPageOfLittle(t *testing.T) {
	contenders, err := ParseContenders([]string{"early-vote"}, prune.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, records := range [][]*Record{
		nil,
		{{Contender: "none", Question: "q", Run: 1, Traces: []Fate{{State: StateName{prune.Finished}, Tokens: 3}}}},
	} {
		r := NewReport(Header{K: 1}, contenders, records, 1)
		var page, table bytes.Buffer
		if err := r.Page(&page); err != nil {
			t.Fatal(err)
		}
		if err := r.Table(&table); err != nil {
			t.Fatal(err)
		}
		if text := page.String() + table.String(); strings.Contains(text, "NaN") {
			t.Errorf("NaN in\n%s", text)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
	}
}

func TestLogTicks(t *testing.T) {
	for _, c := range []struct {
		a, b float64
		want string
	}{
		{437, 28009, "[500 1000 2000 5000 10000 20000]"}, {1, 10, "[1 2 5 10]"}, {0.3, 3, "[0.5 1 2]"}, {6, 7, "[]"},
	} {
		if s := fmt.Sprint(logTicks(c.a, c.b)); s != c.want {
			t.Errorf("logTicks(%v, %v) = %s; want %s", c.a, c.b, s, c.want)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		a, b float64
		n    int
		want string
	}{
		{0, 1, 5, "0.0 0.2 0.4 0.6 0.8 1.0"}, {0.55, 0.95, 5, "0.6 0.7 0.8 0.9"}, {0, 3, 6, "0.0 0.5 1.0 1.5 2.0 2.5 3.0"},
		{0, 25000, 6, "0.0 5000.0 10000.0 15000.0 20000.0 25000.0"}, {-3, 2, 5, "-3.0 -2.0 -1.0 0.0 1.0 2.0"},
	} {
		var got []string
		for _, x := range ticks(c.a, c.b, c.n) {
			got = append(got, fmt.Sprintf("%.1f", x+0)) // +0: no -0
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("ticks(%v, %v, %d) = %s; want %s", c.a, c.b, c.n, s, c.want)
		}
	}
}
