package jinja

// Filters of sequences.

func first(r *renderer, v Value, a args) Value {
	a.bind()
	if item, ok := r.iterate(v).next(); ok {
		return item
	}
	return &undefined{"there is no first item"}
}

func last(r *renderer, v Value, a args) Value {
	a.bind()
	if t, ok := v.(Text); ok {
		v, ok = r.item(t, int64(-1))
		if ok {
			return v
		}
	} else if all := r.backwards(v); len(all) > 0 {
		return all[0]
	}
	return &undefined{"there is no last item"}
}

// backwards is Python's reversed, which takes no generators.
func (r *renderer) backwards(v Value) []Value {
	if _, ok := r.lengthOf(v); !ok {
		fail("a %s cannot be read backwards", typeName(v))
	}
	all := r.items(v)
	r.chargeMany(len(all), itemSize)
	reversed := make([]Value, len(all))
	for i, item := range all {
		reversed[len(all)-1-i] = item
	}
	return reversed
}

func reverse(r *renderer, v Value, a args) Value {
	a.bind()
	if t, ok := v.(Text); ok {
		return r.slice(t, nil, nil, int64(-1))
	}
	return r.iterator(r.backwards(r.list(r.items(v))))
}

// lazily reads what from returns, which is asked when the first item is: before
// that, Python's generators do not even look at their arguments.
func lazily(from func() *iterator) *iterator {
	var it *iterator
	return &iterator{func() (Value, bool) {
		if it == nil {
			it = from()
		}
		return it.next()
	}}
}

// iterator reads items once.
func (r *renderer) iterator(items []Value) *iterator { return r.iterate(NewList(items...)) }

func toList(r *renderer, v Value, a args) Value {
	a.bind()
	return r.list(append([]Value(nil), r.items(v)...))
}

func mapFilter(r *renderer, v Value, a args) Value {
	return lazily(func() *iterator {
		if !truth(v) {
			return emptyIterator()
		}
		it := r.iterate(v)
		with := func(item Value) Value { return nil }
		if path, ok := a.take("attribute"); ok && len(a.positional) == 0 {
			otherwise, _ := a.take("default")
			a.bind()
			with = func(item Value) Value { return r.field(item, path, otherwise) }
		} else {
			if len(a.positional) == 0 {
				fail("neither a filter nor an attribute")
			}
			name := r.text(a.positional[0]).s
			a.positional = a.positional[1:]
			with = func(item Value) Value { return r.filter(name, item, a) }
		}
		return &iterator{func() (Value, bool) {
			item, ok := it.next()
			if !ok {
				return nil, false
			}
			return with(item), true
		}}
	})
}

// choose is select, reject, and the two of an attribute.
func choose(wanted, ofAttribute bool) filterFunc {
	return func(r *renderer, v Value, a args) Value {
		return lazily(func() *iterator {
			if !truth(v) {
				return emptyIterator()
			}
			it := r.iterate(v)
			var path Value
			if ofAttribute {
				if len(a.positional) == 0 {
					fail("the attribute is missing")
				}
				path = a.positional[0]
				a.positional = a.positional[1:]
			}
			passes := truth
			if len(a.positional) > 0 {
				name := r.text(a.positional[0]).s
				a.positional = a.positional[1:]
				passes = func(v Value) bool { return r.test(name, v, a) }
			}
			return &iterator{func() (Value, bool) {
				for {
					item, ok := it.next()
					if !ok {
						return nil, false
					}
					if passes(r.field(item, path, nil)) == wanted {
						return item, true
					}
				}
			}}
		})
	}
}

// key returns what a filter compares by.
func (r *renderer) key(path Value, caseSensitive bool) func(Value) Value {
	return func(v Value) Value {
		v = r.field(v, path, nil)
		if caseSensitive {
			return v
		}
		return r.folded(v)
	}
}

func sortFilter(r *renderer, v Value, a args) Value {
	p := a.bind("reverse", "case_sensitive", "attribute")
	keys := []func(Value) Value{}
	if t, ok := p.or(2, nil).(Text); ok {
		comma := Own(",")
		for _, path := range r.split(t, &comma, -1) {
			keys = append(keys, r.key(path, p.truth(1, false)))
		}
	} else {
		keys = append(keys, r.key(p.or(2, nil), p.truth(1, false)))
	}
	return r.list(r.sorted(r.items(v), func(item Value) Value {
		all := NewList()
		for _, key := range keys {
			all.items = append(all.items, key(item))
		}
		return all
	}, p.truth(0, false)))
}

func unique(r *renderer, v Value, a args) Value {
	return lazily(func() *iterator {
		p := a.bind("case_sensitive", "attribute")
		key := r.key(p.or(1, nil), p.truth(0, false))
		seen := map[hashKey]bool{}
		it := r.iterate(v)
		return &iterator{func() (Value, bool) {
			for {
				item, ok := it.next()
				if !ok {
					return nil, false
				}
				h := r.hash(key(item))
				r.charge(2 * itemSize)
				if !seen[h] {
					seen[h] = true
					return item, true
				}
			}
		}}
	})
}

// extreme is max or min, the first of those that are equal.
func extreme(sign int) filterFunc {
	return func(r *renderer, v Value, a args) Value {
		p := a.bind("case_sensitive", "attribute")
		key := r.key(p.or(1, nil), p.truth(0, false))
		all := r.items(v)
		if len(all) == 0 {
			return &undefined{"the sequence is empty"}
		}
		best := all[0]
		bestKey := key(best)
		for _, item := range all[1:] {
			if k := key(item); r.compare("<", k, bestKey)*sign > 0 {
				best, bestKey = item, k
			}
		}
		return best
	}
}

func groupBy(r *renderer, v Value, a args) Value {
	p := a.bind("attribute", "default", "case_sensitive")
	path, otherwise := p.value(0), p.or(1, nil)
	key := func(v Value) Value {
		v = r.field(v, path, otherwise)
		if p.truth(2, false) {
			return v
		}
		return r.folded(v)
	}
	groups := NewList()
	var group *List
	var groupKey Value
	for _, item := range r.sorted(r.items(v), key, false) {
		r.charge(3 * itemSize)
		if k := key(item); group == nil || !r.equal(k, groupKey) {
			group, groupKey = NewList(), k
			groups.items = append(groups.items, newTuple(r.field(item, path, otherwise), group))
		}
		group.items = append(group.items, item)
	}
	return groups
}

func sum(r *renderer, v Value, a args) Value {
	p := a.bind("attribute", "start")
	total := p.or(1, int64(0))
	if _, ok := total.(Text); ok {
		fail("strings are joined, not summed up")
	}
	for _, item := range r.items(v) {
		total = r.arithmetic("+", total, r.field(item, p.or(0, nil), nil))
	}
	return total
}

func batch(r *renderer, v Value, a args) Value {
	return lazily(func() *iterator {
		p := a.bind("linecount", "fill_with")
		n := p.whole(0, 0)
		p.value(0)
		var rows []Value
		var row *List
		for _, item := range r.items(v) {
			r.charge(2 * itemSize)
			if row == nil || len(row.items) == n {
				row = NewList()
				rows = append(rows, row)
			}
			row.items = append(row.items, item)
		}
		if fill := p.or(1, nil); fill != nil && row != nil && len(row.items) < n {
			r.chargeMany(n, itemSize)
			for len(row.items) < n {
				row.items = append(row.items, fill)
			}
		}
		return r.iterator(rows)
	})
}

// sliceFilter shares items out over a number of lists.
func sliceFilter(r *renderer, v Value, a args) Value {
	return lazily(func() *iterator {
		p := a.bind("slices", "fill_with")
		n := p.whole(0, 0)
		p.value(0)
		all := r.items(v)
		if n == 0 {
			fail("division by zero")
		}
		r.chargeMany(max(n, 0), 2*itemSize)
		var lists []Value
		done := 0
		for i := range n {
			size := len(all) / n
			if i < len(all)%n {
				size++
			}
			l := r.list(append([]Value(nil), all[done:done+size]...))
			if fill := p.or(1, nil); fill != nil && i >= len(all)%n {
				l.items = append(l.items, fill)
			}
			done += size
			lists = append(lists, l)
		}
		return r.iterator(lists)
	})
}
