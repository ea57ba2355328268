package jinja

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
)

// FromJSON reads a value. Its strings, keys included, are foreign if wanted.
// Nesting is bounded as the values of templates are.
func FromJSON(data []byte, foreign bool) (Value, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	text := Own
	if foreign {
		text = Foreign
	}
	v, err := decode(d, text, defaultDepth/2)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}

func decode(d *json.Decoder, text func(string) Text, depth int) (Value, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	if depth == 0 {
		return nil, errors.New("the JSON is nested too deeply")
	}
	switch t := t.(type) {
	case string:
		return text(t), nil
	case json.Number:
		return decodeNumber(string(t))
	case json.Delim:
		if t == '[' {
			list := NewList()
			for d.More() {
				item, err := decode(d, text, depth-1)
				if err != nil {
					return nil, err
				}
				list.items = append(list.items, item)
			}
			_, err := d.Token()
			return list, err
		}
		dict := NewDict()
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			value, err := decode(d, text, depth-1)
			if err != nil {
				return nil, err
			}
			dict.set(text(key.(string)), value)
		}
		_, err := d.Token()
		return dict, err
	}
	return t, nil // true, false and null
}

func decodeNumber(s string) (Value, error) {
	if !strings.ContainsAny(s, ".eE") {
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return i, nil
		}
		if len(s) > maxDigits {
			return nil, fmt.Errorf("a number of %d digits", len(s))
		}
		return integer(s), nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil, fmt.Errorf("%s is no number", excerpt(s))
	}
	return f, nil
}

// jsonStyle is the arguments of tojson.
type jsonStyle struct {
	ascii, sort bool
	indent      *Text // of one level; nil for one line
	item, key   Text  // separators
}

// toJSON is json.dumps.
func toJSON(r *renderer, v Value, a args) Value {
	p := a.bind("ensure_ascii", "indent", "separators", "sort_keys")
	style := jsonStyle{ascii: p.truth(0, false), sort: p.truth(3, false), item: Own(", "), key: Own(": ")}
	switch indent := p[1].(type) {
	case missing, nil:
	case Text:
		style.indent = &indent
	default:
		b := builder{r: r}
		b.repeat(Own(" "), p.whole(1, 0))
		t := b.text()
		style.indent = &t
	}
	if style.indent != nil {
		style.item = Own(",")
	}
	if p.given(2) {
		pair := r.items(p[2])
		if len(pair) != 2 {
			fail("%d separators; want 2", len(pair))
		}
		style.item, style.key = r.text(pair[0]), r.text(pair[1])
	}
	b := builder{r: r}
	b.json(v, &style, 1)
	return b.text()
}

func (b *builder) json(v Value, style *jsonStyle, level int) {
	b.r.enter()
	defer b.r.leave()
	switch v := v.(type) {
	case Text:
		b.own(`"`)
		b.escape(v, style.escape)
		b.own(`"`)
	case *List:
		b.jsonItems("[", "]", len(v.items), style, level, func(i int) { b.json(v.items[i], style, level+1) })
	case *Dict:
		order := make([]Value, len(v.keys))
		for i := range order {
			order[i] = int64(i)
		}
		if style.sort {
			order = b.r.sorted(order, func(i Value) Value { return v.keys[i.(int64)] }, false)
		}
		b.jsonItems("{", "}", len(v.keys), style, level, func(i int) {
			at := order[i].(int64)
			b.jsonKey(v.keys[at], style)
			b.add(style.key)
			b.json(v.values[at], style, level+1)
		})
	default:
		b.own(jsonScalar(v))
	}
}

func (b *builder) jsonItems(begin, end string, n int, style *jsonStyle, level int, item func(int)) {
	b.own(begin)
	newline := func(level int) {
		if style.indent != nil {
			b.own("\n")
			b.repeat(*style.indent, level)
		}
	}
	for i := range n {
		if i > 0 {
			b.add(style.item)
		}
		newline(level)
		item(i)
	}
	if n > 0 {
		newline(level - 1)
	}
	b.own(end)
}

func (b *builder) jsonKey(key Value, style *jsonStyle) {
	b.own(`"`)
	if t, ok := key.(Text); ok {
		b.escape(t, style.escape)
	} else {
		b.own(jsonScalar(key))
	}
	b.own(`"`)
}

func jsonScalar(v Value) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case integer:
		return string(v)
	case float64:
		switch {
		case math.IsInf(v, 1):
			return "Infinity"
		case math.IsInf(v, -1):
			return "-Infinity"
		case math.IsNaN(v):
			return "NaN"
		}
		return floatRepr(v)
	}
	fail("a %s is not JSON", typeName(v))
	return ""
}

func (s *jsonStyle) escape(c rune, raw string) string {
	switch c {
	case '"', '\\':
		return `\` + raw
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	case '\b':
		return `\b`
	case '\f':
		return `\f`
	}
	switch {
	case c < ' ', s.ascii && 0x7E < c && c < 0x10000:
		return fmt.Sprintf(`\u%04x`, c)
	case s.ascii && c >= 0x10000:
		high, low := utf16.EncodeRune(c)
		return fmt.Sprintf(`\u%04x\u%04x`, high, low)
	}
	return raw
}
