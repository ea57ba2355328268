package figures

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

func TestCount(t *testing.T) {
	for n, want := range map[int]string{
		0: "0", 7: "7", 999: "999", 1000: "1,000", 12345: "12,345",
		1234567: "1,234,567", -1: "-1", -1234: "-1,234",
	} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q; want %q", n, got, want)
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB",
		1<<20 - 1: "1.0 MiB", 1 << 20: "1.0 MiB", 5 << 30: "5.0 GiB", -2048: "-2.0 KiB",
		1<<63 - 1: "8.0 EiB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q; want %q", n, got, want)
		}
	}
}

func TestMilliseconds(t *testing.T) {
	for ms, want := range map[float64]string{
		0: "0 µs", 0.25: "250 µs", 1: "1.00 ms", 9.999: "10 ms", 12.3: "12 ms",
		999.9: "1.00 s", 1420: "1.42 s", 59_990: "1m0s", 3_723_000: "1h2m3s",
	} {
		if got := Milliseconds(ms); got != want {
			t.Errorf("Milliseconds(%v) = %q; want %q", ms, got, want)
		}
	}
}

func TestBar(t *testing.T) {
	for _, c := range []struct {
		share float64
		want  string
	}{
		{0, ""}, {-1, ""}, {1, "████"}, {2, "████"}, {0.5, "██"}, {0.001, "▏"}, {0.53, "██▏"},
	} {
		if got := Bar(c.share, 4); got != c.want {
			t.Errorf("Bar(%v, 4) = %q; want %q", c.share, got, c.want)
		}
	}
}

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		" a\n\tb  c ":             "a b c",
		"red \x1b[31malert\x1b[m": "red alert",
		"bell\a null\x00 del\x7f": "bell null del",
		"\xff":                    "�",
		"turn\u202earound":        "turnaround",
		"日本 語":                    "日本 語",
	} {
		if got := Line(in); got != want {
			t.Errorf("Line(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	got := strings.Join(Wrap("one two three four five six", 9, 2), "|")
	if want := "one two|three fo…"; got != want {
		t.Errorf("Wrap = %q; want %q", got, want)
	}
}

func FuzzLine(f *testing.F) {
	for _, s := range []string{"", "plain", "\x1b]0;title\a", "a\r\nb", "\u200d\u0301", "日本語", "\xf0\x9f"} {
		f.Add(s, 5)
	}
	f.Fuzz(func(t *testing.T, s string, width int) {
		width = min(max(width, 0), 200)
		line := Line(s)
		if !utf8.ValidString(line) || strings.ContainsAny(line, "\n\r\x1b\a\x00") {
			t.Fatalf("Line(%q) = %q is not safe", s, line)
		}
		for _, cut := range append(Wrap(line, width, 3), Head(line, width), Tail(line, width)) {
			if w := ansi.StringWidth(cut); w > width {
				t.Fatalf("%q cut to %d has %d cells", line, width, w)
			}
		}
	})
}
