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
	f, ok := real(v)
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

// format is str.format.
func (r *renderer) format(t Text, a args) Value {
	b := builder{r: r}
	f := formatter{r: r, args: a}
	f.write(&b, t, 2)
	made := b.text()
	made.safe = t.safe
	return made
}

// formatter carries str.format out.
type formatter struct {
	r    *renderer
	args args
	next int // of the fields without a number
}

func (f *formatter) write(b *builder, t Text, depth int) {
	if depth == 0 {
		fail("fields in formats are nested too deeply")
	}
	s := t.s
	for at := 0; ; {
		n := strings.IndexAny(s[at:], "{}")
		if n < 0 {
			b.add(t.cut(at, len(s)))
			return
		}
		n += at
		b.add(t.cut(at, n))
		if n+1 < len(s) && s[n+1] == s[n] {
			b.add(t.cut(n, n+1))
			at = n + 2
			continue
		}
		if s[n] == '}' {
			fail("a single } in the format")
		}
		end, open := n+1, 1
		for ; end < len(s); end++ {
			if s[end] == '{' {
				open++
			} else if s[end] == '}' {
				if open--; open == 0 {
					break
				}
			}
		}
		if open > 0 {
			fail("a field in the format does not end")
		}
		f.field(b, t.cut(n+1, end), t.safe, depth)
		at = end + 1
	}
}

// field writes name!conversion:layout.
func (f *formatter) field(b *builder, field Text, escape bool, depth int) {
	path, _, hasLayout := strings.Cut(field.s, ":")
	name, _, _ := strings.Cut(path, "!")
	v := f.value(name)
	spec := builder{r: f.r}
	if hasLayout {
		f.write(&spec, field.cut(len(path)+1, len(field.s)), depth-1)
	}
	f.put(b, v, path, spec.text(), escape)
}

func (f *formatter) put(b *builder, v Value, path string, spec Text, escape bool) {
	if _, conversion, ok := strings.Cut(path, "!"); ok {
		switch conversion {
		case "s":
			v = f.r.str(v)
		case "r", "a":
			quoted := builder{r: f.r}
			quoted.repr(v)
			v = quoted.text()
		default:
			fail("there is no conversion %q", excerpt(conversion))
		}
	}
	l := parseLayout(spec)
	_, isText := v.(Text)
	_, isNumber := real(v)
	if _, isBool := v.(bool); isBool && spec.s == "" || !isText && !isNumber {
		if spec.s != "" {
			fail("a %s has no format", typeName(v))
		}
		v, isText = f.r.str(v), true
	}
	if !isText {
		f.r.writeNumber(b, l, v)
		return
	}
	if l.verb != 0 && l.verb != 's' {
		fail("a str has no format %q", l.verb)
	}
	if l.align == 0 {
		l.align = '<'
	}
	t := v.(Text)
	if escape {
		t = f.r.escaped(t)
	}
	f.r.writeText(b, l, t)
}

// value follows a path such as 0.name[key].
func (f *formatter) value(path string) Value {
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		end = len(path)
	}
	first, rest := path[:end], path[end:]
	var v Value
	i, err := strconv.Atoi(first)
	switch {
	case first == "":
		i = f.next
		f.next++
		fallthrough
	case err == nil:
		if i < 0 || i >= len(f.args.positional) {
			fail("there is no value %d", i)
		}
		v = f.args.positional[i]
	default:
		a := f.args
		var ok bool
		if v, ok = a.take(first); !ok {
			fail("there is no value %q", excerpt(first))
		}
	}
	for rest != "" {
		f.r.step(1)
		if rest[0] == '.' {
			end := strings.IndexAny(rest[1:], ".[") + 1
			if end == 0 {
				end = len(rest)
			}
			v = f.r.attribute(v, rest[1:end])
			rest = rest[end:]
			continue
		}
		end := strings.IndexByte(rest, ']')
		if rest[0] != '[' || end < 0 {
			fail("%q is no path", excerpt(path))
		}
		var key Value = Own(rest[1:end])
		if i, err := strconv.ParseInt(rest[1:end], 10, 64); err == nil {
			key = i
		}
		v = f.r.subscript(v, key)
		rest = rest[end+1:]
	}
	return v
}

// parseLayout reads [[fill]align][sign][#][0][width][,][.precision][verb].
func parseLayout(spec Text) layout {
	l := layout{fill: Own(" "), precision: -1}
	s := spec.s
	at := 0
	if n := offset(s, 1); n < len(s) && strings.IndexByte("<>^=", s[n]) >= 0 {
		l.fill, l.align, at = spec.cut(0, n), s[n], n+1
	} else if s != "" && strings.IndexByte("<>^=", s[0]) >= 0 {
		l.align, at = s[0], 1
	}
	has := func(set string) bool { return at < len(s) && strings.IndexByte(set, s[at]) >= 0 }
	if has("+- ") {
		if l.sign = s[at]; l.sign == '-' {
			l.sign = 0
		}
		at++
	}
	if has("#") {
		l.alternate = true
		at++
	}
	if has("0") {
		if l.align == 0 {
			l.fill, l.align = Own("0"), '='
		}
		at++
	}
	l.width = readCount(s, &at)
	if has(",_") {
		l.group = s[at : at+1]
		at++
	}
	if has(".") {
		at++
		l.precision = readCount(s, &at)
	}
	if at < len(s) {
		l.verb = s[at]
		at++
	}
	if at < len(s) {
		fail("%q is no format", excerpt(s))
	}
	return l
}
