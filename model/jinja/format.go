package jinja

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// layout is how a value is written: the flags of printf, or the format of
// str.format.
type layout struct {
	fill      Text
	align     byte // < > ^ =, or 0
	sign      byte // + or space, or 0
	alternate bool // #
	width     int
	group     string // between thousands
	precision int    // -1 if it is not given
	verb      byte   // 0 if it is not given
}

// printf is Python's format % values.
func (r *renderer) printf(format Text, values Value) Value {
	positional := []Value{values}
	if l, ok := values.(*List); ok && l.tuple {
		positional = l.items
	}
	fields, _ := values.(*Dict)
	next := 0
	take := func() Value {
		if next == len(positional) {
			fail("there are fewer values than the format asks for")
		}
		next++
		return positional[next-1]
	}
	b := builder{r: r}
	s := format.s
	done, named := 0, false
	for at := strings.IndexByte(s, '%'); at >= 0; {
		b.add(format.cut(done, at))
		at++
		var v Value
		given := false
		if fields != nil && at < len(s) && s[at] == '(' {
			end := strings.IndexByte(s[at:], ')')
			if end < 0 {
				fail("the name in the format does not end")
			}
			var ok bool
			if v, ok = r.find(fields, Own(s[at+1:at+end])); !ok {
				fail("there is no value %q", excerpt(s[at+1:at+end]))
			}
			given, named = true, true
			at += end + 1
		}
		l := layout{fill: Own(" "), align: '>', precision: -1}
		at = l.flags(s, at, take)
		if at == len(s) {
			fail("the format ends inside of %%")
		}
		l.verb = s[at]
		at++
		if l.verb == '%' {
			b.own("%")
		} else {
			if !given {
				v = take()
			}
			r.printValue(&b, l, v, format.safe)
		}
		done = at
		if at = strings.IndexByte(s[done:], '%'); at >= 0 {
			at += done
		}
	}
	b.add(format.cut(done, len(s)))
	if next < len(positional) && !named && !isMapping(values) {
		fail("there are more values than the format asks for")
	}
	made := b.text()
	made.safe = format.safe
	return made
}

// isMapping tells whether printf takes a value for a mapping, which need not be
// used up: whatever has subscripts, tuples and strings aside.
func isMapping(v Value) bool {
	if l, ok := v.(*List); ok {
		return !l.tuple
	}
	_, isText := v.(Text)
	return !isText && isSequence(v)
}

// flags reads what stands between % and its verb.
func (l *layout) flags(s string, at int, take func() Value) int {
	for ; at < len(s); at++ {
		switch s[at] {
		case '-':
			l.align = '<'
		case '+':
			l.sign = '+'
		case ' ':
			if l.sign == 0 {
				l.sign = ' '
			}
		case '0':
			if l.align != '<' {
				l.fill, l.align = Own("0"), '='
			}
		case '#':
			l.alternate = true
		default:
			count := func() int {
				if at < len(s) && s[at] == '*' {
					at++
					n, ok := whole(take())
					if !ok || n < math.MinInt32 || n > math.MaxInt32 {
						fail("* wants an int")
					}
					return int(n)
				}
				return readCount(s, &at)
			}
			if l.width = count(); l.width < 0 {
				l.align, l.width = '<', -l.width
			}
			if at < len(s) && s[at] == '.' {
				at++
				l.precision = max(0, count())
			}
			for at < len(s) && strings.IndexByte("hlL", s[at]) >= 0 {
				at++
			}
			if l.align == '<' {
				l.fill = Own(" ")
			}
			return at
		}
	}
	return at
}

// readCount reads a number, 0 if there is none.
func readCount(s string, at *int) int {
	n := 0
	for ; *at < len(s) && '0' <= s[*at] && s[*at] <= '9'; *at++ {
		n = min(n*10+int(s[*at]-'0'), math.MaxInt32)
	}
	return n
}

// printValue writes a value for printf.
func (r *renderer) printValue(b *builder, l layout, v Value, escape bool) {
	switch l.verb {
	case 's', 'r', 'a':
		t := r.str(v)
		if l.verb != 's' {
			quoted := builder{r: r}
			quoted.repr(v)
			t = quoted.text()
		}
		if escape {
			t = r.escaped(t)
		}
		if l.align == '=' {
			l.fill, l.align = Own(" "), '>'
		}
		r.writeText(b, l, t)
	case 'c':
		t, ok := v.(Text)
		if i, isWhole := whole(v); isWhole && i >= 0 && i <= utf8.MaxRune {
			t, ok = Foreign(string(rune(i))), true
		}
		if !ok || utf8.RuneCountInString(t.s) != 1 {
			fail("%%c wants a character")
		}
		r.writeText(b, l, t)
	case 'd', 'i', 'u':
		if f, ok := v.(float64); ok {
			v, ok = truncated(f)
			if !ok {
				fail("%v is no integer", f)
			}
		}
		l.verb = 'd'
		r.writeNumber(b, l, v)
	case 'x', 'X', 'o':
		if _, ok := whole(v); !ok {
			fail("%%%c wants an int, not a %s", l.verb, typeName(v))
		}
		r.writeNumber(b, l, v)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		r.writeNumber(b, l, v)
	default:
		fail("%%%c is no format", l.verb)
	}
}

// writeText writes a string, cut to its precision and filled up to its width.
func (r *renderer) writeText(b *builder, l layout, t Text) {
	if l.precision >= 0 && r.characters(t) > l.precision {
		t = t.cut(0, offset(t.s, l.precision))
	}
	b.add(r.pad(t, l.width, l.fill, l.align == '>' || l.align == '^', l.align != '>'))
}

// writeNumber writes a number for either kind of format.
func (r *renderer) writeNumber(b *builder, l layout, v Value) {
	digits := r.digits(l, v)
	negative := strings.HasPrefix(digits, "-")
	digits = strings.TrimPrefix(digits, "-")
	if l.group != "" {
		digits = group(digits, l.group)
	}
	sign := ""
	switch {
	case negative:
		sign = "-"
	case l.sign != 0:
		sign = string(l.sign)
	}
	if l.alternate && strings.IndexByte("xXob", l.verb) >= 0 {
		sign += "0" + string(l.verb)
	}
	if l.align == '=' {
		b.own(sign)
		b.add(r.pad(Own(digits), l.width-len(sign), l.fill, true, false))
		return
	}
	b.add(r.pad(Own(sign+digits), l.width, l.fill, l.align != '<', l.align == '<' || l.align == '^'))
}

// digits is a number without its plus, groups and fill.
func (r *renderer) digits(l layout, v Value) string {
	bases := map[byte]int{'d': 10, 'n': 10, 0: 10, 'b': 2, 'o': 8, 'x': 16, 'X': 16}
	base, isWhole := bases[l.verb]
	if i, ok := v.(integer); ok && base == 10 && isWhole {
		return string(i)
	}
	if i, ok := whole(v); ok && isWhole {
		digits := strconv.FormatInt(i, base)
		if l.verb == 'X' {
			digits = strings.ToUpper(digits)
		}
		if n := l.precision - len(strings.TrimPrefix(digits, "-")); n > 0 {
			r.charge(n)
			minus := digits[:len(digits)-len(strings.TrimPrefix(digits, "-"))]
			digits = minus + strings.Repeat("0", n) + digits[len(minus):]
		}
		return digits
	}
	f, ok := asFloat(v)
	if !ok {
		fail("the format wants a number, not a %s", typeName(v))
	}
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return floatRepr(f)
	}
	precision := l.precision
	if precision < 0 {
		precision = 6
	}
	r.charge(precision)
	switch l.verb {
	case 0:
		if l.precision < 0 {
			return floatRepr(f)
		}
		fallthrough
	case 'g', 'G':
		digits := general(f, max(precision, 1))
		if l.verb == 'G' {
			digits = strings.ToUpper(digits)
		}
		return digits
	case 'e', 'E':
		return strconv.FormatFloat(f, l.verb, precision, 64)
	case 'f', 'F':
		return strconv.FormatFloat(f, 'f', precision, 64)
	case '%':
		return strconv.FormatFloat(f*100, 'f', precision, 64) + "%"
	}
	fail("a %s has no format %q", typeName(v), l.verb)
	return ""
}

// general is %g: the shorter of %e and %f, without zeros at the end.
func general(f float64, precision int) string {
	scientific := strconv.FormatFloat(f, 'e', precision-1, 64)
	mantissa, exponent, _ := strings.Cut(scientific, "e")
	x, _ := strconv.Atoi(exponent)
	if x < -4 || x >= precision {
		if strings.Contains(mantissa, ".") {
			mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
		}
		return mantissa + "e" + exponent
	}
	fixed := strconv.FormatFloat(f, 'f', precision-1-x, 64)
	if strings.Contains(fixed, ".") {
		fixed = strings.TrimRight(strings.TrimRight(fixed, "0"), ".")
	}
	return fixed
}

// group puts a separator between the thousands of a decimal.
func group(digits, separator string) string {
	end := strings.IndexFunc(digits, func(c rune) bool { return c < '0' || c > '9' })
	if end < 0 {
		end = len(digits)
	}
	var b strings.Builder
	for i, c := range digits[:end] {
		if i > 0 && (end-i)%3 == 0 {
			b.WriteString(separator)
		}
		b.WriteRune(c)
	}
	return b.String() + digits[end:]
}
