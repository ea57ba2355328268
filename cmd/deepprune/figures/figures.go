// Package figures writes numbers and foreign text for people to read: counts with
// separators, bytes, durations, percentages, bars, and lines that are safe to
// print. Nothing here knows about colour.
package figures

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// Count writes n with a comma between groups of three digits.
func Count[T ~int | ~int32 | ~int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// Bytes writes a size in the binary unit that keeps it below 1024.
func Bytes(n int64) string {
	const units = "KMGTPE"
	if n > -1024 && n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v := float64(n) / 1024
	u := 0
	for math.Abs(v) >= 1023.95 && u < len(units)-1 {
		v /= 1024
		u++
	}
	return fmt.Sprintf("%.1f %ciB", v, units[u])
}

// Milliseconds writes a duration with three significant digits or so.
func Milliseconds(ms float64) string {
	switch {
	case ms < 0.9995:
		return fmt.Sprintf("%.0f µs", ms*1000)
	case ms < 9.995:
		return fmt.Sprintf("%.2f ms", ms)
	case ms < 999.5:
		return fmt.Sprintf("%.0f ms", ms)
	case ms < 59_950:
		return fmt.Sprintf("%.2f s", ms/1000)
	}
	return time.Duration(ms * float64(time.Millisecond)).Round(time.Second).String()
}

// Percent writes a share of one.
func Percent(x float64) string { return fmt.Sprintf("%.0f%%", 100*x) }

// Plural writes a count and its noun.
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + many
}

// Bar draws share (0 to 1) of width cells in eighths of a cell, without padding.
// A share above zero shows at least the thinnest mark.
func Bar(share float64, width int) string {
	if !(share > 0) || width <= 0 {
		return ""
	}
	eighths := max(1, int(math.Round(min(share, 1)*float64(width*8))))
	bar := strings.Repeat("█", eighths/8)
	if r := eighths % 8; r > 0 {
		bar += string([]rune("▏▎▍▌▋▊▉")[r-1])
	}
	return bar
}

// Line makes text safe to print in one line: what a model or a user wrote may hold
// line breaks, escape sequences and invalid UTF-8. White space becomes one space;
// control and format characters are dropped.
func Line(s string) string {
	var b strings.Builder
	space := false
	for _, r := range ansi.Strip(strings.ToValidUTF8(s, "�")) {
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case !unicode.IsGraphic(r) || unicode.Is(unicode.Bidi_Control, r):
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Head cuts a safe line to width cells, with an ellipsis where something is cut.
func Head(s string, width int) string {
	if width <= 0 {
		return ""
	}
	return ansi.Truncate(s, width, "…")
}

// Tail keeps the last width cells of a safe line.
func Tail(s string, width int) string {
	if width <= 0 {
		return ""
	}
	// The cut may fall into a character of two cells, which is then kept whole.
	tail := s
	for over := ansi.StringWidth(s) - width; over > 0 && ansi.StringWidth(tail) > width; over++ {
		tail = ansi.TruncateLeft(s, over, "")
	}
	return tail
}

// Wrap breaks a safe line into at most n lines of width cells at spaces; the last
// ends with an ellipsis if the text goes on, and so does a word too long for a line.
func Wrap(s string, width, n int) []string {
	var lines []string
	words := strings.Fields(s)
	for len(words) > 0 && len(lines) < n && width > 0 {
		line := words[0]
		words = words[1:]
		for len(words) > 0 && ansi.StringWidth(line)+1+ansi.StringWidth(words[0]) <= width {
			line += " " + words[0]
			words = words[1:]
		}
		if len(lines) == n-1 && len(words) > 0 {
			line += " " + words[0]
		}
		lines = append(lines, Head(line, width))
	}
	return lines
}
