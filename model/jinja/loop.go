package jinja

// loop is the variable of this name in a loop, and what drives the loop.
type loop struct {
	r        *renderer
	it       *iterator
	index0   int
	total    int // -1 until it was asked for
	depth0   int
	before   Value
	current  Value
	ahead    []Value // read, but not yet current
	changed  Value   // what loop.changed saw last
	template *forLoop
	scope    *scope
}

// next moves on to the next item. Items are read no further ahead than the loop
// was asked about, since what the body does may decide what comes.
func (l *loop) next() (Value, bool) {
	v, ok := l.peek()
	if !ok {
		return nil, false
	}
	l.ahead = l.ahead[1:]
	l.index0++
	l.before, l.current = l.current, v
	return v, true
}

func (l *loop) peek() (Value, bool) {
	if len(l.ahead) == 0 {
		v, ok := l.it.next()
		if !ok {
			return nil, false
		}
		l.ahead = append(l.ahead, v)
	}
	return l.ahead[0], true
}

func (l *loop) length() int {
	if l.total < 0 {
		for v, ok := l.it.next(); ok; v, ok = l.it.next() {
			l.r.charge(itemSize)
			l.ahead = append(l.ahead, v)
		}
		l.total = l.index0 + 1 + len(l.ahead)
	}
	return l.total
}

func (l *loop) attribute(name string) (Value, bool) {
	switch name {
	case "index0":
		return int64(l.index0), true
	case "index":
		return int64(l.index0 + 1), true
	case "revindex0":
		return int64(l.length() - l.index0 - 1), true
	case "revindex":
		return int64(l.length() - l.index0), true
	case "length":
		return int64(l.length()), true
	case "depth0":
		return int64(l.depth0), true
	case "depth":
		return int64(l.depth0 + 1), true
	case "first":
		return l.index0 == 0, true
	case "last":
		_, more := l.peek()
		return !more, true
	case "previtem":
		if l.index0 == 0 {
			return &undefined{"there is no previous item"}, true
		}
		return l.before, true
	case "nextitem":
		if v, ok := l.peek(); ok {
			return v, true
		}
		return &undefined{"there is no next item"}, true
	case "cycle":
		return &function{name, func(_ *renderer, a args) Value {
			if len(a.positional) == 0 {
				fail("there is nothing to cycle through")
			}
			return a.positional[l.index0%len(a.positional)]
		}}, true
	case "changed":
		return &function{name, func(r *renderer, a args) Value {
			v := newTuple(a.positional...)
			changed := l.changed == nil || !r.equal(l.changed, v)
			l.changed = v
			return changed
		}}, true
	}
	return nil, false
}

// asFunction is the loop called with what to go through one level deeper, which
// recursive loops allow.
func (l *loop) asFunction() *function {
	return &function{"loop", func(r *renderer, a args) Value {
		if !l.template.recursive {
			fail("the loop is not recursive")
		}
		over := a.bind("iterable").value(0)
		out := r.out
		r.out = &builder{r: r}
		r.loopOver(l.template, over, l.scope, l.depth0+1)
		text := r.out.text()
		r.out = out
		return text
	}}
}

func (r *renderer) forLoop(f *forLoop, s *scope) flow {
	over := r.eval(f.over, s)
	r.place = f.place
	r.loopOver(f, over, s, 0)
	return flowNext
}

func (r *renderer) loopOver(f *forLoop, over Value, s *scope, depth0 int) {
	r.enter()
	defer r.leave()
	it := r.iterate(over)
	l := &loop{r: r, it: it, index0: -1, total: -1, depth0: depth0, template: f, scope: s}
	if f.test != nil {
		l.it = &iterator{func() (Value, bool) {
			for {
				v, ok := it.next()
				if !ok {
					return nil, false
				}
				tested := s.inner()
				r.assign(f.target, v, tested)
				if truth(r.eval(f.test, tested)) {
					return v, true
				}
			}
		}}
	}
	for v, ok := l.next(); ok; v, ok = l.next() {
		inner := s.inner()
		inner.set("loop", l)
		r.place = f.place
		r.assign(f.target, v, inner)
		if r.run(f.body, inner) == flowBreak {
			break
		}
	}
	if l.index0 < 0 {
		r.run(f.otherwise, s.inner())
	}
}
