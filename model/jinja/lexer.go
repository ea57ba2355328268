package jinja

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEOF tokenKind = iota
	tokenData
	tokenOutputBegin // {{
	tokenOutputEnd
	tokenTagBegin // {%
	tokenTagEnd
	tokenName
	tokenString
	tokenNumber
	tokenOperator
)

type token struct {
	kind  tokenKind
	line  int
	text  string // of data, names and operators; the value of a string
	value Value  // of a number
}

// lexer cuts a template into tokens. The rules are those of jinja2's lexer.py
// with trim_blocks and lstrip_blocks: after a tag or a comment one line end goes,
// before one the space since the line began, and all space on the side of a "-".
type lexer struct {
	source string
	pos    int
	place
	lineStarting bool // what was read last ends a line
	open         []byte
	tokens       []token
}

func lex(source string) (tokens []token, err error) {
	l := &lexer{place: place{1, "template"}, lineStarting: true}
	defer rescue(&err, &l.place)
	if len(source) > maxSource {
		fail("%d bytes are more than %d", len(source), maxSource)
	}
	source = strings.ReplaceAll(source, "\r\n", "\n")
	source = strings.ReplaceAll(source, "\r", "\n")
	l.source = strings.TrimSuffix(source, "\n")
	for l.pos < len(l.source) {
		l.data()
	}
	l.emit(tokenEOF, "end of template")
	return l.tokens, nil
}

func (l *lexer) rest() string { return l.source[l.pos:] }

func (l *lexer) emit(kind tokenKind, text string) {
	if kind == tokenData && text == "" {
		return
	}
	l.tokens = append(l.tokens, token{kind: kind, line: l.line, text: text})
}

// advance moves over n bytes.
func (l *lexer) advance(n int) {
	read := l.source[l.pos : l.pos+n]
	l.line += strings.Count(read, "\n")
	l.lineStarting = strings.HasSuffix(read, "\n")
	l.pos += n
}

// data reads text up to the next bracket, and what the bracket opens.
func (l *lexer) data() {
	text := l.rest()
	n := indexBracket(text)
	if n < 0 {
		l.emit(tokenData, text)
		l.advance(len(text))
		return
	}
	text = text[:n]
	bracket := l.source[l.pos+n : l.pos+n+2]
	sign := signOf(l.source[l.pos+n+2:])
	l.emit(tokenData, l.strip(text, sign, bracket != "{{"))
	l.advance(n)
	if length, ok := rawTag(l.rest(), "raw"); ok {
		l.construct = "{% raw %}"
		l.advance(length)
		l.raw()
		l.construct = "template"
		return
	}
	l.construct = bracket
	l.advance(2 + len(sign))
	switch {
	case bracket == "{#" && l.rest() == "": // as in jinja2, which looks for what is wrong
	case bracket == "{#":
		end := strings.Index(l.rest(), "#}")
		if end < 0 {
			fail("the comment does not end")
		}
		l.advance(end - len(signBefore(l.source[:l.pos+end], l.pos)))
		l.closing("#}", true)
	case bracket == "{{":
		l.emit(tokenOutputBegin, bracket)
		l.inside("}}", tokenOutputEnd)
	default:
		l.emit(tokenTagBegin, bracket)
		l.inside("%}", tokenTagEnd)
	}
	l.construct = "template"
}

// strip takes away the space that a bracket after text asks for.
func (l *lexer) strip(text, sign string, tag bool) string {
	switch {
	case sign == "-":
		return strings.TrimRightFunc(text, isSpace)
	case sign == "" && tag:
		line := strings.LastIndexByte(text, '\n') + 1
		if (line > 0 || l.lineStarting) && strings.TrimLeftFunc(text[line:], isSpace) == "" {
			return text[:line]
		}
	}
	return text
}

// raw reads the text up to endraw.
func (l *lexer) raw() {
	for at := l.pos; at < len(l.source); {
		n := strings.Index(l.source[at:], "{%")
		if n < 0 {
			fail("endraw is missing")
		}
		at += n
		if length, ok := rawTag(l.source[at:], "endraw"); ok {
			l.emit(tokenData, l.strip(l.source[l.pos:at], signOf(l.source[at+2:]), true))
			// Up to the bracket, which decides what goes after it.
			end := at + length
			l.advance(at - l.pos)
			l.advance(strings.Index(l.source[at:end], "%}"))
			if before := l.source[l.pos-1]; before == '-' || before == '+' {
				l.pos--
			}
			l.closing("%}", true)
			return
		}
		at += 2
	}
}

// rawTag measures a tag that consists of a word, with the space that its "-" takes.
func rawTag(s, word string) (int, bool) {
	if !strings.HasPrefix(s, "{%") {
		return 0, false
	}
	rest := s[2+len(signOf(s[2:])):]
	rest, ok := strings.CutPrefix(strings.TrimLeftFunc(rest, isSpace), word)
	if !ok {
		return 0, false
	}
	rest = strings.TrimLeftFunc(rest, isSpace)
	if after, ok := strings.CutPrefix(rest, "-%}"); ok {
		return len(s) - len(strings.TrimLeftFunc(after, isSpace)), true
	}
	if word == "endraw" {
		rest = strings.TrimPrefix(rest, "+")
	}
	after, ok := strings.CutPrefix(rest, "%}")
	return len(s) - len(after), ok
}

// closing measures a closing bracket here with the space that goes after it.
func (l *lexer) closing(bracket string, tag bool) bool {
	rest := l.rest()
	sign := signOf(rest)
	if !strings.HasPrefix(rest[len(sign):], bracket) || sign == "+" && !tag {
		return false
	}
	after := rest[len(sign)+len(bracket):]
	switch {
	case sign == "-":
		after = strings.TrimLeftFunc(after, isSpace)
	case sign == "" && tag:
		after = strings.TrimPrefix(after, "\n")
	}
	l.advance(len(rest) - len(after))
	return true
}

// inside reads the tokens up to a closing bracket, which counts only where no
// other is open.
func (l *lexer) inside(bracket string, kind tokenKind) {
	l.open = l.open[:0]
	for l.pos < len(l.source) {
		line := l.line
		if len(l.open) == 0 && l.closing(bracket, kind == tokenTagEnd) {
			l.tokens = append(l.tokens, token{kind: kind, line: line, text: bracket})
			return
		}
		l.token()
	}
	fail("%s is missing", bracket)
}

// token reads one token of an expression, or the space before one.
func (l *lexer) token() {
	rest := l.rest()
	c, size := utf8.DecodeRuneInString(rest)
	if isSpace(c) {
		l.advance(size)
		return
	}
	t := token{line: l.line}
	n := 0
	switch {
	case '0' <= c && c <= '9':
		t.kind = tokenNumber
		t.value, n = number(rest, l.source[l.pos-1] == '.')
	case c == '_' || unicode.IsLetter(c):
		t.kind = tokenName
		n = strings.IndexFunc(rest, func(c rune) bool {
			return c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c) && !unicode.Is(unicode.M, c)
		})
		if n < 0 {
			n = len(rest)
		}
		t.text = rest[:n]
	case c == '\'' || c == '"':
		t.kind = tokenString
		n = quoted(rest)
		t.text = unescape(rest[1 : n-1])
	default:
		t.kind = tokenOperator
		n = operator(rest)
		t.text = rest[:n]
		l.balance(rest[0])
	}
	l.tokens = append(l.tokens, t)
	l.advance(n)
}

func (l *lexer) balance(c byte) {
	switch c {
	case '(', '[', '{':
		l.open = append(l.open, c)
	case ')', ']', '}':
		n := len(l.open) - 1
		if n < 0 || strings.IndexByte(")]}", c) != strings.IndexByte("([{", l.open[n]) {
			fail("unexpected %q", c)
		}
		l.open = l.open[:n]
	}
}

func signOf(s string) string {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		return s[:1]
	}
	return ""
}

// signBefore is the sign that s ends with, if it begins at from or after.
func signBefore(s string, from int) string {
	if n := len(s) - 1; n >= from && (s[n] == '-' || s[n] == '+') {
		return s[n:]
	}
	return ""
}

// indexBracket finds the first "{{", "{%" or "{#".
func indexBracket(s string) int {
	for at := 0; ; at++ {
		n := strings.IndexByte(s[at:], '{')
		if n < 0 || at+n+1 >= len(s) {
			return -1
		}
		at += n
		if c := s[at+1]; c == '{' || c == '%' || c == '#' {
			return at
		}
	}
}

// operator measures the operator that s begins with.
func operator(s string) int {
	if len(s) >= 2 {
		switch s[:2] {
		case "//", "**", "==", "!=", ">=", "<=":
			return 2
		}
	}
	if strings.IndexByte("+-/*%~[](){}><=.:|,;", s[0]) < 0 {
		c, _ := utf8.DecodeRuneInString(s)
		fail("unexpected character %q", c)
	}
	return 1
}

// quoted measures the string literal that s begins with.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	fail("the string %s does not end", excerpt(s))
	return 0
}

// number reads the literal that s begins with, and measures it. Behind a dot
// there is no fraction: x.0.1 is two subscripts.
func number(s string, afterDot bool) (Value, int) {
	digits := func(at int, set string) int {
		n := at
		for n < len(s) {
			if s[n] == '_' && n > 0 && n+1 < len(s) && strings.IndexByte(set, s[n+1]) >= 0 {
				n++
			}
			if strings.IndexByte(set, s[n]) < 0 {
				break
			}
			n++
		}
		return n
	}
	const decimal = "0123456789"
	n := digits(0, decimal)
	if !afterDot {
		end := n
		if end+1 < len(s) && s[end] == '.' && strings.IndexByte(decimal, s[end+1]) >= 0 {
			end = digits(end+1, decimal)
		}
		if end < len(s) && (s[end] == 'e' || s[end] == 'E') {
			at := end + 1
			if at < len(s) && (s[at] == '+' || s[at] == '-') {
				at++
			}
			if exponent := digits(at, decimal); exponent > at {
				end = exponent
			}
		}
		if end > n {
			f, err := strconv.ParseFloat(strings.ReplaceAll(s[:end], "_", ""), 64)
			if err != nil && f == 0 {
				fail("%s is no number", excerpt(s[:end]))
			}
			return f, end
		}
	}
	if s[0] == '0' && len(s) > 1 {
		set := map[byte]string{'x': "0123456789abcdefABCDEF", 'o': "01234567", 'b': "01"}[s[1]|0x20]
		if set != "" {
			if end := digits(2, set); end > 2 {
				n = end
			}
		} else if n > 1 && strings.Trim(s[:n], "0_") != "" {
			n = 1 // two tokens, as in jinja2: the parser refuses them
		}
	}
	i, err := strconv.ParseInt(strings.ReplaceAll(s[:n], "_", ""), 0, 64)
	if strings.Trim(s[:n], "0_") == "" {
		i, err = 0, nil
	}
	if err != nil {
		fail("%s is too large", excerpt(s[:n]))
	}
	return i, n
}

// unescape replaces the escapes of a string literal, which are Python's.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case '\n':
		case '\\', '\'', '"':
			b.WriteByte(c)
		case 'x', 'u', 'U':
			n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
			if i+n >= len(s) {
				fail(`\%c is cut off`, c)
			}
			code, err := strconv.ParseUint(s[i+1:i+1+n], 16, 32)
			if err != nil || code > unicode.MaxRune || 0xD800 <= code && code < 0xE000 {
				fail(`\%c%s is no character`, c, s[i+1:i+1+n])
			}
			b.WriteRune(rune(code))
			i += n
		case 'N':
			fail(`\N is not supported`)
		default:
			if at := strings.IndexByte("abfnrtv", c); at >= 0 {
				b.WriteByte("\a\b\f\n\r\t\v"[at])
				break
			}
			n := 0
			for code := rune(0); ; n++ {
				if n == 3 || i+n == len(s) || s[i+n] < '0' || s[i+n] > '7' {
					if n > 0 {
						b.WriteRune(code)
					}
					break
				}
				code = code*8 + rune(s[i+n]-'0')
			}
			if n == 0 { // no escape at all
				b.WriteByte('\\')
				i--
				break
			}
			i += n - 1
		}
	}
	return b.String()
}
