package kvcache

// content identifies a full block by what it holds and by what stands before it.
// The parent's id is an identity because a parent stays published at least as
// long as its children. Equal contents are equal tokens all the way to the first:
// the index compares them, a hash only finds the place.
type content struct {
	parent int32 // none for the first block of a sequence
	tokens [BlockSize]int32
}

// Match makes an empty sequence begin with the longest prefix of tokens that is
// published, in full blocks, in use or cached. At least one token is left over,
// so that the model has a row to compute. It returns the number of tokens that the
// sequence now holds.
func (s *Sequence) Match(tokens []int32) int {
	s.mustLive("Match")
	if len(s.blocks) > 0 {
		panic("kvcache: Match on a sequence that is not empty")
	}
	p := s.pool
	p.queried += int64(len(tokens))
	key := content{parent: none}
	for len(tokens) > BlockSize {
		copy(key.tokens[:], tokens)
		b, ok := p.index[key]
		if !ok {
			break
		}
		p.adopt(b)
		s.blocks = append(s.blocks, b)
		key.parent = b
		tokens = tokens[BlockSize:]
	}
	s.published = len(s.blocks)
	s.length = len(s.blocks) * BlockSize
	p.hit += int64(s.length)
	return s.length
}

// Publish makes the full blocks of the first len(tokens) tokens findable by
// [Sequence.Match]. tokens is what the sequence holds from its beginning, and its
// keys and values are written, or will be before those of any sequence that
// matches them are read. Publishing more of a sequence later costs only the new
// blocks.
//
// Where another block with the same content is published already, the first one
// stays and the rest of this sequence is not published, since a child must not
// outlive its parent.
func (s *Sequence) Publish(tokens []int32) {
	s.mustLive("Publish")
	if len(tokens) > s.length {
		panic("kvcache: Publish of more tokens than the sequence holds")
	}
	p := s.pool
	for ; (s.published+1)*BlockSize <= len(tokens); s.published++ {
		b := s.blocks[s.published]
		key := content{parent: none}
		if s.published > 0 {
			key.parent = s.blocks[s.published-1]
		}
		copy(key.tokens[:], tokens[s.published*BlockSize:])
		x := &p.blocks[b]
		if x.published { // by a fork
			if x.content != key {
				panic("kvcache: Publish of tokens that differ from those already published for the block")
			}
			continue
		}
		if _, taken := p.index[key]; taken {
			return
		}
		p.index[key] = b
		x.published, x.content = true, key
	}
}

// Prefix counts the tokens that Match was asked for and those that it found.
func (p *Pool) Prefix() (queried, hit int64) { return p.queried, p.hit }

// adopt adds a reference to a published block.
func (p *Pool) adopt(b int32) {
	if p.blocks[b].refs++; p.blocks[b].refs == 1 {
		p.lru.remove(p.links, b)
		p.pin(b)
		p.arena.pages[b/p.perPage].cached--
	}
}

// evict frees the least recently used cached block. Its children are gone: they
// were used no later and stood before it.
func (p *Pool) evict() {
	b := p.lru.head
	p.lru.remove(p.links, b)
	x := &p.blocks[b]
	delete(p.index, x.content)
	*x = block{}
	p.free.pushBack(p.links, b)
	i := b / p.perPage
	g := &p.arena.pages[i]
	if g.cached--; g.cached == 0 && g.used == 0 {
		p.empty.pushBack(p.arena.links, i)
	}
}
