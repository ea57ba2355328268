package kvcache

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// newPools returns an arena of pages of 4 blocks of 100 bytes and pools with
// blocks of the given bytes.
func newPools(t testing.TB, pages int, blockBytes ...int64) (*Arena, []*Pool) {
	t.Helper()
	a, err := NewArena(400, pages)
	if err != nil {
		t.Fatal(err)
	}
	var pools []*Pool
	for _, n := range blockBytes {
		p, err := a.NewPool(n)
		if err != nil {
			t.Fatal(err)
		}
		pools = append(pools, p)
	}
	t.Cleanup(func() {
		if err := a.Check(); err != nil {
			t.Error(err)
		}
	})
	return a, pools
}

// grow extends a new sequence to n tokens.
func grow(t testing.TB, p *Pool, n int) *Sequence {
	t.Helper()
	s := p.NewSequence()
	extend(t, s, n)
	return s
}

func extend(t testing.TB, s *Sequence, n int) []Copy {
	t.Helper()
	copies, err := s.Extend(n, nil)
	if err != nil {
		t.Fatalf("Extend(%d): %v", n, err)
	}
	return copies
}

func wantBlocks(t testing.TB, s *Sequence, want ...int32) {
	t.Helper()
	if !slices.Equal(s.Blocks(), want) {
		t.Fatalf("blocks %v; want %v", s.Blocks(), want)
	}
}

func wantPanic(t *testing.T, message string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := fmt.Sprint(recover()); !strings.Contains(got, message) {
			t.Errorf("panic %q; want %q", got, message)
		}
	}()
	f()
}

func TestImpossibleSizes(t *testing.T) {
	for _, c := range []struct {
		page  int64
		pages int
	}{{0, 1}, {-1, 1}, {1, 0}, {1, -1}} {
		if _, err := NewArena(c.page, c.pages); err == nil {
			t.Errorf("NewArena(%d, %d) gave no error", c.page, c.pages)
		}
	}
	a, _ := newPools(t, 2)
	for _, n := range []int64{0, -1, 401} {
		if _, err := a.NewPool(n); err == nil {
			t.Errorf("NewPool(%d) gave no error", n)
		}
	}
	huge, err := NewArena(math.MaxInt64, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := huge.NewPool(1); err == nil {
		t.Error("NewPool gave no error though block ids overflow")
	}
}

func TestStoppedBlocksAreTakenNext(t *testing.T) {
	_, pools := newPools(t, 8, 100)
	p := pools[0]
	prompt := grow(t, p, 2*BlockSize+5) // blocks 0 1 2
	stopped := prompt.Fork()
	extend(t, stopped, 1)           // its own tail, block 3
	bystander := grow(t, p, 1)      // block 4
	extend(t, stopped, 2*BlockSize) // blocks 5 6
	wantBlocks(t, stopped, 0, 1, 3, 5, 6)

	if got := stopped.Private(); got != 3 {
		t.Errorf("Private() = %d; want 3", got)
	}
	if got := stopped.Release(); got != 3 {
		t.Errorf("Release() = %d; want 3", got)
	}
	// In the order in which the stopped sequence held them, before blocks that
	// nobody has had.
	extend(t, bystander, 4*BlockSize)
	wantBlocks(t, bystander, 4, 3, 5, 6, 7)
}

func TestForkCopiesTailOnFirstWrite(t *testing.T) {
	_, pools := newPools(t, 8, 100)
	a := grow(t, pools[0], BlockSize+3) // blocks 0 1
	b, c := a.Fork(), a.Fork()
	if got := extend(t, b, 0); len(got) != 0 {
		t.Errorf("copies %v without a write", got)
	}
	if got := extend(t, b, 1); !slices.Equal(got, []Copy{{Dst: 2, Src: 1}}) {
		t.Errorf("copies %v; want block 1 to 2", got)
	}
	if got := extend(t, c, 2*BlockSize); !slices.Equal(got, []Copy{{Dst: 3, Src: 1}}) {
		t.Errorf("copies %v; want block 1 to 3", got)
	}
	if got := extend(t, a, 1); len(got) != 0 { // nobody else is left
		t.Errorf("copies %v; want none", got)
	}
	wantBlocks(t, a, 0, 1)
	wantBlocks(t, b, 0, 2)
	wantBlocks(t, c, 0, 3, 4, 5)

	// A full tail is shared for good.
	extend(t, a, 2*BlockSize-a.Len())
	d := a.Fork()
	if got := extend(t, d, 1); len(got) != 0 {
		t.Errorf("copies %v of a full block", got)
	}
	wantBlocks(t, d, 0, 1, 6)
}

func TestExhaustionChangesNothing(t *testing.T) {
	a, pools := newPools(t, 2, 100)
	p := pools[0]
	s := grow(t, p, 7*BlockSize+1) // all 8 blocks
	f := s.Fork()
	if p.Available() != 0 || p.Used() != 8 || a.UsedBytes() != 800 {
		t.Fatalf("%d available, %d used, %d bytes; want 0, 8, 800", p.Available(), p.Used(), a.UsedBytes())
	}
	copies := []Copy{{1, 2}}
	got, err := f.Extend(1, copies) // needs a copy of the tail
	if !errors.Is(err, ErrNoBlocks) || !slices.Equal(got, copies) || f.Len() != s.Len() {
		t.Errorf("Extend = %v, %v, %d tokens; want ErrNoBlocks and no change", got, err, f.Len())
	}
	s.Release()
	// Half of what is asked for is not given.
	if _, err := f.Extend(BlockSize, nil); !errors.Is(err, ErrNoBlocks) || f.Len() != 7*BlockSize+1 {
		t.Errorf("Extend = %v, %d tokens; want ErrNoBlocks and no change", err, f.Len())
	}
	extend(t, f, BlockSize-1)
	if f.Release() != 8 || p.Available() != 8 || a.UsedBytes() != 0 || a.PeakBytes() != 800 {
		t.Errorf("%d available, %d bytes, peak %d; want 8, 0, 800", p.Available(), a.UsedBytes(), a.PeakBytes())
	}
}

func TestPagesGoToThePoolThatNeedsThem(t *testing.T) {
	_, pools := newPools(t, 2, 100, 200) // 4 and 2 blocks to a page
	large, small := pools[1], pools[0]
	if small.Capacity() != 8 || large.Capacity() != 4 {
		t.Fatalf("capacities %d and %d; want 8 and 4", small.Capacity(), large.Capacity())
	}
	s := grow(t, small, 5*BlockSize) // both pages
	if large.Available() != 0 {
		t.Fatalf("%d blocks available; want 0", large.Available())
	}
	s.Release()
	one := grow(t, small, 1) // block 0: page 0 stays
	if large.Available() != 2 {
		t.Fatalf("%d blocks available; want 2", large.Available())
	}
	l := grow(t, large, BlockSize+1)
	wantBlocks(t, l, 2, 3)
	if small.Available() != 3 {
		t.Errorf("%d blocks available; want 3", small.Available())
	}
	one.Release()
	l.Release()
	s = grow(t, small, 8*BlockSize) // and back
	wantBlocks(t, s, 0, 1, 2, 3, 4, 5, 6, 7)
}

func TestLongestEmptyPageGoesFirst(t *testing.T) {
	_, pools := newPools(t, 3, 400, 400)
	p := pools[0]
	held := []*Sequence{grow(t, p, 1), grow(t, p, 1), grow(t, p, 1)}
	for _, i := range []int{1, 2, 0} {
		held[i].Release()
	}
	wantBlocks(t, grow(t, pools[1], 3*BlockSize), 1, 2, 0)
}

func TestAnotherPoolsCacheIsEvictedLast(t *testing.T) {
	_, pools := newPools(t, 3, 100, 400)
	small, large := pools[0], pools[1]
	cached := func(number byte) {
		s := grow(t, small, 4*BlockSize)
		s.Publish(story(number, 0, 4*BlockSize))
		s.Release()
	}
	cached(0) // page 0
	cached(1) // page 1
	l := grow(t, large, 1)
	wantBlocks(t, l, 2) // the page that nobody has had
	if small.Cached() != 8 || large.Available() != 2 {
		t.Fatalf("%d cached, %d available; want 8, 2", small.Cached(), large.Available())
	}
	extend(t, l, BlockSize)
	wantBlocks(t, l, 2, 0) // the page of the older prefix
	if small.Cached() != 4 {
		t.Errorf("%d cached; want 4", small.Cached())
	}
	s := small.NewSequence()
	if got := s.Match(story(0, 0, 65)); got != 0 {
		t.Errorf("Match of the evicted prefix = %d; want 0", got)
	}
	if got := s.Match(story(1, 0, 65)); got != 4*BlockSize {
		t.Errorf("Match of the newer prefix = %d; want %d", got, 4*BlockSize)
	}
	if large.Available() != 0 { // in use again, no longer to be evicted
		t.Errorf("%d available; want 0", large.Available())
	}
}

func TestReserve(t *testing.T) {
	_, pools := newPools(t, 4, 100, 200)
	a, b := pools[0], pools[1]
	if err := b.Reserve(3); err != nil { // 2 pages
		t.Fatal(err)
	}
	if a.Capacity() != 8 || a.Available() != 8 || b.Available() != 8 {
		t.Fatalf("capacity %d, available %d and %d; want 8, 8, 8", a.Capacity(), a.Available(), b.Available())
	}
	s := grow(t, a, 8*BlockSize)
	if _, err := s.Extend(1, nil); !errors.Is(err, ErrNoBlocks) {
		t.Errorf("Extend into reserved pages = %v; want ErrNoBlocks", err)
	}
	if err := b.Reserve(5); !errors.Is(err, ErrNoBlocks) {
		t.Errorf("Reserve(5) = %v; want ErrNoBlocks", err)
	}
	// A cached block of its own goes before an empty page that is reserved.
	s.Publish(story(0, 0, 8*BlockSize))
	s.Release()
	s = grow(t, a, BlockSize)
	if a.Cached() != 7 {
		t.Errorf("%d cached; want 7", a.Cached())
	}
	if err := b.Reserve(0); err != nil {
		t.Fatal(err)
	}
	extend(t, s, 15*BlockSize)
	if b.Available() != 0 {
		t.Errorf("%d available; want 0", b.Available())
	}
}

func TestMatchAndPublish(t *testing.T) {
	_, pools := newPools(t, 8, 100)
	p := pools[0]
	tokens := story(0, 0, 50)
	a := grow(t, p, 50)
	if got := p.NewSequence().Match(tokens); got != 0 {
		t.Errorf("Match before Publish = %d; want 0", got)
	}
	a.Publish(tokens[:40]) // blocks 0 and 1 are full
	for _, c := range []struct{ n, want int }{
		{0, 0}, {16, 0}, {17, 16}, {32, 16}, {33, 32}, {50, 32},
	} {
		s := p.NewSequence()
		if got := s.Match(tokens[:c.n]); got != c.want || s.Len() != c.want {
			t.Errorf("Match of %d tokens = %d, Len %d; want %d", c.n, got, s.Len(), c.want)
		}
		s.Release()
	}
	a.Publish(tokens) // the third block
	other := slices.Clone(tokens)
	other[3]++ // the second block has equal tokens after another first one
	s := p.NewSequence()
	if got := s.Match(other); got != 0 {
		t.Errorf("Match after another beginning = %d; want 0", got)
	}
	if got := s.Match(tokens); got != 48 {
		t.Errorf("Match = %d; want 48", got)
	}
	queried, hit := p.Prefix()
	if queried != 50+0+16+17+32+33+50+50+50 || hit != 16+16+32+32+48 {
		t.Errorf("%d of %d tokens found", hit, queried)
	}
}

func TestASecondCopyOfAPrefixIsNotPublished(t *testing.T) {
	_, pools := newPools(t, 8, 100)
	p := pools[0]
	first, second := grow(t, p, 32), grow(t, p, 48)
	first.Publish(story(0, 0, 32))
	second.Publish(story(0, 0, 48)) // its third block would outlive block 1
	if got := first.Release(); got != 2 || p.Cached() != 2 {
		t.Errorf("Release() = %d, %d cached; want 2, 2", got, p.Cached())
	}
	if got := second.Release(); got != 3 || p.Cached() != 2 {
		t.Errorf("Release() = %d, %d cached; want 3, 2", got, p.Cached())
	}
}

func TestEvictionOrder(t *testing.T) {
	_, pools := newPools(t, 2, 100)
	p := pools[0]
	a, b := grow(t, p, 3*BlockSize), grow(t, p, 3*BlockSize)
	a.Publish(story(0, 0, 3*BlockSize))
	b.Publish(story(1, 0, 3*BlockSize))
	a.Release()
	b.Release()
	use := p.NewSequence() // a is now the more recently used
	use.Match(story(0, 0, 49))
	use.Release()

	s := grow(t, p, 3*BlockSize) // 2 free blocks and the last of b
	left := func(number byte) int {
		q := p.NewSequence()
		defer q.Release()
		return q.Match(story(number, 0, 49)) / BlockSize
	}
	// left uses what it looks for, so b is looked for first and keeps its place.
	if got := left(1); got != 2 {
		t.Errorf("%d blocks of the older prefix left; want 2", got)
	}
	if got := left(0); got != 3 {
		t.Errorf("%d blocks of the newer prefix left; want 3", got)
	}
	extend(t, s, 3*BlockSize)
	if left(1) != 0 || left(0) != 2 {
		t.Errorf("%d blocks cached; want 2 of the newer prefix", p.Cached())
	}
}

func TestMistakesPanic(t *testing.T) {
	_, pools := newPools(t, 4, 100)
	p := pools[0]
	s := grow(t, p, 20)
	wantPanic(t, "not empty", func() { s.Match(nil) })
	wantPanic(t, "negative", func() { s.Extend(-1, nil) })
	wantPanic(t, "more tokens than", func() { s.Publish(make([]int32, 21)) })
	f := s.Fork()
	s.Publish(story(0, 0, 16))
	wantPanic(t, "differ", func() { f.Publish(story(1, 0, 16)) })
	f.Release()

	s.Release()
	wantPanic(t, "Release of a sequence that was released", func() { s.Release() })
	wantPanic(t, "Extend of a sequence that was released", func() { s.Extend(1, nil) })
	wantPanic(t, "Extend of a sequence that was released", func() { s.Extend(0, nil) })
	wantPanic(t, "Fork of a sequence that was released", func() { s.Fork() })
	wantPanic(t, "Match of a sequence that was released", func() { s.Match(nil) })
	wantPanic(t, "Publish of a sequence that was released", func() { s.Publish(nil) })
	// The object released last is handed out last, so the mistake shows for long.
	if g := p.NewSequence(); g != f {
		t.Error("NewSequence used the sequence released last again")
	}
	wantPanic(t, "released", func() { s.Release() })
}

// TestCheckFinds breaks the books in one place at a time.
func TestCheckFinds(t *testing.T) {
	for _, c := range []struct {
		what, want string
		damage     func(a *Arena, p *Pool, s *Sequence)
	}{
		{"a lost reference", "references", func(_ *Arena, p *Pool, s *Sequence) { p.blocks[s.blocks[0]].refs-- }},
		{"a block held twice", "as the child of", func(_ *Arena, p *Pool, s *Sequence) { s.blocks[2] = s.blocks[0] }},
		{"a missing block", "tokens in", func(_ *Arena, p *Pool, s *Sequence) { s.blocks = s.blocks[:1] }},
		{"a leaked block", "in the free list: false", func(_ *Arena, p *Pool, s *Sequence) { p.free.remove(p.links, p.free.head) }},
		{"a block free and in use", "in the free list: true", func(_ *Arena, p *Pool, s *Sequence) { p.free.pushBack(p.links, s.blocks[1]) }},
		{"a broken link", "broken", func(_ *Arena, p *Pool, s *Sequence) { p.links[p.free.tail].prev = p.free.tail }},
		{"a wrong count", "counted", func(_ *Arena, p *Pool, s *Sequence) { p.used++ }},
		{"wrong bytes", "bytes in use", func(a *Arena, p *Pool, s *Sequence) { a.used++ }},
		{"a wrong page", "page", func(a *Arena, p *Pool, s *Sequence) { a.pages[0].used-- }},
		{"an unknown content", "published", func(_ *Arena, p *Pool, s *Sequence) { clear(p.index) }},
		{"an orphan", "published", func(_ *Arena, p *Pool, s *Sequence) {
			delete(p.index, p.blocks[s.blocks[0]].content)
			p.blocks[s.blocks[0]] = block{refs: 1}
		}},
		{"a wrong order of eviction", "evicted after", func(_ *Arena, p *Pool, s *Sequence) {
			s.Release()
			b := p.lru.head
			p.lru.remove(p.links, b)
			p.lru.pushBack(p.links, b)
		}},
		{"a page too many", "pages", func(_ *Arena, p *Pool, s *Sequence) { p.pages++ }},
	} {
		a, err := NewArena(400, 4)
		if err != nil {
			t.Fatal(err)
		}
		p, err := a.NewPool(100)
		if err != nil {
			t.Fatal(err)
		}
		s := grow(t, p, 40)
		s.Publish(story(0, 0, 40))
		if err := a.Check(); err != nil {
			t.Fatal(err)
		}
		c.damage(a, p, s)
		if err := a.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Check() = %v; want %q", c.what, err, c.want)
		}
	}
	_, pools := newPools(t, 1, 100)
	s := grow(t, pools[0], 1)
	pools[0].blocks[0].refs = 0
	wantPanic(t, "block 0 is freed twice", func() { s.Release() })
	pools[0].blocks[0].refs = 1
}

// TestSteadyStateAllocatesNothing runs traces of a prompt over and over.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	_, pools := newPools(t, 64, 100, 200)
	p, judge := pools[0], pools[1]
	tokens := story(0, 0, 40)
	traces := make([]*Sequence, 16)
	var copies []Copy
	round := func() {
		copies = copies[:0]
		prompt := p.NewSequence()
		found := prompt.Match(tokens)
		copies, _ = prompt.Extend(len(tokens)-found, copies)
		prompt.Publish(tokens)
		for i := range traces {
			traces[i] = prompt.Fork()
		}
		for range 2 * BlockSize {
			for _, s := range traces {
				var err error
				if copies, err = s.Extend(1, copies); err != nil {
					t.Fatal(err)
				}
			}
		}
		pair := judge.NewSequence()
		copies, _ = pair.Extend(100, copies)
		for _, s := range traces {
			s.Release()
		}
		prompt.Release()
		pair.Release()
	}
	round()
	if got := testing.AllocsPerRun(100, round); got != 0 {
		t.Errorf("%v allocations a round; want 0", got)
	}
}
