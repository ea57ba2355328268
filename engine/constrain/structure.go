package constrain

import (
	"fmt"
	"slices"
	"strings"
)

// array compiles a list:
//
//	[ item , item , … ]
//
// Items up to the longest of the counts that are asked for are written out, one
// after the other; then comes a loop if there is no limit.
func (c *compiler) array(d *demands, next int32) (int32, error) {
	limit := d.maxItems // negative: none
	closed := d.noItems || d.prefix != nil && d.items == nil
	if closed && (limit < 0 || limit > int64(len(d.prefix))) {
		limit = int64(len(d.prefix))
	}
	if limit >= 0 && d.minItems > limit {
		return 0, errEmpty
	}
	written := max(d.minItems, limit, int64(len(d.prefix)))
	if limit >= 0 {
		written = limit
	}
	if written > maxCount {
		return 0, fmt.Errorf("%w: %d items are more than %d", errTooLarge, written, maxCount)
	}
	item := func(i int64, next int32) (int32, error) {
		if i < int64(len(d.prefix)) {
			return c.value(d.prefix[i], next)
		}
		return c.value(d.items, next)
	}
	end, err := c.terminal(closeBracket, next)
	if err != nil {
		return 0, err
	}
	spacedEnd, err := c.terminal(blank, end)
	if err != nil {
		return 0, err
	}
	// after is the place after i items, first that before item i.
	after, first := spacedEnd, int32(none)
	if limit < 0 {
		loop, err := c.g.add(node{call: none})
		if err != nil {
			return 0, err
		}
		if first, err = item(written, loop); err != nil {
			return 0, err
		}
		more, err := c.comma(first)
		if err != nil {
			return 0, err
		}
		c.g.nodes[loop].forks = slices.DeleteFunc([]int32{more, spacedEnd}, func(i int32) bool { return i == none })
		after = loop
	}
	for i := written - 1; i >= 0; i-- {
		// first is before item i+1, after is after item i.
		if first, err = item(i, after); err != nil {
			return 0, err
		}
		more, err := c.comma(first)
		if err != nil {
			return 0, err
		}
		stop := spacedEnd
		if i < d.minItems {
			stop = none
		}
		if i > 0 {
			if after, err = c.fork(more, stop); err != nil {
				return 0, err
			}
		}
	}
	empty := end
	if d.minItems > 0 {
		empty = none
	}
	body, err := c.fork(first, empty)
	if err != nil || body == none {
		return none, err
	}
	if body, err = c.terminal(blank, body); err != nil {
		return 0, err
	}
	return c.terminal(openBracket, body)
}

// comma puts a comma and white space in front of a place.
func (c *compiler) comma(next int32) (int32, error) {
	if next == none {
		return none, nil
	}
	at, err := c.terminal(blank, next)
	if err != nil {
		return 0, err
	}
	return c.terminal(comma, at)
}

// object compiles an object. Its properties come in order, those that are not
// required may be left out:
//
//	{ "a": … , "b": … , other names … }
//
// For each property there is a place where something was written before, which
// begins with a comma, and one where nothing was.
func (c *compiler) object(d *demands, next int32) (int32, error) {
	end, err := c.terminal(closeBrace, next)
	if err != nil {
		return 0, err
	}
	after, err := c.terminal(blank, end) // after a member
	if err != nil {
		return 0, err
	}
	before := end // where no member has been written
	if !d.closed {
		loop, err := c.g.add(node{call: none})
		if err != nil {
			return 0, err
		}
		name, err := c.otherName(d)
		if err != nil {
			return 0, err
		}
		member, err := c.value(d.additional, loop)
		if err != nil {
			return 0, err
		}
		if member != none {
			if member, err = c.terminal(blank, member); err != nil {
				return 0, err
			}
			if member, err = c.terminal(colon, member); err != nil {
				return 0, err
			}
			if member, err = c.terminal(name, member); err != nil {
				return 0, err
			}
		}
		more, err := c.comma(member)
		if err != nil {
			return 0, err
		}
		c.g.nodes[loop].forks = slices.DeleteFunc([]int32{more, after}, func(i int32) bool { return i == none })
		after = loop
		if before, err = c.fork(member, end); err != nil {
			return 0, err
		}
	}
	for _, p := range slices.Backward(d.properties) {
		required := d.isRequired[p.name]
		member, err := c.value(p.schema, after)
		if err != nil {
			return 0, err
		}
		if member != none {
			if member, err = c.terminal(blank, member); err != nil {
				return 0, err
			}
			name, err := c.literal(string(appendQuoted(nil, p.name)) + ":")
			if err != nil {
				return 0, err
			}
			if member, err = c.terminal(name, member); err != nil {
				return 0, err
			}
		}
		more, err := c.comma(member)
		if err != nil {
			return 0, err
		}
		if required {
			after, before = more, member
			if member == none {
				return none, nil
			}
			continue
		}
		if after, err = c.fork(more, after); err != nil {
			return 0, err
		}
		if before, err = c.fork(member, before); err != nil {
			return 0, err
		}
	}
	body, err := c.terminal(blank, before)
	if err != nil {
		return 0, err
	}
	return c.terminal(openBrace, body)
}

// otherName is the automaton of the names that d does not speak of.
func (c *compiler) otherName(d *demands) (*dfa, error) {
	if len(d.properties) == 0 {
		return anyName, nil
	}
	var names []string
	for _, p := range d.properties {
		names = append(names, p.name)
	}
	key := strings.Join(names, "\x00")
	if a, ok := c.names[key]; ok {
		return a, nil
	}
	a, err := otherName(names, &c.budget)
	if err != nil {
		return nil, err
	}
	c.names[key] = a
	return a, c.countStates(a)
}
