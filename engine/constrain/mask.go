package constrain

import "slices"

// inside is what a terminal makes of the vocabulary from one of its states.
type inside struct {
	dense  []uint32 // the tokens that it takes in whole, as a mask
	sparse []int32  // or as a list of the nodes of the trie, if they are few
	exits  []int32  // nodes at which it may have ended and that longer tokens begin with
}

// Allowed is the tokens that may come next: bit t%32 of word t/32 is token t. Those
// that end the text are among them where it is complete. The slice is shared and
// must not be changed.
func (m *Matcher) Allowed(s *State) []uint32 {
	s = m.own(s)
	if s.mask != nil {
		return s.mask
	}
	like := m.alike(s)
	if like.mask == nil {
		like.mask = m.allowed(like)
		m.bytes += 4 * len(like.mask)
	}
	s.mask = like.mask
	return s.mask
}

// alike is a state that the vocabulary cannot tell from s: limits of length that
// are further off than any token reaches are moved to one place.
func (m *Matcher) alike(s *State) *State {
	if s.like == nil {
		m.begin()
		for _, c := range s.configs {
			c.state = m.g.nodes[c.node].terminal.like(c.state, m.v.longest)
			m.configs = append(m.configs, c)
		}
		s.like = m.intern(s.accepting)
	}
	return s.like
}

// allowed works out a mask: of each configuration the tokens that stay in its
// terminal, and of those that reach beyond it the ones whose rest may follow.
func (m *Matcher) allowed(s *State) []uint32 {
	mask := make([]uint32, m.v.words)
	m.walked = 0
	for _, c := range s.configs {
		n := &m.g.nodes[c.node]
		in := m.insideOf(n.terminal, c.state)
		for i, word := range in.dense {
			mask[i] |= word
		}
		for _, node := range in.sparse {
			m.v.set(mask, node)
		}
		if len(in.exits) == 0 {
			continue
		}
		after := m.follow(n.next, c.frame)
		for _, exit := range in.exits {
			m.walkFrom(mask, exit, after)
		}
	}
	if s.accepting {
		for _, id := range m.v.ends {
			mask[id/32] |= 1 << (id % 32)
		}
	}
	return mask
}

// walkFrom sets the tokens that go on from a node of the trie, at which the text is
// in state s.
func (m *Matcher) walkFrom(mask []uint32, from int32, s *State) {
	nodes := m.v.nodes
	depth := nodes[from].depth
	m.path = append(m.path[:0], s)
	for i := from + 1; i < nodes[from].skip; {
		n := &nodes[i]
		at := int(n.depth - depth) // 1 for a child of from
		if m.walked += len(m.path[at-1].configs); m.walked > maxWalk {
			return
		}
		to := m.step(m.path[at-1], n.b)
		if to == noState {
			i = n.skip
			continue
		}
		m.v.set(mask, i)
		m.path = append(m.path[:at], to)
		i++
	}
}

// insideOf is what a terminal makes of the vocabulary.
func (m *Matcher) insideOf(t terminal, s int32) *inside {
	key := t.key(s, m.v.longest)
	in := m.inside[key]
	if in != nil {
		return in
	}
	if in = m.v.commonInside(key); in == nil {
		in = m.makeInside(t, s)
		m.v.keepCommon(key, in)
	}
	m.inside[key] = in
	m.bytes += 100 + 4*(len(in.dense)+len(in.sparse)+len(in.exits))
	return in
}

// makeInside walks over the vocabulary.
func (m *Matcher) makeInside(t terminal, s int32) *inside {
	in := new(inside)
	nodes := m.v.nodes
	m.walk = append(m.walk[:0], s)
	var found []int32 // nodes with tokens
	for i := int32(1); int(i) < len(nodes); {
		n := &nodes[i]
		to := t.step(m.walk[n.depth-1], n.b)
		if to < 0 {
			i = n.skip
			continue
		}
		if n.token >= 0 {
			found = append(found, i)
		}
		if n.skip > i+1 && t.accepts(to) {
			in.exits = append(in.exits, i)
		}
		m.walk = append(m.walk[:n.depth], to)
		i++
	}
	if len(found) <= m.v.words {
		in.sparse = slices.Clone(found)
	} else {
		in.dense = make([]uint32, m.v.words)
		for _, node := range found {
			m.v.set(in.dense, node)
		}
	}
	return in
}

// maxCommon bounds what a vocabulary keeps for all grammars.
const maxCommon = 256

// commonDFAs are the terminals that all grammars share.
var commonDFAs = []*dfa{nil, anyNumber, anyInteger, anyName, blank, nullWord, booleanWords, openBrace, closeBrace, openBracket, closeBracket, comma, colon}

// commonInside is what another grammar has found of a terminal that all share; nil
// if there is nothing.
func (v *Vocabulary) commonInside(key maskKey) *inside {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.common[key]
}

func (v *Vocabulary) keepCommon(key maskKey, in *inside) {
	if !slices.Contains(commonDFAs, key.dfa) {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.common == nil {
		v.common = make(map[maskKey]*inside)
	}
	if len(v.common) < maxCommon {
		v.common[key] = in
	}
}
