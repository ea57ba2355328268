package jinja

import (
	"iter"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is a string whose foreign bytes are known. The zero value is empty.
type Text struct {
	s       string
	foreign []span // in order, apart from each other, none empty
	safe    bool   // marked as HTML that needs no escapes: + and % escape what they add
}

// span is the bytes from begin up to end.
type span struct{ begin, end int }

// Own is a text of the template's, or as trustworthy.
func Own(s string) Text { return Text{s: s} }

// Foreign is a text of somebody else's.
func Foreign(s string) Text {
	if s == "" {
		return Text{}
	}
	return Text{s: s, foreign: []span{{0, len(s)}}}
}

// String is the text alone.
func (t Text) String() string { return t.s }

// Pieces is the text cut where it changes hands: each piece, and whether it is
// foreign. None is empty.
func (t Text) Pieces() iter.Seq2[string, bool] {
	return func(yield func(string, bool) bool) {
		done := 0
		for _, f := range t.foreign {
			if done < f.begin && !yield(t.s[done:f.begin], false) || !yield(t.s[f.begin:f.end], true) {
				return
			}
			done = f.end
		}
		if done < len(t.s) {
			yield(t.s[done:], false)
		}
	}
}

// cut is the bytes from begin up to end.
func (t Text) cut(begin, end int) Text {
	cut := Text{s: t.s[begin:end], safe: t.safe}
	if len(t.foreign) == 0 || begin == end {
		return cut
	}
	first := sort.Search(len(t.foreign), func(i int) bool { return t.foreign[i].end > begin })
	last := sort.Search(len(t.foreign), func(i int) bool { return t.foreign[i].begin >= end })
	if first >= last {
		return cut
	}
	cut.foreign = make([]span, 0, last-first)
	for _, f := range t.foreign[first:last] {
		cut.foreign = append(cut.foreign, span{max(f.begin, begin) - begin, min(f.end, end) - begin})
	}
	return cut
}

// ascii tells whether bytes are characters.
func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// offset is the byte at which character i begins; there are that many at least.
func offset(s string, i int) int {
	if i == 0 {
		return 0
	}
	for at := range s {
		if i == 0 {
			return at
		}
		i--
	}
	return len(s)
}

// isSpace is Python's str.isspace.
func isSpace(c rune) bool { return unicode.IsSpace(c) || '\x1c' <= c && c <= '\x1f' }

// trim takes characters of a set, space if it is nil, from the sides asked for.
func (r *renderer) trim(t Text, set *Text, left, right bool) Text {
	r.scan(len(t.s))
	in := isSpace
	if set != nil {
		r.charge(itemSize * len(set.s))
		members := map[rune]bool{}
		for _, c := range set.s {
			members[c] = true
		}
		in = func(c rune) bool { return members[c] }
	}
	begin, end := 0, len(t.s)
	if left {
		begin = len(t.s) - len(strings.TrimLeftFunc(t.s, in))
	}
	if right {
		end = max(begin, len(strings.TrimRightFunc(t.s, in)))
	}
	return t.cut(begin, end)
}

// lineEnd is the length of the line end that s begins with, 0 if it does not.
// The line ends are those of Python's str.splitlines.
func lineEnd(s string) int {
	if strings.HasPrefix(s, "\r\n") {
		return 2
	}
	switch c, n := utf8.DecodeRuneInString(s); c {
	case '\n', '\r', '\v', '\f', '\x1c', '\x1d', '\x1e', '\u0085', '\u2028', '\u2029':
		return n
	}
	return 0
}

// builder puts a text together, within the limits of a renderer.
type builder struct {
	r       *renderer
	buf     []byte
	foreign []span
}

func (b *builder) own(s string) {
	b.r.charge(len(s))
	b.buf = append(b.buf, s...)
}

func (b *builder) add(t Text) {
	at := len(b.buf)
	b.own(t.s)
	for _, f := range t.foreign {
		f.begin += at
		f.end += at
		if n := len(b.foreign); n > 0 && b.foreign[n-1].end == f.begin {
			b.foreign[n-1].end = f.end
			continue
		}
		b.r.charge(spanSize)
		b.foreign = append(b.foreign, f)
	}
}

// repeat adds a text n times, if n is positive.
func (b *builder) repeat(t Text, n int) {
	if n > 0 {
		b.r.chargeMany(n, len(t.s)+1)
		for range n {
			b.add(t)
		}
	}
}

func (b *builder) text() Text { return Text{s: string(b.buf), foreign: b.foreign} }
