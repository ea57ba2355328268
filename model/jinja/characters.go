package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// Operations on the characters of strings.

// characters counts them.
func (r *renderer) characters(t Text) int {
	r.scan(len(t.s))
	return utf8.RuneCountInString(t.s)
}

// slice is Python's t[from:to:step]; nil is an end left open.
func (r *renderer) slice(v Value, from, to, step Value) Value {
	if u, ok := v.(*undefined); ok {
		u.fail()
	}
	if g, ok := v.(*integers); ok {
		v = r.list(r.items(g))
	}
	t, isText := v.(Text)
	l, isList := v.(*List)
	n := 0
	switch {
	case isText:
		n = r.characters(t)
	case isList:
		n = len(l.items)
	default:
		fail("a %s cannot be sliced", typeName(v))
	}
	begin, count, stride := bounds(n, from, to, step)
	switch {
	case isList:
		r.chargeMany(count, itemSize)
		items := make([]Value, count)
		for i := range items {
			items[i] = l.items[begin+i*stride]
		}
		return &List{items, l.tuple}
	case stride == 1:
		b := offset(t.s, begin)
		return t.cut(b, b+offset(t.s[b:], count))
	}
	r.chargeMany(n, 8)
	offsets := make([]int, 0, n+1)
	for i := range t.s {
		offsets = append(offsets, i)
	}
	offsets = append(offsets, len(t.s))
	b := builder{r: r}
	for i := range count {
		at := begin + i*stride
		b.add(t.cut(offsets[at], offsets[at+1]))
	}
	made := b.text()
	made.safe = t.safe
	return made
}

// bounds is the first index, how many there are, and the step of a slice.
func bounds(n int, from, to, step Value) (begin, count, stride int) {
	index := func(v Value, otherwise, low, high int) int {
		if v == nil {
			return otherwise
		}
		i, ok := whole(v)
		if !ok {
			fail("a slice index is a %s; want an int", typeName(v))
		}
		if i < 0 {
			i += int64(n)
		}
		return int(min(max(i, int64(low)), int64(high)))
	}
	stride = 1
	if step != nil {
		s, ok := whole(step)
		if !ok || s == 0 {
			fail("the step of a slice is %v; want an int other than 0", typeName(step))
		}
		stride = int(min(max(s, -1<<31), 1<<31))
	}
	if stride > 0 {
		begin = index(from, 0, 0, n)
		end := index(to, n, 0, n)
		return begin, max(0, (end-begin+stride-1)/stride), stride
	}
	begin = index(from, n-1, -1, n-1)
	end := index(to, -1, -1, n-1)
	return begin, max(0, (begin-end-stride-1)/-stride), stride
}

// item is v[key]; ok is false where Python raises a LookupError or TypeError.
func (r *renderer) item(v, key Value) (Value, bool) {
	if d, ok := v.(*Dict); ok {
		h, ok := hash(key)
		if !ok {
			return nil, false
		}
		if t, ok := key.(Text); ok {
			r.scan(len(t.s))
		}
		return d.at(h)
	}
	i, ok := whole(key)
	if !ok {
		return nil, false
	}
	n := int64(0)
	switch v := v.(type) {
	case Text:
		n = int64(r.characters(v))
	case *List:
		n = int64(len(v.items))
	case *integers:
		n = v.n
	default:
		return nil, false
	}
	if i < 0 {
		i += n
	}
	if i < 0 || i >= n {
		return nil, false
	}
	switch v := v.(type) {
	case Text:
		begin := offset(v.s, int(i))
		return v.cut(begin, begin+offset(v.s[begin:], 1)), true
	case *List:
		return v.items[i], true
	}
	return v.(*integers).at(i), true
}

// mapText changes the characters of a text, piece by piece.
func (r *renderer) mapText(t Text, change func(string) string) Text {
	b := builder{r: r}
	for piece, foreign := range t.Pieces() {
		r.charge(len(piece))
		b.addPiece(change(piece), foreign)
	}
	made := b.text()
	made.safe = t.safe
	return made
}

// Python's case conversions are the full ones of Unicode.
func (r *renderer) upper(t Text) Text {
	if ascii(t.s) {
		return r.mapText(t, strings.ToUpper)
	}
	return r.mapText(t, cases.Upper(language.Und).String)
}

func (r *renderer) lower(t Text) Text {
	if ascii(t.s) {
		return r.mapText(t, strings.ToLower)
	}
	return r.mapText(t, cases.Lower(language.Und).String)
}

// concat is texts one after the other, of the kind of the first.
func (r *renderer) concat(texts ...Text) Text {
	b := builder{r: r}
	for _, t := range texts {
		b.add(t)
	}
	made := b.text()
	made.safe = texts[0].safe
	return made
}

// firstAndRest cuts the first character off.
func firstAndRest(t Text) (first, rest Text) {
	n := offset(t.s, 1)
	return t.cut(0, n), t.cut(n, len(t.s))
}

func (r *renderer) capitalize(t Text) Text {
	first, rest := firstAndRest(t)
	return r.concat(r.mapText(first, titleCase), r.lower(rest))
}

// title is Python's str.title: a capital after every character without case.
func (r *renderer) title(t Text) Text {
	b := builder{r: r}
	inWord := false
	b.escape(t, func(c rune, raw string) string {
		after := inWord
		inWord = isCased(c)
		if after {
			return string(unicode.ToLower(c))
		}
		return titleCase(raw)
	})
	made := b.text()
	made.safe = t.safe
	return made
}

func titleCase(s string) string {
	if ascii(s) {
		return strings.ToUpper(s)
	}
	return cases.Title(language.Und, cases.NoLower).String(s)
}

func isCased(c rune) bool {
	return unicode.IsUpper(c) || unicode.IsLower(c) || unicode.IsTitle(c)
}

// allCased is str.isupper and islower: some character has case, and none another.
func allCased(s string, is func(rune) bool) bool {
	some := false
	for _, c := range s {
		if !isCased(c) {
			continue
		}
		if !is(c) {
			return false
		}
		some = true
	}
	return some
}

// every tells whether s is not empty and all its characters are of a kind.
func every(s string, is func(rune) bool) bool {
	return s != "" && strings.IndexFunc(s, func(c rune) bool { return !is(c) }) < 0
}

var escapes = map[rune]string{'&': "&amp;", '<': "&lt;", '>': "&gt;", '\'': "&#39;", '"': "&#34;"}

// escaped is a text with HTML's own characters replaced, unless it is safe.
func (r *renderer) escaped(t Text) Text {
	if t.safe {
		return t
	}
	b := builder{r: r}
	b.escape(t, func(c rune, raw string) string {
		if with, ok := escapes[c]; ok {
			return with
		}
		return raw
	})
	t = b.text()
	t.safe = true
	return t
}

// replace puts with in the place of old, as often as count says if that is not
// negative. An empty old stands before every character and at the end.
func (r *renderer) replace(t, old, with Text, count int) Text {
	b := builder{r: r}
	r.scan(len(t.s))
	done := 0
	for at := 0; count != 0; count-- {
		n := strings.Index(t.s[at:], old.s)
		if n < 0 {
			break
		}
		r.step(1)
		b.add(t.cut(done, at+n))
		b.add(with)
		done = at + n + len(old.s)
		at = done
		if old.s == "" {
			if at == len(t.s) {
				break
			}
			at += offset(t.s[at:], 1)
			b.add(t.cut(done, at))
			done = at
		}
	}
	b.add(t.cut(done, len(t.s)))
	made := b.text()
	made.safe = t.safe
	return made
}

// split is str.split: at separators, or at runs of space if there is none. At
// most limit cuts are made, if that is not negative.
func (r *renderer) split(t Text, separator *Text, limit int) []Text {
	var parts []Text
	r.scan(len(t.s))
	add := func(begin, end int) {
		r.charge(4 * itemSize)
		parts = append(parts, t.cut(begin, end))
	}
	if separator == nil {
		for at := 0; ; {
			at = len(t.s) - len(strings.TrimLeftFunc(t.s[at:], isSpace))
			if at == len(t.s) {
				return parts
			}
			n := strings.IndexFunc(t.s[at:], isSpace)
			if n < 0 {
				n = len(t.s) - at
			}
			if limit == 0 {
				n = len(t.s) - at // the rest keeps the space at its end
			}
			add(at, at+n)
			at += n
			limit--
		}
	}
	if separator.s == "" {
		fail("the separator is empty")
	}
	at := 0
	for ; limit != 0; limit-- {
		n := strings.Index(t.s[at:], separator.s)
		if n < 0 {
			break
		}
		add(at, at+n)
		at += n + len(separator.s)
	}
	add(at, len(t.s))
	return parts
}

// splitFromEnd is str.rsplit.
func (r *renderer) splitFromEnd(t Text, separator *Text, limit int) []Text {
	if limit < 0 {
		return r.split(t, separator, limit)
	}
	var parts []Text
	r.scan(len(t.s))
	end := len(t.s)
	add := func(begin, end int) {
		r.charge(4 * itemSize)
		parts = append(parts, t.cut(begin, end))
	}
	for {
		if separator == nil {
			end = len(strings.TrimRightFunc(t.s[:end], isSpace))
			if end == 0 {
				break
			}
		} else if separator.s == "" {
			fail("the separator is empty")
		}
		begin, next := -1, 0
		if limit != 0 {
			if separator == nil {
				begin = strings.LastIndexFunc(t.s[:end], isSpace)
				if begin >= 0 {
					_, n := utf8.DecodeRuneInString(t.s[begin:])
					begin, next = begin+n, begin
				}
			} else if begin = strings.LastIndex(t.s[:end], separator.s); begin >= 0 {
				begin, next = begin+len(separator.s), begin
			}
		}
		if begin < 0 {
			add(0, end)
			break
		}
		add(begin, end)
		end = next
		limit--
	}
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return parts
}

// lines is str.splitlines.
func (r *renderer) lines(t Text, keepEnds bool) []Text {
	var lines []Text
	r.scan(len(t.s))
	begin := 0
	for at := 0; at < len(t.s); {
		n := lineEnd(t.s[at:])
		if n == 0 {
			at++
			continue
		}
		end := at
		at += n
		if keepEnds {
			end = at
		}
		r.charge(4 * itemSize)
		lines = append(lines, t.cut(begin, end))
		begin = at
	}
	if begin < len(t.s) {
		lines = append(lines, t.cut(begin, len(t.s)))
	}
	return lines
}

// pad fills up to a width in characters, on the sides asked for.
func (r *renderer) pad(t Text, width int, fill Text, left, right bool) Text {
	n := max(0, width-r.characters(t))
	before, after := 0, n
	switch {
	case left && right: // as str.center shares it out
		before = n/2 + n&width&1
		after = n - before
	case left:
		before, after = n, 0
	}
	b := builder{r: r}
	b.repeat(fill, before)
	b.add(t)
	b.repeat(fill, after)
	made := b.text()
	made.safe = t.safe
	return made
}
