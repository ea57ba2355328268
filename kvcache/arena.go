package kvcache

import (
	"fmt"
	"math"
)

// Arena is the pages of one allocation of device memory, shared by the pools of
// several models.
type Arena struct {
	pageBytes int64
	pages     []page
	links     []link // of the pools' lists of empty pages
	fresh     int    // pages[fresh:] have never had an owner
	pools     []*Pool

	used, peak int64 // bytes in use by sequences
}

// page is a run of bytes that holds blocks of one pool at a time.
type page struct {
	owner  *Pool
	used   int32 // blocks in use by sequences
	cached int32 // blocks that nobody uses but that can be found
}

// NewArena keeps the books of pages*pageBytes bytes.
func NewArena(pageBytes int64, pages int) (*Arena, error) {
	if pageBytes <= 0 || pages <= 0 || pages > math.MaxInt32 {
		return nil, fmt.Errorf("kvcache: arena of %d pages of %d bytes", pages, pageBytes)
	}
	return &Arena{
		pageBytes: pageBytes,
		pages:     make([]page, pages),
		links:     make([]link, pages),
	}, nil
}

// NewPool adds a pool with blocks of blockBytes bytes. It has no page yet and
// takes them as it needs them.
func (a *Arena) NewPool(blockBytes int64) (*Pool, error) {
	if blockBytes <= 0 || blockBytes > a.pageBytes {
		return nil, fmt.Errorf("kvcache: a block of %d bytes does not fit a page of %d", blockBytes, a.pageBytes)
	}
	perPage := a.pageBytes / blockBytes
	// A slot, block*BlockSize + offset, is an int32 in a batch.
	if most := int64(math.MaxInt32) / BlockSize; perPage > most/int64(len(a.pages)) {
		return nil, fmt.Errorf("kvcache: %d pages of %d blocks; a pool has at most %d blocks", len(a.pages), perPage, most)
	}
	n := int(perPage) * len(a.pages)
	p := &Pool{
		arena:      a,
		blockBytes: blockBytes,
		perPage:    int32(perPage),
		blocks:     make([]block, n),
		links:      make([]link, n),
		free:       emptyList(),
		lru:        emptyList(),
		empty:      emptyList(),
		index:      make(map[content]int32),
	}
	a.pools = append(a.pools, p)
	return p, nil
}

// UsedBytes is the bytes of the blocks that sequences hold, over all pools.
// Cached blocks do not count: they are given up when somebody needs them.
func (a *Arena) UsedBytes() int64 { return a.used }

// PeakBytes is the most that UsedBytes has been.
func (a *Arena) PeakBytes() int64 { return a.peak }

// claim gives page number i to p, all blocks free, behind those that p has free.
func (a *Arena) claim(p *Pool, i int32) {
	a.pages[i] = page{owner: p}
	p.pages++
	p.empty.pushBack(a.links, i)
	for b := i * p.perPage; b < (i+1)*p.perPage; b++ {
		p.free.pushBack(p.links, b)
	}
}

// yield takes the longest empty page from p and returns its number.
func (a *Arena) yield(p *Pool) int32 {
	i := p.empty.head
	p.empty.remove(a.links, i)
	for b := i * p.perPage; b < (i+1)*p.perPage; b++ {
		p.free.remove(p.links, b)
	}
	p.pages--
	return i
}
