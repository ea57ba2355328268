package eval

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"deepprune/prune"
)

func prefixOf(t *SampledTrace) string { return t.Prefix }

// sampledOf makes stored traces with the given answers, "" for none.
func sampledOf(id string, answers ...string) *Sampled {
	s := &Sampled{Question: Question{ID: id, Text: "question " + id, Answer: "1"}, Seed: 7}
	for i, a := range answers {
		s.Traces = append(s.Traces, SampledTrace{
			Index: i, Prefix: fmt.Sprint("prefix ", i), Answer: JSONText(a), Tokens: 10 + i,
			State: StateName{prune.Finished}, Text: fmt.Sprint("prefix ", i, " and so on"),
		})
	}
	return s
}

func TestAppendPairs(t *testing.T) {
	s := sampledOf("q", "1", "", "2", "1", "3")
	got := AppendPairs(nil, s, 5, 0, 1, prefixOf)
	want := []Pair{
		{5, "prefix 0", "prefix 2", false}, {5, "prefix 0", "prefix 3", true}, {5, "prefix 0", "prefix 4", false},
		{5, "prefix 2", "prefix 3", false}, {5, "prefix 2", "prefix 4", false}, {5, "prefix 3", "prefix 4", false},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v; want %v", got, want)
	}
	for most := 1; most <= 7; most++ {
		some := AppendPairs(nil, s, 5, most, 1, prefixOf)
		if len(some) != min(most, len(want)) {
			t.Errorf("%d of at most %d pairs", len(some), most)
		}
		rest := want
		for _, p := range some { // in the same order, none twice
			i := slices.Index(rest, p)
			if i < 0 {
				t.Fatalf("at most %d: %v", most, some)
			}
			rest = rest[i+1:]
		}
		if !slices.Equal(some, AppendPairs(nil, s, 5, most, 1, prefixOf)) {
			t.Errorf("the same seed draws other pairs")
		}
	}
}

// TestSample: every pair is as likely.
func TestSample(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var counts [10]int
	for range 5000 {
		drawn := sample(rng, 10, 4)
		if !slices.IsSorted(drawn) || len(slices.Compact(slices.Clone(drawn))) != 4 {
			t.Fatalf("drawn %v", drawn)
		}
		for _, x := range drawn {
			counts[x]++
		}
	}
	for x, n := range counts {
		if n < 1850 || n > 2150 {
			t.Errorf("%d was drawn %d times of 5000; want about 2000", x, n)
		}
	}
}

func TestBalance(t *testing.T) {
	s := sampledOf("q", "1", "1", "1", "1", "2", "1") // 10 same, 5 different
	for _, c := range []struct {
		b               Balance
		same, different int
	}{
		{Balance{}, 10, 5},
		{Balance{Repeat: 3}, 10, 15},
		{Balance{SamePerDifferent: 1}, 5, 5},
		{Balance{SamePerDifferent: 0.5, Repeat: 2}, 2, 10},
		{Balance{SamePerDifferent: 9}, 10, 5},
	} {
		pairs := c.b.TrainingPairs(s, 0, 1, prefixOf)
		same := 0
		for _, p := range pairs {
			if p.Same {
				same++
			}
		}
		if same != c.same || len(pairs)-same != c.different {
			t.Errorf("%+v: %d same, %d different; want %d, %d", c.b, same, len(pairs)-same, c.same, c.different)
		}
		if !slices.Equal(pairs, c.b.TrainingPairs(s, 0, 1, prefixOf)) {
			t.Errorf("%+v: the same seed gives other pairs", c.b)
		}
	}
	if got := (Balance{SamePerDifferent: 1}).TrainingPairs(sampledOf("q", "1", "1", "1"), 0, 1, prefixOf); len(got) != 1 {
		t.Errorf("a question with one answer keeps %d pairs; want 1", len(got))
	}
}

func TestInShare(t *testing.T) {
	in := 0
	for i := range 2000 {
		q := Question{ID: fmt.Sprint(i)}
		if q.InShare(0.1, 1) {
			in++
		}
		if q.InShare(0.1, 1) && !q.InShare(0.2, 1) {
			t.Errorf("question %d is in a tenth and not in a fifth", i)
		}
	}
	if in < 150 || in > 250 {
		t.Errorf("%d of 2000 are in a tenth", in)
	}
}

func TestCutWords(t *testing.T) {
	text := "So we add. Wait, also something. Thus 5"
	for n, want := range map[int]string{1: "So", 2: "So we add. Wait", 3: "So we add. Wait, also something. Thus", 4: text} {
		if got := CutWords(text, n); got != want {
			t.Errorf("%d words: %q; want %q", n, got, want)
		}
	}
}

func TestPairsFile(t *testing.T) {
	var b bytes.Buffer
	for _, p := range []StoredPair{{"x", "q1", "a <", "b", true}, {"", "q2", "a", "b", false}, {"x", "q1", "c", "d", false}} {
		if err := WriteJSON(&b, p); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(b.String(), `"a <"`) {
		t.Errorf("escaped: %s", b.String())
	}
	pairs, questions, err := ReadPairs(&b, "f")
	want := []Pair{{0, "a <", "b", true}, {1, "a", "b", false}, {0, "c", "d", false}}
	if err != nil || !slices.Equal(pairs, want) || !slices.Equal(questions, []string{"q1", "q2"}) {
		t.Errorf("got %v of %v, %v", pairs, questions, err)
	}
	for text, want := range map[string]string{"": "f: no pairs", "{\"a\":\"x\"}": "f:1: field same", "{\n": "f:1: "} {
		if _, _, err := ReadPairs(strings.NewReader(text), "f"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
}

func TestSampledJSON(t *testing.T) {
	questions, err := ReadQuestions(strings.NewReader(`{"id":7,"template":"w:x","question":"1 < 2?","unseen":true,"answer":3}`), "f", 1)
	if err != nil {
		t.Fatal(err)
	}
	s := sampledOf("", "1", "")
	s.Question = questions[0]
	s.Traces[1].State.State = prune.Length
	s.Traces[1].Text = ""
	var b bytes.Buffer
	if err := WriteSampled(&b, s); err != nil {
		t.Fatal(err)
	}
	const want = `{"id":"7","question":"1 < 2?","answer":"3","seed":7,"template":"w:x","unseen":true,"traces":[` +
		`{"index":0,"prefix":"prefix 0","prefix_tokens":0,"answer":"1","tokens":10,"state":"finished","text":"prefix 0 and so on"},` +
		`{"index":1,"prefix":"prefix 1","prefix_tokens":0,"answer":null,"tokens":11,"state":"length"}]}` + "\n"
	if b.String() != want {
		t.Errorf("got %s\nwant %s", b.String(), want)
	}
	n := 0
	err = ReadSampled(&b, "f", func(back *Sampled) error {
		n++
		if !reflect.DeepEqual(back, s) {
			t.Errorf("read back as %+v; want %+v", back, s)
		}
		return nil
	})
	if err != nil || n != 1 {
		t.Errorf("%d lines, %v", n, err)
	}
}

func FuzzReadSampled(f *testing.F) {
	f.Add(`{"id":"a","question":"q","answer":"1","seed":5,"traces":[{"index":0,"prefix":"p","answer":null,"tokens":1,"state":"pruned"}]}`)
	f.Add(`{"question":"q","traces":[]}` + "\n{}")
	f.Add(`{"question":"q","traces":[{"state":"?"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var read []*Sampled
		if err := ReadSampled(strings.NewReader(text), "f", func(s *Sampled) error { read = append(read, s); return nil }); err != nil && !strings.HasPrefix(err.Error(), "f:") {
			t.Fatal(err)
		}
		var once bytes.Buffer
		for _, s := range read {
			if err := WriteSampled(&once, s); err != nil {
				t.Fatal(err)
			}
		}
		first := once.String()
		var twice bytes.Buffer
		if err := ReadSampled(&once, "g", func(s *Sampled) error { return WriteSampled(&twice, s) }); err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, first)
		}
		if twice.String() != first {
			t.Fatalf("written again as\n%s\nwant\n%s", twice.String(), first)
		}
	})
}
