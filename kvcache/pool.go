package kvcache

import "fmt"

// Pool is the blocks of one model.
type Pool struct {
	arena      *Arena
	blockBytes int64
	perPage    int32

	blocks []block // by id, those on other pools' pages included
	links  []link  // of free and lru
	free   list    // taken from the head
	lru    list    // cached blocks, the least recently used at the head
	used   int

	pages    int  // owned
	pinned   int  // of these, pages with a block in use
	empty    list // of these, pages with free blocks only, the longest empty at the head
	reserved int  // pages that other pools leave alone

	index    map[content]int32 // published blocks by content
	queried  int64
	hit      int64
	live     []*Sequence
	released *Sequence // objects to use again, oldest first
	last     *Sequence
}

// block is what is known of a block. The zero value is free, or on a page that
// the pool does not own.
type block struct {
	refs      int32 // live sequences that hold it
	published bool
	content   content // of a published block
}

// Used is the number of blocks that sequences hold.
func (p *Pool) Used() int { return p.used }

// Cached is the number of blocks that no sequence holds but that Match can find.
func (p *Pool) Cached() int { return p.lru.n }

// BlockBytes is the size of a block.
func (p *Pool) BlockBytes() int64 { return p.blockBytes }

// Available is the number of blocks that Extend can take now: all but those in
// use, on all pages but those that other pools use or have reserved.
func (p *Pool) Available() int {
	return p.obtainable()*int(p.perPage) - p.used
}

// Capacity is the number of blocks the pool would have if no sequence lived: all
// pages but those that other pools have reserved.
func (p *Pool) Capacity() int {
	n := len(p.arena.pages)
	for _, q := range p.arena.pools {
		if q != p {
			n -= q.reserved
		}
	}
	return n * int(p.perPage)
}

// Reserve takes pages for at least n blocks, less those the pool has, and keeps
// them: other pools cannot have them even when they are empty. A later call
// replaces the number. The error is [ErrNoBlocks] if there are not so many.
func (p *Pool) Reserve(n int) error {
	pages := (max(n, 0) + int(p.perPage) - 1) / int(p.perPage)
	if pages > p.obtainable() {
		return fmt.Errorf("reserving %d blocks: %w", n, ErrNoBlocks)
	}
	p.reserved = pages
	for p.pages < pages {
		if !p.addPage(false) {
			p.addPage(true)
		}
	}
	return nil
}

// obtainable is the number of pages that the pool has or could get.
func (p *Pool) obtainable() int {
	n := len(p.arena.pages)
	for _, q := range p.arena.pools {
		if q != p {
			n -= max(q.pinned, q.reserved)
		}
	}
	return n
}

// take removes a block from the free list and gives it its first reference. The
// caller has made sure that one is available.
func (p *Pool) take() int32 {
	if p.free.n == 0 {
		p.refill()
	}
	b := p.free.head
	p.free.remove(p.links, b)
	p.blocks[b].refs = 1
	p.pin(b)
	return b
}

// refill puts at least one block on the empty free list.
func (p *Pool) refill() {
	switch {
	case p.addPage(false):
	case p.lru.n > 0:
		p.evict()
	case !p.addPage(true):
		panic("kvcache: a block was promised that is not there")
	}
}

// addPage gets a page: one that nobody has had or one that is empty, or, with
// evict set, one that another pool empties by evicting. It reports whether there
// was one.
func (p *Pool) addPage(evict bool) bool {
	a := p.arena
	if !evict && a.fresh < len(a.pages) {
		a.fresh++
		a.claim(p, int32(a.fresh-1))
		return true
	}
	for _, q := range a.pools {
		if q == p || q.pages <= max(q.pinned, q.reserved) {
			continue
		}
		for evict && q.empty.n == 0 {
			q.evict()
		}
		if q.empty.n > 0 {
			a.claim(p, a.yield(q))
			return true
		}
	}
	return false
}

// pin counts a block that has come into use.
func (p *Pool) pin(b int32) {
	i := b / p.perPage
	g := &p.arena.pages[i]
	if g.used == 0 {
		p.pinned++
		if g.cached == 0 {
			p.empty.remove(p.arena.links, i)
		}
	}
	g.used++
	p.used++
	a := p.arena
	a.used += p.blockBytes
	a.peak = max(a.peak, a.used)
}

// unpin takes a block that lost its last reference out of use: published ones
// are cached, others are free.
func (p *Pool) unpin(b int32) {
	i := b / p.perPage
	g := &p.arena.pages[i]
	g.used--
	if p.blocks[b].published {
		g.cached++
		p.lru.pushBack(p.links, b)
	} else {
		p.free.pushFront(p.links, b)
	}
	if g.used == 0 {
		p.pinned--
		if g.cached == 0 {
			p.empty.pushBack(p.arena.links, i)
		}
	}
	p.used--
	p.arena.used -= p.blockBytes
}
