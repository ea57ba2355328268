package model

import (
	"fmt"
	"strings"
)

type templateKind uint8

const (
	templateText   templateKind = iota
	templateOutput              // {{ … }}
	templateTag                 // {% … %}
)

type templateToken struct {
	kind templateKind
	text string // between the brackets
}

// lexTemplate cuts a Jinja template into text, outputs and tags, without its
// comments, and takes away the space that Hugging Face's settings and "-" do:
// after a tag or comment one line end (trim_blocks), before one the space since
// the line's beginning (lstrip_blocks), on the side of a "-" all space, and one
// line end of the whole.
func lexTemplate(template string) ([]templateToken, error) {
	template = strings.ReplaceAll(template, "\r\n", "\n")
	template = strings.TrimSuffix(template, "\n")
	var tokens []templateToken
	lineStart, trimmed := true, false // of the text that follows: begins a line, lost its space to "-"
	for rest := template; rest != ""; {
		open := indexBracket(rest)
		text := rest
		if open >= 0 {
			text = rest[:open]
		}
		raw := text
		if trimmed {
			text = strings.TrimLeft(text, " \t\n\r")
		}
		if open < 0 {
			return append(tokens, templateToken{templateText, text}), nil
		}
		block := rest[open+1] != '{'
		inner := rest[open+2:]
		switch {
		case strings.HasPrefix(inner, "-"):
			inner = inner[1:]
			text = strings.TrimRight(text, " \t\n\r")
		case strings.HasPrefix(inner, "+"):
			inner = inner[1:]
		case block:
			text = stripLine(text, raw, lineStart)
		}
		if text != "" {
			tokens = append(tokens, templateToken{templateText, text})
		}
		kind, closing := templateOutput, "}}"
		switch rest[open+1] {
		case '%':
			kind, closing = templateTag, "%}"
		case '#':
			closing = "#}"
		}
		end := indexOutsideQuotes(inner, closing, rest[open+1] == '#')
		if end < 0 {
			return nil, fmt.Errorf("%q is not closed", rest[open:open+2])
		}
		body := inner[:end]
		after := inner[end+2:]
		trimmed, lineStart = false, false
		switch {
		case strings.HasSuffix(body, "-"):
			body = body[:len(body)-1]
			trimmed = true
		case strings.HasSuffix(body, "+") && block:
			body = body[:len(body)-1]
		case block && strings.HasPrefix(after, "\n"):
			after = after[1:]
			lineStart = true
		}
		if rest[open+1] != '#' {
			tokens = append(tokens, templateToken{kind, body})
		}
		rest = after
	}
	return tokens, nil
}

// stripLine takes the space away that stands between the beginning of a line and
// the end of text. raw is the text before anything was taken away at its front.
func stripLine(text, raw string, lineStart bool) string {
	cut := strings.TrimRight(text, " \t")
	beginsLine := strings.TrimRight(raw, " \t") == "" && lineStart
	if strings.HasSuffix(cut, "\n") || cut == "" && (beginsLine || strings.HasSuffix(strings.TrimRight(raw, " \t"), "\n")) {
		return cut
	}
	return text
}

// indexBracket finds the first "{{", "{%" or "{#".
func indexBracket(s string) int {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '{' && strings.IndexByte("{%#", s[i+1]) >= 0 {
			return i
		}
	}
	return -1
}

// indexOutsideQuotes finds closing where it is not in a string; in a comment
// there are none.
func indexOutsideQuotes(s, closing string, comment bool) int {
	for i := 0; i+1 < len(s); i++ {
		if !comment && (s[i] == '\'' || s[i] == '"') {
			n := quotedLength(s[i:])
			if n == 0 {
				return -1
			}
			i += n - 1
			continue
		}
		if strings.HasPrefix(s[i:], closing) {
			return i
		}
	}
	return -1
}

// quotedLength is the length of the string literal that s begins with, 0 if it
// does not end.
func quotedLength(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	return 0
}

// cutTerm cuts a literal or a name with its subscripts from the front of s.
func cutTerm(s string) (term, after string, err error) {
	if s == "" {
		return "", "", fmt.Errorf("an expression ends too early")
	}
	n := 0
	if s[0] == '\'' || s[0] == '"' {
		n = quotedLength(s)
	} else {
		n = strings.IndexAny(s, "+ \t\r\n")
		if n < 0 {
			n = len(s)
		}
	}
	if n == 0 {
		return "", "", unsupported(s)
	}
	return s[:n], s[n:], nil
}

// unquote reads a Jinja string literal, whose escapes are Python's.
func unquote(s string) (string, error) {
	if len(s) < 2 || s[0] != '\'' && s[0] != '"' || quotedLength(s) != len(s) {
		return "", unsupported(s)
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case '\\', '\'', '"':
			b.WriteByte(s[i])
		default:
			return "", unsupported(s)
		}
	}
	return b.String(), nil
}
