package jinja

import (
	"fmt"
	"slices"
	"strings"
)

// Template is a parsed template. It is never changed: goroutines may share it.
type Template struct{ body []statement }

// Parse reads a template. The error is an [*Error].
func Parse(source string) (t *Template, err error) {
	tokens, err := lex(source)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, tag: place{1, "template"}, named: map[string]bool{}}
	defer rescue(&err, &p.tag)
	return &Template{p.statements()}, nil
}

// parser follows jinja2's parser.py, method by method.
type parser struct {
	tokens  []token
	tag     place // the tag or output that is being read
	opened  place // the tag that opened the statements that are being read
	nesting int
	loops   int             // open in this macro
	named   map[string]bool // names read in this macro
}

func (p *parser) token() *token { return &p.tokens[0] }

// next moves on, and returns the token that was read.
func (p *parser) next() *token {
	t := &p.tokens[0]
	if len(p.tokens) > 1 {
		p.tokens = p.tokens[1:]
		p.tag.line = p.tokens[0].line
	}
	return t
}

// after is the token after the next.
func (p *parser) after() *token { return &p.tokens[min(1, len(p.tokens)-1)] }

func (t *token) is(kind tokenKind, texts ...string) bool {
	return t.kind == kind && slices.Contains(texts, t.text)
}

func (t *token) isOperator(texts ...string) bool { return t.is(tokenOperator, texts...) }

func (t *token) isName(texts ...string) bool { return t.is(tokenName, texts...) }

func (t *token) String() string {
	switch t.kind {
	case tokenEOF:
		return "the end of the template"
	case tokenString:
		return "a string"
	case tokenNumber:
		return "a number"
	}
	return fmt.Sprintf("%q", excerpt(t.text))
}

func (p *parser) skipOperator(text string) bool {
	if p.token().isOperator(text) {
		p.next()
		return true
	}
	return false
}

func (p *parser) skipName(text string) bool {
	if p.token().isName(text) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expectOperator(text string) {
	if !p.skipOperator(text) {
		fail("want %q, not %v", text, p.token())
	}
}

func (p *parser) expectName() string {
	if p.token().kind != tokenName {
		fail("want a name, not %v", p.token())
	}
	return p.next().text
}

func (p *parser) expectKind(kind tokenKind, text string) {
	if p.token().kind != kind {
		fail("want %q, not %v", text, p.token())
	}
	p.next()
}

// here is the place of something that begins with the next token.
func (p *parser) here(construct string) place { return place{p.token().line, construct} }

// nest counts a level of nesting; the function it returns ends it.
func (p *parser) nest() func() {
	if p.nesting++; p.nesting > maxNesting {
		fail("more than %d levels of nesting", maxNesting)
	}
	return func() { p.nesting-- }
}

// statements reads up to a tag of one of the given names, after the name.
func (p *parser) statements(ends ...string) []statement {
	defer p.nest()()
	outer, opened := p.tag, p.opened
	var body []statement
	for {
		p.opened = opened
		t := p.token()
		switch t.kind {
		case tokenEOF:
			if len(ends) > 0 {
				p.tag = opened
				fail("it is not closed by %s", strings.Join(ends, ", "))
			}
			return body
		case tokenData:
			body = append(body, &data{p.here("text"), t.text})
			p.next()
		case tokenOutputBegin:
			p.tag = p.here("{{ … }}")
			p.next()
			body = append(body, &output{p.tag, []expression{p.tuple(true)}})
			p.expectKind(tokenOutputEnd, "}}")
		case tokenTagBegin:
			p.next()
			word := p.token()
			if word.kind == tokenName && slices.Contains(ends, word.text) {
				p.tag = outer
				return body
			}
			p.tag = place{word.line, "{% " + excerpt(word.text) + " %}"}
			body = append(body, p.statement())
			p.expectKind(tokenTagEnd, "%}")
		default:
			fail("unexpected %v", t)
		}
		p.tag = outer
	}
}

// body reads statements up to an end tag, and returns the tag's name, which it
// moves past.
func (p *parser) body(ends ...string) ([]statement, string) {
	p.skipOperator(":")
	p.expectKind(tokenTagEnd, "%}")
	body := p.statements(ends...)
	return body, p.next().text
}

func (p *parser) statement() statement {
	at := p.tag
	p.opened = at
	word := p.expectName()
	switch word {
	case "for":
		return p.forLoop(at)
	case "if":
		return p.ifElse(at)
	case "set":
		return p.set(at)
	case "macro":
		return p.macro(at)
	case "call":
		return p.callBlock(at)
	case "with":
		return p.with(at)
	case "print":
		return p.print(at)
	case "filter":
		filters := p.filter(nil, true)
		body, _ := p.body("endfilter")
		return &filterBlock{at, filters, body}
	case "generation":
		return &block{at, false, p.function("endgeneration")}
	case "block":
		return p.block(at)
	case "break", "continue":
		if p.loops == 0 {
			fail("it stands outside of a loop")
		}
		if word == "break" {
			return &jump{at, flowBreak}
		}
		return &jump{at, flowContinue}
	case "autoescape", "extends", "from", "import", "include":
		fail("the tag is not supported")
	}
	fail("there is no such tag, or it closes nothing")
	return nil
}

// function reads the body of something that is called: loops around it cannot be
// left from there.
func (p *parser) function(end string) []statement {
	loops := p.loops
	p.loops = 0
	body, _ := p.body(end)
	p.loops = loops
	return body
}

func (p *parser) forLoop(at place) statement {
	f := &forLoop{place: at}
	f.target = p.target("in")
	if !p.skipName("in") {
		fail("want in, not %v", p.token())
	}
	f.over = p.tuple(false, "recursive")
	if p.skipName("if") {
		f.test = p.expression()
	}
	f.recursive = p.skipName("recursive")
	p.loops++
	body, end := p.body("endfor", "else")
	p.loops--
	f.body = body
	if end == "else" {
		f.otherwise, _ = p.body("endfor")
	}
	return f
}

func (p *parser) ifElse(at place) statement {
	f := &ifElse{place: at}
	for {
		test := p.tuple(false)
		body, end := p.body("elif", "else", "endif")
		f.branches = append(f.branches, branch{test, body})
		if end == "else" {
			body, end = p.body("endif")
			f.branches = append(f.branches, branch{nil, body})
		}
		if end == "endif" {
			return f
		}
	}
}

func (p *parser) set(at place) statement {
	target := p.target()
	if p.skipOperator("=") {
		return &assignment{at, target, p.tuple(true)}
	}
	filters := p.filter(nil, false)
	body, _ := p.body("endset")
	return &capture{at, target, filters, body}
}

func (p *parser) macro(at place) statement {
	m := &macro{place: at, name: p.expectName()}
	m.signature = p.signature()
	p.macroBody(m, "endmacro")
	return m
}

func (p *parser) callBlock(at place) statement {
	b := &callBlock{place: at, caller: &macro{place: at, name: "caller"}}
	if p.token().isOperator("(") {
		b.caller.signature = p.signature()
	}
	var ok bool
	if b.call, ok = p.expression().(*call); !ok {
		fail("want a call")
	}
	p.macroBody(b.caller, "endcall")
	return b
}

// macroBody reads the body of a macro, and notes which of the names are read in
// it that stand for more arguments than it has parameters.
func (p *parser) macroBody(m *macro, end string) {
	outer := p.named
	p.named = map[string]bool{}
	m.body = p.function(end)
	m.varargs, m.kwargs, m.caller = p.named["varargs"], p.named["kwargs"], p.named["caller"]
	p.named = outer
}

func (p *parser) signature() signature {
	var s signature
	p.expectOperator("(")
	for !p.token().isOperator(")") {
		if len(s.params) > 0 {
			p.expectOperator(",")
		}
		name := p.expectName()
		if slices.Contains(s.params, name) {
			fail("two parameters %q", name)
		}
		s.params = append(s.params, name)
		if p.skipOperator("=") {
			s.defaults = append(s.defaults, p.expression())
		} else if len(s.defaults) > 0 {
			fail("parameter %q without a default after one with", name)
		}
	}
	p.next()
	return s
}

func (p *parser) with(at place) statement {
	w := &with{place: at}
	for p.token().kind != tokenTagEnd {
		if len(w.targets) > 0 {
			p.expectOperator(",")
		}
		w.targets = append(w.targets, p.target())
		p.expectOperator("=")
		w.values = append(w.values, p.expression())
	}
	w.body, _ = p.body("endwith")
	return w
}

func (p *parser) print(at place) statement {
	o := &output{place: at}
	for p.token().kind != tokenTagEnd {
		if len(o.values) > 0 {
			p.expectOperator(",")
		}
		o.values = append(o.values, p.expression())
	}
	return o
}

func (p *parser) block(at place) statement {
	name := p.expectName()
	outermost := !p.skipName("scoped")
	b := &block{at, outermost, p.function("endblock")}
	p.skipName(name)
	return b
}

// target reads what can be assigned to: names, fields of a namespace, and tuples
// of them.
func (p *parser) target(ends ...string) expression {
	var parts []expression
	tuple := false
	at := p.here("assignment")
	for {
		if len(parts) > 0 {
			p.expectOperator(",")
		}
		t := p.token()
		if t.kind == tokenTagEnd || t.isOperator(")", "=") || t.isName(ends...) {
			break
		}
		parts = append(parts, p.targetPart())
		if !p.token().isOperator(",") {
			break
		}
		tuple = true
	}
	switch {
	case tuple:
		return &sequence{at, parts, true}
	case len(parts) == 0:
		fail("want a name, not %v", p.token())
	}
	return parts[0]
}

func (p *parser) targetPart() expression {
	defer p.nest()()
	if p.skipOperator("(") {
		part := p.target()
		p.expectOperator(")")
		return part
	}
	n := &name{p.here("assignment"), p.expectName()}
	if slices.Contains([]string{"true", "false", "none", "True", "False", "None"}, n.name) {
		fail("%s cannot be assigned to", n.name)
	}
	if p.skipOperator(".") {
		return &attribute{n.place, n, p.expectName()}
	}
	return n
}
