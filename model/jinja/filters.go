package jinja

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

type filterFunc func(r *renderer, v Value, a args) Value

var filters map[string]filterFunc

// init breaks the circle between filters and those that call others by name.
func init() {
	onText := func(with func(r *renderer, t Text) Text) filterFunc {
		return func(r *renderer, v Value, a args) Value { a.bind(); return with(r, r.str(v)) }
	}
	length := func(r *renderer, v Value, a args) Value { a.bind(); return int64(r.length(v)) }
	escape := onText((*renderer).escaped)
	filters = map[string]filterFunc{
		"abs": absolute, "attr": attr, "batch": batch, "capitalize": onText((*renderer).capitalize),
		"center": center, "count": length, "d": otherwise, "default": otherwise, "dictsort": dictSort,
		"e": escape, "escape": escape, "filesizeformat": fileSize, "first": first, "float": toFloat,
		"forceescape": onText(func(r *renderer, t Text) Text { t.safe = false; return r.escaped(t) }),
		"format":      formatFilter, "groupby": groupBy, "indent": indent, "int": toInt, "items": items,
		"join": joinFilter, "last": last, "length": length, "list": toList,
		"lower": onText((*renderer).lower), "map": mapFilter, "max": extreme(1), "min": extreme(-1),
		"reject": choose(false, false), "rejectattr": choose(false, true), "replace": replaceFilter,
		"reverse": reverse, "round": round,
		"safe":   onText(func(_ *renderer, t Text) Text { t.safe = true; return t }),
		"select": choose(true, false), "selectattr": choose(true, true), "slice": sliceFilter, "sort": sortFilter,
		"string": onText(func(_ *renderer, t Text) Text { return t }), "sum": sum,
		"title": onText((*renderer).titleWords), "tojson": toJSON, "trim": trim, "truncate": truncate,
		"unique": unique, "upper": onText((*renderer).upper), "urlencode": urlEncode,
		"wordcount": wordCount,
	}
}

func otherwise(_ *renderer, v Value, a args) Value {
	p := a.bind("default_value", "boolean")
	if _, ok := v.(*undefined); ok || p.truth(1, false) && !truth(v) {
		return p.or(0, Text{})
	}
	return v
}

func center(r *renderer, v Value, a args) Value {
	return r.pad(r.str(v), a.bind("width").whole(0, 80), Own(" "), true, true)
}

func trim(r *renderer, v Value, a args) Value {
	return r.trim(r.str(v), a.bind("chars").textOrNil(0), true, true)
}

func replaceFilter(r *renderer, v Value, a args) Value {
	p := a.bind("old", "new", "count")
	count := -1
	if p.or(2, nil) != nil {
		count = p.whole(2, 0)
	}
	t := r.str(v)
	t.safe = false
	return r.replace(t, r.str(p.value(0)), r.str(p.value(1)), count)
}

func formatFilter(r *renderer, v Value, a args) Value {
	t := r.str(v)
	switch {
	case len(a.named) > 0 && len(a.positional) > 0:
		fail("positional and named arguments at the same time")
	case len(a.named) > 0:
		fields := NewDict()
		for i, name := range a.names {
			fields.Set(name, a.named[i])
		}
		return r.printf(t, fields)
	}
	return r.printf(t, newTuple(a.positional...))
}

func joinFilter(r *renderer, v Value, a args) Value {
	p := a.bind("d", "attribute")
	separator := r.str(p.or(0, Text{}))
	parts := r.items(v)
	if attribute := p.or(1, nil); attribute != nil {
		parts = r.fields(parts, attribute)
	}
	b := builder{r: r}
	for i, part := range parts {
		if i > 0 {
			b.add(separator)
		}
		b.add(r.str(part))
	}
	return b.text()
}

// indent puts space before lines, not before the first and empty ones unless told.
func indent(r *renderer, v Value, a args) Value {
	p := a.bind("width", "first", "blank")
	t := r.text(v)
	by, ok := p.or(0, int64(4)).(Text)
	if !ok {
		b := builder{r: r}
		b.repeat(Own(" "), p.whole(0, 4))
		by = b.text()
	}
	b := builder{r: r}
	for i, line := range r.lines(r.concat(t, Own("\n")), false) {
		if i > 0 {
			b.own("\n")
		}
		if i == 0 && p.truth(1, false) || i > 0 && (line.s != "" || p.truth(2, false)) {
			b.add(by)
		}
		b.add(line)
	}
	made := b.text()
	made.safe = t.safe
	return made
}

// titleWords is Jinja's title: words begin after space, hyphens and brackets.
func (r *renderer) titleWords(t Text) Text {
	b := builder{r: r}
	begins := true
	cut := func(c rune) bool { return isSpace(c) || strings.ContainsRune("-({[<", c) }
	for rest := t; rest.s != ""; {
		n := strings.IndexFunc(rest.s, func(c rune) bool { return cut(c) == begins })
		if n < 0 {
			n = len(rest.s)
		}
		// A stretch of one kind, which is written as a word of its own.
		if n > 0 {
			first, others := firstAndRest(rest.cut(0, n))
			b.add(r.upper(first))
			b.add(r.lower(others))
		}
		rest = rest.cut(n, len(rest.s))
		begins = !begins
	}
	return b.text()
}

func truncate(r *renderer, v Value, a args) Value {
	p := a.bind("length", "killwords", "end", "leeway")
	t, end := r.text(v), p.textOr(2, "...")
	length, leeway := p.whole(0, 255), 5
	if p.or(3, nil) != nil {
		leeway = p.whole(3, 0)
	}
	room := length - r.characters(end)
	if room < 0 || leeway < 0 {
		fail("a length of %d has no room for the end, or the leeway %d is negative", length, leeway)
	}
	if r.characters(t) <= length+leeway {
		return t
	}
	kept := t.cut(0, offset(t.s, room))
	if !p.truth(1, false) {
		space := Own(" ")
		kept = r.splitFromEnd(kept, &space, 1)[0]
	}
	return r.concat(kept, end)
}

func wordCount(r *renderer, v Value, a args) Value {
	a.bind()
	t := r.str(v)
	r.scan(len(t.s))
	return int64(len(strings.FieldsFunc(t.s, func(c rune) bool {
		return c != '_' && !unicode.IsLetter(c) && !unicode.IsNumber(c)
	})))
}

func urlEncode(r *renderer, v Value, a args) Value {
	a.bind()
	quote := func(b *builder, v Value, query bool) {
		t := r.str(v)
		for piece, foreign := range t.Pieces() {
			r.charge(3 * len(piece))
			var quoted strings.Builder
			for i := range len(piece) {
				c := piece[i]
				switch {
				case c == ' ' && query:
					quoted.WriteByte('+')
				case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', strings.IndexByte("_.-~", c) >= 0, c == '/' && !query:
					quoted.WriteByte(c)
				default:
					const digits = "0123456789ABCDEF"
					quoted.Write([]byte{'%', digits[c>>4], digits[c&15]})
				}
			}
			b.addPiece(quoted.String(), foreign)
		}
	}
	b := builder{r: r}
	var pairs []Value
	switch v := v.(type) {
	case *Dict:
		pairs = r.items(&view{"items", v})
	case *List:
		pairs = v.items
	default:
		quote(&b, v, false)
		return b.text()
	}
	for i, item := range pairs {
		pair := r.items(item)
		if len(pair) != 2 {
			fail("%d items; want a key and a value", len(pair))
		}
		if i > 0 {
			b.own("&")
		}
		quote(&b, pair[0], true)
		b.own("=")
		quote(&b, pair[1], true)
	}
	return b.text()
}

// fields is an attribute of each item.
func (r *renderer) fields(values []Value, path Value) []Value {
	r.chargeMany(len(values), itemSize)
	fields := make([]Value, len(values))
	for i, v := range values {
		fields[i] = r.field(v, path, nil)
	}
	return fields
}

// field follows a path such as "a.0.b". A nil path is the value itself.
func (r *renderer) field(v, path, otherwise Value) Value {
	var parts []Value
	switch path := path.(type) {
	case nil:
	case Text:
		r.charge(len(path.s))
		for _, part := range strings.Split(path.s, ".") {
			if i, err := strconv.ParseInt(part, 10, 64); err == nil && every(part, unicode.IsDigit) {
				parts = append(parts, i)
			} else {
				parts = append(parts, Own(part))
			}
		}
	default:
		parts = []Value{path}
	}
	for _, part := range parts {
		r.step(1)
		v = r.subscript(v, part)
		if _, ok := v.(*undefined); ok && otherwise != nil {
			v = otherwise
		}
	}
	return v
}

func attr(r *renderer, v Value, a args) Value {
	name := a.bind("name").text(0)
	if m, ok := r.method(v, name.s); ok {
		return m
	}
	return r.noField(v, name)
}

func items(_ *renderer, v Value, a args) Value {
	a.bind()
	switch v := v.(type) {
	case *undefined:
		return emptyIterator()
	case *Dict:
		return listIterator(newView("items", v))
	}
	fail("a %s has no items", typeName(v))
	return nil
}

func emptyIterator() *iterator { return &iterator{func() (Value, bool) { return nil, false }} }

func newView(kind string, d *Dict) *view { return &view{kind, d} }

// listIterator reads a view once.
func listIterator(v *view) *iterator {
	i := -1
	return &iterator{func() (Value, bool) {
		if i++; i >= len(v.of.keys) {
			return nil, false
		}
		return v.at(i), true
	}}
}

func dictSort(r *renderer, v Value, a args) Value {
	p := a.bind("case_sensitive", "by", "reverse")
	d, ok := v.(*Dict)
	if !ok {
		if u, ok := v.(*undefined); ok {
			u.fail()
		}
		fail("a %s is no mapping", typeName(v))
	}
	by := slices.Index([]string{"key", "value"}, p.textOr(1, "key").s)
	if by < 0 {
		fail("by is neither key nor value")
	}
	pairs := r.items(&view{"items", d})
	return r.list(r.sorted(pairs, func(pair Value) Value {
		key := pair.(*List).items[by]
		if p.truth(0, false) {
			return key
		}
		return r.folded(key)
	}, p.truth(2, false)))
}
