package cpu

import (
	"math"

	"deepprune/kernels"
)

// Attention runs in two passes. The first computes, for each unit of the batch's
// plan and each KV head, every query that reads the partition: all query heads
// of the KV head's group in all rows of all member runs, stacked as the rows of
// two matrix products (see tile).
//
// What a query got from a partition, the weighted sum o and its (max, sum) under
// the softmax, goes to a slot of its own. The second pass merges a query's slots
// in order of partition, and the head's sink, if it has one.
//
// A masked key's score and value are not looked at, so what is left in a block
// by its previous owner does no harm, whatever it is.

const (
	// itemQueries is the number of queries computed together at most, and worth
	// handing to another core.
	itemQueries = 128
	// slotFloats bounds the memory of the slots to 2 MiB, what the nearer caches hold:
	// a batch that needs more is computed some rows at a time.
	slotFloats = 1 << 19
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
	j.group, j.width = spec.Heads/spec.KVHeads, ceil(spec.HeadDim, panelWidth)*panelWidth
	for lo := 0; lo < b.Rows(); {
		hi := j.layOut(lo)
		j.plan(int32(lo), int32(hi))
		d.pool.run(j, len(j.items))
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
	group    int // query heads of a KV head
	width    int // floats from slot to slot: headDim in whole pairs of panels

	memory int // floats in slots at most, but for a single row
	items  []item
	first  []int32   // of each row that is computed now, its first of places
	places []place   // of each partition of each row
	sums   []partial // of each slot
	outs   []float32 // of each slot
}

// item is the work of a chunk: some of the rows that read a unit's partition,
// count of them in the order of the unit's members, from row on in run
// Members[member], for some of the KV heads. Its queries have their slots one
// after another:
//
//	slot + ((KV head - head)*count + row)*group + query head within the group
type item struct {
	unit, member int32
	row, count   int32
	head, heads  int32
	slot         int32
}

// place is where a row's queries of one partition have their slots: the first of
// KV head 0, those of the next head step further.
type place struct {
	slot, step int32
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
func (j *attentionJob) firstPartition(r int32) int32 {
	return j.oldest(j.batch.Positions[r]) / kernels.PartitionKeys
}

func (j *attentionJob) partitions(r int32) int32 {
	return j.batch.Positions[r]/kernels.PartitionKeys - j.firstPartition(r) + 1
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

// layOut makes room for the slots of the rows from lo on, and returns the first
// row that is left for the next time.
func (j *attentionJob) layOut(lo int) (hi int) {
	j.first = grow(j.first, j.batch.Rows())
	places := 0
	for hi = lo; hi < j.batch.Rows(); hi++ {
		n := int(j.partitions(int32(hi)))
		if hi > lo && (places+n)*j.spec.Heads*j.width > j.memory {
			break
		}
		j.first[hi] = int32(places)
		places += n
	}
	j.places = grow(j.places, places)
	j.sums = grow(j.sums, places*j.spec.Heads)
	j.outs = grow(j.outs, places*j.spec.Heads*j.width)
	return hi
}

// plan cuts the units' work in rows lo to hi into items of about equal cost: a
// unit that many rows read by rows and KV heads, a unit that few read not at all.
func (j *attentionJob) plan(lo, hi int32) {
	j.items = j.items[:0]
	slot, group, kvHeads := int32(0), int32(j.group), int32(j.spec.KVHeads)
	for u := range j.batch.Units {
		unit := &j.batch.Units[u]
		left := int32(0)
		for m := unit.First; m < unit.First+unit.Count; m++ {
			row, end := j.readers(unit, m)
			left += max(0, min(end, hi)-max(row, lo))
		}
		most := max(1, itemQueries/group)
		most = ceil(left, max(1, ceil(left, most)))
		for m, at := unit.First, lo; left > 0; {
			it := item{unit: int32(u), member: m, row: at, count: min(most, left), slot: slot}
			left -= it.count
			step := it.count * group
			for n := int32(0); n < it.count; {
				row, end := j.readers(unit, m)
				if at = max(at, row); at >= min(end, hi) {
					m, at = m+1, lo
					continue
				}
				if n == 0 {
					it.member, it.row = m, at
				}
				j.places[j.first[at]+unit.Partition-j.firstPartition(at)] = place{slot + n*group, step}
				n++
				at++
			}
			it.heads = min(max(1, itemQueries/step), kvHeads)
			for ; it.head < kvHeads; it.head += it.heads {
				it.heads = min(it.heads, kvHeads-it.head)
				it.slot = slot + it.head*step
				j.items = append(j.items, it)
			}
			slot += step * kvHeads
		}
	}
}

// mergeJob merges the slots of rows lo to hi.
type mergeJob struct {
	*attentionJob
	lo, hi int
}

func (j *mergeJob) chunk(w *worker, i int) {
	lo, hi := rowChunk(i, j.hi-j.lo, j.dst.cols)
	for r := j.lo + lo; r < j.lo+hi; r++ {
		places := j.places[j.first[r]:][:j.partitions(int32(r))]
		w.shares = grow(w.shares, len(places))
		for h := range j.spec.Heads {
			j.merge(w.shares, j.dst.row(r)[h*j.spec.HeadDim:][:j.spec.HeadDim], places, h)
		}
	}
}

// merge computes Σ outs[p]·e[p] / (exp(sink-M) + Σ sum[p]·e[p]) over the places of
// a head, with e[p] = exp(max[p]-M), M the largest of all max and sink.
func (j *mergeJob) merge(e, dst []float32, places []place, head int) {
	kvHead, q := int32(head/j.group), int32(head%j.group)
	m, total := float32(math.Inf(-1)), float32(0)
	if j.sinks != nil {
		m = j.sinks[head]
	}
	for _, p := range places {
		m = max(m, j.sums[p.slot+kvHead*p.step+q].max)
	}
	if j.sinks != nil {
		total = exp(j.sinks[head] - m)
	}
	for i, p := range places {
		s := j.sums[p.slot+kvHead*p.step+q]
		e[i] = exp(s.max - m)
		total += float32(s.sum * e[i])
	}
	clear(dst)
	for i, p := range places {
		out := j.outs[int(p.slot+kvHead*p.step+q)*j.width:]
		j.set.axpy(dst, out[:len(dst)], e[i]/total)
	}
}
