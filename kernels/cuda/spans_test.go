package cuda

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"deepprune/kernels"
)

// randomBatch is a batch of groups of runs that share their beginnings, some of one
// row and some of many.
func randomBatch(rng *rand.Rand) *kernels.Batch {
	b := new(kernels.Batch)
	next := int32(0)
	blocks := func(table []int32, keys int) []int32 {
		for len(table)*kernels.BlockSize < keys {
			table = append(table, next)
			next++
		}
		return table
	}
	for range 1 + rng.IntN(3) {
		shared := rng.IntN(1500)
		prompt := blocks(nil, shared/kernels.BlockSize*kernels.BlockSize)
		for range 1 + rng.IntN(5) {
			keys := shared + 1 + rng.IntN(1200)
			if rng.IntN(3) == 0 {
				keys = shared + 1 + rng.IntN(40)
			}
			rows := 1
			if rng.IntN(3) == 0 {
				rows = 1 + rng.IntN(min(keys, 300))
			}
			b.Add(make([]int32, rows), keys-rows, blocks(prompt[:len(prompt):len(prompt)], keys), false)
		}
	}
	b.Plan()
	return b
}

// TestAttentionWork folds the names of partitions as the kernels fold their states,
// and compares what every row gets with the order that the contract has.
func TestAttentionWork(t *testing.T) {
	rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
	var w attentionWork
	for i := range 60 {
		b := randomBatch(rng)
		shape := attentionShape{group: 1 + rng.IntN(9), kvHeads: 1 + rng.IntN(8), queries: 8 << rng.IntN(4), blocks: rng.IntN(400)}
		if i%2 == 1 {
			shape.window = 1 + rng.IntN(700)
		}
		limit := 1 + rng.IntN(400)
		if i%3 == 0 {
			limit = 1 << 30
		}
		w.cut(shape, b)
		got := make([]string, b.Rows())
		rounds := 0
		for ; w.round(limit); rounds++ {
			checkRound(t, &w, got, limit)
		}
		if limit == 1<<30 && rounds != 1 {
			t.Fatalf("%d rounds without a limit; want 1", rounds)
		}
		for row := range got {
			if want := reference(b, shape.window, row); got[row] != want {
				t.Fatalf("%+v: row %d at %d folds %s; want %s", shape, row, b.Positions[row], got[row], want)
			}
		}
	}
}

// reference is the fold of a row: "((0 1) 2) ((8 9) 10)" is two splits.
func reference(b *kernels.Batch, window, row int) string {
	position := int(b.Positions[row])
	first := 0
	if window > 0 {
		first = max(0, position+1-window) / kernels.PartitionKeys
	}
	var run kernels.Run
	for _, r := range b.Runs {
		if row >= r.Row && row < r.Row+r.Rows {
			run = r
		}
	}
	all := ""
	for p := first; p <= position/kernels.PartitionKeys; {
		split := ""
		for s := p / splitPartitions; p <= position/kernels.PartitionKeys && p/splitPartitions == s; p++ {
			split = fold(split, partitionName(p, run.Blocks[p*kernels.PartitionBlocks:], position))
		}
		all = fold(all, split)
	}
	return all
}

func fold(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return "(" + a + " " + b + ")"
}

// partitionName names a partition with its blocks, as far as a position sees.
func partitionName(p int, blocks []int32, position int) string {
	s := fmt.Sprint(p)
	for i := range kernels.PartitionBlocks {
		if (p*kernels.PartitionBlocks+i)*kernels.BlockSize <= position {
			s += fmt.Sprint(":", blocks[i])
		}
	}
	return s
}

// checkRound does with the tables of a round what the kernels do, with one head.
func checkRound(t *testing.T, w *attentionWork, got []string, limit int) {
	t.Helper()
	if n := len(w.splits); n > limit && w.hi-w.lo > 1 {
		t.Fatalf("%d states of %d rows; want at most %d", n, w.hi-w.lo, limit)
	}
	header, table := w.appendTables(nil, make([]int32, 3))
	states := make([]string, len(w.splits))
	owner := make([]int32, len(w.splits))
	write := func(state int32, row int32, s string) {
		if states[state] != "" {
			t.Fatalf("state %d of row %d is written twice", state, row)
		}
		states[state], owner[state] = s, row
	}
	seen := make(map[[2]int32]int) // how often a piece's query is computed
	last := int32(1 << 30)
	for i := range header[headerItems] {
		it := table[header[headerItemsAt]+i*itemWords:][:itemWords]
		partition, count, folded, blocks, rows, first, queries := it[0], it[1], it[2], it[3], it[4], it[5], it[6]
		if queries < 1 || int(queries) > w.shape.queries {
			t.Fatalf("an item of %d queries; want 1 to %d", queries, w.shape.queries)
		}
		if cost := w.cost(&w.items[i], count); cost > last {
			t.Fatalf("an item of cost %d behind one of %d", cost, last)
		} else {
			last = cost
		}
		group := int32(w.shape.group)
		for q := first; q < first+queries; q++ {
			seen[[2]int32{rows, q}]++
			if q%group != 0 {
				continue
			}
			r := table[header[headerRowsAt]+(rows+q/group)*rowWords:][:rowWords]
			row, position, state := r[0], r[1], r[2]
			if position != w.batch.Positions[row] {
				t.Fatalf("row %d at %d; want %d", row, position, w.batch.Positions[row])
			}
			s := ""
			for p := partition; p < partition+count; p++ {
				end := (p + 1) * kernels.PartitionKeys
				if p*kernels.PartitionKeys > position || w.shape.window > 0 && end <= position+1-int32(w.shape.window) {
					continue
				}
				at := header[headerBlocksAt] + blocks + (p-partition)*kernels.PartitionBlocks
				name := partitionName(int(p), table[at:at+kernels.PartitionBlocks], int(position))
				if folded == 0 {
					write(state+p-partition, row, name)
				}
				s = fold(s, name)
			}
			if folded != 0 {
				write(state, row, s)
			}
		}
	}
	for key, n := range seen {
		if n != 1 {
			t.Fatalf("query %d of the rows from %d on is computed %d times", key[1], key[0], n)
		}
	}
	for i := range header[headerMergeRows] {
		m := table[header[headerMergeAt]+i*mergeWords:][:mergeWords]
		row, first, n := m[0], m[1], m[2]
		all, split, current := "", "", int32(-1)
		for s := first; s < first+n; s++ {
			if owner[s] != row || states[s] == "" {
				t.Fatalf("state %d is of row %d; want %d", s, owner[s], row)
			}
			if of := table[header[headerSplitsAt]+s]; of != current {
				all, split, current = fold(all, split), "", of
			}
			split = fold(split, states[s])
		}
		got[row] = fold(all, split)
	}
}

// TestSharedKeysAreReadOnce counts the partitions that a step of many traces reads:
// those of the question once for every tile of queries.
func TestSharedKeysAreReadOnce(t *testing.T) {
	const traces, prompt, own = 100, 2048, 640
	b := new(kernels.Batch)
	next := int32(prompt / kernels.BlockSize)
	for range traces {
		var table []int32
		for i := range int32(prompt / kernels.BlockSize) {
			table = append(table, i)
		}
		for range own / kernels.BlockSize {
			table = append(table, next)
			next++
		}
		b.Add([]int32{0}, prompt+own-1, table, false)
	}
	b.Plan()
	var w attentionWork
	w.cut(attentionShape{group: 4, kvHeads: 8, queries: 64, blocks: 264}, b)
	w.round(1 << 30)
	read := int32(0)
	for _, it := range w.items {
		read += w.pieces[it.piece].count
	}
	const tiles = (4*traces + 63) / 64
	if want := int32(prompt/kernels.PartitionKeys*tiles + traces*own/kernels.PartitionKeys); read != want {
		t.Errorf("%d partitions are read; want %d, those of the question %d times", read, want, tiles)
	}
	if n := w.states[0]; n != prompt/512+2 {
		t.Errorf("%d states of a row; want one for each split, %d", n, prompt/512+2)
	}
}

// TestAttentionWorkKeepsItsMemory counts allocations of a step like the last.
func TestAttentionWorkKeepsItsMemory(t *testing.T) {
	b := randomBatch(rand.New(rand.NewPCG(1, 2)))
	var w attentionWork
	var headers, table []int32
	step := func() {
		w.cut(attentionShape{group: 4, kvHeads: 2, queries: 64, blocks: 64}, b)
		for w.round(1 << 20) {
			headers, table = w.appendTables(headers[:0], table[:0])
		}
	}
	step()
	if n := testing.AllocsPerRun(10, step); n > 0 {
		t.Errorf("%v allocations in a step; want 0", n)
	}
}
