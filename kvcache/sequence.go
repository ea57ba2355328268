package kvcache

import "fmt"

// Sequence is a block table: token i is in slot i%BlockSize of block
// Blocks()[i/BlockSize]. The last block may be partly filled.
//
// A sequence lives from NewSequence or Fork to Release and must not be used
// afterwards: the object is handed out again, the longest released first. Until
// then its use panics.
type Sequence struct {
	pool      *Pool
	blocks    []int32
	length    int // tokens
	published int // blocks at the beginning that are known to be published
	place     int // in pool.live, none when released
	next      *Sequence
}

// Copy is a block to be copied on the device: all of Src to Dst. The copies of a
// step are carried out in order, before the step writes anything.
type Copy struct{ Dst, Src int32 }

// NewSequence returns an empty sequence.
func (p *Pool) NewSequence() *Sequence {
	s := p.released
	if s == nil {
		s = &Sequence{pool: p}
	} else {
		p.released = s.next
		s.next = nil
	}
	s.place = len(p.live)
	p.live = append(p.live, s)
	return s
}

// Blocks is the block table. It is valid, and must not be written, until the
// sequence changes.
func (s *Sequence) Blocks() []int32 { return s.blocks }

// Len is the number of tokens.
func (s *Sequence) Len() int { return s.length }

// Extend makes room for n more tokens. If the tail is partly filled and shared,
// it is replaced first, and the copy that the device must make is appended to
// copies. The error is [ErrNoBlocks]; nothing has changed then.
func (s *Sequence) Extend(n int, copies []Copy) ([]Copy, error) {
	// A decode step asks each running trace for one more token, so the way
	// without a new block is short: the tail has room for 1 to n tokens only if
	// there is a tail, and it is partly filled.
	room := len(s.blocks)*BlockSize - s.length
	if uint(n-1) < uint(room) && s.pool.blocks[s.blocks[len(s.blocks)-1]].refs == 1 {
		s.length += n
		return copies, nil
	}
	return s.extend(n, copies)
}

func (s *Sequence) extend(n int, copies []Copy) ([]Copy, error) {
	s.mustLive("Extend")
	if n < 0 {
		panic("kvcache: Extend by a negative number of tokens")
	}
	p := s.pool
	if need := s.Need(n); need > p.free.n && need > p.Available() {
		return copies, ErrNoBlocks
	}
	if n > 0 && s.sharesTail() {
		tail := &s.blocks[len(s.blocks)-1]
		fresh := p.take()
		p.blocks[*tail].refs--
		copies = append(copies, Copy{Dst: fresh, Src: *tail})
		*tail = fresh
	}
	s.length += n
	for len(s.blocks)*BlockSize < s.length {
		s.blocks = append(s.blocks, p.take())
	}
	return copies, nil
}

// Need is the number of blocks that Extend would take for n more tokens.
func (s *Sequence) Need(n int) int {
	if n <= 0 {
		return 0
	}
	need := (s.length+n+BlockSize-1)/BlockSize - len(s.blocks)
	if s.sharesTail() {
		need++
	}
	return need
}

// sharesTail reports whether the last block is partly filled and held by another
// sequence too.
func (s *Sequence) sharesTail() bool {
	return s.length%BlockSize != 0 && s.pool.blocks[s.blocks[len(s.blocks)-1]].refs > 1
}

// Fork returns a sequence that holds the same tokens in the same blocks, the
// partly filled tail included. Keys and values must have been written: what this
// sequence writes into the tail later is not seen by the fork.
func (s *Sequence) Fork() *Sequence {
	s.mustLive("Fork")
	f := s.pool.NewSequence()
	f.blocks = append(f.blocks, s.blocks...)
	f.length, f.published = s.length, s.published
	for _, b := range s.blocks {
		s.pool.blocks[b].refs++
	}
	return f
}

// Private is the number of blocks that no other sequence holds: what Release
// would give back.
func (s *Sequence) Private() int {
	n := 0
	for _, b := range s.blocks {
		if s.pool.blocks[b].refs == 1 {
			n++
		}
	}
	return n
}

// Release ends the sequence and returns the number of blocks that became free
// or, if they are published, cached. Releasing twice is a mistake in the program
// and panics.
func (s *Sequence) Release() int {
	s.mustLive("Release")
	p := s.pool
	n := 0
	// From the tail on: so the first block comes to the head of the free list
	// last and is taken first, and children come before their parents in the
	// order of eviction.
	for i := len(s.blocks) - 1; i >= 0; i-- {
		b := s.blocks[i]
		x := &p.blocks[b]
		if x.refs <= 0 {
			panic(fmt.Sprintf("kvcache: block %d is freed twice", b))
		}
		if x.refs--; x.refs == 0 {
			p.unpin(b)
			n++
		}
	}
	moved := p.live[len(p.live)-1]
	moved.place = s.place
	p.live[s.place] = moved
	p.live = p.live[:len(p.live)-1]

	s.blocks, s.length, s.published, s.place = s.blocks[:0], 0, 0, none
	if p.released == nil {
		p.released = s
	} else {
		p.last.next = s
	}
	p.last = s
	return n
}

func (s *Sequence) mustLive(what string) {
	if s.place == none {
		panic("kvcache: " + what + " of a sequence that was released")
	}
}
