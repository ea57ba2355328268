package kvcache

import "fmt"

// Check verifies every invariant of the package over all pools. It looks at
// everything and is meant for tests.
func (a *Arena) Check() error {
	var used int64
	pages := 0
	for i, p := range a.pools {
		if err := p.check(); err != nil {
			return fmt.Errorf("kvcache: pool %d: %w", i, err)
		}
		used += int64(p.used) * p.blockBytes
		pages += p.pages
	}
	if used != a.used || a.peak < used {
		return fmt.Errorf("kvcache: %d bytes in use, peak %d; the pools use %d", a.used, a.peak, used)
	}
	if pages != a.fresh {
		return fmt.Errorf("kvcache: %d pages handed out; the pools own %d", a.fresh, pages)
	}
	return nil
}

func (p *Pool) check() error {
	free, err := p.free.places(p.links)
	if err != nil {
		return fmt.Errorf("free list: %w", err)
	}
	cached, err := p.lru.places(p.links)
	if err != nil {
		return fmt.Errorf("cached blocks: %w", err)
	}
	refs := make(map[int32]int32)
	for i, s := range p.live {
		if s.place != i || s.pool != p {
			return fmt.Errorf("live sequence %d thinks it is number %d", i, s.place)
		}
		if err := s.check(); err != nil {
			return fmt.Errorf("sequence %d: %w", i, err)
		}
		for _, b := range s.blocks {
			refs[b]++
		}
	}
	for s := p.released; s != nil; s = s.next {
		if s.place != none || len(s.blocks) != 0 || s.length != 0 || s.published != 0 {
			return fmt.Errorf("a released sequence holds %d blocks", len(s.blocks))
		}
		if s.next == nil && p.last != s {
			return fmt.Errorf("the last released sequence is not the last")
		}
	}

	used, published := 0, 0
	for i := range p.blocks {
		b, x := int32(i), &p.blocks[i]
		_, isFree := free[b]
		age, isCached := cached[b]
		if x.refs != refs[b] {
			return fmt.Errorf("block %d has %d references; %d sequences hold it", b, x.refs, refs[b])
		}
		own := p.arena.pages[b/p.perPage].owner == p
		want := "absent"
		switch {
		case x.refs > 0:
			want = "in use"
			used++
		case x.published:
			want = "cached"
		case own:
			want = "free"
		}
		if isFree != (want == "free") || isCached != (want == "cached") || own != (want != "absent") {
			return fmt.Errorf("block %d is %s; on its own page: %v, in the free list: %v, in the cache: %v", b, want, own, isFree, isCached)
		}
		if !x.published {
			continue
		}
		published++
		if at, ok := p.index[x.content]; !ok || at != b {
			return fmt.Errorf("block %d is published but its content leads to %d (%v)", b, at, ok)
		}
		if parent := x.content.parent; parent != none {
			y := &p.blocks[parent]
			parentAge, parentCached := cached[parent]
			switch {
			case !y.published:
				return fmt.Errorf("block %d is published but its parent %d is not", b, parent)
			case y.refs < x.refs:
				return fmt.Errorf("block %d has %d references but its parent %d has %d", b, x.refs, parent, y.refs)
			case parentCached && parentAge < age:
				return fmt.Errorf("block %d would be evicted after its parent %d", b, parent)
			}
		}
	}
	if used != p.used {
		return fmt.Errorf("%d blocks in use; counted %d", p.used, used)
	}
	if published != len(p.index) {
		return fmt.Errorf("%d contents are known; %d blocks are published", len(p.index), published)
	}
	return p.checkPages(cached)
}

// checkPages compares the counts of each page with its blocks.
func (p *Pool) checkPages(cached map[int32]int) error {
	empty, err := p.empty.places(p.arena.links)
	if err != nil {
		return fmt.Errorf("empty pages: %w", err)
	}
	pages, pinned, vacant := 0, 0, 0
	for i := range p.arena.pages {
		g := &p.arena.pages[i]
		if (g.owner == nil) != (i >= p.arena.fresh) {
			return fmt.Errorf("page %d: owned: %v, though %d have been handed out", i, g.owner != nil, p.arena.fresh)
		}
		if g.owner != p {
			continue
		}
		pages++
		var want page
		for b := int32(i) * p.perPage; b < int32(i+1)*p.perPage; b++ {
			if p.blocks[b].refs > 0 {
				want.used++
			}
			if _, ok := cached[b]; ok {
				want.cached++
			}
		}
		if g.used != want.used || g.cached != want.cached {
			return fmt.Errorf("page %d counts %d blocks in use and %d cached; it has %d and %d", i, g.used, g.cached, want.used, want.cached)
		}
		if g.used > 0 {
			pinned++
		}
		if g.used == 0 && g.cached == 0 {
			vacant++
			if _, ok := empty[int32(i)]; !ok {
				return fmt.Errorf("page %d is empty and not in the list of empty pages", i)
			}
		}
	}
	if pages != p.pages || pinned != p.pinned || vacant != p.empty.n || p.reserved > pages {
		return fmt.Errorf("%d pages (%d in use, %d empty, %d reserved); counted %d (%d, %d)", p.pages, p.pinned, p.empty.n, p.reserved, pages, pinned, vacant)
	}
	return nil
}

func (s *Sequence) check() error {
	if want := (s.length + BlockSize - 1) / BlockSize; len(s.blocks) != want {
		return fmt.Errorf("%d tokens in %d blocks", s.length, len(s.blocks))
	}
	if s.published > s.length/BlockSize {
		return fmt.Errorf("%d blocks published of %d tokens", s.published, s.length)
	}
	parent := int32(none)
	for i, b := range s.blocks {
		x := &s.pool.blocks[b]
		if i < s.published && !x.published {
			return fmt.Errorf("block %d at place %d is not published", b, i)
		}
		if x.published && (x.content.parent != parent || (i+1)*BlockSize > s.length) {
			return fmt.Errorf("block %d at place %d of %d tokens is published as the child of %d", b, i, s.length, x.content.parent)
		}
		parent = b
	}
	return nil
}

// places gives the place of each member, or an error if the links are broken.
func (l *list) places(links []link) (map[int32]int, error) {
	at := make(map[int32]int, l.n)
	prev := int32(none)
	for i := l.head; i != none; i = links[i].next {
		if _, twice := at[i]; twice || links[i].prev != prev {
			return nil, fmt.Errorf("the link of %d is broken", i)
		}
		at[i] = len(at)
		prev = i
	}
	if len(at) != l.n || l.tail != prev {
		return nil, fmt.Errorf("%d members, tail %d; counted %d, tail %d", l.n, l.tail, len(at), prev)
	}
	return at, nil
}
