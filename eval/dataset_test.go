package eval

import (
	"strconv"
	"strings"
	"testing"
)

func TestReadQuestions(t *testing.T) {
	got, err := ReadQuestions(strings.NewReader("{\"question\":\" a \",\"answer\":0.50}\n\n{\"id\":3,\"question\":\"b\"}\n{\"question\":\"c\",\"answer\":null}"), "f", 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []Question{{ID: "1", Text: "a", Answer: "0.50"}, {ID: "3", Text: "b"}, {ID: "4", Text: "c"}} {
		if q := got[i]; q.ID != want.ID || q.Text != want.Text || q.Answer != want.Answer {
			t.Errorf("question %d = %+v; want %+v", i, q, want)
		}
	}
	for text, want := range map[string]string{
		"":                                    "f: no questions in it",
		"{\"question\":\"a\"}\n{":             "f:2: ",
		"{\"question\":\" \"}":                "f:1: field question is missing",
		"{\"question\":[5]}":                  "f:1: field question is neither",
		"{\"question\":\"a\",\"answer\":[1]}": "f:1: field answer is neither",
		"{\"id\":1,\"question\":\"a\"}\n{\"id\":\"1\",\"question\":\"b\"}": "f:2: field id: \"1\" is that of line 1",
		"[]": "f:1: ",
	} {
		if got, err := ReadQuestions(strings.NewReader(text), "f", 1); err == nil || !strings.HasPrefix(err.Error(), want) || got != nil {
			t.Errorf("%.40q: %v, %v; want error %q", text, got, err, want)
		}
	}
}

// TestSeed: seeds of a question are its own, and stay what they are from version
// to version.
func TestSeed(t *testing.T) {
	if got, want := (&Question{ID: "dev-0000"}).Seed(1), uint64(3707599352764537953); got != want {
		t.Errorf("seed = %d; want %d", got, want)
	}
	seen := make(map[uint64]bool)
	for _, id := range []string{"", "1", "2", "12", "1/2"} {
		for run := range uint64(30) {
			seen[(&Question{ID: id}).Seed(run)] = true
		}
	}
	if len(seen) != 150 {
		t.Errorf("%d seeds of 150 differ", len(seen))
	}
}

// TestUsualFiles reads a line of each of the usual data sets.
func TestUsualFiles(t *testing.T) {
	for _, c := range []struct{ name, line, id, text, answer string }{
		{"AIME 2024", `{"ID":"2024-I-1","Problem":"Every morning …","Solution":"… \\boxed{204}","Answer":204}`, "2024-I-1", "Every morning …", "204"},
		{"AIME 2025", `{"problem":"Find $b$.","answer":"070","id":0}`, "0", "Find $b$.", "070"},
		{"MATH-500", `{"problem":"Convert (0,3)","solution":"so \\boxed{x}","answer":"\\left( 3, \\frac{\\pi}{2} \\right)","subject":"Precalculus","level":2,"unique_id":"test/precalculus/807.json"}`, "test/precalculus/807.json", "Convert (0,3)", `\left( 3, \frac{\pi}{2} \right)`},
		{"MATH", `{"problem":"How many?","level":"Level 2","type":"Counting","solution":"There are $1+1=\\boxed{2}$."}`, "1", "How many?", "2"},
		{"GSM8K", `{"question":"How much?","answer":"He pays 5*2=<<5*2=10>>10.\n#### 1,010"}`, "1", "How much?", "1,010"},
		{"no answer", `{"prompt":"Why?","solution":"because"}`, "1", "Why?", ""},
	} {
		got, err := ReadQuestions(strings.NewReader(c.line), "f", 1)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if q := got[0]; q.ID != c.id || q.Text != c.text || q.Answer != c.answer {
			t.Errorf("%s: %q, %q, %q; want %q, %q, %q", c.name, q.ID, q.Text, q.Answer, c.id, c.text, c.answer)
		}
	}
}

// TestChoices: the letter is that of the right choice, wherever it went.
func TestChoices(t *testing.T) {
	lines := map[string]string{
		"GPQA":   `{"Question":"Which?","Correct Answer":"gold","Incorrect Answer 1":"lead","Incorrect Answer 2":"tin","Incorrect Answer 3":"iron\n","Record ID":"rec%d"}`,
		"index":  `{"id":"%d","question":"Which?","choices":["lead","gold","tin","iron"],"answer":1}`,
		"letter": `{"id":"%d","question":"Which?","choices":["lead","tin","gold","iron"],"answer":"C"}`,
		"text":   `{"id":"%d","question":"Which?","choices":["lead","tin","iron","gold"],"answer":"gold"}`,
		"ARC":    `{"id":"%d","question":"Which?","choices":{"text":["gold","lead","tin","iron"],"label":["A","B","C","D"]},"answer":"A"}`,
	}
	for name, line := range lines {
		places := make(map[string]int)
		for i := range 40 {
			text := strings.Replace(line, "%d", strconv.Itoa(i), 1)
			got, err := ReadQuestions(strings.NewReader(text), "f", 1)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			q := got[0]
			places[q.Answer]++
			if !strings.Contains(q.Text+"\n", "\n"+q.Answer+") gold\n") || !strings.HasPrefix(q.Text, "Which?\n\nA) ") || strings.Count(q.Text, "\n") != 5 {
				t.Errorf("%s: answer %q of %q", name, q.Answer, q.Text)
			}
			again, _ := ReadQuestions(strings.NewReader(text), "f", 1)
			if again[0].Text != q.Text {
				t.Errorf("%s: the same seed gives %q, then %q", name, q.Text, again[0].Text)
			}
		}
		if len(places) != 4 {
			t.Errorf("%s: the right choice is at %v of 40", name, places)
		}
	}
	for line, want := range map[string]string{
		`{"question":"q","choices":["a"],"answer":"a"}`:     "1 of them",
		`{"question":"q","choices":["a","b"],"answer":"c"}`: "none of the 2 choices",
		`{"question":"q","choices":["a","b"],"answer":7}`:   "none of the 2 choices",
		`{"question":"q","choices":5}`:                      "no list of strings",
	} {
		if _, err := ReadQuestions(strings.NewReader(line), "f", 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", line, err, want)
		}
	}
}

func FuzzReadQuestions(f *testing.F) {
	for _, s := range []string{`{"question":"6*7","answer":42}`, "{\"problem\":\"a\",\"solution\":\"\\\\boxed{1/2}\"}\n\n{}", `{"question":"q","choices":["a","b"],"answer":"B"}`,
		`{"Question":"q","Correct Answer":"x","Incorrect Answer 1":"y"}`, `{"question":`, "null", `{"question":"a","QUESTION":"b","answer":1e999}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		questions, err := ReadQuestions(strings.NewReader(s), "f", 1)
		if err != nil && (questions != nil || !strings.HasPrefix(err.Error(), "f:")) {
			t.Fatalf("%v, %v", questions, err)
		}
		for _, q := range questions {
			if strings.TrimSpace(q.Text) == "" || q.ID == "" {
				t.Fatalf("%+v of %q", q, s)
			}
		}
	})
}
