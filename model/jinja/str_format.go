package jinja

import (
	"strconv"
	"strings"
)

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
	_, isNumber := asFloat(v)
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
