package jinja

import (
	"slices"
	"strings"
)

// macroValue is a macro and the scope that it sees.
type macroValue struct {
	macro *macro
	scope *scope
}

func (m *macroValue) asFunction() *function { return &function{m.macro.name, m.call} }

func (m *macroValue) call(r *renderer, a args) Value {
	at := r.place
	inner := m.scope.inner()
	params := m.macro.signature.params
	r.step(len(params) * (1 + len(a.names)))
	positional := a.positional
	for i, name := range params {
		if i < len(positional) {
			inner.set(name, positional[i])
			continue
		}
		if v, ok := a.take(name); ok {
			inner.set(name, v)
			continue
		}
		// Defaults see the parameters before them.
		if d := i - len(params) + len(m.macro.signature.defaults); d >= 0 {
			inner.set(name, r.eval(m.macro.signature.defaults[d], inner))
		} else {
			inner.set(name, &undefined{"parameter " + name + " was not given"})
		}
	}
	if m.macro.caller && !slices.Contains(params, "caller") {
		v, ok := a.take("caller")
		if !ok {
			v = &undefined{"there is no caller"}
		}
		inner.set("caller", v)
	}
	m.rest(r, a, inner)
	text, _ := r.captured(m.macro.body, inner)
	r.place = at
	return text
}

// rest gives a macro the arguments that it has no parameters for, if it names
// varargs or kwargs.
func (m *macroValue) rest(r *renderer, a args, inner *scope) {
	params := m.macro.signature.params
	varargs := newTuple()
	if len(a.positional) > len(params) {
		varargs.items = a.positional[len(params):]
	}
	kwargs := NewDict()
	for i, name := range a.names {
		r.charge(pairSize)
		kwargs.Set(name, a.named[i])
	}
	if !m.macro.kwargs && len(a.names) > 0 {
		fail("macro %s has no parameter %q", m.macro.name, excerpt(a.names[0]))
	}
	if !m.macro.varargs && len(varargs.items) > 0 {
		fail("macro %s takes no more than %d arguments", m.macro.name, len(params))
	}
	inner.set("varargs", varargs)
	inner.set("kwargs", kwargs)
}

func (n *namespace) set(r *renderer, name string, v Value) {
	if strings.HasPrefix(name, "_") {
		fail("the attribute %q of a namespace begins with an underscore", excerpt(name))
	}
	r.charge(pairSize)
	n.fields.Set(name, v)
}

// globals are the functions that every template has.
var globals = map[string]Value{
	"range":           &function{"range", rangeOf},
	"dict":            dictType{},
	"namespace":       &function{"namespace", newNamespace},
	"raise_exception": &function{"raise_exception", raise},
	"strftime_now":    &function{"strftime_now", strftimeNow},
	"cycler":          &function{"cycler", newCycler},
	"joiner":          &function{"joiner", newJoiner},
}

// dictType is the function dict, which has a method.
type dictType struct{}

func (dictType) asFunction() *function {
	return &function{"dict", func(r *renderer, a args) Value { return dictOf(r, a) }}
}

func rangeOf(_ *renderer, a args) Value {
	if len(a.names) > 0 || len(a.positional) == 0 {
		fail("range takes one to three positional arguments")
	}
	var ends [3]int64
	for i, v := range a.bind("start", "stop", "step")[:len(a.positional)] {
		n, ok := whole(v)
		if !ok {
			fail("argument %d is a %s; want an int", i+1, typeName(v))
		}
		const most = 1 << 62
		if n > most || n < -most {
			fail("argument %d is too large", i+1)
		}
		ends[i] = n
	}
	g := &integers{from: ends[0], end: ends[1], step: ends[2]}
	switch len(a.positional) {
	case 1:
		g.from, g.end, g.step = 0, ends[0], 1
	case 2:
		g.step = 1
	}
	switch {
	case g.step == 0:
		fail("the step is 0")
	case g.step > 0 && g.end > g.from:
		g.n = int64((uint64(g.end-g.from)-1)/uint64(g.step)) + 1
	case g.step < 0 && g.end < g.from:
		g.n = int64((uint64(g.from-g.end)-1)/uint64(-g.step)) + 1
	}
	const most = 100_000 // as in jinja2's sandbox
	if g.n > most {
		fail("a range of more than %d", most)
	}
	return g
}

func dictOf(r *renderer, a args) *Dict {
	d := NewDict()
	if len(a.positional) > 1 {
		fail("more than one positional argument")
	}
	for _, from := range a.positional {
		if from, ok := from.(*Dict); ok {
			d = r.copyDict(from)
			continue
		}
		for _, item := range r.items(from) {
			pair := r.items(item)
			if len(pair) != 2 {
				fail("%d items; want a key and a value", len(pair))
			}
			r.set(d, pair[0], pair[1])
		}
	}
	for i, name := range a.names {
		r.charge(pairSize)
		d.Set(name, a.named[i])
	}
	return d
}

func newNamespace(r *renderer, a args) Value {
	n := &namespace{NewDict()}
	fields := dictOf(r, a)
	for i, key := range fields.keys {
		n.set(r, r.text(key).s, fields.values[i])
	}
	return n
}

func raise(r *renderer, a args) Value {
	panic(failure{&raised{r.str(a.bind("message").value(0)).s}})
}

// raised is the message of a template that refuses.
type raised struct{ message string }

func (e *raised) Error() string { return e.message }

func (e *raised) Is(target error) bool { return target == ErrRaised }

func strftimeNow(r *renderer, a args) Value {
	b := builder{r: r}
	strftime(r.now(), a.bind("format").text(0), &b)
	return b.text()
}

// cycler goes through values again and again.
type cycler struct {
	values []Value
	next   int
}

func newCycler(_ *renderer, a args) Value {
	if len(a.positional) == 0 {
		fail("there is nothing to cycle through")
	}
	return &cycler{values: a.positional}
}

func (c *cycler) attribute(name string) (Value, bool) {
	switch name {
	case "current":
		return c.values[c.next], true
	case "next":
		return &function{name, func(_ *renderer, a args) Value {
			a.bind()
			v := c.values[c.next]
			c.next = (c.next + 1) % len(c.values)
			return v
		}}, true
	case "reset":
		return &function{name, func(_ *renderer, a args) Value {
			a.bind()
			c.next = 0
			return nil
		}}, true
	}
	return nil, false
}

// newJoiner returns a function that gives a separator, but not the first time.
func newJoiner(_ *renderer, a args) Value {
	separator := a.bind("sep").or(0, Own(", "))
	used := false
	return &function{"joiner", func(_ *renderer, a args) Value {
		a.bind()
		if !used {
			used = true
			return Text{}
		}
		return separator
	}}
}
