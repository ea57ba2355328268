package kernels

import "slices"

// Batch is the rows of one forward step. Rows of one sequence are consecutive
// and form a Run; a decode step has runs of one row, a prefill chunk is a run of
// many. The slices are reused from step to step: Reset, Add, then Plan.
//
//	rows:   | run 0 | run 1        | run 2 |
//	        | trace | prompt chunk | trace |
type Batch struct {
	Tokens    []int32 // token of each row
	Positions []int32 // absolute position in its sequence
	Slots     []int32 // where its key and value go: block*BlockSize + offset
	Runs      []Run
	Logits    []int32 // rows whose logits are wanted, ascending

	// Units is the work of attention, made by Plan.
	Units []Unit
	// Members lists the runs of the units, unit after unit.
	Members []int32

	index map[partitionKey]int32
	units []int32 // the unit of every partition of every run, run after run
}

// Run is the rows of one sequence in a batch.
type Run struct {
	Row, Rows int
	// Blocks is the block table of the whole sequence, the keys written by this
	// step included. It must not change until the step has run.
	Blocks []int32
}

// Unit is one partition of keys together with every run that reads it. Runs
// whose block tables hold the same blocks in a partition share one unit, so that
// its keys and values are read once for all their rows.
type Unit struct {
	Partition    int32 // keys [Partition*PartitionKeys, …)
	First, Count int32 // Members[First : First+Count] are the runs
}

type partitionKey struct {
	partition int32
	blocks    [PartitionBlocks]int32
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.Tokens = b.Tokens[:0]
	b.Positions = b.Positions[:0]
	b.Slots = b.Slots[:0]
	b.Runs = b.Runs[:0]
	b.Logits = b.Logits[:0]
	b.Units = b.Units[:0]
	b.Members = b.Members[:0]
}

// Rows is the number of rows.
func (b *Batch) Rows() int { return len(b.Tokens) }

// Add appends a run: tokens at positions start, start+1, … of the sequence whose
// block table is blocks. If logits is set the logits of the last row are wanted;
// their index among the step's logits is returned, else -1.
func (b *Batch) Add(tokens []int32, start int, blocks []int32, logits bool) int {
	row := len(b.Tokens)
	for i, t := range tokens {
		p := start + i
		b.Tokens = append(b.Tokens, t)
		b.Positions = append(b.Positions, int32(p))
		b.Slots = append(b.Slots, blocks[p/BlockSize]*BlockSize+int32(p%BlockSize))
	}
	b.Runs = append(b.Runs, Run{Row: row, Rows: len(tokens), Blocks: blocks})
	if !logits {
		return -1
	}
	b.Logits = append(b.Logits, int32(len(b.Tokens)-1))
	return len(b.Logits) - 1
}

// Plan finds the partitions that runs share. It is called once, after the last
// Add; it allocates only when a batch is larger than all before it.
func (b *Batch) Plan() {
	b.Units, b.Members, b.units = b.Units[:0], b.Members[:0], b.units[:0]
	if b.index == nil {
		b.index = make(map[partitionKey]int32)
	}
	clear(b.index)
	// First find the unit of every partition of every run, then place the runs:
	// members of a unit are in order of their rows.
	for r := range b.Runs {
		run := &b.Runs[r]
		keys := b.keys(run)
		for p := 0; p*PartitionKeys < keys; p++ {
			key := partitionKey{partition: int32(p)}
			for i := range key.blocks {
				if j := p*PartitionBlocks + i; j*BlockSize < keys {
					key.blocks[i] = run.Blocks[j]
				} else {
					key.blocks[i] = -1
				}
			}
			u, ok := b.index[key]
			if !ok {
				u = int32(len(b.Units))
				b.index[key] = u
				b.Units = append(b.Units, Unit{Partition: int32(p)})
			}
			b.Units[u].Count++
			b.units = append(b.units, u)
		}
	}
	first := int32(0)
	for u := range b.Units {
		b.Units[u].First = first
		first += b.Units[u].Count
		b.Units[u].Count = 0
	}
	b.Members = slices.Grow(b.Members, int(first))[:first]
	next := b.units
	for r := range b.Runs {
		n := (b.keys(&b.Runs[r]) + PartitionKeys - 1) / PartitionKeys
		for _, u := range next[:n] {
			unit := &b.Units[u]
			b.Members[unit.First+unit.Count] = int32(r)
			unit.Count++
		}
		next = next[n:]
	}
}

// keys is the number of keys that the last row of a run sees.
func (b *Batch) keys(run *Run) int { return int(b.Positions[run.Row+run.Rows-1]) + 1 }
