package jinja

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Value is a value of Python's: nil for None, bool, int64, float64, [Text],
// *[List], *[Dict], or one that only templates make.
type Value any

// List is a list, or a tuple.
type List struct {
	items []Value
	tuple bool
}

// NewList returns a list, which keeps items.
func NewList(items ...Value) *List { return &List{items: items} }

func newTuple(items ...Value) *List { return &List{items: items, tuple: true} }

// Dict is a dictionary, which keeps the order in which keys were first set.
type Dict struct {
	keys, values []Value
	index        map[hashKey]int
}

// NewDict returns an empty dictionary.
func NewDict() *Dict { return &Dict{index: map[hashKey]int{}} }

// Set sets the value of a key that is the caller's own.
func (d *Dict) Set(key string, v Value) { d.set(Own(key), v) }

func (d *Dict) set(key, v Value) {
	h := mustHash(key)
	if i, ok := d.index[h]; ok {
		d.values[i] = v
		return
	}
	d.index[h] = len(d.keys)
	d.keys = append(d.keys, key)
	d.values = append(d.values, v)
}

// find looks up a value that can be a key.
func (r *renderer) find(d *Dict, key Value) (Value, bool) { return d.at(r.hash(key)) }

// set sets a value within limits.
func (r *renderer) set(d *Dict, key, v Value) {
	r.charge(pairSize)
	if t, ok := key.(Text); ok {
		r.scan(len(t.s))
	}
	d.set(key, v)
}

// hash is the key of a value, which must have one.
func (r *renderer) hash(v Value) hashKey {
	if t, ok := v.(Text); ok {
		r.scan(len(t.s))
	}
	return mustHash(v)
}

func (d *Dict) at(h hashKey) (Value, bool) {
	i, ok := d.index[h]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

// hashKey is equal for keys that are equal in Python, such as 1, 1.0 and True.
type hashKey struct {
	kind byte
	of   any // comparable
}

// hash is the key of a value; ok is false if it cannot be one.
func hash(v Value) (h hashKey, ok bool) {
	if i, ok := whole(v); ok {
		return hashKey{'n', i}, true
	}
	switch v := v.(type) {
	case Text:
		return hashKey{'s', v.s}, true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<63 {
			return hashKey{'n', int64(v)}, true
		}
		return hashKey{'f', v}, true
	case integer:
		return hashKey{'i', v}, true
	case *undefined:
		return hashKey{'u', nil}, true
	case *List:
		if !v.tuple {
			return h, false
		}
		text, ok := tupleHash(v, 8)
		return hashKey{'t', text}, ok
	case *Dict, *view:
		return h, false
	}
	return hashKey{'p', v}, true
}

// tupleHash writes a tuple out. Tuples within tuples can be far larger than the
// memory they take, which the depth and the length are bounded for.
func tupleHash(l *List, depth int) (string, bool) {
	var b strings.Builder
	for _, item := range l.items {
		h, ok := hashKey{}, true
		if inner, isList := item.(*List); isList && inner.tuple && depth > 0 {
			h.kind = 't'
			h.of, ok = tupleHash(inner, depth-1)
		} else if isList && inner.tuple {
			fail("%w: a key of tuples that are nested more deeply", ErrLimit)
		} else {
			h, ok = hash(item)
		}
		if !ok {
			return "", false
		}
		verb := "%c%v"
		if h.kind == 'p' {
			verb = "%c%p"
		}
		text := fmt.Sprintf(verb, h.kind, h.of)
		fmt.Fprintf(&b, "%d:%s", len(text), text)
		const most = 1 << 16
		if b.Len() > most {
			fail("%w: a key of more than %d bytes", ErrLimit, most)
		}
	}
	return b.String(), true
}

func mustHash(v Value) hashKey {
	h, ok := hash(v)
	if !ok {
		fail("a %s cannot be a key", typeName(v))
	}
	return h
}

// integer is a whole number in decimal that int64 does not hold. It can be
// written and compared for equality, no more.
type integer string

// undefined is what a missing name, field or argument is: it can be written,
// iterated over and tested, and nothing else.
type undefined struct{ why string }

func (u *undefined) fail() { fail("%s", u.why) }

// namespace is the one thing that templates can change.
type namespace struct{ fields *Dict }

// integers is what range returns.
type integers struct{ from, end, step, n int64 }

func (g *integers) at(i int64) Value { return g.from + i*g.step }

// view is what the keys, values and items of a dictionary are.
type view struct {
	kind string // keys, values, items
	of   *Dict
}

func (v *view) at(i int) Value {
	switch v.kind {
	case "keys":
		return v.of.keys[i]
	case "values":
		return v.of.values[i]
	}
	return newTuple(v.of.keys[i], v.of.values[i])
}

// iterator is read once, as Python's generators are.
type iterator struct{ next func() (Value, bool) }

// function is what can be called: builtins, methods and macros.
type function struct {
	name string
	call func(r *renderer, a args) Value
}

// caller is a value that can be called like a function.
type caller interface{ asFunction() *function }

func (f *function) asFunction() *function { return f }

// typeName is Python's name of a value's type.
func typeName(v Value) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, integer:
		return "int"
	case float64:
		return "float"
	case Text:
		return "str"
	case *List:
		if v.tuple {
			return "tuple"
		}
		return "list"
	case *Dict:
		return "dict"
	case *undefined:
		return "Undefined"
	case *namespace:
		return "Namespace"
	case *integers:
		return "range"
	case *view:
		return "dict_" + v.kind
	case *iterator:
		return "generator"
	case *loop:
		return "LoopContext"
	}
	return "function"
}

// truth is Python's bool.
func truth(v Value) bool {
	switch v := v.(type) {
	case nil, *undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case Text:
		return v.s != ""
	case *List:
		return len(v.items) > 0
	case *Dict:
		return len(v.keys) > 0
	case *view:
		return len(v.of.keys) > 0
	case *integers:
		return v.n > 0
	case *loop:
		return true
	}
	return true
}

// whole is the integer that v is in Python, where booleans are integers.
func whole(v Value) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// asFloat is the float64 that v is or becomes in arithmetic.
func asFloat(v Value) (float64, bool) {
	if f, ok := v.(float64); ok {
		return f, true
	}
	if i, ok := whole(v); ok {
		return float64(i), true
	}
	if i, ok := v.(integer); ok {
		f, err := strconv.ParseFloat(string(i), 64)
		return f, err == nil
	}
	return 0, false
}

// iterate returns the items of a value, one at a time.
func (r *renderer) iterate(v Value) *iterator {
	if it, ok := v.(*iterator); ok {
		return it
	}
	if t, ok := v.(Text); ok {
		at := 0
		return &iterator{func() (Value, bool) {
			if at == len(t.s) {
				return nil, false
			}
			r.step(1)
			begin := at
			at += offset(t.s[at:], 1)
			return t.cut(begin, at), true
		}}
	}
	if l, ok := v.(*loop); ok {
		return &iterator{l.next}
	}
	n, at := 0, func(int) Value { return nil }
	switch v := v.(type) {
	case *List:
		n, at = len(v.items), func(i int) Value { return v.items[i] }
	case *Dict:
		n, at = len(v.keys), func(i int) Value { return v.keys[i] }
	case *view:
		n, at = len(v.of.keys), v.at
	case *integers:
		n, at = int(v.n), func(i int) Value { return v.at(int64(i)) }
	case *undefined:
	default:
		fail("a %s cannot be iterated over", typeName(v))
	}
	next := 0
	return &iterator{func() (Value, bool) {
		if next == n {
			return nil, false
		}
		r.step(1)
		next++
		return at(next - 1), true
	}}
}

// items is all the items of a value. The caller does not change the slice.
func (r *renderer) items(v Value) []Value {
	if l, ok := v.(*List); ok {
		return l.items
	}
	var items []Value
	it := r.iterate(v)
	for item, ok := it.next(); ok; item, ok = it.next() {
		r.charge(itemSize)
		items = append(items, item)
	}
	return items
}

// list is a new list of items made on the way.
func (r *renderer) list(items []Value) *List {
	r.chargeMany(len(items), itemSize)
	return NewList(items...)
}

// lengthOf is Python's len; ok is false for values that have none.
func (r *renderer) lengthOf(v Value) (n int, ok bool) {
	switch v := v.(type) {
	case Text:
		return r.characters(v), true
	case *List:
		return len(v.items), true
	case *Dict:
		return len(v.keys), true
	case *view:
		return len(v.of.keys), true
	case *integers:
		return int(v.n), true
	case *undefined:
		return 0, true
	case *loop:
		return v.length(), true
	}
	return 0, false
}

func (r *renderer) length(v Value) int {
	n, ok := r.lengthOf(v)
	if !ok {
		fail("a %s has no length", typeName(v))
	}
	return n
}
