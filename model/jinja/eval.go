package jinja

import "fmt"

// eval is the value of an expression.
func (r *renderer) eval(e expression, s *scope) Value {
	r.enter()
	defer r.leave()
	switch e := e.(type) {
	case *constant:
		return e.value
	case *name:
		if v, ok := s.find(e.name); ok {
			return v
		}
		return &undefined{fmt.Sprintf("%q is undefined", e.name)}
	case *sequence:
		return &List{r.evalAll(e.items, s), e.tuple}
	case *mapping:
		return r.evalMapping(e, s)
	case *attribute:
		of := r.eval(e.of, s)
		r.place = e.place
		return r.attribute(of, e.name)
	case *item:
		return r.evalItem(e, s)
	case *call:
		of := r.eval(e.of, s)
		a := r.evalArguments(&e.args, s)
		r.place = e.place
		return r.call(of, a)
	case *filter:
		v := r.eval(e.of, s)
		a := r.evalArguments(&e.args, s)
		r.place = e.place
		return r.filter(e.name, v, a)
	case *test:
		v := r.eval(e.of, s)
		a := r.evalArguments(&e.args, s)
		r.place = e.place
		return r.test(e.name, v, a)
	case *unary:
		v := r.eval(e.of, s)
		if e.op == "not" {
			return !truth(v)
		}
		r.place = e.place
		return negate(e.op, v)
	case *binary:
		left, right := r.eval(e.left, s), r.eval(e.right, s)
		r.place = e.place
		return r.arithmetic(e.op, left, right)
	case *logical:
		if left := r.eval(e.left, s); truth(left) != e.and {
			return left
		}
		return r.eval(e.right, s)
	case *comparison:
		return r.evalComparison(e, s)
	case *concatenation:
		b := builder{r: r}
		for _, part := range e.parts {
			v := r.eval(part, s)
			r.place = e.place
			b.add(r.str(v))
		}
		return b.text()
	case *conditional:
		if truth(r.eval(e.test, s)) {
			return r.eval(e.then, s)
		}
		if e.otherwise == nil {
			return &undefined{"the condition is false, and there is no else"}
		}
		return r.eval(e.otherwise, s)
	}
	fail("a slice stands alone")
	return nil
}

func (r *renderer) evalAll(all []expression, s *scope) []Value {
	r.chargeMany(len(all), itemSize)
	values := make([]Value, len(all))
	for i, e := range all {
		values[i] = r.eval(e, s)
	}
	return values
}

func (r *renderer) evalMapping(m *mapping, s *scope) Value {
	d := NewDict()
	for i, key := range m.keys {
		k := r.eval(key, s)
		r.set(d, k, r.eval(m.values[i], s))
	}
	return d
}

func (r *renderer) evalItem(e *item, s *scope) Value {
	of := r.eval(e.of, s)
	if cut, ok := e.key.(*slice); ok {
		ends := [3]Value{}
		for i, end := range []expression{cut.from, cut.to, cut.step} {
			if end != nil {
				ends[i] = r.eval(end, s)
			}
		}
		r.place = cut.place
		return r.slice(of, ends[0], ends[1], ends[2])
	}
	key := r.eval(e.key, s)
	r.place = e.place
	return r.subscript(of, key)
}

func (r *renderer) evalComparison(c *comparison, s *scope) Value {
	left := r.eval(c.left, s)
	for i, op := range c.ops {
		right := r.eval(c.right[i], s)
		r.place = c.place
		if !r.compareWith(op, left, right) {
			return false
		}
		left = right
	}
	return true
}

func (r *renderer) evalArguments(from *arguments, s *scope) args {
	var a args
	if len(from.positional) > 0 {
		a.positional = r.evalAll(from.positional, s)
	}
	for i, name := range from.names {
		a.names = append(a.names, name)
		a.named = append(a.named, r.eval(from.named[i], s))
	}
	if from.list != nil {
		a.positional = append(a.positional, r.items(r.eval(from.list, s))...)
	}
	if from.dict != nil {
		d, ok := r.eval(from.dict, s).(*Dict)
		if !ok {
			fail("the argument after ** is no mapping")
		}
		for i, key := range d.keys {
			a.names = append(a.names, r.text(key).s)
			a.named = append(a.named, d.values[i])
		}
	}
	return a
}

// attribute is v.name: what Python has under this name, or else the item.
func (r *renderer) attribute(v Value, name string) Value {
	if u, ok := v.(*undefined); ok {
		u.fail()
	}
	if m, ok := r.method(v, name); ok {
		return m
	}
	if d, ok := v.(*Dict); ok {
		if item, ok := r.find(d, Own(name)); ok {
			return item
		}
	}
	return r.noField(v, Own(name))
}

// subscript is v[key]: the item, or else what Python has under this name.
func (r *renderer) subscript(v, key Value) Value {
	if u, ok := v.(*undefined); ok {
		u.fail()
	}
	if item, ok := r.item(v, key); ok {
		return item
	}
	if t, ok := key.(Text); ok {
		if m, ok := r.method(v, t.s); ok {
			return m
		}
	}
	return r.noField(v, key)
}

func (r *renderer) noField(v, key Value) Value {
	if t, ok := key.(Text); ok {
		return &undefined{fmt.Sprintf("a %s has no %q", typeName(v), excerpt(t.s))}
	}
	return &undefined{fmt.Sprintf("a %s has no item of this index", typeName(v))}
}

// call calls a function.
func (r *renderer) call(v Value, a args) Value {
	switch v := v.(type) {
	case *undefined:
		v.fail()
	case caller:
		return v.asFunction().call(r, a)
	}
	fail("a %s cannot be called", typeName(v))
	return nil
}

func (r *renderer) filter(name string, v Value, a args) Value {
	f, ok := filters[name]
	if !ok {
		fail("there is no filter %q", excerpt(name))
	}
	return f(r, v, a)
}

// filterText puts a text through filters written without one, of which there may
// be none.
func (r *renderer) filterText(e expression, text Text, s *scope) Value {
	f, ok := e.(*filter)
	if !ok {
		return text
	}
	v := r.filterText(f.of, text, s)
	a := r.evalArguments(&f.args, s)
	r.place = f.place
	return r.filter(f.name, v, a)
}
