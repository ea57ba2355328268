package constrain

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// regex is a regular expression over characters.
type regex interface{ regex() }

type (
	// runes is one character of these ranges.
	runes []runeRange
	// concat is one after the other, alternate one of them.
	concat    []regex
	alternate []regex
	// repeat is min to max times; max < 0: no bound.
	repeat struct {
		of       regex
		min, max int
	}
)

type runeRange struct{ lo, hi rune }

func (runes) regex()     {}
func (concat) regex()    {}
func (alternate) regex() {}
func (repeat) regex()    {}

// exactly is a text, oneChar a character of those in chars.
func exactly(s string) regex {
	var c concat
	for _, r := range s {
		c = append(c, runes{{r, r}})
	}
	return c
}

func oneChar(chars string) regex {
	var set runes
	for _, r := range chars {
		set = append(set, runeRange{r, r})
	}
	return set
}

func between(lo, hi rune) regex { return runes{{lo, hi}} }

func optional(r regex) regex { return repeat{r, 0, 1} }

func times(r regex, min, max int) regex { return repeat{r, min, max} }

// everything is all characters.
var everything = runes{{0, utf8.MaxRune}}

// complement is all characters but these.
func (set runes) complement() runes {
	sorted := slices.Clone(set)
	slices.SortFunc(sorted, func(a, b runeRange) int { return int(a.lo - b.lo) })
	var out runes
	next := rune(0)
	for _, r := range sorted {
		if r.lo > next {
			out = append(out, runeRange{next, r.lo - 1})
		}
		next = max(next, r.hi+1)
	}
	if next <= utf8.MaxRune {
		out = append(out, runeRange{next, utf8.MaxRune})
	}
	return out
}

// nfa is Thompson's construction (CACM 11(6), 1968) over bytes.
type nfa struct {
	states []nfaState
	budget *budget
	quoted bool // characters are written as in a JSON string
}

type nfaState struct {
	lo, hi byte  // to out, if out >= 0
	out    int32 // -1: none
	eps    []int32
}

const maxNFA = 1 << 16

func (n *nfa) add(s nfaState) (int32, error) {
	if len(n.states) >= maxNFA {
		return 0, fmt.Errorf("%w: more than %d states", errTooLarge, maxNFA)
	}
	if err := n.budget.spend(32); err != nil {
		return 0, err
	}
	n.states = append(n.states, s)
	return int32(len(n.states) - 1), nil
}

func (n *nfa) split(to ...int32) (int32, error) { return n.add(nfaState{out: -1, eps: to}) }

// compile adds r followed by the state next, and returns where it begins.
func (n *nfa) compile(r regex, next int32) (int32, error) {
	var err error
	switch r := r.(type) {
	case runes:
		return n.set(r, next)
	case concat:
		for _, part := range slices.Backward(r) {
			if next, err = n.compile(part, next); err != nil {
				return 0, err
			}
		}
		return next, nil
	case alternate:
		var starts []int32
		for _, part := range r {
			s, err := n.compile(part, next)
			if err != nil {
				return 0, err
			}
			starts = append(starts, s)
		}
		return n.split(starts...)
	case repeat:
		if r.max < 0 {
			loop, err := n.split(next)
			if err != nil {
				return 0, err
			}
			again, err := n.compile(r.of, loop)
			if err != nil {
				return 0, err
			}
			n.states[loop].eps = append(n.states[loop].eps, again)
			next = loop
		}
		end := next
		for i := r.max - r.min; i > 0; i-- {
			if next, err = n.compile(r.of, next); err != nil {
				return 0, err
			}
			if next, err = n.split(next, end); err != nil {
				return 0, err
			}
		}
		for range r.min {
			if next, err = n.compile(r.of, next); err != nil {
				return 0, err
			}
		}
		return next, nil
	}
	panic(fmt.Sprintf("constrain: regex %T", r))
}

// set adds one character of a set.
func (n *nfa) set(set runes, next int32) (int32, error) {
	var starts []int32
	put := func(seq ...[2]byte) error {
		at := next
		for _, r := range slices.Backward(seq) {
			s, err := n.add(nfaState{lo: r[0], hi: r[1], out: at})
			if err != nil {
				return err
			}
			at = s
		}
		starts = append(starts, at)
		return nil
	}
	for _, r := range set {
		lo := r.lo
		if n.quoted {
			// Those that a JSON string escapes, one by one.
			for ; lo <= r.hi && lo < ' '; lo++ {
				if err := n.escaped(lo, put); err != nil {
					return 0, err
				}
			}
			for _, special := range [...]rune{'"', '\\'} {
				if special < lo || special > r.hi {
					continue
				}
				if err := n.escaped(special, put); err != nil {
					return 0, err
				}
				if err := utf8Ranges(lo, special-1, put); err != nil {
					return 0, err
				}
				lo = special + 1
			}
		}
		if err := utf8Ranges(lo, r.hi, put); err != nil {
			return 0, err
		}
	}
	return n.split(starts...)
}

func (n *nfa) escaped(r rune, put func(...[2]byte) error) error {
	var seq [][2]byte
	for _, b := range appendStringRune(nil, r) {
		seq = append(seq, [2]byte{b, b})
	}
	return put(seq...)
}

// utf8Ranges calls put with sequences of byte ranges that together are the UTF-8 of
// the characters from lo to hi, surrogates left out (as in Thompson's and
// utf8-ranges of Rust's regex: split where the length or a prefix changes).
func utf8Ranges(lo, hi rune, put func(...[2]byte) error) error {
	if lo > hi {
		return nil
	}
	for _, limit := range [...]rune{0x7F, 0x7FF, 0xD7FF, 0xDFFF, 0xFFFF} {
		if lo <= limit && limit < hi {
			if err := utf8Ranges(lo, limit, put); err != nil {
				return err
			}
			return utf8Ranges(limit+1, hi, put)
		}
	}
	if lo >= 0xD800 && hi <= 0xDFFF {
		return nil
	}
	for i := 1; i < utf8.UTFMax; i++ {
		m := rune(1)<<(6*i) - 1
		if hi <= 0x7F || lo&^m == hi&^m {
			break
		}
		if lo&m != 0 {
			if err := utf8Ranges(lo, lo|m, put); err != nil {
				return err
			}
			return utf8Ranges((lo|m)+1, hi, put)
		}
		if hi&m != m {
			if err := utf8Ranges(lo, hi&^m-1, put); err != nil {
				return err
			}
			return utf8Ranges(hi&^m, hi, put)
		}
	}
	a, b := utf8.AppendRune(nil, lo), utf8.AppendRune(nil, hi)
	seq := make([][2]byte, len(a))
	for i := range a {
		seq[i] = [2]byte{a[i], b[i]}
	}
	return put(seq...)
}

// compileRegex makes the automaton of r, between quotes and with the escapes of a
// JSON string if quoted.
func compileRegex(r regex, quoted bool, b *budget) (*dfa, error) {
	n := &nfa{quoted: quoted, budget: b}
	accept, err := n.split()
	if err != nil {
		return nil, err
	}
	next := accept
	if quoted {
		if next, err = n.add(nfaState{lo: '"', hi: '"', out: next}); err != nil {
			return nil, err
		}
	}
	if next, err = n.compile(r, next); err != nil {
		return nil, err
	}
	if quoted {
		if next, err = n.add(nfaState{lo: '"', hi: '"', out: next}); err != nil {
			return nil, err
		}
	}
	return n.determinize(next, accept)
}

// determinize is the subset construction.
func (n *nfa) determinize(start, accept int32) (*dfa, error) {
	var t table
	var order [][]int32
	number := make(map[string]int32)
	mark := make([]int, len(n.states)) // the last subset that a state was added to
	stamp := 0
	subset := func(seeds []int32) (int32, error) {
		stamp++
		var set, stack []int32
		stack = append(stack, seeds...)
		for len(stack) > 0 {
			s := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if mark[s] == stamp {
				continue
			}
			mark[s] = stamp
			if err := n.budget.spend(16); err != nil {
				return 0, err
			}
			if n.states[s].out >= 0 || s == accept {
				set = append(set, s)
			}
			stack = append(stack, n.states[s].eps...)
		}
		slices.Sort(set)
		key := make([]byte, 0, 4*len(set))
		for _, s := range set {
			key = append(key, byte(s), byte(s>>8), byte(s>>16))
		}
		if i, ok := number[string(key)]; ok {
			return i, nil
		}
		_, accepts := slices.BinarySearch(set, accept)
		i, err := t.grow(accepts, n.budget)
		if err != nil {
			return 0, err
		}
		number[string(key)] = i
		order = append(order, set)
		return i, nil
	}
	if _, err := subset([]int32{start}); err != nil {
		return nil, err
	}
	for i := 0; i < len(order); i++ {
		// Between two of the bounds all bytes lead to the same.
		var bounds [257]bool
		for _, s := range order[i] {
			if x := &n.states[s]; x.out >= 0 {
				bounds[x.lo], bounds[int(x.hi)+1] = true, true
			}
		}
		var seeds []int32
		for lo := 0; lo < 256; {
			hi := lo + 1
			for hi < 256 && !bounds[hi] {
				hi++
			}
			seeds = seeds[:0]
			if err := n.budget.spend(len(order[i])); err != nil {
				return nil, err
			}
			for _, s := range order[i] {
				if x := &n.states[s]; x.out >= 0 && int(x.lo) <= lo && lo <= int(x.hi) {
					seeds = append(seeds, x.out)
				}
			}
			if len(seeds) > 0 {
				to, err := subset(seeds)
				if err != nil {
					return nil, err
				}
				for b := lo; b < hi; b++ {
					t.rows[i][b] = to
				}
			}
			lo = hi
		}
	}
	return t.finish()
}
