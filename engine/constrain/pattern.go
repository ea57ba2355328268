package constrain

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Classes of characters of a pattern.
var (
	digits     = runes{{'0', '9'}}
	wordChars  = runes{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}
	spaces     = runes{{'\t', '\r'}, {' ', ' '}, {0xA0, 0xA0}, {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}}
	lineBreaks = runes{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}
)

// maxRepeat bounds the counts of a pattern's {m,n}.
const maxRepeat = 1000

// parsePattern reads the regular part of ECMA-262's regular expressions, which
// JSON Schema's pattern is written in: characters, classes, groups, alternatives,
// repetitions, ^ at the beginning and $ at the end. A pattern without an anchor may
// match anywhere.
func parsePattern(pattern string) (regex, error) {
	p := &patternParser{text: pattern}
	var all alternate
	for {
		r, err := p.anchored()
		if err != nil {
			return nil, fmt.Errorf("%q: %w", pattern, err)
		}
		all = append(all, r)
		if p.at == len(p.text) {
			return all, nil
		}
		if p.text[p.at] != '|' {
			return nil, fmt.Errorf("%q: unexpected %q", pattern, p.text[p.at:])
		}
		p.at++
	}
}

type patternParser struct {
	text  string
	at    int
	depth int
}

func (p *patternParser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *patternParser) take(s string) bool {
	if len(p.text)-p.at >= len(s) && p.text[p.at:p.at+len(s)] == s {
		p.at += len(s)
		return true
	}
	return false
}

// anchored reads an alternative of the whole pattern.
func (p *patternParser) anchored() (regex, error) {
	anything := repeat{everything, 0, -1}
	var whole concat
	if !p.take("^") {
		whole = append(whole, anything)
	}
	r, err := p.sequence()
	if err != nil {
		return nil, err
	}
	whole = append(whole, r)
	if !p.take("$") {
		whole = append(whole, anything)
	}
	return whole, nil
}

// sequence reads what stands beside each other, up to |, ) or $.
func (p *patternParser) sequence() (regex, error) {
	var c concat
	for p.at < len(p.text) {
		switch p.peek() {
		case '|', ')', '$':
			return c, nil
		case '^':
			return nil, fmt.Errorf("%w: ^ inside of a pattern", ErrUnsupported)
		}
		r, err := p.atom()
		if err != nil {
			return nil, err
		}
		if r, err = p.repetition(r); err != nil {
			return nil, err
		}
		c = append(c, r)
	}
	return c, nil
}

func (p *patternParser) group() (regex, error) {
	if p.depth++; p.depth > 50 {
		return nil, fmt.Errorf("%w: groups nested deeper than 50", errTooLarge)
	}
	defer func() { p.depth-- }()
	if p.take("?") {
		switch {
		case p.take(":"):
		case p.take("<") && p.peek() != '=' && p.peek() != '!':
			for p.at < len(p.text) && p.text[p.at] != '>' {
				p.at++
			}
			if !p.take(">") {
				return nil, fmt.Errorf("the name of a group does not end")
			}
		default:
			return nil, fmt.Errorf("%w: looking ahead or behind", ErrUnsupported)
		}
	}
	var all alternate
	for {
		r, err := p.sequence()
		if err != nil {
			return nil, err
		}
		all = append(all, r)
		switch {
		case p.take(")"):
			return all, nil
		case p.take("|"):
		case p.peek() == '$':
			return nil, fmt.Errorf("%w: $ inside of a pattern", ErrUnsupported)
		default:
			return nil, fmt.Errorf("a group is not closed")
		}
	}
}

func (p *patternParser) atom() (regex, error) {
	switch c := p.peek(); c {
	case '(':
		p.at++
		return p.group()
	case '[':
		p.at++
		return p.class()
	case '.':
		p.at++
		return lineBreaks.complement(), nil
	case '\\':
		p.at++
		set, err := p.escape(false)
		return set, err
	case '*', '+', '?', '{', '}', ']':
		if c == '}' || c == ']' {
			break
		}
		return nil, fmt.Errorf("nothing to repeat at %q", p.text[p.at:])
	}
	r, n := utf8.DecodeRuneInString(p.text[p.at:])
	p.at += n
	return runes{{r, r}}, nil
}

func (p *patternParser) repetition(r regex) (regex, error) {
	least, most := 1, 1
	switch {
	case p.take("*"):
		least, most = 0, -1
	case p.take("+"):
		least, most = 1, -1
	case p.take("?"):
		least, most = 0, 1
	case p.take("{"):
		var err error
		if least, err = p.number(); err != nil {
			return nil, err
		}
		most = least
		if p.take(",") {
			most = -1
			if p.peek() != '}' {
				if most, err = p.number(); err != nil {
					return nil, err
				}
			}
		}
		if !p.take("}") || most >= 0 && most < least {
			return nil, fmt.Errorf("a repetition that is not {m}, {m,} or {m,n}")
		}
	default:
		return r, nil
	}
	p.take("?") // the same language, whichever match is looked for first
	if c := p.peek(); c == '*' || c == '+' || c == '?' || c == '{' {
		return nil, fmt.Errorf("a repetition of a repetition at %q", p.text[p.at:])
	}
	return repeat{r, least, most}, nil
}

func (p *patternParser) number() (int, error) {
	begin := p.at
	for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
		p.at++
	}
	n, err := strconv.Atoi(p.text[begin:p.at])
	if err != nil {
		return 0, fmt.Errorf("no count at %q", p.text[begin:])
	}
	if n > maxRepeat {
		return 0, fmt.Errorf("%w: %d repetitions are more than %d", errTooLarge, n, maxRepeat)
	}
	return n, nil
}

// escape reads what follows a backslash.
func (p *patternParser) escape(inClass bool) (runes, error) {
	if p.at == len(p.text) {
		return nil, fmt.Errorf("a backslash at the end")
	}
	r, n := utf8.DecodeRuneInString(p.text[p.at:])
	p.at += n
	one := func(r rune) (runes, error) { return runes{{r, r}}, nil }
	switch r {
	case 'd':
		return digits, nil
	case 'D':
		return digits.complement(), nil
	case 'w':
		return wordChars, nil
	case 'W':
		return wordChars.complement(), nil
	case 's':
		return spaces, nil
	case 'S':
		return spaces.complement(), nil
	case 't':
		return one('\t')
	case 'n':
		return one('\n')
	case 'r':
		return one('\r')
	case 'f':
		return one('\f')
	case 'v':
		return one('\v')
	case '0':
		return one(0)
	case 'x':
		return p.hex(2)
	case 'u':
		return p.hex(4)
	case 'b':
		if inClass {
			return one('\b')
		}
	}
	if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
		return nil, fmt.Errorf("%w: \\%c", ErrUnsupported, r)
	}
	return one(r)
}

func (p *patternParser) hex(n int) (runes, error) {
	if len(p.text)-p.at < n {
		return nil, fmt.Errorf("an escape does not end")
	}
	v, err := strconv.ParseUint(p.text[p.at:p.at+n], 16, 32)
	if err != nil {
		return nil, fmt.Errorf("an escape that is no number: %q", p.text[p.at:p.at+n])
	}
	if v >= 0xD800 && v <= 0xDFFF {
		return nil, fmt.Errorf("%w: half of a surrogate pair", ErrUnsupported)
	}
	p.at += n
	return runes{{rune(v), rune(v)}}, nil
}

// class reads what follows [.
func (p *patternParser) class() (regex, error) {
	negated := p.take("^")
	set := runes{}
	for {
		if p.at == len(p.text) {
			return nil, fmt.Errorf("a class is not closed")
		}
		if p.take("]") {
			break
		}
		part, err := p.classPart()
		if err != nil {
			return nil, err
		}
		single := len(part) == 1 && part[0].lo == part[0].hi
		if single && p.peek() == '-' && p.at+1 < len(p.text) && p.text[p.at+1] != ']' {
			p.at++
			end, err := p.classPart()
			if err != nil {
				return nil, err
			}
			if len(end) != 1 || end[0].lo != end[0].hi || end[0].lo < part[0].lo {
				return nil, fmt.Errorf("a range that does not go up from one character to another")
			}
			part = runes{{part[0].lo, end[0].hi}}
		}
		set = append(set, part...)
	}
	if negated {
		set = set.complement()
	}
	return set, nil
}

func (p *patternParser) classPart() (runes, error) {
	if p.at == len(p.text) {
		return nil, fmt.Errorf("a class is not closed")
	}
	if p.take("\\") {
		return p.escape(true)
	}
	r, n := utf8.DecodeRuneInString(p.text[p.at:])
	p.at += n
	return runes{{r, r}}, nil
}
