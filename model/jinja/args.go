package jinja

import "slices"

// args is what a function was called with.
type args struct {
	positional []Value
	names      []string
	named      []Value
}

// take removes a named argument.
func (a *args) take(name string) (Value, bool) {
	i := slices.Index(a.names, name)
	if i < 0 {
		return nil, false
	}
	v := a.named[i]
	a.names = slices.Delete(slices.Clone(a.names), i, i+1)
	a.named = slices.Delete(slices.Clone(a.named), i, i+1)
	return v, true
}

// missing stands for an argument that was not given.
type missing struct{}

// bound is arguments in the order of the parameters they were bound to.
type bound []Value

// bind gives every argument its parameter. Parameters may be left out.
func (a args) bind(params ...string) bound {
	if n := len(a.positional); n > len(params) {
		fail("%d arguments are more than %d", n, len(params))
	}
	b := make(bound, len(params))
	for i := range b {
		b[i] = missing{}
		if i < len(a.positional) {
			b[i] = a.positional[i]
		}
	}
	for i, name := range a.names {
		at := slices.Index(params, name)
		if at < 0 {
			fail("there is no parameter %q", excerpt(name))
		}
		if b.given(at) {
			fail("argument %q is given twice", name)
		}
		b[at] = a.named[i]
	}
	return b
}

func (b bound) given(i int) bool { return b[i] != missing{} }

// value is the argument i, which must be there.
func (b bound) value(i int) Value {
	if !b.given(i) {
		fail("argument %d is missing", i+1)
	}
	return b[i]
}

func (b bound) or(i int, otherwise Value) Value {
	if b.given(i) {
		return b[i]
	}
	return otherwise
}

// truth is whether the argument is true.
func (b bound) truth(i int, otherwise bool) bool { return truth(b.or(i, otherwise)) }

// whole is the argument as an integer, bounded to what fits 32 bits: all of them
// count something in memory.
func (b bound) whole(i, otherwise int) int {
	n, ok := whole(b.or(i, int64(otherwise)))
	if !ok {
		fail("argument %d is a %s; want an int", i+1, typeName(b[i]))
	}
	const most = 1<<31 - 1
	return int(min(max(n, -most), most))
}

// text is the argument, which must be a string.
func (b bound) text(i int) Text { return b.string(b.value(i)) }

func (b bound) string(v Value) Text {
	t, ok := v.(Text)
	if !ok {
		if u, ok := v.(*undefined); ok {
			u.fail()
		}
		fail("an argument is a %s; want a str", typeName(v))
	}
	return t
}

// textOr is the argument as a string, which has a default.
func (b bound) textOr(i int, otherwise string) Text { return b.string(b.or(i, Own(otherwise))) }

// textOrNil is nil for an argument that was not given, or None.
func (b bound) textOrNil(i int) *Text {
	if v := b.or(i, nil); v != nil {
		t := b.string(v)
		return &t
	}
	return nil
}

// text is a value that must be a string.
func (r *renderer) text(v Value) Text { return bound(nil).string(v) }
