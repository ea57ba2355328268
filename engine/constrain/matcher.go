package constrain

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// Matcher tells which tokens keep a text within a grammar. It remembers what it has
// worked out, up to a bound of memory. It is for one goroutine at a time.
type Matcher struct {
	g *Grammar
	v *Vocabulary

	// What is remembered; see forget.
	age     int // counts how often it was forgotten
	bytes   int // that it takes, about
	frames  map[frameKey]*frame
	states  map[string]*State
	inside  map[maskKey]*inside
	follows map[followKey]*State
	start   *State

	// Memory of one call.
	configs []config
	visited map[visit]struct{}
	key     []byte
	path    []*State
	walk    []int32
	walked  int
}

const (
	// maxBytes is what a matcher remembers at most, about.
	maxBytes = 16 << 20
	// maxConfigs bounds the branches that are followed at once. Those that come last
	// in order are not, which narrows the language and leaves no dead end.
	maxConfigs = 1 << 10
	// maxWalk bounds the configurations that are stepped for one mask. Tokens that
	// would take more, all of which reach beyond a terminal, are not allowed then.
	maxWalk = 1 << 22
)

// State is a place between two tokens of a text. It is immutable to its holder and
// belongs to its matcher.
type State struct {
	configs   []config // in order
	accepting bool
	age       int
	next      *[256]*State // what has been worked out; noState for a dead end
	mask      []uint32     // likewise
	like      *State       // the state whose mask this one has
}

// noState stands for what a byte that must not come leads to.
var noState = new(State)

// config is a place in a terminal, and what follows it.
type config struct {
	node  int32
	state int32
	frame *frame
}

// frame is a rule to return to. Equal frames of an age are one.
type frame struct {
	ret    int32
	parent *frame // nil: the end of the text
	depth  int32
	id     uint32
}

type frameKey struct {
	ret    int32
	parent *frame
}

type visit struct {
	node  int32
	frame *frame
}

// followKey is a place behind a terminal.
type followKey struct {
	next  int32
	frame *frame
}

// NewMatcher makes a matcher.
func NewMatcher(g *Grammar, v *Vocabulary) *Matcher {
	m := &Matcher{g: g, v: v, visited: make(map[visit]struct{})}
	m.forget()
	return m
}

// forget drops what is remembered. States that are held elsewhere stay usable:
// Matcher.own makes them anew.
func (m *Matcher) forget() {
	m.age++
	m.bytes = 0
	m.frames = make(map[frameKey]*frame)
	m.states = make(map[string]*State)
	m.inside = make(map[maskKey]*inside)
	m.follows = make(map[followKey]*State)
	m.start = nil
}

// Start is the state of an empty text.
func (m *Matcher) Start() *State {
	if m.start == nil {
		m.begin()
		accepting := m.close(m.g.rules[0].entry, nil)
		m.start = m.intern(accepting)
	}
	return m.start
}

// Advance is the state after a token, nil if the token must not come.
func (m *Matcher) Advance(s *State, token int32) *State {
	if token < 0 || int(token) >= len(m.v.texts) || len(m.v.texts[token]) == 0 {
		return nil
	}
	s = m.own(s)
	for _, b := range m.v.texts[token] {
		if s = m.step(s, b); s == noState {
			return nil
		}
	}
	return s
}

// Ends reports whether the text is complete and nothing can follow.
func (s *State) Ends() bool { return s.accepting && len(s.configs) == 0 }

// Accepting reports whether the text is complete.
func (s *State) Accepting() bool { return s.accepting }

// own is the matcher's own state that equals s.
func (m *Matcher) own(s *State) *State {
	if m.bytes > maxBytes {
		m.forget()
	}
	if s.age == m.age {
		return s
	}
	m.begin()
	for _, c := range s.configs {
		m.configs = append(m.configs, config{c.node, c.state, m.ownFrame(c.frame)})
	}
	return m.intern(s.accepting)
}

func (m *Matcher) ownFrame(f *frame) *frame {
	if f == nil {
		return nil
	}
	return m.push(f.ret, m.ownFrame(f.parent))
}

func (m *Matcher) push(ret int32, parent *frame) *frame {
	key := frameKey{ret, parent}
	f := m.frames[key]
	if f == nil {
		f = &frame{ret: ret, parent: parent, depth: 1, id: uint32(len(m.frames)) + 1}
		if parent != nil {
			f.depth = parent.depth + 1
		}
		m.frames[key] = f
		m.bytes += 100
	}
	return f
}

func (f *frame) depthOf() int32 {
	if f == nil {
		return 0
	}
	return f.depth
}

// begin starts to collect configurations.
func (m *Matcher) begin() {
	m.configs = m.configs[:0]
	clear(m.visited)
}

// close adds the configurations that a place leads to without any text, and reports
// whether the end of the text is one. A rule that could not end within maxDepth is
// left alone.
func (m *Matcher) close(at int32, f *frame) (accepting bool) {
	n := &m.g.nodes[at]
	if f.depthOf()+n.height > maxDepth {
		return false
	}
	v := visit{at, f}
	if _, seen := m.visited[v]; seen {
		return false
	}
	m.visited[v] = struct{}{}
	switch {
	case n.terminal != nil:
		s := n.terminal.start()
		m.configs = append(m.configs, config{at, s, f})
		return n.terminal.accepts(s) && m.close(n.next, f)
	case n.call != none:
		if !m.g.isEnd(n.next) {
			f = m.push(n.next, f)
		}
		return m.close(m.g.rules[n.call].entry, f)
	case n.forks != nil:
		for _, to := range n.forks {
			accepting = m.close(to, f) || accepting
		}
		return accepting
	case f == nil:
		return true
	}
	return m.close(f.ret, f.parent)
}

// intern is the state of the configurations collected.
func (m *Matcher) intern(accepting bool) *State {
	slices.SortFunc(m.configs, func(a, b config) int {
		return cmp.Or(cmp.Compare(a.node, b.node), cmp.Compare(a.state, b.state), a.frame.compare(b.frame))
	})
	all := slices.Compact(m.configs)
	all = all[:min(len(all), maxConfigs)]
	m.key = m.key[:0]
	if accepting {
		m.key = append(m.key, 1)
	}
	for _, c := range all {
		m.key = binary.LittleEndian.AppendUint32(m.key, uint32(c.node))
		m.key = binary.LittleEndian.AppendUint32(m.key, uint32(c.state))
		id := uint32(0)
		if c.frame != nil {
			id = c.frame.id
		}
		m.key = binary.LittleEndian.AppendUint32(m.key, id)
	}
	if s := m.states[string(m.key)]; s != nil {
		return s
	}
	s := &State{configs: slices.Clone(all), accepting: accepting, age: m.age}
	m.states[string(m.key)] = s
	m.bytes += 150 + 40*len(all)
	return s
}

// compare orders frames by what they return to, not by when they were made, so that
// the order does not depend on other texts.
func (f *frame) compare(g *frame) int {
	for f != g {
		switch {
		case f == nil:
			return -1
		case g == nil:
			return 1
		case f.ret != g.ret:
			return cmp.Compare(f.ret, g.ret)
		}
		f, g = f.parent, g.parent
	}
	return 0
}

// step is the state after a byte.
func (m *Matcher) step(s *State, b byte) *State {
	if s.next != nil {
		if to := s.next[b]; to != nil {
			return to
		}
	} else {
		s.next = new([256]*State)
		m.bytes += 256 * 8
	}
	m.begin()
	accepting := false
	for _, c := range s.configs {
		n := &m.g.nodes[c.node]
		to := n.terminal.step(c.state, b)
		if to < 0 {
			continue
		}
		if !n.terminal.final(to) {
			m.configs = append(m.configs, config{c.node, to, c.frame})
		}
		if n.terminal.accepts(to) {
			accepting = m.close(n.next, c.frame) || accepting
		}
	}
	to := noState
	if accepting || len(m.configs) > 0 {
		to = m.intern(accepting)
	}
	s.next[b] = to
	return to
}

// follow is the state behind a terminal.
func (m *Matcher) follow(next int32, f *frame) *State {
	key := followKey{next, f}
	s := m.follows[key]
	if s == nil {
		m.begin()
		accepting := m.close(next, f)
		s = m.intern(accepting)
		m.follows[key] = s
		m.bytes += 60
	}
	return s
}
