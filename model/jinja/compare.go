package jinja

import (
	"cmp"
	"slices"
	"strings"
)

// equal is Python's ==.
func (r *renderer) equal(a, b Value) bool {
	r.enter()
	defer r.leave()
	if x, ok := whole(a); ok {
		if y, ok := whole(b); ok {
			return x == y
		}
	}
	if x, ok := asFloat(a); ok {
		y, ok := asFloat(b)
		return ok && x == y
	}
	switch a := a.(type) {
	case Text:
		b, ok := b.(Text)
		r.scan(min(len(a.s), len(b.s)))
		return ok && a.s == b.s
	case *List:
		b, ok := b.(*List)
		return ok && a.tuple == b.tuple && slices.EqualFunc(a.items, b.items, r.equal)
	case *Dict:
		b, ok := b.(*Dict)
		if !ok || len(a.keys) != len(b.keys) {
			return false
		}
		for i, key := range a.keys {
			if v, ok := r.find(b, key); !ok || !r.equal(a.values[i], v) {
				return false
			}
		}
		return true
	case *undefined:
		_, ok := b.(*undefined)
		return ok
	case *integers:
		b, ok := b.(*integers)
		return ok && a.n == b.n && (a.n == 0 || a.from == b.from && (a.n == 1 || a.step == b.step))
	}
	return a == b
}

// compare orders values as Python's < does, for those that it orders.
func (r *renderer) compare(op string, a, b Value) int {
	r.enter()
	defer r.leave()
	for _, v := range []Value{a, b} {
		if u, ok := v.(*undefined); ok {
			u.fail()
		}
	}
	if x, ok := whole(a); ok {
		if y, ok := whole(b); ok {
			return cmp.Compare(x, y)
		}
	}
	if x, ok := asFloat(a); ok {
		if y, ok := asFloat(b); ok {
			return cmp.Compare(x, y)
		}
	}
	switch a := a.(type) {
	case Text:
		if b, ok := b.(Text); ok {
			r.scan(min(len(a.s), len(b.s)))
			return strings.Compare(a.s, b.s) // UTF-8 keeps the order of characters
		}
	case *List:
		b, ok := b.(*List)
		if !ok || a.tuple != b.tuple {
			break
		}
		for i := range min(len(a.items), len(b.items)) {
			if !r.equal(a.items[i], b.items[i]) {
				return r.compare(op, a.items[i], b.items[i])
			}
		}
		return cmp.Compare(len(a.items), len(b.items))
	}
	fail("a %s is neither smaller nor larger than a %s (%s)", typeName(a), typeName(b), op)
	return 0
}

// contains is Python's "v in container".
func (r *renderer) contains(container, v Value) bool {
	switch c := container.(type) {
	case Text:
		t, ok := v.(Text)
		if !ok {
			fail("a %s cannot be in a string", typeName(v))
		}
		r.scan(len(c.s))
		return strings.Contains(c.s, t.s)
	case *Dict:
		_, ok := r.find(c, v)
		return ok
	case *view:
		if c.kind == "keys" {
			_, ok := r.find(c.of, v)
			return ok
		}
	}
	it := r.iterate(container)
	for item, ok := it.next(); ok; item, ok = it.next() {
		if r.equal(item, v) {
			return true
		}
	}
	return false
}

func (r *renderer) compareWith(op string, a, b Value) bool {
	switch op {
	case "==":
		return r.equal(a, b)
	case "!=":
		return !r.equal(a, b)
	case "in":
		return r.contains(b, a)
	case "not in":
		return !r.contains(b, a)
	}
	if nan(a) || nan(b) {
		return false
	}
	order := r.compare(op, a, b)
	switch op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

func nan(v Value) bool {
	f, ok := v.(float64)
	return ok && f != f
}

// same is Python's is, as far as it does not depend on the implementation.
func same(a, b Value) bool {
	x, ok := a.(Text)
	if !ok {
		return a == b
	}
	y, ok := b.(Text)
	return ok && x.s == y.s
}

// sorted is the items in the order of keys, which are made once for each item.
func (r *renderer) sorted(items []Value, key func(Value) Value, reverse bool) []Value {
	type keyed struct{ key, item Value }
	r.chargeMany(len(items), 2*itemSize)
	all := make([]keyed, len(items))
	for i, item := range items {
		all[i] = keyed{key(item), item}
	}
	slices.SortStableFunc(all, func(a, b keyed) int {
		if reverse {
			a, b = b, a
		}
		return r.compare("<", a.key, b.key)
	})
	sorted := make([]Value, len(items))
	for i, k := range all {
		sorted[i] = k.item
	}
	return sorted
}

// folded is the key by which filters that ignore case compare.
func (r *renderer) folded(v Value) Value {
	if t, ok := v.(Text); ok {
		return r.lower(t)
	}
	return v
}
