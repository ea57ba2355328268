package constrain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// types is a set of the types of JSON values.
type types uint8

const (
	typeNull types = 1 << iota
	typeBoolean
	typeInteger
	typeFraction // a number that is no integer
	typeString
	typeArray
	typeObject

	typeNumber = typeInteger | typeFraction
	allTypes   = typeNull | typeBoolean | typeNumber | typeString | typeArray | typeObject
)

var typeNames = map[string]types{
	"null": typeNull, "boolean": typeBoolean, "integer": typeInteger, "number": typeNumber,
	"string": typeString, "array": typeArray, "object": typeObject,
}

// part is a schema of which some has been settled: for the rest of it there are
// other parts beside.
type part struct {
	schema  *value
	settled uint8
}

const (
	settledAnyOf = 1 << iota
	settledOneOf
	settledRefs // $ref and allOf
)

// empty reports whether the part says nothing.
func (p part) empty() bool {
	s := p.schema
	return s.kind == 't' && s.truth ||
		s.kind == '{' && !slices.ContainsFunc(s.members, func(m member) bool { return !ignored[m.name] })
}

// conjunction is schemas that all have to hold, in order of their ids.
type conjunction []part

func (c conjunction) with(parts ...part) conjunction {
	all := slices.Concat(c, parts)
	slices.SortFunc(all, func(a, b part) int {
		if a.schema.id != b.schema.id {
			return a.schema.id - b.schema.id
		}
		return int(a.settled) - int(b.settled)
	})
	return slices.Compact(all)
}

// key tells conjunctions apart.
func (c conjunction) key() string {
	var b strings.Builder
	for _, p := range c {
		fmt.Fprintf(&b, "%d/%d ", p.schema.id, p.settled)
	}
	return b.String()
}

// demands is what a conjunction asks for, put together.
type demands struct {
	never bool
	types types
	// mentioned are the types that keywords without a type speak of.
	mentioned types

	values []string // of enum and const, as JSON; nil: any
	place  string   // of what gave values, for errors

	bounds    bounds
	minLength int64
	maxLength int64 // negative: none
	patterns  []*dfa

	properties []property
	required   []string
	isRequired map[string]bool
	additional conjunction // of properties that are not named; nil: not said
	closed     bool        // there are none

	prefix   []conjunction
	prefixOf *value      // the schema that prefix stands in
	items    conjunction // nil: not said
	itemsOf  []*value    // the schemas that items or noItems stand in
	noItems  bool        // beyond the prefix
	minItems int64
	maxItems int64 // negative: none

	parts conjunction // all that is put together, references followed

	choices [][]conjunction // of each group one has to hold
	choice  []part          // of parts, where each group stands
	marks   []uint8         // that settle it there
}

type property struct {
	name   string
	schema conjunction
}

// ignored are keywords that say nothing of what is valid.
var ignored = map[string]bool{
	"$schema": true, "$id": true, "$comment": true, "$defs": true, "definitions": true, "title": true,
	"description": true, "default": true, "examples": true, "example": true, "deprecated": true,
	"readOnly": true, "writeOnly": true, "contentMediaType": true, "contentEncoding": true, "discriminator": true,
}

// gather puts together what a conjunction asks for.
func (c *compiler) gather(parts conjunction) (*demands, error) {
	d := &demands{types: allTypes, maxLength: -1, maxItems: -1, isRequired: make(map[string]bool)}
	seen := make(map[part]bool)
	var objects []*value // those with properties or additionalProperties
	work := slices.Clone(parts)
	for i := 0; i < len(work); i++ {
		p := work[i]
		if seen[p] {
			continue
		}
		seen[p] = true
		if c.work++; c.work > maxWork {
			return nil, fmt.Errorf("%w: too many combinations of schemas", errTooLarge)
		}
		switch s := p.schema; s.kind {
		case 't':
			d.never = d.never || !s.truth
			d.parts = append(d.parts, p)
		case '{':
			more, err := c.readSchema(d, p)
			if err != nil {
				return nil, err
			}
			work = append(work, more...)
			p.settled |= settledRefs
			d.parts = append(d.parts, p)
			if s.member("properties") != nil || s.member("additionalProperties") != nil {
				objects = append(objects, s)
			}
		default:
			return nil, fmt.Errorf("%s: a schema is an object, true or false", s.place())
		}
	}
	for _, s := range d.itemsOf {
		if d.prefixOf != nil && s != d.prefixOf {
			return nil, fmt.Errorf("%s: %w: items beside the first items of %s", s.place(), ErrUnsupported, d.prefixOf.place())
		}
	}
	if d.types == allTypes && d.mentioned != 0 && d.values == nil {
		d.types = d.mentioned
	}
	return d, c.joinProperties(d, objects)
}

// joinProperties makes the properties of several schemas one list: each has to obey
// what every schema says of its name, by properties or additionalProperties.
func (c *compiler) joinProperties(d *demands, objects []*value) error {
	at := make(map[string]int)
	for _, s := range objects {
		if list := s.member("properties"); list != nil {
			for _, m := range list.members {
				if _, ok := at[m.name]; !ok {
					at[m.name] = len(d.properties)
					d.properties = append(d.properties, property{name: m.name})
				}
			}
		}
	}
	for _, name := range d.required {
		if _, ok := at[name]; !ok {
			at[name] = len(d.properties)
			d.properties = append(d.properties, property{name: name})
		}
	}
	named := false
	for _, s := range objects {
		list, rest := s.member("properties"), s.member("additionalProperties")
		named = named || list != nil
		if rest != nil {
			d.additional = d.additional.with(part{schema: rest})
			d.closed = d.closed || rest.kind == 't' && !rest.truth
		}
		for i := range d.properties {
			p := &d.properties[i]
			if list != nil {
				if own := list.member(p.name); own != nil {
					p.schema = p.schema.with(part{schema: own})
					continue
				}
			}
			if rest != nil {
				p.schema = p.schema.with(part{schema: rest})
			}
		}
		if c.work += len(d.properties); c.work > maxWork {
			return fmt.Errorf("%w: too many combinations of properties", errTooLarge)
		}
	}
	if named && d.additional == nil {
		d.closed = true
	}
	return nil
}

// readSchema adds what one schema asks for and returns those it refers to.
func (c *compiler) readSchema(d *demands, p part) ([]part, error) {
	var more []part
	s := p.schema
	for _, m := range s.members {
		v := m.value
		fail := func(format string, args ...any) ([]part, error) {
			return nil, fmt.Errorf("%s: %w", v.place(), fmt.Errorf(format, args...))
		}
		count := func(to *int64, tighter func(a, b int64) bool) error {
			n, err := strconv.ParseFloat(v.text, 64)
			if v.kind != '0' || err != nil || n < 0 || n != float64(int64(n)) {
				return fmt.Errorf("%s: not a count", v.place())
			}
			if *to < 0 || tighter(int64(n), *to) {
				*to = int64(n)
			}
			return nil
		}
		more64 := func(a, b int64) bool { return a > b }
		less64 := func(a, b int64) bool { return a < b }
		var err error
		switch m.name {
		case "$ref", "allOf":
			if p.settled&settledRefs != 0 {
				continue
			}
			if m.name == "allOf" {
				if v.kind != '[' {
					return fail("not a list")
				}
				for _, item := range v.items {
					more = append(more, part{schema: item})
				}
				continue
			}
			if v.kind != '"' {
				return fail("not a string")
			}
			target, err := c.doc.resolve(v.text)
			if err != nil {
				return fail("%w", err)
			}
			more = append(more, part{schema: target})
		case "anyOf", "oneOf":
			mark := uint8(settledAnyOf)
			if m.name == "oneOf" {
				mark = settledOneOf
			}
			if p.settled&mark != 0 {
				continue
			}
			if v.kind != '[' || len(v.items) == 0 {
				return fail("not a list of schemas")
			}
			var group []conjunction
			for _, item := range v.items {
				group = append(group, conjunction{{schema: item}})
			}
			d.choices = append(d.choices, group)
			d.choice = append(d.choice, part{s, p.settled | settledRefs})
			d.marks = append(d.marks, mark)
		case "type":
			err = d.readType(v)
		case "enum", "const":
			err = d.readValues(m.name, v)
		case "properties":
			if v.kind != '{' {
				return fail("not an object")
			}
			d.mentioned |= typeObject
		case "additionalProperties":
			if v.kind != '{' && v.kind != 't' {
				return fail("not a schema")
			}
			d.mentioned |= typeObject
		case "required":
			if v.kind != '[' {
				return fail("not a list of names")
			}
			for _, item := range v.items {
				if item.kind != '"' {
					return fail("not a list of names")
				}
				if !d.isRequired[item.text] {
					d.isRequired[item.text] = true
					d.required = append(d.required, item.text)
				}
			}
			d.mentioned |= typeObject
		case "items":
			d.mentioned |= typeArray
			switch {
			case v.kind == '[': // of old drafts
				err = d.readPrefix(s, v)
			case v.kind == 't' && !v.truth:
				d.noItems = true
				d.itemsOf = append(d.itemsOf, s)
			default:
				d.items = d.items.with(part{schema: v})
				d.itemsOf = append(d.itemsOf, s)
			}
		case "prefixItems":
			d.mentioned |= typeArray
			err = d.readPrefix(s, v)
		case "minItems":
			d.mentioned |= typeArray
			err = count(&d.minItems, more64)
		case "maxItems":
			d.mentioned |= typeArray
			err = count(&d.maxItems, less64)
		case "minLength":
			d.mentioned |= typeString
			err = count(&d.minLength, more64)
		case "maxLength":
			d.mentioned |= typeString
			err = count(&d.maxLength, less64)
		case "pattern":
			d.mentioned |= typeString
			if v.kind != '"' {
				return fail("not a string")
			}
			r, err := parsePattern(v.text)
			if err != nil {
				return fail("%w", err)
			}
			automaton, err := c.compileText(r)
			if err != nil {
				return fail("%w", err)
			}
			d.patterns = append(d.patterns, automaton)
		case "format":
			err = d.readFormat(s, v)
		case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum":
			d.mentioned |= typeNumber
			err = d.readBound(m.name, s, v)
		case "multipleOf":
			if v.kind != '0' || v.text != "1" && v.text != "1.0" {
				return fail("%w: a multiple of other than 1", ErrUnsupported)
			}
			d.types &^= typeFraction
			d.mentioned |= typeNumber
		case "uniqueItems":
			if v.kind != 't' || v.truth {
				return fail("%w", ErrUnsupported)
			}
		default:
			if !ignored[m.name] && !strings.HasPrefix(m.name, "x-") {
				return fail("%w", ErrUnsupported)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return more, nil
}

func (d *demands) readType(v *value) error {
	names := []*value{v}
	if v.kind == '[' {
		names = v.items
	}
	var set types
	for _, name := range names {
		t := typeNames[name.text]
		if name.kind != '"' || t == 0 {
			return fmt.Errorf("%s: not a type", v.place())
		}
		set |= t
	}
	d.types &= set
	return nil
}

// readValues intersects the values with those of an enum or a const.
func (d *demands) readValues(keyword string, v *value) error {
	items := []*value{v}
	if keyword == "enum" {
		if items = v.items; v.kind != '[' {
			return fmt.Errorf("%s: not a list", v.place())
		}
	}
	texts := make(map[string]bool, len(items))
	list := []string{}
	for _, item := range items {
		text := string(item.appendCompact(nil))
		if !texts[text] {
			texts[text] = true
			list = append(list, text)
		}
	}
	if d.values == nil {
		d.values = list
	} else {
		d.values = slices.DeleteFunc(d.values, func(text string) bool { return !texts[text] })
	}
	d.place = v.place()
	return nil
}

// readPrefix adds what is said of the first items.
func (d *demands) readPrefix(s, v *value) error {
	if v.kind != '[' {
		return fmt.Errorf("%s: not a list of schemas", v.place())
	}
	if d.prefixOf == s {
		return nil
	}
	if d.prefixOf != nil {
		return fmt.Errorf("%s: %w: beside another list of first items", v.place(), ErrUnsupported)
	}
	d.prefixOf = s
	for _, item := range v.items {
		d.prefix = append(d.prefix, conjunction{{schema: item}})
	}
	return nil
}

func (d *demands) readFormat(s, v *value) error {
	switch v.text {
	case "int32", "int64", "float", "double", "number": // of OpenAPI: how a number is kept
		return nil
	case "binary", "password", "json-string", "path", "textarea": // how a text is used
		return nil
	}
	automaton, err := format(v.text)
	if err != nil {
		return fmt.Errorf("%s: %w", v.place(), err)
	}
	if v.kind != '"' || automaton == nil {
		return fmt.Errorf("%s: %w: format %q", v.place(), ErrUnsupported, v.text)
	}
	d.mentioned |= typeString
	d.patterns = append(d.patterns, automaton)
	return nil
}

// readBound reads a bound. Of draft 4 exclusiveMinimum and exclusiveMaximum are
// switches beside minimum and maximum.
func (d *demands) readBound(keyword string, s, v *value) error {
	if v.kind == 't' && strings.HasPrefix(keyword, "exclusive") {
		return nil
	}
	if v.kind != '0' {
		return fmt.Errorf("%s: not a number", v.place())
	}
	x, err := parseBound(v.text)
	if err != nil {
		return fmt.Errorf("%s: %w", v.place(), err)
	}
	on := func(name string) bool {
		sw := s.member(name)
		return sw != nil && sw.kind == 't' && sw.truth
	}
	switch keyword {
	case "minimum":
		d.bounds.atLeast(x, on("exclusiveMinimum"))
	case "exclusiveMinimum":
		d.bounds.atLeast(x, true)
	case "maximum":
		d.bounds.atMost(x, on("exclusiveMaximum"))
	case "exclusiveMaximum":
		d.bounds.atMost(x, true)
	}
	return nil
}
