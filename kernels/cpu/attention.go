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
//	slot = first[row] + head*partitions(row) + partition
//
// The second pass merges a query's slots in order of partition.
//
// A masked key's score and value are not looked at, so what is left in a block
// by its previous owner does no harm, whatever it is.

const (
	// itemQueries is the number of queries computed together.
	itemQueries = 96
	// windowFloats bounds the memory of the slots to 32 MiB: a batch that needs more
	// is computed in windows of rows.
	windowFloats = 1 << 23
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
	kv       layerKV
	batch    *kernels.Batch

	window int // floats in slots at most, but for a single row
	items  []item
	first  []int32   // of each row of the window, its first slot
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

// partitions is the number of partitions that row r reads.
func (j *attentionJob) partitions(r int) int {
	return int(j.batch.Positions[r])/kernels.PartitionKeys + 1
}

// layOut gives slots to the rows from lo on, and returns the first row that is
// left for the next window.
func (j *attentionJob) layOut(lo int) (hi int) {
	j.first = grow(j.first, j.batch.Rows())
	slots := 0
	for hi = lo; hi < j.batch.Rows(); hi++ {
		n := j.spec.Heads * j.partitions(hi)
		if hi > lo && (slots+n)*j.spec.HeadDim > j.window {
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
// those at or behind its first key.
func (j *attentionJob) readers(unit *kernels.Unit, m int32) (row, end int32) {
	run := &j.batch.Runs[j.batch.Members[m]]
	row, end = int32(run.Row), int32(run.Row+run.Rows)
	return row + max(0, unit.Partition*kernels.PartitionKeys-j.batch.Positions[row]), end
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
	w.keys = grow(w.keys, n)
	w.slots = grow(w.slots, n)
	w.sums = grow(w.sums, n)

	// Collect the queries.
	q := 0
	for m, row, left := it.member, it.row, it.count; left > 0; m++ {
		first, end := j.readers(unit, m)
		row = max(row, first)
		for ; row < end && left > 0; row, left = row+1, left-1 {
			keys := min(kernels.PartitionKeys, j.batch.Positions[row]+1-unit.Partition*kernels.PartitionKeys)
			heads := j.qkv.row(int(row))[head*group*dim:]
			for g := range group {
				to := w.queries[q*dim:][:dim]
				for i, x := range heads[g*dim:][:dim] {
					to[i] = x * j.spec.Scale
				}
				w.keys[q] = keys
				w.slots[q] = j.first[row] + int32((head*group+g)*j.partitions(int(row))) + unit.Partition
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
	dim, rows := j.spec.HeadDim, hi-lo
	width := ceil(dim, panelWidth) * panelWidth
	longest, equal := int32(0), true
	for _, k := range w.keys[lo:hi] {
		longest = max(longest, k)
		equal = equal && k == w.keys[lo]
	}
	n := ceil(int(longest), kernels.BlockSize)
	var keys, values [kernels.PartitionBlocks][]float32
	for i, block := range blocks[:n] {
		keys[i], values[i] = j.kv.head(head, block)
	}

	scores := w.scores[lo*most : hi*most]
	for i := 0; i < n; i += 2 {
		// An odd block is multiplied twice; the second result is masked.
		j.set.matmul(rows, scores[i*lanes:], most, w.queries[lo*dim:], dim,
			keys[i], keys[min(i+1, n-1)], lanes, dim, false)
	}
	j.set.softmax(scores, w.keys[lo:hi], w.sums[lo:hi])

	// Rows that see different keys are multiplied one by one in the blocks where
	// they differ, so that no row meets a value beyond its keys, not even with
	// weight 0.
	for d := 0; d < dim; d += panelWidth {
		p0 := d * kernels.BlockSize
		p1 := min(d+lanes, dim-lanes) * kernels.BlockSize
		for i := range n {
			v0, v1 := values[i][p0:], values[i][p1:]
			out := w.values[lo*width+d:]
			whole := (i + 1) * kernels.BlockSize
			if equal || rowsSee(w.keys[lo:hi], whole) {
				j.set.matmul(rows, out, width, scores[i*lanes:], most, v0, v1, lanes,
					min(kernels.BlockSize, int(longest)-i*kernels.BlockSize), i > 0)
				continue
			}
			for r := range rows {
				see := min(kernels.BlockSize, int(w.keys[lo+r])-i*kernels.BlockSize)
				if see > 0 {
					j.set.matmul(1, out[r*width:], width, scores[r*most+i*lanes:], most, v0, v1, lanes, see, i > 0)
				}
			}
		}
	}
}

// rowsSee reports whether every row sees at least n keys.
func rowsSee(keys []int32, n int) bool {
	for _, k := range keys {
		if int(k) < n {
			return false
		}
	}
	return true
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
			j.combine(out, j.sums[slot:slot+n], j.outs[slot*j.spec.HeadDim:])
		}
	}
}

// combine computes Σ outs[p]·e[p] / Σ sum[p]·e[p] with e[p] = exp(max[p]-M), M
// the largest max.
func (j *mergeJob) combine(dst []float32, sums []partial, outs []float32) {
	m := float32(math.Inf(-1))
	for _, p := range sums {
		m = max(m, p.max)
	}
	var total float32
	for _, p := range sums {
		total += float32(p.sum * exp(p.max-m))
	}
	clear(dst)
	for i, p := range sums {
		j.set.axpy(dst, outs[i*len(dst):][:len(dst)], exp(p.max-m)/total)
	}
}
