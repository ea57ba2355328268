package constrain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	maxSchemaBytes = 1 << 20
	maxSchemaDepth = 128 // of the schema's own JSON
)

// value is a JSON value that keeps the order of members.
type value struct {
	id      int    // of the values of a document, in order
	pointer string // JSON pointer (RFC 6901) of where it stands
	kind    byte   // one of {["0tn: object, array, string, number, true or false, null
	members []member
	names   map[string]*value // the members
	items   []*value
	text    string // of a string or a number
	truth   bool
}

type member struct {
	name  string
	value *value
}

func (v *value) member(name string) *value { return v.names[name] }

// document is a schema as it is written.
type document struct {
	root *value
	next int
}

func parseDocument(data []byte) (*document, error) {
	if len(data) > maxSchemaBytes {
		return nil, fmt.Errorf("%d bytes are more than %d", len(data), maxSchemaBytes)
	}
	d := new(document)
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var err error
	if d.root, err = d.parse(dec, "", 0); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("something follows the schema")
	}
	return d, nil
}

func (d *document) parse(dec *json.Decoder, pointer string, depth int) (*value, error) {
	token, err := dec.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	if depth > maxSchemaDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxSchemaDepth)
	}
	v := &value{id: d.next, pointer: pointer}
	d.next++
	switch token := token.(type) {
	case json.Delim:
		v.kind = byte(token)
		for dec.More() {
			name := strconv.Itoa(len(v.items))
			if v.kind == '{' {
				key, err := dec.Token()
				if err != nil {
					return nil, err
				}
				name = key.(string)
			}
			child, err := d.parse(dec, pointer+"/"+escapePointer(name), depth+1)
			if err != nil {
				return nil, err
			}
			if v.kind == '[' {
				v.items = append(v.items, child)
				continue
			}
			v.members = append(v.members, member{name, child})
		}
		if _, err := dec.Token(); err != nil { // the closing bracket
			return nil, err
		}
		return v, v.index()
	case string:
		v.kind, v.text = '"', token
	case json.Number:
		v.kind, v.text = '0', token.String()
	case bool:
		v.kind, v.truth = 't', token
	case nil:
		v.kind = 'n'
	}
	return v, nil
}

// index fills in names, and refuses an object that has a member twice.
func (v *value) index() error {
	v.names = make(map[string]*value, len(v.members))
	for _, m := range v.members {
		if v.names[m.name] != nil {
			return fmt.Errorf("%s: two members %q", v.place(), m.name)
		}
		v.names[m.name] = m.value
	}
	return nil
}

// place is where the value stands, for errors.
func (v *value) place() string { return "#" + v.pointer }

func escapePointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// resolve finds what a $ref refers to: "#" or a pointer into the document.
func (d *document) resolve(ref string) (*value, error) {
	pointer, ok := strings.CutPrefix(ref, "#")
	if !ok || pointer != "" && pointer[0] != '/' {
		return nil, fmt.Errorf("%w: %q; want a place in the schema itself, #/$defs/…", ErrUnsupported, ref)
	}
	v := d.root
	if pointer == "" {
		return v, nil
	}
	for part := range strings.SplitSeq(pointer[1:], "/") {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		var next *value
		if i, err := strconv.Atoi(part); err == nil && v.kind == '[' && i >= 0 && i < len(v.items) {
			next = v.items[i]
		} else if v.kind == '{' {
			next = v.member(part)
		}
		if next == nil {
			return nil, fmt.Errorf("%q: there is no such place in the schema", ref)
		}
		v = next
	}
	return v, nil
}

// appendCompact appends the value as JSON without white space.
func (v *value) appendCompact(dst []byte) []byte {
	switch v.kind {
	case '{':
		dst = append(dst, '{')
		for i, m := range v.members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendQuoted(dst, m.name), ':')
			dst = m.value.appendCompact(dst)
		}
		return append(dst, '}')
	case '[':
		dst = append(dst, '[')
		for i, item := range v.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = item.appendCompact(dst)
		}
		return append(dst, ']')
	case '"':
		return appendQuoted(dst, v.text)
	case '0':
		return append(dst, v.text...)
	case 't':
		return strconv.AppendBool(dst, v.truth)
	}
	return append(dst, "null"...)
}

// appendQuoted appends a JSON string with no more escapes than it needs.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		dst = appendStringRune(dst, r)
	}
	return append(dst, '"')
}
