package jinja

import "slices"

// tuple reads an expression, or several with commas between them.
func (p *parser) tuple(conditionals bool, ends ...string) expression {
	at := p.here("tuple")
	items, comma := p.items(conditionals, ends)
	if !comma {
		if len(items) == 0 {
			fail("want an expression, not %v", p.token())
		}
		return items[0]
	}
	return &sequence{at, items, true}
}

func (p *parser) items(conditionals bool, ends []string) (items []expression, comma bool) {
	for {
		if len(items) > 0 {
			p.expectOperator(",")
		}
		t := p.token()
		if t.kind == tokenOutputEnd || t.kind == tokenTagEnd || t.isOperator(")") || t.isName(ends...) {
			return items, comma
		}
		if conditionals {
			items = append(items, p.expression())
		} else {
			items = append(items, p.or())
		}
		if !p.token().isOperator(",") {
			return items, comma
		}
		comma = true
	}
}

func (p *parser) expression() expression {
	defer p.nest()()
	at := p.here("conditional expression")
	value := p.or()
	for p.skipName("if") {
		c := &conditional{at, p.or(), value, nil}
		if p.skipName("else") {
			c.otherwise = p.expression()
		}
		value = c
	}
	return value
}

func (p *parser) or() expression {
	left := p.and()
	for p.token().isName("or") {
		at := p.here("operator or")
		p.next()
		left = &logical{at, false, left, p.and()}
	}
	return left
}

func (p *parser) and() expression {
	left := p.not()
	for p.token().isName("and") {
		at := p.here("operator and")
		p.next()
		left = &logical{at, true, left, p.not()}
	}
	return left
}

func (p *parser) not() expression {
	if p.token().isName("not") {
		defer p.nest()()
		at := p.here("operator not")
		p.next()
		return &unary{at, "not", p.not()}
	}
	return p.comparison()
}

func (p *parser) comparison() expression {
	left := p.sum()
	c := &comparison{left: left}
	for {
		op := ""
		switch t := p.token(); {
		case t.isOperator("==", "!=", "<", "<=", ">", ">="), t.isName("in"):
			op = t.text
		case t.isName("not") && p.after().isName("in"):
			p.next()
			op = "not in"
		}
		if op == "" {
			break
		}
		c.place = p.here("operator " + op)
		p.next()
		c.ops = append(c.ops, op)
		c.right = append(c.right, p.sum())
	}
	if len(c.ops) == 0 {
		return left
	}
	return c
}

// binary reads operands of one kind with operators between them, which bind to
// the left.
func (p *parser) binary(operand func() expression, ops ...string) expression {
	left := operand()
	for p.token().isOperator(ops...) {
		at := p.here("operator " + p.token().text)
		left = &binary{at, p.next().text, left, operand()}
	}
	return left
}

func (p *parser) sum() expression { return p.binary(p.concatenation, "+", "-") }

func (p *parser) concatenation() expression {
	at := p.here("operator ~")
	parts := []expression{p.product()}
	for p.skipOperator("~") {
		parts = append(parts, p.product())
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return &concatenation{at, parts}
}

func (p *parser) product() expression { return p.binary(p.power, "*", "/", "//", "%") }

// power binds to the left, other than Python's.
func (p *parser) power() expression {
	return p.binary(func() expression { return p.unary(true) }, "**")
}

func (p *parser) unary(filters bool) expression {
	var of expression
	if t := p.token(); t.isOperator("-", "+") {
		defer p.nest()()
		at := p.here("operator " + t.text)
		p.next()
		of = &unary{at, t.text, p.unary(false)}
	} else {
		of = p.primary()
	}
	of = p.postfix(of)
	if filters {
		of = p.filters(of)
	}
	return of
}

func (p *parser) primary() expression {
	t := p.token()
	at := p.here(excerpt(t.text))
	switch {
	case t.kind == tokenName:
		p.next()
		switch t.text {
		case "true", "True":
			return &constant{at, true}
		case "false", "False":
			return &constant{at, false}
		case "none", "None":
			return &constant{at, nil}
		}
		p.named[t.text] = true
		return &name{at, t.text}
	case t.kind == tokenString:
		text := ""
		for p.token().kind == tokenString {
			text += p.next().text
		}
		return &constant{at, Own(text)}
	case t.kind == tokenNumber:
		p.next()
		return &constant{at, t.value}
	case t.isOperator("("):
		p.next()
		items, comma := p.items(true, nil)
		p.expectOperator(")")
		if len(items) == 1 && !comma {
			return items[0]
		}
		return &sequence{at, items, true}
	case t.isOperator("["):
		p.next()
		s := &sequence{at, nil, false}
		for !p.skipOperator("]") {
			s.items = append(s.items, p.expression())
			if !p.token().isOperator("]") {
				p.expectOperator(",")
			}
		}
		return s
	case t.isOperator("{"):
		return p.mapping(at)
	}
	fail("want an expression, not %v", t)
	return nil
}

func (p *parser) mapping(at place) expression {
	p.next()
	m := &mapping{place: at}
	for !p.skipOperator("}") {
		m.keys = append(m.keys, p.expression())
		p.expectOperator(":")
		m.values = append(m.values, p.expression())
		if !p.token().isOperator("}") {
			p.expectOperator(",")
		}
	}
	return m
}

// postfix reads subscripts and calls.
func (p *parser) postfix(of expression) expression {
	for {
		switch t := p.token(); {
		case t.isOperator("."):
			of = p.attribute(of)
		case t.isOperator("["):
			of = p.subscript(of)
		case t.isOperator("("):
			of = p.call(of)
		default:
			return of
		}
	}
}

func (p *parser) attribute(of expression) expression {
	p.next()
	t := p.token()
	at := p.here("." + excerpt(t.text))
	p.next()
	switch t.kind {
	case tokenName:
		return &attribute{at, of, t.text}
	case tokenNumber:
		if _, ok := t.value.(int64); ok {
			return &item{at, of, &constant{at, t.value}}
		}
	}
	fail("want a name or a number after the dot, not %v", t)
	return nil
}

func (p *parser) subscript(of expression) expression {
	at := p.here("subscript")
	p.next()
	var keys []expression
	for !p.token().isOperator("]") {
		if len(keys) > 0 {
			p.expectOperator(",")
		}
		keys = append(keys, p.key())
	}
	p.next()
	if len(keys) == 1 {
		return &item{at, of, keys[0]}
	}
	return &item{at, of, &sequence{at, keys, true}}
}

// key reads what stands in brackets: an expression or a slice.
func (p *parser) key() expression {
	at := p.here("slice")
	part := func() expression {
		if p.token().isOperator(":", "]", ",") {
			return nil
		}
		return p.expression()
	}
	from := part()
	if from != nil && !p.token().isOperator(":") {
		return from
	}
	p.expectOperator(":")
	s := &slice{place: at, from: from, to: part()}
	if p.skipOperator(":") {
		s.step = part()
	}
	return s
}

func (p *parser) call(of expression) expression {
	at := p.here("call")
	switch of := of.(type) {
	case *name:
		at.construct = "call of " + excerpt(of.name)
	case *attribute:
		at.construct = "call of " + excerpt(of.name)
	}
	return &call{at, of, p.arguments()}
}

func (p *parser) arguments() arguments {
	var a arguments
	p.expectOperator("(")
	for !p.skipOperator(")") {
		switch t := p.token(); {
		case t.isOperator("*") && a.list == nil && a.dict == nil:
			p.next()
			a.list = p.expression()
		case t.isOperator("**") && a.dict == nil:
			p.next()
			a.dict = p.expression()
		case t.kind == tokenName && p.after().isOperator("=") && a.dict == nil:
			if slices.Contains(a.names, t.text) {
				fail("two arguments %q", t.text)
			}
			a.names = append(a.names, t.text)
			p.next()
			p.next()
			a.named = append(a.named, p.expression())
		case len(a.names) == 0 && a.list == nil && a.dict == nil:
			a.positional = append(a.positional, p.expression())
		default:
			fail("a positional argument, or a second * or **, after named ones")
		}
		if !p.token().isOperator(")") {
			p.expectOperator(",")
		}
	}
	return a
}

// filters reads filters and tests, and calls of what they return.
func (p *parser) filters(of expression) expression {
	for {
		switch t := p.token(); {
		case t.isOperator("|"):
			of = p.filter(of, false)
		case t.isName("is"):
			of = p.test(of)
		case t.isOperator("("):
			of = p.call(of)
		default:
			return of
		}
	}
}

// filter reads filters, the first without its bar if it begins with a name.
func (p *parser) filter(of expression, name bool) expression {
	for name || p.token().isOperator("|") {
		if !name {
			p.next()
		}
		name = false
		f := &filter{place: p.here(""), of: of, name: p.dotted()}
		f.construct = "filter " + excerpt(f.name)
		if p.token().isOperator("(") {
			f.args = p.arguments()
		}
		of = f
	}
	return of
}

func (p *parser) dotted() string {
	text := p.expectName()
	for p.skipOperator(".") {
		text += "." + p.expectName()
	}
	return text
}

func (p *parser) test(of expression) expression {
	at := p.here("")
	p.next()
	negated := p.skipName("not")
	t := &test{place: at, of: of, name: p.dotted()}
	t.construct = "test " + excerpt(t.name)
	switch next := p.token(); {
	case next.isOperator("("):
		t.args = p.arguments()
	case next.isName("is"):
		fail("tests do not follow each other")
	case next.kind == tokenName && !next.isName("else", "or", "and"),
		next.kind == tokenString, next.kind == tokenNumber, next.isOperator("[", "{"):
		t.args.positional = []expression{p.postfix(p.primary())}
	}
	if negated {
		return &unary{place{at.line, "operator not"}, "not", t}
	}
	return t
}
