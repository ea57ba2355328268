package jinja

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// str is Python's str: how a value is written.
func (r *renderer) str(v Value) Text {
	switch v := v.(type) {
	case Text:
		return v
	case *undefined:
		return Text{}
	}
	b := builder{r: r}
	b.repr(v)
	return b.text()
}

// repr adds Python's repr: how a value is written inside of a list.
func (b *builder) repr(v Value) {
	b.r.enter()
	defer b.r.leave()
	switch v := v.(type) {
	case nil:
		b.own("None")
	case bool:
		if v {
			b.own("True")
		} else {
			b.own("False")
		}
	case int64:
		b.own(strconv.FormatInt(v, 10))
	case integer:
		b.own(string(v))
	case float64:
		b.own(floatRepr(v))
	case Text:
		b.quote(v)
	case *List:
		b.reprList(v)
	case *Dict:
		b.reprDict(v)
	case *undefined:
		b.own("Undefined")
	case *namespace:
		b.own("<Namespace ")
		b.reprDict(v.fields)
		b.own(">")
	case *integers:
		b.own(fmt.Sprintf("range(%d, %d", v.from, v.end))
		if v.step != 1 {
			b.own(fmt.Sprintf(", %d", v.step))
		}
		b.own(")")
	case *view:
		b.own("dict_" + v.kind + "([")
		for i := range v.of.keys {
			b.comma(i)
			b.repr(v.at(i))
		}
		b.own("])")
	case *macroValue:
		b.own("<Macro ")
		b.quote(Own(v.macro.name))
		b.own(">")
	case *loop:
		b.own(fmt.Sprintf("<LoopContext %d/%d>", v.index0+1, v.length()))
	default:
		fail("a %s has no text of its own", typeName(v))
	}
}

func (b *builder) comma(i int) {
	if i > 0 {
		b.own(", ")
	}
}

func (b *builder) reprList(l *List) {
	begin, end := "[", "]"
	switch {
	case l.tuple && len(l.items) == 1:
		begin, end = "(", ",)"
	case l.tuple:
		begin, end = "(", ")"
	}
	b.own(begin)
	for i, item := range l.items {
		b.comma(i)
		b.repr(item)
	}
	b.own(end)
}

func (b *builder) reprDict(d *Dict) {
	b.own("{")
	for i, key := range d.keys {
		b.comma(i)
		b.repr(key)
		b.own(": ")
		b.repr(d.values[i])
	}
	b.own("}")
}

// quote adds a string literal.
func (b *builder) quote(t Text) {
	if t.safe {
		b.own("Markup(")
		defer b.own(")")
	}
	mark := byte('\'')
	if strings.Contains(t.s, "'") && !strings.Contains(t.s, `"`) {
		mark = '"'
	}
	b.own(string(mark))
	b.escape(t, func(c rune, raw string) string {
		switch {
		case c == '\\' || c == rune(mark):
			return `\` + raw
		case c == '\n':
			return `\n`
		case c == '\r':
			return `\r`
		case c == '\t':
			return `\t`
		case unicode.IsPrint(c):
			return raw
		case c < 0x100:
			return fmt.Sprintf(`\x%02x`, c)
		case c < 0x10000:
			return fmt.Sprintf(`\u%04x`, c)
		}
		return fmt.Sprintf(`\U%08x`, c)
	})
	b.own(string(mark))
}

// escape adds a text with its characters replaced. What stands for a foreign
// character is foreign.
func (b *builder) escape(t Text, replace func(c rune, raw string) string) {
	b.r.scan(len(t.s))
	for piece, foreign := range t.Pieces() {
		done := 0
		flush := func(end int) { b.addPiece(piece[done:end], foreign) }
		for i, c := range piece {
			n := utf8.RuneLen(c)
			if c == utf8.RuneError {
				_, n = utf8.DecodeRuneInString(piece[i:])
			}
			raw := piece[i : i+n]
			if with := replace(c, raw); with != raw {
				flush(i)
				b.addPiece(with, foreign)
				done = i + n
			}
		}
		flush(len(piece))
	}
}

func (b *builder) addPiece(s string, foreign bool) {
	if foreign {
		b.add(Foreign(s))
	} else {
		b.own(s)
	}
}

// floatRepr is the shortest decimal that reads back as f, as Python writes it.
func floatRepr(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
