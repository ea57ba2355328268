//go:build cuda

package cuda

import (
	"deepprune/kernels"
	"deepprune/kernels/cuda/driver"
)

// ladder is the numbers of rows that there are graphs for: a decode step is padded to
// the next of them.
var ladder = []int{1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512}

// graphKey is what a graph holds the addresses of, and its number of rows.
type graphKey struct {
	owner any
	kv    kernels.KV
	rows  int
}

// graphs are the decode steps that were taken down.
type graphs struct {
	off    bool
	ready  map[graphKey]*driver.Graph // nil: run once, so that every buffer has its size
	taking bool
	padded kernels.Batch
}

// Step is of [kernels.Stepper]. A decode step runs once for itself, is taken down the
// second time, and runs as a graph from then on.
func (d *device) Step(owner any, kv kernels.KV, most int, b *kernels.Batch, run func(*kernels.Batch, kernels.KV)) {
	rows := rung(b, most)
	if rows == 0 || d.graphs.off {
		d.staged(b, kv, run)
		return
	}
	padded := d.graphs.pad(b, rows)
	key := graphKey{owner, kv, rows}
	graph, seen := d.graphs.ready[key]
	if !seen {
		d.staged(padded, kv, run)
		if d.graphs.ready == nil {
			d.graphs.ready = make(map[graphKey]*driver.Graph)
		}
		d.graphs.ready[key] = nil
		return
	}
	d.stageStep(padded) // may drop the graphs
	if _, seen = d.graphs.ready[key]; !seen {
		d.operations(padded, kv, run)
		return
	}
	if graph == nil {
		graph = d.take(padded, kv, run)
		if graph == nil {
			d.operations(padded, kv, run)
			return
		}
		d.graphs.ready[key] = graph
	}
	d.stream.Run(graph)
}

// staged runs a step whose tables are copied first, all together.
func (d *device) staged(b *kernels.Batch, kv kernels.KV, run func(*kernels.Batch, kernels.KV)) {
	d.stageStep(b)
	d.operations(b, kv, run)
}

// operations runs a step whose tables are there.
func (d *device) operations(b *kernels.Batch, kv kernels.KV, run func(*kernels.Batch, kernels.KV)) {
	d.step.staged = true
	defer func() { d.step.staged = false }()
	run(b, kv)
}

// take takes a step down. If that cannot be done there are no graphs from then on: it
// returns nil.
func (d *device) take(b *kernels.Batch, kv kernels.KV, run func(*kernels.Batch, kernels.KV)) *driver.Graph {
	d.graphs.taking = true
	d.stream.BeginCapture()
	d.operations(b, kv, run)
	d.graphs.taking = false
	graph, err := d.stream.EndCapture()
	if err != nil {
		d.graphs.off = true
		return nil
	}
	return graph
}

// rung is the number of rows of the graph for a batch, 0 if it has none: it is not a
// decode step of rows that all want logits, or too large.
func rung(b *kernels.Batch, most int) int {
	n := b.Rows()
	if n == 0 || len(b.Runs) != n || len(b.Logits) != n {
		return 0
	}
	for _, rows := range ladder {
		if rows = min(rows, most); n <= rows {
			return rows
		}
	}
	return 0
}

// pad makes a batch of so many rows of b, the rows beyond those of b in no run.
func (g *graphs) pad(b *kernels.Batch, rows int) *kernels.Batch {
	n, p := b.Rows(), &g.padded
	p.Tokens = append(append(p.Tokens[:0], b.Tokens...), make([]int32, rows-n)...)
	p.Positions = append(append(p.Positions[:0], b.Positions...), make([]int32, rows-n)...)
	p.Slots = append(p.Slots[:0], b.Slots...)
	p.Logits = append(p.Logits[:0], b.Logits...)
	for r := n; r < rows; r++ {
		p.Slots = append(p.Slots, -1)
		p.Logits = append(p.Logits, int32(r))
	}
	p.Runs, p.Units, p.Members = b.Runs, b.Units, b.Members
	return p
}

// dropGraphs forgets the graphs: they hold addresses of memory that is given back. The
// queue has been waited for.
func (d *device) dropGraphs() {
	if d.graphs.taking {
		panic("cuda: memory grew while a graph was taken down")
	}
	for _, g := range d.graphs.ready {
		if g == nil {
			continue
		}
		if err := g.Close(); err != nil {
			d.ctx.Fail(err)
		}
	}
	clear(d.graphs.ready)
}
