package kernels

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// randomBatch fills a batch with runs of several groups, whose sequences share
// blocks of their beginnings.
func randomBatch(b *Batch, rng *rand.Rand) {
	b.Reset()
	next := int32(0)
	for range 1 + rng.IntN(4) {
		var prompt []int32
		for range rng.IntN(20) {
			prompt = append(prompt, next)
			next++
		}
		for range 1 + rng.IntN(8) {
			blocks := slices.Clone(prompt[:rng.IntN(len(prompt)+1)])
			for range 1 + rng.IntN(6) {
				blocks = append(blocks, next)
				next++
			}
			keys := 1 + rng.IntN(len(blocks)*BlockSize)
			rows := 1
			if rng.IntN(2) == 0 {
				rows += rng.IntN(min(keys, 100))
			}
			b.Add(make([]int32, rows), keys-rows, blocks, rng.IntN(2) == 0)
		}
	}
	b.Plan()
}

// TestPlan compares the plan with a map from what a partition holds to the runs
// that read it.
func TestPlan(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var b Batch
	for range 500 {
		randomBatch(&b, rng)
		want := make(map[string][]int32)
		for r, run := range b.Runs {
			keys := int(b.Positions[run.Row+run.Rows-1]) + 1
			blocks := run.Blocks[:(keys+BlockSize-1)/BlockSize]
			for p := 0; p*PartitionBlocks < len(blocks); p++ {
				held := blocks[p*PartitionBlocks : min((p+1)*PartitionBlocks, len(blocks))]
				id := fmt.Sprint(p, held)
				want[id] = append(want[id], int32(r))
			}
		}
		got := make(map[string][]int32)
		for _, unit := range b.Units {
			members := b.Members[unit.First : unit.First+unit.Count]
			run := b.Runs[members[0]]
			keys := int(b.Positions[run.Row+run.Rows-1]) + 1
			blocks := run.Blocks[:(keys+BlockSize-1)/BlockSize]
			p := int(unit.Partition)
			id := fmt.Sprint(p, blocks[p*PartitionBlocks:min((p+1)*PartitionBlocks, len(blocks))])
			got[id] = append(got[id], members...)
		}
		if len(b.Units) != len(want) || !maps.EqualFunc(got, want, slices.Equal) {
			t.Fatalf("units are %v; want %v", got, want)
		}
	}
}

func TestBatchRows(t *testing.T) {
	var b Batch
	blocks := []int32{7, 3, 9}
	if i := b.Add([]int32{11, 12, 13}, 15, blocks, true); i != 0 {
		t.Errorf("Add = %d; want 0", i)
	}
	if i := b.Add([]int32{14}, 0, []int32{5}, false); i != -1 {
		t.Errorf("Add without logits = %d; want -1", i)
	}
	if i := b.Add([]int32{15}, 40, blocks, true); i != 1 {
		t.Errorf("Add = %d; want 1", i)
	}
	for _, c := range []struct {
		what      string
		got, want []int32
	}{
		{"tokens", b.Tokens, []int32{11, 12, 13, 14, 15}},
		{"positions", b.Positions, []int32{15, 16, 17, 0, 40}},
		{"slots", b.Slots, []int32{7*16 + 15, 3 * 16, 3*16 + 1, 5 * 16, 9*16 + 8}},
		{"logits", b.Logits, []int32{2, 4}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s are %v; want %v", c.what, c.got, c.want)
		}
	}
}

func TestPlanAllocatesNothing(t *testing.T) {
	var b Batch
	fill := func() {
		b.Reset()
		for i := range tables {
			b.Add(oneToken, 100, tables[i][:], true)
		}
		b.Plan()
	}
	fill()
	if n := testing.AllocsPerRun(100, fill); n != 0 {
		t.Errorf("a step's batch allocates %v times; want 0", n)
	}
}

var (
	oneToken = []int32{1}
	tables   = func() (t [64][8]int32) {
		for i := range t {
			for j := range t[i] {
				t[i][j] = int32(j)
				if j >= PartitionBlocks {
					t[i][j] += int32(10 * i)
				}
			}
		}
		return t
	}()
)

func BenchmarkPlan(bench *testing.B) {
	var b Batch
	for bench.Loop() {
		b.Reset()
		for i := range tables {
			b.Add(oneToken, 100, tables[i][:], true)
		}
		b.Plan()
	}
}
