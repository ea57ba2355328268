package kvcache

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// world runs pools of one arena beside a slow reference: maps from content to
// block, counting by looking at every sequence, and a memory in which each block
// really holds tokens, so that what a sequence would read can be compared.
type world struct {
	t     testing.TB
	arena *Arena
	pages int
	pools []*refPool
	peak  int64
	token int32 // for tokens that nobody else has
}

type refPool struct {
	*Pool
	perPage  int
	reserved int // pages
	memory   [][BlockSize]int32
	seqs     []*refSequence
	byText   map[string]int32 // published blocks by all tokens up to their end
	text     map[int32]string
	lru      []int32
	queried  int64
	hit      int64
}

type refSequence struct {
	*Sequence
	tokens []int32
	blocks []int32
}

func newWorld(t testing.TB, pageBytes int64, pages int, blockBytes ...int64) *world {
	t.Helper()
	a, err := NewArena(pageBytes, pages)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, arena: a, pages: pages, token: 1 << 20}
	for _, n := range blockBytes {
		p, err := a.NewPool(n)
		if err != nil {
			t.Fatal(err)
		}
		perPage := int(pageBytes / n)
		w.pools = append(w.pools, &refPool{
			Pool:    p,
			perPage: perPage,
			memory:  make([][BlockSize]int32, pages*perPage),
			byText:  map[string]int32{},
			text:    map[int32]string{},
		})
	}
	return w
}

// text is tokens as a map key.
func text(tokens []int32) string {
	return string(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(tokens))), 4*len(tokens)))
}

// story gives n tokens that begin like those of every other call with the same
// number, so that prefixes meet.
func story(number byte, from, n int) []int32 {
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32(number%3)*1000 + int32(from+i)
	}
	return tokens
}

func (p *refPool) refs() map[int32]int {
	n := map[int32]int{}
	for _, s := range p.seqs {
		for _, b := range s.blocks {
			n[b]++
		}
	}
	return n
}

func (p *refPool) pagesInUse() int {
	pages := map[int]bool{}
	for b := range p.refs() {
		pages[int(b)/p.perPage] = true
	}
	return len(pages)
}

func (w *world) available(p *refPool) int {
	pages := w.pages
	for _, q := range w.pools {
		if q != p {
			pages -= max(q.pagesInUse(), q.reserved)
		}
	}
	return pages*p.perPage - len(p.refs())
}

// add takes up a new sequence of the implementation.
func (p *refPool) add(s *Sequence, tokens []int32, blocks []int32) *refSequence {
	r := &refSequence{Sequence: s, tokens: slices.Clone(tokens), blocks: slices.Clone(blocks)}
	p.seqs = append(p.seqs, r)
	return r
}

func (w *world) extend(p *refPool, s *refSequence, tokens []int32) {
	w.t.Helper()
	refs := p.refs()
	oldEnd := len(s.tokens)
	tail := len(s.blocks) - 1
	copyTail := len(tokens) > 0 && oldEnd%BlockSize != 0 && refs[s.blocks[tail]] > 1
	need := (oldEnd+len(tokens)+BlockSize-1)/BlockSize - len(s.blocks)
	if copyTail {
		need++
	}
	if got := s.Need(len(tokens)); got != need {
		w.t.Fatalf("Need(%d) = %d; want %d", len(tokens), got, need)
	}
	available := w.available(p)
	unowned := available - len(p.lru) // of one pool alone: the free blocks
	copies, err := s.Extend(len(tokens), nil)
	if need > available {
		if !errors.Is(err, ErrNoBlocks) || len(copies) != 0 {
			w.t.Fatalf("Extend by %d of %d blocks = %v, %v; want ErrNoBlocks", need, available, copies, err)
		}
		return
	}
	if err != nil {
		w.t.Fatalf("Extend by %d of %d blocks: %v", need, available, err)
	}
	evicted := w.forgetEvicted()
	if want := max(0, need-unowned); len(w.pools) == 1 && evicted != want {
		w.t.Fatalf("%d blocks evicted; want %d", evicted, want)
	}

	got := s.Sequence.Blocks()
	if len(got) != len(s.blocks)+need-len(copies) {
		w.t.Fatalf("%d blocks after Extend; want %d", len(got), len(s.blocks)+need-len(copies))
	}
	if (len(copies) == 1) != copyTail || len(copies) > 1 {
		w.t.Fatalf("copies %v; tail shared: %v", copies, copyTail)
	}
	for i, b := range got {
		kept := i < len(s.blocks) && (i < tail || !copyTail)
		if kept && b != s.blocks[i] {
			w.t.Fatalf("block %d became %d", s.blocks[i], b)
		}
		if _, published := p.text[b]; !kept && (refs[b] > 0 || published) {
			w.t.Fatalf("block %d was handed out with %d references, published: %v", b, refs[b], published)
		}
	}
	if copyTail && (copies[0] != Copy{Dst: got[tail], Src: s.blocks[tail]}) {
		w.t.Fatalf("copy %v; want %d to %d", copies[0], s.blocks[tail], got[tail])
	}
	for _, c := range copies {
		p.memory[c.Dst] = p.memory[c.Src]
	}
	s.blocks = slices.Clone(got)
	s.tokens = append(s.tokens, tokens...)
	for i := oldEnd; i < len(s.tokens); i++ {
		p.memory[got[i/BlockSize]][i%BlockSize] = s.tokens[i]
	}
}

// forgetEvicted drops from the reference as many cached blocks as the pools have
// fewer, in the reference's order, and returns their number. That the pools
// dropped the same ones shows when they are looked for.
func (w *world) forgetEvicted() int {
	total := 0
	for _, p := range w.pools {
		n := len(p.lru) - p.Cached()
		if n < 0 {
			w.t.Fatalf("%d cached blocks; want at most %d", p.Cached(), len(p.lru))
		}
		for _, b := range p.lru[:n] {
			delete(p.byText, p.text[b])
			delete(p.text, b)
		}
		p.lru = p.lru[n:]
		total += n
	}
	return total
}

func (w *world) release(p *refPool, i int) {
	w.t.Helper()
	s := p.seqs[i]
	before := p.refs()
	private := 0
	for _, b := range s.blocks {
		if before[b] == 1 {
			private++
		}
	}
	p.seqs = slices.Delete(p.seqs, i, i+1)
	for _, b := range slices.Backward(s.blocks) {
		if _, ok := p.text[b]; ok && before[b] == 1 {
			p.lru = append(p.lru, b)
		}
	}
	if got := s.Private(); got != private {
		w.t.Fatalf("Private() = %d; want %d", got, private)
	}
	if got := s.Release(); got != private {
		w.t.Fatalf("Release() = %d; want %d", got, private)
	}
}

func (w *world) match(p *refPool, tokens []int32) {
	w.t.Helper()
	var want []int32
	for end := BlockSize; end < len(tokens); end += BlockSize {
		b, ok := p.byText[text(tokens[:end])]
		if !ok {
			break
		}
		want = append(want, b)
		p.lru = slices.DeleteFunc(p.lru, func(c int32) bool { return c == b })
	}
	p.queried += int64(len(tokens))
	p.hit += int64(len(want) * BlockSize)
	s := p.NewSequence()
	if got := s.Match(tokens); got != len(want)*BlockSize || !slices.Equal(s.Blocks(), want) {
		w.t.Fatalf("Match of %d tokens = %d in blocks %v; want %v", len(tokens), got, s.Blocks(), want)
	}
	p.add(s, tokens[:len(want)*BlockSize], want)
}

func (w *world) publish(p *refPool, s *refSequence, n int) {
	s.Publish(s.tokens[:n])
	for i := range n / BlockSize {
		key := text(s.tokens[:(i+1)*BlockSize])
		if b, ok := p.byText[key]; ok && b != s.blocks[i] {
			return
		}
		p.byText[key], p.text[s.blocks[i]] = s.blocks[i], key
	}
}

// check compares everything that can be seen with the reference.
func (w *world) check() {
	w.t.Helper()
	if err := w.arena.Check(); err != nil {
		w.t.Fatal(err)
	}
	var bytes int64
	for i, p := range w.pools {
		refs := p.refs()
		bytes += int64(len(refs)) * p.BlockBytes()
		if p.Used() != len(refs) || p.Cached() != len(p.lru) || p.Available() != w.available(p) {
			w.t.Fatalf("pool %d: %d used, %d cached, %d available; want %d, %d, %d",
				i, p.Used(), p.Cached(), p.Available(), len(refs), len(p.lru), w.available(p))
		}
		if queried, hit := p.Prefix(); queried != p.queried || hit != p.hit {
			w.t.Fatalf("pool %d: %d tokens of %d found; want %d of %d", i, hit, queried, p.hit, p.queried)
		}
		for j, s := range p.seqs {
			if s.Len() != len(s.tokens) || !slices.Equal(s.Sequence.Blocks(), s.blocks) {
				w.t.Fatalf("sequence %d: %d tokens in %v; want %d in %v", j, s.Len(), s.Sequence.Blocks(), len(s.tokens), s.blocks)
			}
			for k, want := range s.tokens {
				if got := p.memory[s.blocks[k/BlockSize]][k%BlockSize]; got != want {
					w.t.Fatalf("sequence %d reads %d at %d; want %d", j, got, k, want)
				}
			}
		}
	}
	w.peak = max(w.peak, bytes)
	if w.arena.UsedBytes() != bytes || w.arena.PeakBytes() != w.peak {
		w.t.Fatalf("%d bytes used, peak %d; want %d, %d", w.arena.UsedBytes(), w.arena.PeakBytes(), bytes, w.peak)
	}
}

// play decodes bytes as operations and carries them out, checking after each.
func play(t testing.TB, script []byte) {
	next := func() byte {
		if len(script) == 0 {
			return 0
		}
		b := script[0]
		script = script[1:]
		return b
	}
	// 960 bytes to a page: blocks of 240, 300 and 70 bytes fill it 4, 3 (and a
	// rest) and 13 times.
	sizes := [][]int64{{240}, {240, 300}, {240, 70}, {300, 240, 70}}[next()%4]
	w := newWorld(t, 960, 1+int(next()%7), sizes...)
	for len(script) > 0 {
		op, p := next(), w.pools[int(next())%len(w.pools)]
		if len(p.seqs) == 0 || op%16 == 0 && len(p.seqs) < 8 {
			p.add(p.NewSequence(), nil, nil)
		}
		i := int(next()) % len(p.seqs)
		s := p.seqs[i]
		arg := next()
		switch op % 16 {
		case 0, 1, 2, 3: // a prefill chunk that others may have too
			w.extend(p, s, story(arg, len(s.tokens), 1+int(arg)%50))
		case 4, 5, 6, 7: // decode, up to a few tokens
			own := make([]int32, int(arg)%5)
			for j := range own {
				own[j] = w.token
				w.token++
			}
			w.extend(p, s, own)
		case 8, 9:
			if len(p.seqs) < 8 {
				p.add(s.Fork(), s.tokens, s.blocks)
			}
		case 10, 11:
			w.release(p, i)
		case 12, 13:
			w.publish(p, s, int(arg)%(len(s.tokens)+1))
		case 14:
			if len(p.seqs) < 8 {
				w.match(p, story(arg, 0, int(arg)%90))
			}
		case 15:
			n := int(arg) % 12
			pages := (n + p.perPage - 1) / p.perPage
			ok := pages <= (w.available(p)+len(p.refs()))/p.perPage
			if err := p.Reserve(n); (err == nil) != ok {
				t.Fatalf("Reserve(%d) = %v; possible: %v", n, err, ok)
			}
			if ok {
				p.reserved = pages
			}
			w.forgetEvicted()
		}
		w.check()
	}
	for _, p := range w.pools {
		for len(p.seqs) > 0 {
			w.release(p, 0)
			w.check()
		}
	}
}

func TestRandomOperations(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 1))
			script := make([]byte, 3000)
			for i := range script {
				script[i] = byte(rng.Uint32())
			}
			script[0] = byte(seed)
			play(t, script)
		})
	}
}

func FuzzOperations(f *testing.F) {
	rng := rand.New(rand.NewPCG(7, 7))
	for n := 4; n <= 256; n *= 2 {
		script := make([]byte, n)
		for i := range script {
			script[i] = byte(rng.Uint32())
		}
		f.Add(script)
	}
	f.Add([]byte{1, 3, 0, 0, 0, 49, 12, 0, 0, 40, 10, 0, 0, 0, 14, 0, 0, 33, 3, 1, 0, 49, 3, 1, 0, 49})
	f.Fuzz(func(t *testing.T, script []byte) {
		play(t, script[:min(len(script), 1<<10)])
	})
}
