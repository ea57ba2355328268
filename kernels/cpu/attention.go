package cpu

import (
	"math"

	"deepprune/kernels"
)

// Attention runs in two passes. The first computes, for each unit of the batch's
// plan and each KV head, every query that reads the partition: all query heads
// of the KV head's group in all rows of all member runs, stacked as the rows of
// two matrix products.
//
//	queries [n][headDim] · keys [headDim][64]  ->  scores [n][64]
//	softmax of each row over the keys it may see
//	weights [n][64] · values [64][headDim]     ->  values [n][headDim]
//
// What a query got from a partition, the weighted sum o and its (max, sum) under
// the softmax, goes to a slot of its own:
//
//	slot = first[row] + head*partitions(row) + partition - firstPartition(row)
//
// The second pass merges a query's slots in order of partition, and the head's
// sink, if it has one.
//
// A masked key's score and value are not looked at, so what is left in a block
// by its previous owner does no harm, whatever it is.

const (
	// itemQueries is the number of queries computed together.
	itemQueries = 96
	// slotFloats bounds the memory of the slots to 32 MiB: a batch that needs more is
	// computed some rows at a time.
	slotFloats = 1 << 23
	// longestWindow bounds windows, so that sums of positions do not overflow: a
	// wider one leaves out nothing.
	longestWindow = 1 << 30
)

func (d *device) Attention(dst, qkv kernels.Tensor, spec *kernels.AttentionSpec, kv kernels.KV, layer int, b *kernels.Batch) {
	j := &d.attention
	j.set, j.dst, j.qkv, j.spec, j.batch = d.set, dst.(*tensor), qkv.(*tensor), *spec, b
	checkHeads(j.qkv, spec, &kv, layer, b)
	j.kv = newLayerKV(&kv, layer)
	if j.dst.cols != spec.Heads*spec.HeadDim {
		mismatch("attention: %d heads of %d into %d columns", spec.Heads, spec.HeadDim, j.dst.cols)
	}
	j.dst.must("attention", b.Rows())
	switch {
	case spec.Window < 0:
		mismatch("attention: a window of %d keys", spec.Window)
	case spec.Window > longestWindow:
		j.spec.Window = 0
	}
	j.sinks = nil
	if spec.Sinks != nil {
		j.sinks = spec.Sinks.(*tensor).row(0)
		if len(j.sinks) != spec.Heads {
			mismatch("attention: %d sinks for %d heads", len(j.sinks), spec.Heads)
		}
	}
	for lo := 0; lo < b.Rows(); {
		hi := j.layOut(lo)
		j.plan(lo, hi)
		d.pool.run(j, len(j.items)*spec.KVHeads)
		d.merge = mergeJob{j, lo, hi}
		d.pool.run(&d.merge, rowChunks(hi-lo, j.dst.cols))
		lo = hi
	}
}

type attentionJob struct {
	set      *set
	dst, qkv *tensor
	spec     kernels.AttentionSpec
	sinks    []float32 // of each head, or nil
	kv       layerKV
	batch    *kernels.Batch

	memory int // floats in slots at most, but for a single row
	items  []item
	first  []int32   // of each row that is computed now, its first slot
	sums   []partial // of each slot
	outs   []float32 // of each slot, headDim values
}

// item is some of the rows that read a unit's partition: count of them in the
// order of the unit's members, from row on in run Members[member].
type item struct {
	unit, member int32
	row, count   int32
}

// partial is the softmax of a query over one partition: the largest score and
// the sum of exp(score - max).
type partial struct {
	max, sum float32
}

// span is a range of the keys of a partition, [from, to).
type span struct {
	from, to int32
}

// oldest is the position of the first key that a row at a position sees.
func (j *attentionJob) oldest(position int32) int32 {
	if j.spec.Window == 0 {
		return 0
	}
	return max(0, position+1-int32(j.spec.Window))
}

// sees is the keys of a partition that a row at a position sees.
func (j *attentionJob) sees(position, partition int32) span {
	first := partition * kernels.PartitionKeys
	return span{max(0, j.oldest(position)-first), min(kernels.PartitionKeys, position+1-first)}
}

// firstPartition is the first partition that row r reads, partitions their number.
func (j *attentionJob) firstPartition(r int) int32 {
	return j.oldest(j.batch.Positions[r]) / kernels.PartitionKeys
}

func (j *attentionJob) partitions(r int) int {
	return int(j.batch.Positions[r]/kernels.PartitionKeys - j.firstPartition(r) + 1)
}

// layOut gives slots to the rows from lo on, and returns the first row that is
// left for the next time.
func (j *attentionJob) layOut(lo int) (hi int) {
	j.first = grow(j.first, j.batch.Rows())
	slots := 0
	for hi = lo; hi < j.batch.Rows(); hi++ {
		n := j.spec.Heads * j.partitions(hi)
		if hi > lo && (slots+n)*j.spec.HeadDim > j.memory {
			break
		}
		j.first[hi] = int32(slots)
		slots += n
	}
	j.sums = grow(j.sums, slots)
	j.outs = grow(j.outs, slots*j.spec.HeadDim)
	return hi
}

// plan cuts the units' work in rows lo to hi into items.
func (j *attentionJob) plan(lo, hi int) {
	j.items = j.items[:0]
	most := int32(max(1, itemQueries*j.spec.KVHeads/j.spec.Heads))
	for u := range j.batch.Units {
		unit := &j.batch.Units[u]
		open := false // whether the last item is this unit's and has room
		for m := unit.First; m < unit.First+unit.Count; m++ {
			row, end := j.readers(unit, m)
			row, end = max(row, int32(lo)), min(end, int32(hi))
			for row < end {
				if !open {
					j.items = append(j.items, item{unit: int32(u), member: m, row: row})
					open = true
				}
				it := &j.items[len(j.items)-1]
				n := min(most-it.count, end-row)
				it.count += n
				row += n
				open = it.count < most
			}
		}
	}
}

// readers is the range of rows of run Members[m] that read a unit's partition:
// those at or behind its first key whose window reaches its last.
func (j *attentionJob) readers(unit *kernels.Unit, m int32) (row, end int32) {
	run := &j.batch.Runs[j.batch.Members[m]]
	row, end = int32(run.Row), int32(run.Row+run.Rows)
	first := unit.Partition*kernels.PartitionKeys - j.batch.Positions[row] // rows from row on
	if w := j.spec.Window; w > 0 {
		end = min(end, row+max(0, first+kernels.PartitionKeys-1+int32(w)))
	}
	return row + max(0, first), end
}

// chunk computes one item for one KV head.
func (j *attentionJob) chunk(w *worker, i int) {
	it, head := &j.items[i/j.spec.KVHeads], i%j.spec.KVHeads
	unit := &j.batch.Units[it.unit]
	dim, group := j.spec.HeadDim, j.spec.Heads/j.spec.KVHeads
	n := int(it.count) * group
	width := ceil(dim, panelWidth) * panelWidth
	w.queries = grow(w.queries, n*dim)
	w.scores = grow(w.scores, n*kernels.PartitionKeys)
	w.values = grow(w.values, n*width)
	w.sees = grow(w.sees, n)
	w.slots = grow(w.slots, n)
	w.sums = grow(w.sums, n)

	// Collect the queries.
	q := 0
	for m, row, left := it.member, it.row, it.count; left > 0; m++ {
		first, end := j.readers(unit, m)
		row = max(row, first)
		for ; row < end && left > 0; row, left = row+1, left-1 {
			sees := j.sees(j.batch.Positions[row], unit.Partition)
			first := j.first[row] + unit.Partition - j.firstPartition(int(row))
			heads := j.qkv.row(int(row))[head*group*dim:]
			for g := range group {
				to := w.queries[q*dim:][:dim]
				for i, x := range heads[g*dim:][:dim] {
					to[i] = x * j.spec.Scale
				}
				w.sees[q] = sees
				w.slots[q] = first + int32((head*group+g)*j.partitions(int(row)))
				q++
			}
		}
		row = 0
	}

	blocks := j.batch.Runs[j.batch.Members[it.member]].Blocks[unit.Partition*kernels.PartitionBlocks:]
	for t := 0; t < n; t += j.set.tile {
		j.tile(w, t, min(t+j.set.tile, n), head, blocks)
	}
	for q, slot := range w.slots {
		j.sums[slot] = w.sums[q]
		copy(j.outs[int(slot)*dim:][:dim], w.values[q*width:])
	}
}

// tile computes queries lo to hi of the worker, at most as many as matmul takes.
// blocks is the block table from the partition on.
func (j *attentionJob) tile(w *worker, lo, hi, head int, blocks []int32) {
	const most = kernels.PartitionKeys
	dim, rows, sees := j.spec.HeadDim, hi-lo, w.sees[lo:hi]
	width := ceil(dim, panelWidth) * panelWidth
	all := sees[0] // that any of them sees
	for _, s := range sees {
		all = span{min(all.from, s.from), max(all.to, s.to)}
	}
	b0, b1 := int(all.from)/kernels.BlockSize, ceil(int(all.to), kernels.BlockSize)
	var keys, values [kernels.PartitionBlocks][]float32
	for i := b0; i < b1; i++ {
		keys[i], values[i] = j.kv.head(head, blocks[i])
	}

	scores := w.scores[lo*most : hi*most]
	for i := b0 &^ 1; i < b1; i += 2 {
		// A block without a neighbour is multiplied twice; one result is masked.
		j.set.matmul(rows, scores[i*lanes:], most, w.queries[lo*dim:], dim,
			keys[max(i, b0)], keys[min(i+1, b1-1)], lanes, dim, false)
	}
	j.set.softmax(scores, sees, w.sums[lo:hi])

	// Rows that see different keys of a block are multiplied one by one, so that no
	// row meets a value that it does not see, not even with weight 0.
	clear(w.values[lo*width : hi*width])
	for d := 0; d < dim; d += panelWidth {
		p0, p1 := d*kernels.BlockSize, min(d+lanes, dim-lanes)*kernels.BlockSize
		for i := b0; i < b1; i++ {
			block := span{int32(i) * kernels.BlockSize, int32(i+1) * kernels.BlockSize}
			weigh := func(r, rows int, s span) {
				skip := int(s.from) - i*kernels.BlockSize
				j.set.matmul(rows, w.values[(lo+r)*width+d:], width, scores[r*most+int(s.from):], most,
					values[i][p0+skip*lanes:], values[i][p1+skip*lanes:], lanes, int(s.to-s.from), true)
			}
			if s, same := sameIn(block, sees); same {
				weigh(0, rows, s)
				continue
			}
			for r, s := range sees {
				if s = s.in(block); s.from < s.to {
					weigh(r, 1, s)
				}
			}
		}
	}
}

// in is the part of s that lies in a block.
func (s span) in(block span) span {
	return span{max(s.from, block.from), min(s.to, block.to)}
}

// sameIn reports whether all rows see the same keys of a block, at least one, and
// which.
func sameIn(block span, sees []span) (span, bool) {
	first := sees[0].in(block)
	for _, s := range sees[1:] {
		if s.in(block) != first {
			return span{}, false
		}
	}
	return first, first.from < first.to
}

// mergeJob merges the slots of rows lo to hi.
type mergeJob struct {
	*attentionJob
	lo, hi int
}

func (j *mergeJob) chunk(_ *worker, i int) {
	lo, hi := rowChunk(i, j.hi-j.lo, j.dst.cols)
	for r := j.lo + lo; r < j.lo+hi; r++ {
		n := j.partitions(r)
		for h := range j.spec.Heads {
			slot := int(j.first[r]) + h*n
			out := j.dst.row(r)[h*j.spec.HeadDim:][:j.spec.HeadDim]
			sink := float32(math.Inf(-1))
			if j.sinks != nil {
				sink = j.sinks[h]
			}
			j.combine(out, j.sums[slot:slot+n], j.outs[slot*j.spec.HeadDim:], sink)
		}
	}
}

// combine computes Σ outs[p]·e[p] / (exp(sink-M) + Σ sum[p]·e[p]) with e[p] =
// exp(max[p]-M), M the largest of all max and sink.
func (j *mergeJob) combine(dst []float32, sums []partial, outs []float32, sink float32) {
	m := sink
	for _, p := range sums {
		m = max(m, p.max)
	}
	var total float32
	if j.sinks != nil {
		total = exp(sink - m)
	}
	for _, p := range sums {
		total += float32(p.sum * exp(p.max-m))
	}
	clear(dst)
	for i, p := range sums {
		j.set.axpy(dst, outs[i*len(dst):][:len(dst)], exp(p.max-m)/total)
	}
}
