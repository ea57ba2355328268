package jinja

import "unicode"

type testFunc func(r *renderer, v Value, a args) bool

var tests map[string]testFunc

// test carries out "v is name".
func (r *renderer) test(name string, v Value, a args) bool {
	t, ok := tests[name]
	if !ok {
		fail("there is no test %q", excerpt(name))
	}
	return t(r, v, a)
}

// init breaks the circle between tests and the test of tests.
func init() {
	is := func(test func(v Value) bool) testFunc {
		return func(_ *renderer, v Value, a args) bool { a.bind(); return test(v) }
	}
	relation := func(op string) testFunc {
		return func(r *renderer, v Value, a args) bool { return r.compareWith(op, v, a.bind("other").value(0)) }
	}
	remainder := func(r *renderer, v Value, by int64) Value { return r.arithmetic("%", v, by) }
	tests = map[string]testFunc{
		"odd":  func(r *renderer, v Value, a args) bool { a.bind(); return r.equal(remainder(r, v, 2), int64(1)) },
		"even": func(r *renderer, v Value, a args) bool { a.bind(); return r.equal(remainder(r, v, 2), int64(0)) },
		"divisibleby": func(r *renderer, v Value, a args) bool {
			return r.equal(r.arithmetic("%", v, a.bind("num").value(0)), int64(0))
		},
		"defined":   is(func(v Value) bool { return !isUndefined(v) }),
		"undefined": is(isUndefined),
		"none":      is(func(v Value) bool { return v == nil }),
		"boolean":   is(func(v Value) bool { _, ok := v.(bool); return ok }),
		"true":      is(func(v Value) bool { return v == true }),
		"false":     is(func(v Value) bool { return v == false }),
		"integer":   is(func(v Value) bool { return typeName(v) == "int" }),
		"float":     is(func(v Value) bool { _, ok := v.(float64); return ok }),
		"number":    is(func(v Value) bool { _, ok := asFloat(v); return ok }),
		"string":    is(func(v Value) bool { _, ok := v.(Text); return ok }),
		"mapping":   is(func(v Value) bool { _, ok := v.(*Dict); return ok }),
		"callable":  is(func(v Value) bool { _, ok := v.(caller); return ok || isUndefined(v) }),
		"escaped":   is(func(v Value) bool { t, ok := v.(Text); return ok && t.safe }),
		"iterable": is(func(v Value) bool {
			switch v.(type) {
			case *iterator, *loop, *view:
				return true
			}
			return isSequence(v)
		}),
		"sequence": is(isSequence),
		"sameas":   func(_ *renderer, v Value, a args) bool { return same(v, a.bind("other").value(0)) },
		"filter": func(r *renderer, v Value, a args) bool {
			_, ok := filters[r.str(v).s]
			return ok
		},
		"test": func(r *renderer, v Value, a args) bool { _, ok := tests[r.str(v).s]; return ok },
		"lower": func(r *renderer, v Value, a args) bool {
			a.bind()
			return allCased(r.str(v).s, unicode.IsLower)
		},
		"upper": func(r *renderer, v Value, a args) bool {
			a.bind()
			return allCased(r.str(v).s, unicode.IsUpper)
		},
		"in": func(r *renderer, v Value, a args) bool { return r.contains(a.bind("seq").value(0), v) },
	}
	for op, names := range map[string][]string{
		"==": {"eq", "equalto"}, "!=": {"ne"}, ">": {"gt", "greaterthan"}, ">=": {"ge"}, "<": {"lt", "lessthan"}, "<=": {"le"},
	} {
		for _, name := range append(names, op) {
			tests[name] = relation(op)
		}
	}
}

func isUndefined(v Value) bool {
	_, ok := v.(*undefined)
	return ok
}

// isSequence tells whether a value has a length and subscripts.
func isSequence(v Value) bool {
	switch v.(type) {
	case Text, *List, *Dict, *integers, *undefined:
		return true
	}
	return false
}
