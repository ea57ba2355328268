package model

import (
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
)

// The two hash tables of a vocabulary take a third of the time of Go's maps to
// fill and to search: their keys lie elsewhere or in the slots, nothing is ever
// taken out, and what is looked up most is not there. They use open addressing
// with linear probing, and their hash functions are drawn at random, since a file
// may be hostile.

// words finds tokens by their bytes.
type words struct {
	seed   maphash.Seed
	tokens []string // by id
	slots  []wordSlot
}

// wordSlot is free if its id is 0, else of token id-1, or of none any more if
// negative.
type wordSlot struct {
	hash uint32
	id   int32
}

// newWords has room for count of the tokens.
func newWords(tokens []string, count int) words {
	return words{seed: maphash.MakeSeed(), tokens: tokens, slots: make([]wordSlot, slotsFor(count))}
}

// slotsFor is a power of two that count entries fill to three quarters at most.
func slotsFor(count int) int { return 1 << bits.Len(uint(count+count/3+1)) }

// slot is where the token of these bytes is, or where it belongs.
func (w *words) slot(hash uint32, word string) *wordSlot {
	for i := hash; ; i++ {
		s := &w.slots[i&uint32(len(w.slots)-1)]
		if s.id == 0 || s.hash == hash && s.id > 0 && w.tokens[s.id-1] == word {
			return s
		}
	}
}

func (w *words) hash(word string) uint32 { return uint32(maphash.String(w.seed, word)) }

func (w *words) find(word string) (int32, bool) {
	s := w.slot(w.hash(word), word)
	return s.id - 1, s.id != 0
}

// add reports whether there was no token of these bytes yet.
func (w *words) add(id int32) bool {
	word := w.tokens[id]
	hash := w.hash(word)
	s := w.slot(hash, word)
	if s.id != 0 {
		return false
	}
	*s = wordSlot{hash, id + 1}
	return true
}

func (w *words) remove(word string) {
	if s := w.slot(w.hash(word), word); s.id != 0 {
		s.id = -1
	}
}

// merges finds what a pair of tokens becomes.
type merges struct {
	factor uint64
	shift  uint8
	slots  []mergeSlot
}

// mergeSlot is free if its id is 0, else one more than that of the merge.
type mergeSlot struct {
	left, right int32
	merge
}

// merge is what a pair becomes. Lower ranks go first.
type merge struct{ rank, id int32 }

// noMerge is the rank of a pair that has no merge, after all ranks there are.
const noMerge = 1<<31 - 1

func newMerges(count int) merges {
	n := slotsFor(count)
	return merges{factor: rand.Uint64() | 1, shift: uint8(64 - bits.TrailingZeros(uint(n))), slots: make([]mergeSlot, n)}
}

func (m *merges) slot(left, right int32) *mergeSlot {
	hash := (uint64(uint32(left))<<32 | uint64(uint32(right))) * m.factor >> m.shift
	for i := hash; ; i++ {
		s := &m.slots[i&uint64(len(m.slots)-1)]
		if s.id == 0 || s.left == left && s.right == right {
			return s
		}
	}
}

// set makes the pair become what, instead of what it became before.
func (m *merges) set(left, right int32, what merge) {
	what.id++
	*m.slot(left, right) = mergeSlot{left, right, what}
}

func (m *merges) find(left, right int32) merge {
	s := m.slot(left, right)
	if s.id == 0 {
		return merge{rank: noMerge}
	}
	return merge{s.rank, s.id - 1}
}
