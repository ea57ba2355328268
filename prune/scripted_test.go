package prune

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestParseSchedule(t *testing.T) {
	got, err := ParseSchedule(strings.NewReader("{\"token\": 10, \"keep\": [0, 2]}\n\n {\"token\":20,\"stop\":[2]}\r\n{\"token\":30,\"keep\":[]}"))
	want := Schedule{{Token: 10, Keep: []int{0, 2}}, {Token: 20, Stop: []int{2}}, {Token: 30, Keep: []int{}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestParseScheduleErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "empty",
		"\n \n":                           "empty",
		"7":                               "line 1",
		"null":                            "line 1: token: 0 is not positive",
		"{}":                              "line 1: token: 0 is not positive",
		`{"token":0,"keep":[1]}`:          "line 1: token: 0 is not positive",
		`{"token":-4,"keep":[1]}`:         "line 1: token: -4 is not positive",
		`{"token":5}`:                     "line 1: neither keep nor stop",
		`{"token":5,"keep":null}`:         "line 1: neither keep nor stop",
		`{"token":5,"keep":[],"stop":[]}`: "line 1: both keep and stop",
		`{"token":5,"keep":[-1]}`:         "line 1: keep: -1 is negative",
		`{"token":5,"stop":[3,3]}`:        "line 1: stop: 3 is there twice",
		`{"token":5,"halt":[3]}`:          `line 1: json: unknown field "halt"`,
		`{"token":5,"stop":[3]} 7`:        "line 1: more than one object",
		`{"token":5,"stop":["3"]}`:        "line 1: json: cannot unmarshal",
		`{"token":1e99,"stop":[3]}`:       "line 1: json: cannot unmarshal",
		"{\"token\":5,\"stop\":[3]}\n\n{\"token\":5,\"stop\":[4]}": "line 3: token: 5 is not above the 5 before it",
		"{\"token\":5,\n\"stop\":[3]}":                             "line 1: unexpected EOF",
		strings.Repeat(" ", 2<<20):                                 "line 1: bufio.Scanner: token too long",
	} {
		_, err := ParseSchedule(strings.NewReader(text))
		if !errors.Is(err, ErrSchedule) || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseSchedule(%.40q): got %v; want %q", text, err, want)
		}
	}
}

func FuzzParseSchedule(f *testing.F) {
	f.Add("{\"token\": 10, \"keep\": [0, 2]}\n{\"token\":20,\"stop\":[2]}")
	f.Add(`{"token":5,"stop":[3,3]}`)
	f.Fuzz(func(t *testing.T, text string) {
		schedule, err := ParseSchedule(strings.NewReader(text))
		if err != nil {
			if !errors.Is(err, ErrSchedule) {
				t.Errorf("got %v; want ErrSchedule", err)
			}
			return
		}
		last := 0
		for _, c := range schedule {
			if c.Token <= last || (c.Keep == nil) == (c.Stop == nil) {
				t.Errorf("%q gives %v", text, schedule)
			}
			last = c.Token
		}
	})
}
