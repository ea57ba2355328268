package eval

import (
	"strings"
	"testing"
)

func TestReadQuestions(t *testing.T) {
	got, err := ReadQuestions(strings.NewReader("{\"question\":\" a \",\"answer\":0.50}\n\n{\"id\":3,\"question\":\"b\"}\n{\"question\":\"c\",\"answer\":null}"), "f")
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
		if got, err := ReadQuestions(strings.NewReader(text), "f"); err == nil || !strings.HasPrefix(err.Error(), want) || got != nil {
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
