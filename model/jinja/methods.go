package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// method finds what Python has as an attribute of a value: nearly always a
// method. Those that change their object are undefined, and so is every private
// one, as in the sandbox.
func (r *renderer) method(v Value, name string) (Value, bool) {
	unsafe := func() (Value, bool) {
		return &undefined{"access to " + name + " of a " + typeName(v) + " is unsafe"}, true
	}
	switch v := v.(type) {
	case Text:
		if m, ok := textMethods[name]; ok {
			return &function{name, func(r *renderer, a args) Value { return m(r, v, a) }}, true
		}
	case *Dict:
		switch name {
		case "clear", "pop", "popitem", "setdefault", "update":
			return unsafe()
		}
		if m, ok := dictMethods[name]; ok {
			return &function{name, func(r *renderer, a args) Value { return m(r, v, a) }}, true
		}
	case *List:
		switch name {
		case "append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort":
			if !v.tuple {
				return unsafe()
			}
		case "count", "index", "copy":
			return &function{name, func(r *renderer, a args) Value { return listMethod(r, v, name, a) }}, true
		}
	case *namespace:
		return r.find(v.fields, Own(name))
	case *loop:
		return v.attribute(name)
	case dictType:
		if name == "fromkeys" {
			return &function{name, fromKeys}, true
		}
	case *cycler:
		return v.attribute(name)
	case *macroValue:
		switch name {
		case "name":
			return Own(v.macro.name), true
		case "arguments":
			params := newTuple()
			for _, p := range v.macro.signature.params {
				params.items = append(params.items, Own(p))
			}
			return params, true
		}
	}
	return nil, false
}

type textMethod func(r *renderer, t Text, a args) Value

var textMethods map[string]textMethod

var dictMethods = map[string]func(r *renderer, d *Dict, a args) Value{
	"get": func(r *renderer, d *Dict, a args) Value {
		p := a.bind("key", "default")
		if v, ok := r.find(d, p.value(0)); ok {
			return v
		}
		return p.or(1, nil)
	},
	"keys":   func(_ *renderer, d *Dict, a args) Value { a.bind(); return &view{"keys", d} },
	"values": func(_ *renderer, d *Dict, a args) Value { a.bind(); return &view{"values", d} },
	"items":  func(_ *renderer, d *Dict, a args) Value { a.bind(); return &view{"items", d} },
	"copy": func(r *renderer, d *Dict, a args) Value {
		a.bind()
		return r.copyDict(d)
	},
	"fromkeys": func(r *renderer, _ *Dict, a args) Value { return fromKeys(r, a) },
}

func (r *renderer) copyDict(d *Dict) *Dict {
	made := NewDict()
	for i, key := range d.keys {
		r.set(made, key, d.values[i])
	}
	return made
}

func fromKeys(r *renderer, a args) Value {
	p := a.bind("iterable", "value")
	made := NewDict()
	for _, key := range r.items(p.value(0)) {
		r.set(made, key, p.or(1, nil))
	}
	return made
}

func listMethod(r *renderer, l *List, name string, a args) Value {
	if name == "copy" && !l.tuple {
		a.bind()
		return r.list(append([]Value(nil), l.items...))
	}
	v := a.bind("value").value(0)
	count := int64(0)
	for i, item := range l.items {
		if !r.equal(item, v) {
			continue
		}
		if name == "index" {
			return int64(i)
		}
		count++
	}
	if name == "index" {
		fail("the value is not in the list")
	}
	return count
}

// init breaks the circle between methods and the renderer that they call.
func init() {
	is := func(test func(s string) bool) textMethod {
		return func(r *renderer, t Text, a args) Value {
			a.bind()
			r.scan(len(t.s))
			return test(t.s)
		}
	}
	all := func(test func(rune) bool) textMethod {
		return is(func(s string) bool { return every(s, test) })
	}
	change := func(with func(r *renderer, t Text) Text) textMethod {
		return func(r *renderer, t Text, a args) Value { a.bind(); return with(r, t) }
	}
	strip := func(left, right bool) textMethod {
		return func(r *renderer, t Text, a args) Value {
			return r.trim(t, a.bind("chars").textOrNil(0), left, right)
		}
	}
	pad := func(left, right bool) textMethod {
		return func(r *renderer, t Text, a args) Value {
			p := a.bind("width", "fillchar")
			fill := p.textOr(1, " ")
			if utf8.RuneCountInString(fill.s) != 1 {
				fail("the fill is %d characters; want 1", utf8.RuneCountInString(fill.s))
			}
			p.value(0)
			return r.pad(t, p.whole(0, 0), fill, left, right)
		}
	}
	numeric := func(c rune) bool { return unicode.IsNumber(c) }
	textMethods = map[string]textMethod{
		"strip": strip(true, true), "lstrip": strip(true, false), "rstrip": strip(false, true),
		"upper": change((*renderer).upper), "lower": change((*renderer).lower),
		"capitalize": change((*renderer).capitalize), "title": change((*renderer).title),
		"ljust": pad(false, true), "rjust": pad(true, false), "center": pad(true, true),
		"isdigit": all(unicode.IsDigit), "isdecimal": all(unicode.IsDigit), "isnumeric": all(numeric),
		"isalpha": all(unicode.IsLetter), "isspace": all(isSpace),
		"isalnum": all(func(c rune) bool { return unicode.IsLetter(c) || numeric(c) }),
		"isascii": is(ascii),
		"isupper": is(func(s string) bool { return allCased(s, unicode.IsUpper) }),
		"islower": is(func(s string) bool { return allCased(s, unicode.IsLower) }),
		"format":  (*renderer).format, "join": textJoin, "replace": textReplace, "zfill": zfill,
		"splitlines": func(r *renderer, t Text, a args) Value {
			return r.texts(r.lines(t, a.bind("keepends").truth(0, false)))
		},
		"split": func(r *renderer, t Text, a args) Value {
			p := a.bind("sep", "maxsplit")
			return r.texts(r.split(t, p.textOrNil(0), p.whole(1, -1)))
		},
		"rsplit": func(r *renderer, t Text, a args) Value {
			p := a.bind("sep", "maxsplit")
			return r.texts(r.splitFromEnd(t, p.textOrNil(0), p.whole(1, -1)))
		},
		"partition": func(r *renderer, t Text, a args) Value { return partition(r, t, a, strings.Index) },
		"rpartition": func(r *renderer, t Text, a args) Value {
			return partition(r, t, a, strings.LastIndex)
		},
		"startswith": func(r *renderer, t Text, a args) Value { return affix(r, t, a, strings.HasPrefix) },
		"endswith":   func(r *renderer, t Text, a args) Value { return affix(r, t, a, strings.HasSuffix) },
		"removeprefix": func(r *renderer, t Text, a args) Value {
			return t.cut(len(t.s)-len(strings.TrimPrefix(t.s, a.bind("prefix").text(0).s)), len(t.s))
		},
		"removesuffix": func(r *renderer, t Text, a args) Value {
			return t.cut(0, len(strings.TrimSuffix(t.s, a.bind("suffix").text(0).s)))
		},
		"find":   func(r *renderer, t Text, a args) Value { return find(r, t, a, strings.Index) },
		"rfind":  func(r *renderer, t Text, a args) Value { return find(r, t, a, strings.LastIndex) },
		"index":  func(r *renderer, t Text, a args) Value { return found(find(r, t, a, strings.Index)) },
		"rindex": func(r *renderer, t Text, a args) Value { return found(find(r, t, a, strings.LastIndex)) },
		"count": func(r *renderer, t Text, a args) Value {
			part, _, sub := within(r, t, a)
			if sub.s == "" {
				return int64(utf8.RuneCountInString(part) + 1)
			}
			return int64(strings.Count(part, sub.s))
		},
	}
}

// texts is a list of strings.
func (r *renderer) texts(texts []Text) *List {
	items := make([]Value, len(texts))
	for i, t := range texts {
		items[i] = t
	}
	return r.list(items)
}

func textJoin(r *renderer, t Text, a args) Value {
	b := builder{r: r}
	for i, item := range r.items(a.bind("iterable").value(0)) {
		part := r.text(item)
		if t.safe {
			part = r.escaped(part)
		}
		if i > 0 {
			b.add(t)
		}
		b.add(part)
	}
	made := b.text()
	made.safe = t.safe
	return made
}

func textReplace(r *renderer, t Text, a args) Value {
	p := a.bind("old", "new", "count")
	with := p.text(1)
	if t.safe {
		with = r.escaped(with)
	}
	return r.replace(t, p.text(0), with, p.whole(2, -1))
}

func zfill(r *renderer, t Text, a args) Value {
	p := a.bind("width")
	p.value(0)
	sign := len(signOf(t.s))
	return r.concat(t.cut(0, sign), r.pad(t.cut(sign, len(t.s)), p.whole(0, 0)-sign, Own("0"), true, false))
}

func partition(r *renderer, t Text, a args, index func(s, sub string) int) Value {
	sep := a.bind("sep").text(0)
	if sep.s == "" {
		fail("the separator is empty")
	}
	r.scan(len(t.s))
	i := index(t.s, sep.s)
	switch {
	case i >= 0:
		return newTuple(t.cut(0, i), t.cut(i, i+len(sep.s)), t.cut(i+len(sep.s), len(t.s)))
	case index("aa", "a") == 0: // from the front
		return newTuple(t, Text{}, Text{})
	}
	return newTuple(Text{}, Text{}, t)
}

// within is the part of a text that a search is bounded to by its arguments
// start and end, the bytes before it, and what is searched for.
func within(r *renderer, t Text, a args) (part string, before int, sub Text) {
	p := a.bind("sub", "start", "end")
	sub = p.text(0)
	r.scan(len(t.s))
	if !p.given(1) && !p.given(2) {
		return t.s, 0, sub
	}
	begin, count, _ := bounds(utf8.RuneCountInString(t.s), p.or(1, nil), p.or(2, nil), nil)
	before = offset(t.s, begin)
	part = t.s[before:]
	return part[:offset(part, count)], before, sub
}

func find(r *renderer, t Text, a args, index func(s, sub string) int) int64 {
	part, before, sub := within(r, t, a)
	i := index(part, sub.s)
	if i < 0 {
		return -1
	}
	return int64(utf8.RuneCountInString(t.s[:before+i]))
}

func found(i int64) Value {
	if i < 0 {
		fail("the substring is not there")
	}
	return i
}

// affix is startswith and endswith, which take one string or a tuple of them.
func affix(r *renderer, t Text, a args, has func(s, affix string) bool) Value {
	p := a.bind("affix", "start", "end")
	options := []Value{p.value(0)}
	if l, ok := options[0].(*List); ok && l.tuple {
		options = l.items
	}
	for _, o := range options {
		part, _, sub := within(r, t, args{positional: append([]Value{r.text(o)}, a.positional[1:]...)})
		if has(part, sub.s) {
			return true
		}
	}
	return false
}
