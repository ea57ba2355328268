package jinja

import (
	"time"
)

// Options says how to render. The zero value is ready.
type Options struct {
	Limits Limits
	// Now is the time of strftime_now; nil is the present.
	Now func() time.Time
}

// Render carries a template out with variables. The error is an [*Error], which
// wraps [ErrRaised] if the template refuses, and [ErrLimit] if it takes too much.
func (t *Template) Render(variables map[string]Value, o Options) (text Text, err error) {
	r := &renderer{limits: o.Limits.orDefaults(), now: o.Now, place: place{1, "template"}}
	if r.now == nil {
		r.now = time.Now
	}
	r.left = r.limits
	r.outermost = &scope{parent: &scope{parent: &scope{variables: globals}, variables: variables}}
	defer rescue(&err, &r.place)
	r.out = &builder{r: r}
	r.run(t.body, r.outermost)
	return r.out.text(), nil
}

// renderer carries one template out once.
type renderer struct {
	place  // of what is carried out
	limits Limits
	left   Limits
	now    func() time.Time
	// outermost holds what the template sets outside of loops and macros.
	outermost *scope
	out       *builder
}

// scope is the variables of a piece of a template, and of those around it.
// Assignments never reach out of a scope.
type scope struct {
	variables map[string]Value
	parent    *scope
}

func (s *scope) inner() *scope { return &scope{parent: s} }

func (s *scope) set(name string, v Value) {
	if s.variables == nil {
		s.variables = map[string]Value{}
	}
	s.variables[name] = v
}

func (s *scope) find(name string) (Value, bool) {
	for ; s != nil; s = s.parent {
		if v, ok := s.variables[name]; ok {
			return v, true
		}
	}
	return nil, false
}

// flow is how a list of statements ended.
type flow uint8

const (
	flowNext flow = iota
	flowBreak
	flowContinue
)

func (r *renderer) run(body []statement, s *scope) flow {
	r.enter()
	defer r.leave()
	for _, statement := range body {
		if f := r.statement(statement, s); f != flowNext {
			return f
		}
	}
	return flowNext
}

// captured is what statements write.
func (r *renderer) captured(body []statement, s *scope) (Text, flow) {
	out := r.out
	r.out = &builder{r: r}
	f := r.run(body, s)
	text := r.out.text()
	r.out = out
	return text, f
}

func (r *renderer) statement(st statement, s *scope) flow {
	r.step(1)
	r.place = st.at()
	switch st := st.(type) {
	case *data:
		r.out.own(st.text)
	case *output:
		for _, e := range st.values {
			v := r.eval(e, s)
			r.place = st.place
			r.out.add(r.str(v))
		}
	case *ifElse:
		for _, b := range st.branches {
			if b.test == nil || truth(r.eval(b.test, s)) {
				return r.run(b.body, s)
			}
		}
	case *forLoop:
		return r.forLoop(st, s)
	case *assignment:
		v := r.eval(st.value, s)
		r.place = st.place
		r.assign(st.target, v, s)
	case *capture:
		text, f := r.captured(st.body, s.inner())
		if f != flowNext {
			return f
		}
		r.place = st.place
		r.assign(st.target, r.filterText(st.filters, text, s), s)
	case *macro:
		s.set(st.name, &macroValue{st, s})
	case *callBlock:
		called := r.eval(st.call.of, s)
		a := r.evalArguments(&st.call.args, s)
		a.names = append(a.names, "caller")
		a.named = append(a.named, &macroValue{st.caller, s})
		r.place = st.place
		r.out.add(r.str(r.call(called, a)))
	case *filterBlock:
		text, f := r.captured(st.body, s.inner())
		if f != flowNext {
			return f
		}
		r.place = st.place
		r.out.add(r.str(r.filterText(st.filters, text, s)))
	case *with:
		inner := s.inner()
		for i, target := range st.targets {
			r.assign(target, r.eval(st.values[i], s), inner)
		}
		return r.run(st.body, inner)
	case *block:
		if st.outermost {
			s = r.outermost
		}
		r.run(st.body, s.inner())
	case *jump:
		return st.flow
	}
	return flowNext
}

// assign sets what a target names.
func (r *renderer) assign(target expression, v Value, s *scope) {
	switch t := target.(type) {
	case *name:
		s.set(t.name, v)
	case *attribute:
		of := t.of.(*name).name
		held, _ := s.find(of)
		ns, ok := held.(*namespace)
		if !ok {
			fail("%q is no namespace: its attributes cannot be set", excerpt(of))
		}
		ns.set(r, t.name, v)
	case *sequence:
		items := r.items(v)
		if len(items) != len(t.items) {
			fail("%d values for %d names", len(items), len(t.items))
		}
		for i, part := range t.items {
			r.assign(part, items[i], s)
		}
	}
}
