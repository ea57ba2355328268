package cpu

import (
	"deepprune/kernels"
)

// A tile is a few queries that read the same keys and values, of one KV head in
// one partition:
//
//	queries [n][headDim] · keys [headDim][64]  ->  scores [n][64]
//	softmax of each row over the keys it sees  ->  weights [n][64]
//	weights [n][64] · values [64][headDim]     ->  outs [n][headDim]
//
// Keys and values in bfloat16 are multiplied as they are, with queries and weights
// rounded to bfloat16, if the kernel set can; else they are widened to float32
// once for all the queries of an item. Integers are made bfloat16 first, which
// holds them exactly; their scales are multiplied to scores and weights.
//
// A tile has at most set.tile queries.

// attentionScratch is a worker's memory for attention.
type attentionScratch struct {
	queries []uint32  // of an item's rows, scaled, as the products want them
	scores  []float32 // of a tile
	sees    []span    // of each query of an item
	rows    []int32   // of an item
	wide    []float32 // keys and values of a partition, widened
	pairs   []uint32  // the same as bfloat16, if they are integers
	shares  []float32 // of the partitions of a row
	rounded []uint32  // a key or a value
	ahead   int       // bytes from the values of a head to what is read next, or 0
	// keys and values of the blocks of a partition, of those that are seen.
	keys, values [kernels.PartitionBlocks][]uint32
	// keyScales and valueScales are those of integers.
	keyScales, valueScales [kernels.PartitionKeys]float32
}

// bf16Kernels multiply with keys and values in bfloat16. Queries and weights are
// pairs of bfloat16, the first in the low half of a word.
type bf16Kernels struct {
	// scores computes the product of queries, n words each, with the keys of two
	// blocks, [n][16] each. Rows of scores lie PartitionKeys apart. What lies ahead
	// bytes behind the keys is fetched into the cache.
	scores func(rows int, scores []float32, queries []uint32, n int, k0, k1 []uint32, ahead int)
	// softmax is that of the set, but leaves weights as pairs in the first half of
	// their row, and sums what was rounded.
	softmax func(scores []float32, sees []span, sums []partial)
	// weigh makes out, rows stride floats apart, the sum of the values with weights
	// of keys from to to, of 32 elements, which lie in each block p0 and p1 words on,
	// or adds it to out if load is set. What lies ahead bytes behind them is fetched
	// into the cache.
	weigh func(rows int, out []float32, stride int, weights []uint32, values *[kernels.PartitionBlocks][]uint32, p0, p1, from, to, ahead int, load bool)
}

// chunk computes one item.
func (j *attentionJob) chunk(w *worker, i int) {
	it := &j.items[i]
	unit := &j.batch.Units[it.unit]
	j.collect(w, it, unit)
	seen := w.sees[0] // by any of the item's queries
	for _, s := range w.sees[1:] {
		seen = span{min(seen.from, s.from), max(seen.to, s.to)}
	}
	blocks := j.batch.Runs[j.batch.Members[it.member]].Blocks[unit.Partition*kernels.PartitionBlocks:]
	n := int(it.count) * j.group
	w.scores = grow(w.scores, j.set.tile*kernels.PartitionKeys)
	for h := range int(it.heads) {
		w.ahead = 0
		if h+1 < int(it.heads) && j.kv.Format == kernels.BF16 { // whose keys lie behind this one's values
			w.ahead = 4 * j.kv.head / 2
		}
		j.load(w, int(it.head)+h, blocks, seen)
		j.query(w, int(it.head)+h)
		for lo := 0; lo < n; lo += j.set.tile {
			j.tile(w, int(it.slot)+h*n, lo, min(lo+j.set.tile, n))
		}
	}
}

// collect notes an item's rows and what each of their queries sees.
func (j *attentionJob) collect(w *worker, it *item, unit *kernels.Unit) {
	w.rows, w.sees = w.rows[:0], w.sees[:0]
	for m, row := it.member, it.row; len(w.rows) < int(it.count); m, row = m+1, 0 {
		first, end := j.readers(unit, m)
		for row = max(row, first); row < end && len(w.rows) < int(it.count); row++ {
			w.rows = append(w.rows, row)
			sees := j.sees(j.batch.Positions[row], unit.Partition)
			for range j.group {
				w.sees = append(w.sees, sees)
			}
		}
	}
}

// native reports whether keys and values are multiplied as bfloat16.
func (j *attentionJob) native() bool { return j.kv.Format != kernels.F32 && j.set.bf16 != nil }

// load finds a head's keys and values in the blocks of a partition that are seen,
// and widens them if it must.
func (j *attentionJob) load(w *worker, head int, blocks []int32, seen span) {
	n := j.spec.HeadDim * kernels.BlockSize
	for i := int(seen.from) / kernels.BlockSize; i*kernels.BlockSize < int(seen.to); i++ {
		keys, values := j.kv.of(head, blocks[i])
		if j.kv.Format == kernels.Int8 {
			copy(w.keyScales[i*kernels.BlockSize:], scales(keys))
			copy(w.valueScales[i*kernels.BlockSize:], scales(values))
			w.pairs = grow(w.pairs, n*kernels.PartitionBlocks)
			pairs := w.pairs[n*i:][:n]
			j.set.pairInt8(pairs[:n/2], keys[:n/4])
			j.set.pairInt8(pairs[n/2:], values[:n/4])
			keys, values = pairs[:n/2], pairs[n/2:]
		}
		if j.kv.Format != kernels.F32 && j.set.bf16 == nil {
			w.wide = grow(w.wide, 2*n*kernels.PartitionBlocks)
			wide := w.wide[2*n*i:][:2*n]
			j.set.widen(wide[:n], keys)
			j.set.widen(wide[n:], values)
			keys, values = words(wide[:n]), words(wide[n:])
		}
		w.keys[i], w.values[i] = keys, values
	}
}

// query collects the queries of a KV head, scaled.
func (j *attentionJob) query(w *worker, head int) {
	n := j.group * j.spec.HeadDim
	w.queries = grow(w.queries, len(w.rows)*n)
	for i, row := range w.rows {
		q := j.qkv.row(int(row))[head*n:][:n]
		if j.native() {
			j.set.round(w.queries[i*n/2:], q, j.spec.Scale)
			continue
		}
		to := floats(w.queries[i*n:][:n])
		clear(to)
		j.set.axpy(to, q, j.spec.Scale)
	}
}

// tile computes queries lo to hi of an item for one head. slot is that of query 0.
func (j *attentionJob) tile(w *worker, slot, lo, hi int) {
	const most = kernels.PartitionKeys
	dim, rows, sees := j.spec.HeadDim, hi-lo, w.sees[lo:hi]
	seen, common := sees[0], sees[0] // by any of them, by all of them
	for _, s := range sees[1:] {
		seen = span{min(seen.from, s.from), max(seen.to, s.to)}
		common = span{max(common.from, s.from), min(common.to, s.to)}
	}
	b0, b1 := int(seen.from)/kernels.BlockSize, ceil(int(seen.to), kernels.BlockSize)

	scores, sums := w.scores[:rows*most], j.sums[slot+lo:slot+hi]
	for b := b0 &^ 1; b < b1; b += 2 {
		// A block without a neighbour is multiplied twice; one result is masked.
		k0, k1 := w.keys[max(b, b0)], w.keys[min(b+1, b1-1)]
		if j.native() {
			ahead := 0
			if lo == 0 && j.kv.Format == kernels.BF16 {
				ahead = dim * kernels.BlockSize * 2
			}
			j.set.bf16.scores(rows, scores[b*lanes:], w.queries[lo*dim/2:], dim/2, k0, k1, ahead)
		} else {
			j.set.matmul(rows, scores[b*lanes:], most, floats(w.queries[lo*dim:]), dim, floats(k0), floats(k1), lanes, dim, false)
		}
	}
	switch {
	case j.kv.Format == kernels.Int8:
		j.scaledSoftmax(w, scores, sees, sums)
	case j.native():
		j.set.bf16.softmax(scores, sees, sums)
	default:
		j.set.softmax(scores, sees, sums)
	}

	// Of the keys that not all rows see, each row meets only those that it sees:
	// another's value would make NaN of it even with weight 0, if it is not finite.
	outs := j.outs[(slot+lo)*j.width : (slot+hi)*j.width]
	if seen == common {
		j.weigh(w, outs, 0, rows, seen, false)
		return
	}
	clear(outs)
	// Pairs of keys stay together, as they are if the row is alone.
	common = span{(common.from + 1) &^ 1, common.to &^ 1}
	if common.from >= common.to {
		common = span{seen.to, seen.to}
	}
	each := func(part span) {
		for r := 0; r < rows; {
			s, n := sees[r], 1
			for r+n < rows && sees[r+n] == s {
				n++
			}
			j.weigh(w, outs[r*j.width:], r, n, span{max(s.from, part.from), min(s.to, part.to)}, true)
			r += n
		}
	}
	each(span{seen.from, common.from})
	j.weigh(w, outs, 0, rows, common, true)
	each(span{common.to, seen.to})
}

// scaledSoftmax is the softmax of scores times the scales of keys, each weight then
// times the scale of its value. The sums are of the weights without.
func (j *attentionJob) scaledSoftmax(w *worker, scores []float32, sees []span, sums []partial) {
	const most = kernels.PartitionKeys
	for r := range sees {
		row := scores[r*most:][:most]
		j.set.scaleMul(row, row, w.keyScales[:], 1)
	}
	j.set.softmax(scores, sees, sums)
	for r, s := range sees {
		row := scores[r*most:][:most]
		j.set.scaleMul(row, row, w.valueScales[:], 1)
		clear(row[:s.from]) // another's scale may not be finite
		clear(row[s.to:])
		if j.native() {
			j.set.round(words(row), row, 1)
		}
	}
}

// weigh makes the outs of rows of the tile from first on the sum of the values of
// keys s, or adds it to them if load is set.
func (j *attentionJob) weigh(w *worker, outs []float32, first, rows int, s span, load bool) {
	if s.from >= s.to {
		return
	}
	const most = kernels.PartitionKeys
	dim, scores := j.spec.HeadDim, w.scores[first*most:]
	for d := 0; d < dim; d += panelWidth {
		d1 := min(d+lanes, dim-lanes)
		if j.native() {
			j.set.bf16.weigh(rows, outs[d:], j.width, words(scores), &w.values,
				d*kernels.BlockSize/2, d1*kernels.BlockSize/2, int(s.from), int(s.to), w.ahead, load)
			continue
		}
		for from, load := int(s.from), load; from < int(s.to); load = true {
			b, skip := from/kernels.BlockSize, from%kernels.BlockSize
			n := min(kernels.BlockSize-skip, int(s.to)-from)
			values := floats(w.values[b])
			j.set.matmul(rows, outs[d:], j.width, scores[from:], most,
				values[d*kernels.BlockSize+skip*lanes:], values[d1*kernels.BlockSize+skip*lanes:], lanes, n, load)
			from += n
		}
	}
}
