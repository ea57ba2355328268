package main

import (
	"math"
	"strings"
	"testing"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]size{
		"1": 1, "4096": 4096, "256MiB": 256 << 20, "256 mib": 256 << 20, "1g": 1 << 30, "1.5GB": 3 << 29, "2TiB": 2 << 40, "64k": 64 << 10,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "0", "1PiB", "many", "inf", "NaN", "1e30", "0.2", "1 2"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("parseSize(%q) = %d; want an error", text, got)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"256MiB", "1.5g", "", "b", "ib", "kib", "1e3k", "0x1p4", "９"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseSize(s)
		if err != nil {
			return
		}
		if got < 1 {
			t.Fatalf("parseSize(%q) = %d", s, got)
		}
		// What is shown as the default of a flag can be typed.
		if back, err := parseSize(got.String()); err != nil || math.Abs(float64(back-got)) > float64(got)*1e-15 {
			t.Fatalf("parseSize(%q) = %d shows as %q, which is %d, %v", s, got, got.String(), back, err)
		}
	})
}

func TestReadQuestions(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "f: no questions in it",
		"\n \n":                                 "f: no questions in it",
		"{\"question\":\"a\"}\n{":               "f:2: ",
		"{\"question\":\" \"}":                  "f:1: field question is missing",
		"{\"question\":5}":                      "f:1: ",
		"{\"question\":\"a\",\"answer\":[1]}":   "f:1: field answer is neither",
		"{\"question\":\"a\",\"answer\":false}": "f:1: field answer is neither",
		"[]":                                    "f:1: ",
		strings.Repeat("x", 2*maxQuestion):      "f:1: ",
		"{\"question\":\"a\"} and more":         "f:1: more than one object",

		"{\"question\":\"a\"}\n\n" + strings.Repeat("x", 2*maxQuestion): "f:3: ",
	} {
		got, err := readQuestions(strings.NewReader(text), "f")
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.40q: %v, %v; want error %q", text, got, err, want)
		}
	}
}

func FuzzReadQuestions(f *testing.F) {
	for _, s := range []string{`{"question":"6*7","answer":42}`, "{\"question\":\"a\",\"answer\":\"1/2\"}\n\n{}", `{"question":`, "null", `{"question":"a","answer":1e999}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		questions, err := readQuestions(strings.NewReader(s), "f")
		if err != nil && (questions != nil || !strings.HasPrefix(err.Error(), "f:")) {
			t.Fatalf("%v, %v", questions, err)
		}
		for _, q := range questions {
			if strings.TrimSpace(q.Question) == "" {
				t.Fatalf("an empty question in %q", s)
			}
		}
	})
}
