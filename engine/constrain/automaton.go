package constrain

import (
	"errors"
	"fmt"
	"slices"
)

// terminal is a finite automaton over bytes. Every state can reach one that
// accepts.
type terminal interface {
	// start is the state before the first byte.
	start() int32
	// step is the state after a byte, negative if it may not come.
	step(state int32, b byte) int32
	accepts(state int32) bool
	// final reports whether nothing can follow in the terminal.
	final(state int32) bool
	// like is a state that goes on as this one does as far as n bytes see.
	like(state int32, n int) int32
	// key identifies the state to a cache of what n bytes see of it.
	key(state int32, n int) maskKey
}

// maskKey is a state of an automaton, or of any text terminal if dfa is nil.
type maskKey struct {
	dfa   *dfa
	state int64
}

// dfa is a terminal given by a table. State 0 is the start.
type dfa struct {
	classes [256]uint8 // bytes that no state tells apart
	width   int        // classes
	next    []int32    // [state*width+class]
	accept  []bool
	last    []bool // nothing follows
}

const dead = -1

func (d *dfa) start() int32 { return 0 }

func (d *dfa) step(s int32, b byte) int32 { return d.next[int(s)*d.width+int(d.classes[b])] }

func (d *dfa) accepts(s int32) bool { return d.accept[s] }

func (d *dfa) final(s int32) bool { return d.last[s] }

func (d *dfa) like(s int32, _ int) int32 { return s }

func (d *dfa) key(s int32, _ int) maskKey { return maskKey{d, int64(s)} }

var errEmpty = errors.New("nothing satisfies it")

// errTooLarge is returned for a schema whose automaton would need too much memory.
var errTooLarge = errors.New("too large")

// maxStates bounds the states of one terminal.
const maxStates = 1 << 14

// budget bounds the time and the memory that compiling a schema takes, in steps of
// about a nanosecond. A nil budget has no end.
type budget struct{ left int }

const compileBudget = 1 << 28

func (b *budget) spend(n int) error {
	if b == nil {
		return nil
	}
	if b.left -= n; b.left < 0 {
		return fmt.Errorf("%w: it would take too long to compile", errTooLarge)
	}
	return nil
}

// table is a dfa in the making: a row of 256 for each state.
type table struct {
	rows   [][256]int32
	accept []bool
}

// grow adds a state if there may be one more.
func (t *table) grow(accept bool, b *budget) (int32, error) {
	if len(t.rows) >= maxStates {
		return 0, fmt.Errorf("%w: more than %d states", errTooLarge, maxStates)
	}
	if err := b.spend(1 << 10); err != nil {
		return 0, err
	}
	return t.add(accept), nil
}

func (t *table) add(accept bool) int32 {
	var row [256]int32
	for i := range row {
		row[i] = dead
	}
	t.rows = append(t.rows, row)
	t.accept = append(t.accept, accept)
	return int32(len(t.rows) - 1)
}

// finish removes the states from which nothing is accepted and packs the rest.
func (t *table) finish() (*dfa, error) {
	alive := slices.Clone(t.accept)
	from := make([][]int32, len(t.rows)) // states that lead to one
	var work []int32
	for s := range t.rows {
		seen := int32(dead)
		for _, to := range t.rows[s] {
			if to != dead && to != seen {
				from[to] = append(from[to], int32(s))
				seen = to
			}
		}
		if alive[s] {
			work = append(work, int32(s))
		}
	}
	for len(work) > 0 {
		s := work[len(work)-1]
		work = work[:len(work)-1]
		for _, p := range from[s] {
			if !alive[p] {
				alive[p] = true
				work = append(work, p)
			}
		}
	}
	if len(alive) == 0 || !alive[0] {
		return nil, errEmpty
	}
	d := new(dfa)
	number := make([]int32, len(t.rows)) // of the states that stay
	for s := range t.rows {
		number[s] = dead
		if alive[s] {
			number[s] = int32(len(d.accept))
			d.accept = append(d.accept, t.accept[s])
		}
	}
	samples := d.classify(t, alive)
	d.width = len(samples)
	d.next = make([]int32, 0, len(d.accept)*d.width)
	for s := range t.rows {
		if !alive[s] {
			continue
		}
		last := true
		for _, b := range samples {
			to := t.rows[s][b]
			if to != dead {
				to = number[to]
			}
			d.next = append(d.next, to)
			last = last && to == dead
		}
		d.last = append(d.last, last)
	}
	return d, nil
}

// classify makes bytes whose columns are equal a class, and returns a byte of each:
// every state splits the classes of bytes that it tells apart.
func (d *dfa) classify(t *table, alive []bool) (samples []int) {
	type split struct {
		class uint8
		to    int32
	}
	for s := range t.rows {
		row := &t.rows[s]
		if !alive[s] || !slices.ContainsFunc(row[:], func(to int32) bool { return to != row[0] }) {
			continue
		}
		var splits []split // the index is the new class
		for b, to := range row {
			if to != dead && !alive[to] {
				to = dead
			}
			part := split{d.classes[b], to}
			i := slices.Index(splits, part)
			if i < 0 {
				i = len(splits)
				splits = append(splits, part)
			}
			d.classes[b] = uint8(i)
		}
	}
	for b := range 256 {
		if int(d.classes[b]) == len(samples) {
			samples = append(samples, b)
		}
	}
	return samples
}

// literals is the automaton of a set of texts.
func literals(b *budget, texts ...string) (*dfa, error) {
	var t table
	t.add(false)
	for _, text := range texts {
		s := int32(0)
		for i := range len(text) {
			to := t.rows[s][text[i]]
			if to == dead {
				var err error
				if to, err = t.grow(false, b); err != nil {
					return nil, err
				}
				t.rows[s][text[i]] = to
			}
			s = to
		}
		t.accept[s] = true
	}
	return t.finish()
}

// must returns an automaton that cannot fail.
func must(d *dfa, err error) *dfa {
	if err != nil {
		panic(err)
	}
	return d
}

// intersect is the automaton of what both accept.
func intersect(a, b *dfa, budget *budget) (*dfa, error) {
	return product(a, b, budget, func(p, q int32) bool { return p != dead && q != dead },
		func(p, q bool) bool { return p && q })
}

// union is the automaton of what one of them accepts.
func union(parts []*dfa, b *budget) (*dfa, error) {
	if len(parts) == 0 {
		return nil, errEmpty
	}
	all := parts[0]
	for _, d := range parts[1:] {
		var err error
		all, err = product(all, d, b, func(p, q int32) bool { return p != dead || q != dead },
			func(p, q bool) bool { return p || q })
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// product runs two automata side by side: through the pairs of states that are
// kept, accepting as both of a pair do.
func product(a, b *dfa, budget *budget, kept func(p, q int32) bool, accepts func(p, q bool) bool) (*dfa, error) {
	type pair struct{ a, b int32 }
	step := func(d *dfa, s int32, c byte) int32 {
		if s == dead {
			return dead
		}
		return d.step(s, c)
	}
	accept := func(p pair) bool {
		return accepts(p.a != dead && a.accept[p.a], p.b != dead && b.accept[p.b])
	}
	var t table
	number := map[pair]int32{{0, 0}: 0}
	order := []pair{{0, 0}}
	t.add(accept(order[0]))
	for i := 0; i < len(order); i++ {
		for c := range 256 {
			q := pair{step(a, order[i].a, byte(c)), step(b, order[i].b, byte(c))}
			if !kept(q.a, q.b) {
				continue
			}
			n, ok := number[q]
			if !ok {
				var err error
				if n, err = t.grow(accept(q), budget); err != nil {
					return nil, err
				}
				number[q] = n
				order = append(order, q)
			}
			t.rows[i][c] = n
		}
	}
	return t.finish()
}
