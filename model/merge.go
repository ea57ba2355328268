package model

import "sync"

// shortWord is the longest word, in bytes, that is merged by looking through all
// its pairs for each merge; longer ones use a heap.
const shortWord = 32

// mergeWord appends the tokens of word.
func (t *BPE) mergeWord(dst []int32, word string) []int32 {
	if len(word) > shortWord {
		return t.mergeLong(dst, word)
	}
	var ids [shortWord]int32
	var pairs [shortWord]merge // pairs[i] is what ids[i] and ids[i+1] become
	n := len(word)
	for i := range n {
		ids[i] = t.bytes[word[i]]
	}
	for i := range n - 1 {
		pairs[i] = t.merges.find(ids[i], ids[i+1])
	}
	for n > 1 {
		best := 0
		for i := 1; i < n-1; i++ {
			if pairs[i].rank < pairs[best].rank {
				best = i
			}
		}
		if pairs[best].rank == noMerge {
			break
		}
		ids[best] = pairs[best].id
		copy(ids[best+1:n-1], ids[best+2:n])
		copy(pairs[best:n-2], pairs[best+1:n-1])
		n--
		if best > 0 {
			pairs[best-1] = t.merges.find(ids[best-1], ids[best])
		}
		if best < n-1 {
			pairs[best] = t.merges.find(ids[best], ids[best+1])
		}
	}
	return append(dst, ids[:n]...)
}

// longWord is the memory of mergeLong.
type longWord struct {
	parts []part
	heap  []candidate
}

// part is a token of the word, linked to its neighbours; -1 is none.
type part struct {
	id             int32
	previous, next int32
	gone           bool // merged into the part before it
}

// candidate is a merge of the part at an index with the one after it. It is out
// of date if either has changed since.
type candidate struct {
	merge
	at          int32
	left, right int32
}

// before orders the heap: by rank, then from left to right.
func (c candidate) before(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.at < d.at
}

var longWords = sync.Pool{New: func() any { return new(longWord) }}

// mergeLong is mergeWord in O(n log n), since nothing bounds the words of a
// user's text.
func (t *BPE) mergeLong(dst []int32, word string) []int32 {
	w := longWords.Get().(*longWord)
	defer longWords.Put(w)
	w.parts, w.heap = w.parts[:0], w.heap[:0]
	for i := range len(word) {
		w.parts = append(w.parts, part{id: t.bytes[word[i]], previous: int32(i - 1), next: int32(i + 1)})
	}
	w.parts[len(word)-1].next = -1
	for i := range len(word) - 1 {
		w.offer(t, int32(i))
	}
	for len(w.heap) > 0 {
		c := w.pop()
		p := &w.parts[c.at]
		if p.gone || p.id != c.left || p.next < 0 || w.parts[p.next].id != c.right {
			continue
		}
		p.id = c.id
		w.parts[p.next].gone = true
		p.next = w.parts[p.next].next
		if p.next >= 0 {
			w.parts[p.next].previous = c.at
			w.offer(t, c.at)
		}
		if p.previous >= 0 {
			w.offer(t, p.previous)
		}
	}
	for i := int32(0); i >= 0; i = w.parts[i].next {
		dst = append(dst, w.parts[i].id)
	}
	return dst
}

// offer puts the merge of a part with the one after it on the heap, if there is one.
func (w *longWord) offer(t *BPE, at int32) {
	left, right := w.parts[at].id, w.parts[w.parts[at].next].id
	m := t.merges.find(left, right)
	if m.rank == noMerge {
		return
	}
	h := append(w.heap, candidate{m, at, left, right})
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !h[i].before(h[up]) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
	w.heap = h
}

// pop takes the first candidate off the heap.
func (w *longWord) pop() candidate {
	h := w.heap
	first := h[0]
	last := len(h) - 1
	h[0] = h[last]
	h = h[:last]
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			break
		}
		if down+1 < last && h[down+1].before(h[down]) {
			down++
		}
		if !h[down].before(h[i]) {
			break
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
	w.heap = h
	return first
}
