package constrain

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	// maxWork bounds the schemas that are put together, each combination counted.
	maxWork = 1 << 18
	// maxTotalStates bounds the states of all terminals.
	maxTotalStates = 1 << 16
	// maxCount bounds minItems and, where there is one, maxItems: lists of bounded
	// length are written out.
	maxCount = 1 << 11
	// maxCharacters is a length that no trace reaches: beyond it there is no bound.
	maxCharacters = 1 << 26
	// maxNesting bounds what compiling one schema inside of another nests: choices.
	maxNesting = 100
)

// JSONSchema compiles a JSON Schema. The error names the keyword and its place, as
// a JSON pointer, and wraps ErrUnsupported if it is one that is not enforced.
func JSONSchema(schema []byte) (*Grammar, error) {
	doc, err := parseDocument(schema)
	if err != nil {
		return nil, fmt.Errorf("constrain: schema: %w", err)
	}
	c := &compiler{
		doc: doc, budget: budget{compileBudget}, g: &Grammar{source: bytes.Clone(schema)},
		rules: make(map[string]int32), literals: make(map[string]*dfa), names: make(map[string]*dfa),
	}
	if err := c.compile(); err != nil {
		return nil, fmt.Errorf("constrain: schema: %w", err)
	}
	return c.g, nil
}

// compiler turns a schema into the graph of a grammar. Parts of it are built from
// the end: each is told where the text goes on after it.
type compiler struct {
	doc      *document
	g        *Grammar
	work     int
	budget   budget
	depth    int
	rules    map[string]int32 // by key of a conjunction
	waiting  []conjunction    // of rules that are named but not built
	literals map[string]*dfa
	names    map[string]*dfa
}

// Terminals that all grammars share.
var (
	// blank is the white space between two tokens of JSON.
	blank = must(compileRegex(alternate{
		concat{}, exactly(" "), concat{exactly("\n"), times(exactly(" "), 0, 24)}, concat{exactly("\n"), times(exactly("\t"), 1, 12)},
	}, false, nil))
	openBrace, closeBrace     = must(literals(nil, "{")), must(literals(nil, "}"))
	openBracket, closeBracket = must(literals(nil, "[")), must(literals(nil, "]"))
	comma, colon              = must(literals(nil, ",")), must(literals(nil, ":"))
	nullWord                  = must(literals(nil, "null"))
	booleanWords              = must(literals(nil, "true", "false"))
	anyName                   = must(otherName(nil, nil))
)

func (c *compiler) compile() error {
	c.g.rules = []rule{{}}
	end, err := c.g.add(node{call: none})
	if err != nil {
		return err
	}
	entry, err := c.value(conjunction{{schema: c.doc.root}}, end)
	if err != nil {
		return err
	}
	if entry == none {
		return errEmpty
	}
	if entry, err = c.terminal(blank, entry); err != nil {
		return err
	}
	c.g.rules[0].entry = entry
	for i := 1; len(c.waiting) > 0; i++ {
		parts := c.waiting[0]
		c.waiting = c.waiting[1:]
		end, err := c.g.add(node{call: none})
		if err != nil {
			return err
		}
		entry, err := c.body(parts, end)
		if err == nil && entry == none { // calls of it lead nowhere
			entry, err = c.g.add(node{call: none, forks: []int32{}})
		}
		if err != nil {
			return err
		}
		c.g.rules[i].entry = entry
	}
	if err := c.g.checkRecursion(); err != nil {
		return err
	}
	c.g.measure()
	if c.g.nodes[entry].height > maxDepth {
		return fmt.Errorf("%w, or only what is nested deeper than %d", errEmpty, maxDepth)
	}
	return nil
}

func (c *compiler) terminal(t terminal, next int32) (int32, error) {
	if next == none {
		return none, nil
	}
	return c.g.add(node{terminal: t, call: none, next: next})
}

// fork goes on with any of the places; none is a place that nothing satisfies.
func (c *compiler) fork(to ...int32) (int32, error) {
	to = slices.DeleteFunc(to, func(i int32) bool { return i == none })
	switch len(to) {
	case 0:
		return none, nil
	case 1:
		return to[0], nil
	}
	return c.g.add(node{call: none, forks: to})
}

// compileText makes the automaton of a string.
func (c *compiler) compileText(r regex) (*dfa, error) {
	d, err := compileRegex(r, true, &c.budget)
	if err != nil {
		return nil, err
	}
	return d, c.countStates(d)
}

func (c *compiler) countStates(d *dfa) error {
	if c.g.states += len(d.accept); c.g.states > maxTotalStates {
		return fmt.Errorf("%w: more than %d states", errTooLarge, maxTotalStates)
	}
	return nil
}

// literal is the automaton of a text.
func (c *compiler) literal(text string) (*dfa, error) {
	if d, ok := c.literals[text]; ok {
		return d, nil
	}
	d, err := literals(&c.budget, text)
	if err != nil {
		return nil, err
	}
	c.literals[text] = d
	return d, c.countStates(d)
}

// value compiles a value: scalars in place, what has parts as a call of a rule of
// its own, so that schemas may refer to each other.
func (c *compiler) value(parts conjunction, next int32) (int32, error) {
	if next == none {
		return none, nil
	}
	parts = slices.DeleteFunc(parts.with(), part.empty)
	simple, err := c.isScalar(parts)
	if err != nil {
		return 0, err
	}
	if simple {
		return c.body(parts, next)
	}
	key := parts.key()
	r, ok := c.rules[key]
	if !ok {
		r = int32(len(c.g.rules))
		c.rules[key] = r
		c.g.rules = append(c.g.rules, rule{})
		c.waiting = append(c.waiting, parts)
	}
	return c.g.add(node{call: r, next: next})
}

// isScalar reports whether a conjunction is of scalars without a choice.
func (c *compiler) isScalar(parts conjunction) (bool, error) {
	d, err := c.gather(parts)
	if err != nil {
		return false, err
	}
	return d.never || d.values != nil || len(d.choices) == 0 && d.types&(typeObject|typeArray) == 0, nil
}

// body compiles what a conjunction asks for. The place is none if nothing
// satisfies it.
func (c *compiler) body(parts conjunction, next int32) (int32, error) {
	if c.depth++; c.depth > maxNesting {
		return 0, fmt.Errorf("%w: choices nested deeper than %d", errTooLarge, maxNesting)
	}
	defer func() { c.depth-- }()
	d, err := c.gather(parts)
	if err != nil {
		return 0, err
	}
	switch {
	case d.never || d.types == 0:
		return none, nil
	case len(d.choices) > 0:
		// Decide the first choice; the others, and what else there is, stay.
		rest := slices.Clone(d.parts)
		for i := range rest {
			if rest[i] == d.choice[0] {
				rest[i].settled |= d.marks[0]
			}
		}
		var all []int32
		for _, alternative := range d.choices[0] {
			at, err := c.value(rest.with(alternative...), next)
			if err != nil {
				return 0, err
			}
			all = append(all, at)
		}
		return c.fork(all...)
	case d.values != nil:
		return c.values(d, next)
	}
	var all []int32
	for _, of := range []struct {
		types   types
		compile func(*demands, int32) (int32, error)
	}{
		{typeNull, func(_ *demands, next int32) (int32, error) { return c.terminal(nullWord, next) }},
		{typeBoolean, func(_ *demands, next int32) (int32, error) { return c.terminal(booleanWords, next) }},
		{typeNumber, c.number},
		{typeString, c.text},
		{typeArray, c.array},
		{typeObject, c.object},
	} {
		if d.types&of.types == 0 {
			continue
		}
		at, err := of.compile(d, next)
		if errors.Is(err, errEmpty) {
			continue
		}
		if err != nil {
			return 0, err
		}
		all = append(all, at)
	}
	return c.fork(all...)
}

// values compiles an enum or a const.
func (c *compiler) values(d *demands, next int32) (int32, error) {
	if d.mentioned != 0 {
		return 0, fmt.Errorf("%s: %w: beside other keywords than type", d.place, ErrUnsupported)
	}
	texts := slices.DeleteFunc(slices.Clone(d.values), func(text string) bool { return d.types&typeOf(text) == 0 })
	if len(texts) == 0 {
		return none, nil
	}
	automaton, err := literals(&c.budget, texts...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", d.place, err)
	}
	if err := c.countStates(automaton); err != nil {
		return 0, fmt.Errorf("%s: %w", d.place, err)
	}
	return c.terminal(automaton, next)
}

// typeOf is the type of a value written without white space.
func typeOf(text string) types {
	switch text[0] {
	case '{':
		return typeObject
	case '[':
		return typeArray
	case '"':
		return typeString
	case 't', 'f':
		return typeBoolean
	case 'n':
		return typeNull
	}
	if strings.ContainsAny(text, ".eE") {
		return typeFraction
	}
	return typeInteger
}

func (c *compiler) number(d *demands, next int32) (int32, error) {
	within := numbersWithin
	if d.types&typeFraction == 0 {
		within = integersWithin
	}
	automaton, err := within(d.bounds, &c.budget)
	if err == nil && !d.bounds.none() {
		err = c.countStates(automaton)
	}
	if err != nil {
		return 0, err
	}
	return c.terminal(automaton, next)
}

func (c *compiler) text(d *demands, next int32) (int32, error) {
	if d.maxLength > maxCharacters {
		d.maxLength = -1
	}
	switch {
	case d.minLength > maxCharacters:
		return 0, fmt.Errorf("%w: minLength %d", errTooLarge, d.minLength)
	case d.maxLength >= 0 && d.minLength > d.maxLength:
		return 0, errEmpty
	}
	if len(d.patterns) == 0 {
		if d.minLength == 0 && d.maxLength < 0 {
			return c.terminal(anyText, next)
		}
		return c.terminal(&text{int32(d.minLength), int32(d.maxLength)}, next)
	}
	automaton := d.patterns[0]
	var err error
	for _, also := range d.patterns[1:] {
		if automaton, err = intersect(automaton, also, &c.budget); err != nil {
			return 0, err
		}
	}
	if d.minLength > 0 || d.maxLength >= 0 {
		if max(d.minLength, d.maxLength) > maxRepeat {
			return 0, fmt.Errorf("%w: a length beyond %d beside a pattern or a format", errTooLarge, maxRepeat)
		}
		length, err := compileRegex(repeat{everything, int(d.minLength), int(d.maxLength)}, true, &c.budget)
		if err != nil {
			return 0, err
		}
		if automaton, err = intersect(automaton, length, &c.budget); err != nil {
			return 0, err
		}
	}
	if err := c.countStates(automaton); err != nil {
		return 0, err
	}
	return c.terminal(automaton, next)
}
