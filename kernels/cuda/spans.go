package cuda

import (
	"slices"

	"deepprune/kernels"
)

// The work of attention is cut on the host, in a step's batch, into items that
// blocks of CUDA threads take one after another, largest first:
//
//	keys      | split 0: partitions 0 … 7     | split 1            |
//	          | span of 512 rows              | span 1 | span 2 …  |   spans: partitions of a
//	rows      | trace 0                       | all    | trace 0   |   split that the same
//	          | …                             |        +-----------+   runs read
//	          | trace 511                     |        | trace 1 … |
//
// A query's partitions are folded from left to right in a split, and its splits
// from left to right: this order, not the cut, decides the bits. A piece of a span
// that nothing in the split comes before leaves one state of the fold for a row; a
// piece behind another leaves the state of every partition, and the merge folds
// these behind what it has of the split. Pieces are as short as it takes to occupy
// the device.

// splitPartitions is the number of partitions in a split of the keys, which lie at
// the absolute partitions [i*splitPartitions, (i+1)*splitPartitions).
const splitPartitions = 8

// attentionShape is what the cut depends on, beside the batch.
type attentionShape struct {
	group   int // query heads of a KV head
	kvHeads int
	window  int // of AttentionSpec, 0: none
	queries int // of an item at most
	blocks  int // of CUDA threads that should have something to do
}

// piece is partitions of one split that the same runs read.
type piece struct {
	partition, count int32
	unit             int32 // the first of its units
	rows             int32 // that read any of it
	folded           bool  // a row has one state for all of it, not one for each partition
}

// item is what a block of threads computes at once, for each of the KV heads: some
// of the queries of a piece's rows, of which query i is head i%group of row i/group.
type item struct {
	piece, rows    int32 // the piece, and where its rows begin in attentionWork.rows
	first, queries int32
}

// itemRow is a row of a piece. The state of partition p of a piece that is not folded
// is state + p - piece.partition, that of one that is folded is state.
type itemRow struct {
	row, position, state int32
}

// attentionWork is the cut of a batch. Its memory is kept from step to step.
type attentionWork struct {
	shape attentionShape
	batch *kernels.Batch

	pieces []piece // in order of partition
	states []int32 // of every row, how many

	// Of the rows that are computed now.
	lo, hi int
	first  []int32 // of each row, its first state
	splits []int32 // of each state
	rows   []itemRow
	items  []item // largest first

	next   []int32 // of a row, its next state
	sorted []item
	spans  []piece
	counts []int32
}

// cut finds the pieces of a batch, which must not change until the last round.
func (w *attentionWork) cut(shape attentionShape, b *kernels.Batch) {
	w.shape, w.batch = shape, b
	w.hi = 0
	w.spans = w.spans[:0]
	work, last := 0, int32(0)
	for u := range b.Units {
		unit := &b.Units[u]
		rows := w.readersOf(unit.First, unit.Count, unit.Partition, 1)
		if rows == 0 {
			continue
		}
		last = max(last, unit.Partition)
		work += int(w.tiles(rows)) * shape.kvHeads
		if n := len(w.spans); n > 0 {
			s := &w.spans[n-1]
			end := s.partition + s.count
			if s.unit+s.count == int32(u) && end == unit.Partition && end%splitPartitions != 0 &&
				slices.Equal(w.members(s.unit), w.members(int32(u))) {
				s.count++
				continue
			}
		}
		w.spans = append(w.spans, piece{partition: unit.Partition, count: 1, unit: int32(u)})
	}
	w.order(int32(min(splitPartitions, max(1, work/max(1, shape.blocks)))), last)

	w.states = resize(w.states, b.Rows())
	clear(w.states)
	for i := range w.pieces {
		p := &w.pieces[i]
		unit := &b.Units[p.unit]
		p.rows = w.readersOf(unit.First, unit.Count, p.partition, p.count)
		p.folded = true
		for _, m := range w.members(p.unit) {
			run := &b.Runs[m]
			if row, end := w.readers(run, p.partition, p.count); row < end {
				p.folded = p.folded && max(w.firstPartition(row), p.partition&^(splitPartitions-1)) >= p.partition
			}
		}
		w.each(p, func(row int32) { w.states[row] += w.statesOf(p, row) })
	}
}

// order cuts the spans into pieces of so many partitions at most, and sorts them.
func (w *attentionWork) order(most, last int32) {
	w.counts = resize(w.counts, int(last)+2)
	clear(w.counts)
	total := int32(0)
	for _, s := range w.spans {
		for at := int32(0); at < s.count; at += most {
			w.counts[s.partition+at+1]++
			total++
		}
	}
	for i := range last {
		w.counts[i+1] += w.counts[i]
	}
	w.pieces = resize(w.pieces, int(total))
	for _, s := range w.spans {
		for at := int32(0); at < s.count; at += most {
			to := &w.counts[s.partition+at]
			w.pieces[*to] = piece{partition: s.partition + at, count: min(most, s.count-at), unit: s.unit + at}
			*to++
		}
	}
}

// round makes the items of the next rows that have at most so many states together,
// or of one. It returns false after the last row.
func (w *attentionWork) round(states int) bool {
	w.lo = w.hi
	if w.lo == w.batch.Rows() {
		return false
	}
	w.first = resize(w.first, w.batch.Rows())
	total := 0
	for ; w.hi < w.batch.Rows() && (w.hi == w.lo || total+int(w.states[w.hi]) <= states); w.hi++ {
		w.first[w.hi] = int32(total)
		total += int(w.states[w.hi])
	}
	w.next = append(w.next[:0], w.first...)
	w.splits = resize(w.splits, total)
	w.rows, w.items = w.rows[:0], w.items[:0]
	for i := range w.pieces {
		w.add(int32(i))
	}
	w.largestFirst()
	return true
}

// add makes the items of a piece.
func (w *attentionWork) add(i int32) {
	p := &w.pieces[i]
	it := item{piece: i, rows: int32(len(w.rows))}
	w.each(p, func(row int32) {
		if int(row) < w.lo || int(row) >= w.hi {
			return
		}
		at, n := w.next[row], w.statesOf(p, row)
		w.next[row] += n
		for s := at; s < at+n; s++ {
			w.splits[s] = p.partition / splitPartitions
		}
		if !p.folded {
			at -= max(0, w.firstPartition(row)-p.partition)
		}
		w.rows = append(w.rows, itemRow{row, w.batch.Positions[row], at})
	})
	rows := int32(len(w.rows)) - it.rows
	if rows == 0 {
		return
	}
	queries := rows * int32(w.shape.group)
	// Tiles of about equal size, in whole columns of the tensor cores' products.
	size := ceil(ceil(queries, w.tiles(rows)), 8) * 8
	for it.first = 0; it.first < queries; it.first += size {
		it.queries = min(size, queries-it.first)
		w.items = append(w.items, it)
	}
}

// largestFirst sorts the items by what they cost.
func (w *attentionWork) largestFirst() {
	most := w.cost(&item{queries: int32(w.shape.queries)}, splitPartitions)
	w.counts = resize(w.counts, int(most)+2)
	clear(w.counts)
	for i := range w.items {
		it := &w.items[i]
		w.counts[most-w.cost(it, w.pieces[it.piece].count)+1]++
	}
	for i := range most {
		w.counts[i+1] += w.counts[i]
	}
	w.sorted = resize(w.sorted, len(w.items))
	for i := range w.items {
		it := &w.items[i]
		to := &w.counts[most-w.cost(it, w.pieces[it.piece].count)]
		w.sorted[*to] = *it
		*to++
	}
	w.items, w.sorted = w.sorted, w.items
}

// cost is about proportional to the time of an item: what is read of a partition,
// and what is computed for each eight queries.
func (w *attentionWork) cost(it *item, partitions int32) int32 {
	return partitions * (3 + ceil(it.queries, 8))
}

func (w *attentionWork) tiles(rows int32) int32 {
	return ceil(rows*int32(w.shape.group), int32(w.shape.queries))
}

// statesOf is the number of states that a row has of a piece that it reads.
func (w *attentionWork) statesOf(p *piece, row int32) int32 {
	if p.folded {
		return 1
	}
	first := max(p.partition, w.firstPartition(row))
	last := min(p.partition+p.count-1, w.batch.Positions[row]/kernels.PartitionKeys)
	return last - first + 1
}

// each calls f with the rows that read a piece, in ascending order.
func (w *attentionWork) each(p *piece, f func(row int32)) {
	for _, m := range w.members(p.unit) {
		row, end := w.readers(&w.batch.Runs[m], p.partition, p.count)
		for ; row < end; row++ {
			f(row)
		}
	}
}

func (w *attentionWork) members(unit int32) []int32 {
	u := &w.batch.Units[unit]
	return w.batch.Members[u.First : u.First+u.Count]
}

// readersOf is the number of rows of some members that read partitions.
func (w *attentionWork) readersOf(first, n, partition, count int32) int32 {
	rows := int32(0)
	for _, m := range w.batch.Members[first : first+n] {
		row, end := w.readers(&w.batch.Runs[m], partition, count)
		rows += max(0, end-row)
	}
	return rows
}

// readers is the range of rows of a run that read any of count partitions: those at
// or behind their first key whose window reaches their last.
func (w *attentionWork) readers(run *kernels.Run, partition, count int32) (row, end int32) {
	row, end = int32(run.Row), int32(run.Row+run.Rows)
	first := partition*kernels.PartitionKeys - w.batch.Positions[row] // rows from row on
	if n := w.shape.window; n > 0 {
		end = min(end, row+max(0, first+count*kernels.PartitionKeys-1+int32(n)))
	}
	return row + max(0, first), end
}

// firstPartition is the first partition that a row reads.
func (w *attentionWork) firstPartition(row int32) int32 {
	if w.shape.window == 0 {
		return 0
	}
	return max(0, w.batch.Positions[row]+1-int32(w.shape.window)) / kernels.PartitionKeys
}

// The tables of attention, in words: a header for each round, and what it says the places
// of, for all rounds together.
const (
	headerItems = iota // their number
	headerItemsAt
	headerRowsAt
	headerBlocksAt
	headerMergeRows // their number
	headerMergeAt
	headerSplitsAt
	headerWords = 8
)

const (
	itemWords  = 8 // partition, partitions, folded, blocks, rows, first, queries, -
	rowWords   = 4 // row, position, state, -
	mergeWords = 4 // row, first state, states, -
)

// appendTables appends the header and the tables of a round as the kernels read them.
func (w *attentionWork) appendTables(headers, to []int32) ([]int32, []int32) {
	start := len(headers)
	headers = append(headers, make([]int32, headerWords)...)
	h := headers[start:]
	for len(to)%4 != 0 { // sections begin at multiples of 16 bytes
		to = append(to, 0)
	}

	h[headerItems], h[headerItemsAt] = int32(len(w.items)), int32(len(to))
	blocks := int32(0) // of pieces, one after another
	w.counts = resize(w.counts, len(w.pieces))
	for i := range w.pieces {
		w.counts[i] = blocks
		blocks += w.pieces[i].count * kernels.PartitionBlocks
	}
	for i := range w.items {
		it := &w.items[i]
		p := &w.pieces[it.piece]
		folded := int32(0)
		if p.folded {
			folded = 1
		}
		to = append(to, p.partition, p.count, folded, w.counts[it.piece], it.rows, it.first, it.queries, 0)
	}
	h[headerRowsAt] = int32(len(to))
	for _, r := range w.rows {
		to = append(to, r.row, r.position, r.state, 0)
	}
	h[headerBlocksAt] = int32(len(to))
	for i := range w.pieces {
		p := &w.pieces[i]
		table := w.batch.Runs[w.members(p.unit)[0]].Blocks
		for j := range p.count * kernels.PartitionBlocks {
			// What lies beyond a sequence's end is not read.
			if k := int(p.partition*kernels.PartitionBlocks + j); k < len(table) {
				to = append(to, table[k])
			} else {
				to = append(to, 0)
			}
		}
	}
	h[headerMergeRows], h[headerMergeAt] = int32(w.hi-w.lo), int32(len(to))
	for row := w.lo; row < w.hi; row++ {
		to = append(to, int32(row), w.first[row], w.states[row], 0)
	}
	h[headerSplitsAt] = int32(len(to))
	return headers, append(to, w.splits...)
}

// ceil is n/d rounded up.
func ceil[T int | int32](n, d T) T { return (n + d - 1) / d }

// resize returns a slice of n elements, in the memory of s if it has enough.
func resize[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }
