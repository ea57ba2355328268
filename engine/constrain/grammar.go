package constrain

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// ErrUnsupported is returned for a schema that asks for what is not enforced.
var ErrUnsupported = errors.New("not supported")

// maxDepth bounds the rules that are open at once: objects and lists inside of each
// other.
const maxDepth = 64

// maxNodes bounds a grammar, and so the time to compile a schema.
const maxNodes = 1 << 17

// Grammar is a language of texts. It is immutable and may be shared by groups and
// goroutines.
type Grammar struct {
	source []byte // for MarshalJSON
	nodes  []node
	rules  []rule
	// states counts those of all terminals, to bound the memory.
	states int
}

// node is a place in a rule: one of
//
//	a terminal, after which it goes on at next,
//	a call of a rule, likewise,
//	a fork to any of forks,
//	the end of the rule, if it is none of these.
type node struct {
	terminal terminal
	call     int32 // none if there is no call
	next     int32
	forks    []int32
	// height is the number of rules that have to be open at once, at least, to get
	// from here to the end of the rule.
	height int32
}

const none = -1

// unreachable is the height of a place from which the end cannot be reached.
const unreachable = math.MaxInt32 / 2

// rule is a part of the language that others call. Rule 0 is the whole.
type rule struct {
	entry  int32
	height int32
}

// JSONObject is the language of all JSON objects.
func JSONObject() *Grammar { return jsonObject }

var jsonObject = func() *Grammar {
	g, err := JSONSchema([]byte(`{"type":"object"}`))
	if err != nil {
		panic(err)
	}
	return g
}()

// MarshalJSON is the schema that the grammar was made of.
func (g *Grammar) MarshalJSON() ([]byte, error) { return json.RawMessage(g.source), nil }

func (g *Grammar) add(n node) (int32, error) {
	if len(g.nodes) >= maxNodes {
		return 0, fmt.Errorf("%w: more than %d parts", errTooLarge, maxNodes)
	}
	g.nodes = append(g.nodes, n)
	return int32(len(g.nodes) - 1), nil
}

// measure works out the heights, from those that are known to those that follow
// from them. A rule that needs itself to end has none.
func (g *Grammar) measure() {
	for i := range g.nodes {
		g.nodes[i].height = unreachable
	}
	for i := range g.rules {
		g.rules[i].height = unreachable
	}
	// Every round finds at least the heights that are one more than those known, and
	// beyond maxDepth they are of no use.
	for round, changed := 0, true; changed && round <= maxDepth+1; round++ {
		changed = false
		for i := range g.nodes {
			if h := g.heightOf(&g.nodes[i]); h < g.nodes[i].height {
				g.nodes[i].height = h
				changed = true
			}
		}
		for i := range g.rules {
			if h := g.nodes[g.rules[i].entry].height; h < g.rules[i].height {
				g.rules[i].height = h
				changed = true
			}
		}
	}
}

func (g *Grammar) heightOf(n *node) int32 {
	switch {
	case n.terminal != nil:
		return g.nodes[n.next].height
	case n.call != none:
		h := g.rules[n.call].height
		if !g.isEnd(n.next) {
			h = min(h+1, unreachable)
		}
		return max(h, g.nodes[n.next].height)
	case n.forks != nil:
		least := int32(unreachable)
		for _, to := range n.forks {
			least = min(least, g.nodes[to].height)
		}
		return least
	}
	return 0
}

// isEnd reports whether a place is the end of its rule. What is called there need not
// return to it.
func (g *Grammar) isEnd(i int32) bool {
	n := &g.nodes[i]
	return n.terminal == nil && n.call == none && n.forks == nil
}

// checkRecursion refuses rules that call themselves before any text: they say
// nothing, and following them would not end.
func (g *Grammar) checkRecursion() error {
	const (
		unseen = iota
		open
		done
	)
	ruleState := make([]byte, len(g.rules))
	nodeSeen := make([]int32, len(g.nodes)) // 1 + the rule by which it was last visited
	var visit func(r int32) error
	visit = func(r int32) error {
		switch ruleState[r] {
		case open:
			return fmt.Errorf("%w: a schema that refers to itself and to nothing else", ErrUnsupported)
		case done:
			return nil
		}
		ruleState[r] = open
		stack := []int32{g.rules[r].entry}
		for len(stack) > 0 {
			i := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if nodeSeen[i] == r+1 {
				continue
			}
			nodeSeen[i] = r + 1
			n := &g.nodes[i]
			switch {
			case n.terminal != nil:
				if n.terminal.accepts(n.terminal.start()) {
					stack = append(stack, n.next)
				}
			case n.call != none:
				if err := visit(n.call); err != nil { // no rule is empty
					return err
				}
			default:
				stack = append(stack, n.forks...)
			}
		}
		ruleState[r] = done
		return nil
	}
	for r := range g.rules {
		if err := visit(int32(r)); err != nil {
			return err
		}
	}
	return nil
}
