package cpu

import (
	"fmt"

	"deepprune/kernels"
)

// matrix is a weight in pairs of panels, the last padded with zeros:
//
//	data[out/32][in][32]
//
// so that a step of k reads 32 outputs' weights side by side.
type matrix struct {
	data    []float32
	out, in int
}

func (m *matrix) Out() int     { return m.out }
func (m *matrix) In() int      { return m.in }
func (m *matrix) Bytes() int64 { return int64(len(m.data)) * 4 }

// panels is the number of pairs of panels.
func (m *matrix) panels() int { return (m.out + panelWidth - 1) / panelWidth }

// panel is pair p of panels, in rows of 32.
func (m *matrix) panel(p int) []float32 {
	n := m.in * panelWidth
	return m.data[p*n : (p+1)*n]
}

func (d *device) NewMatrix(out, in int, fill func(i int, dst []float32)) (kernels.Matrix, error) {
	if out < 1 || in < 1 {
		return nil, fmt.Errorf("cpu: a matrix of %d by %d", out, in)
	}
	m := &matrix{out: out, in: in}
	var err error
	if m.data, err = allocate(int64(m.panels()) * int64(in) * panelWidth); err != nil {
		return nil, err
	}
	d.pool.run(&packJob{m, fill}, m.panels())
	return m, nil
}

// packJob packs one pair of panels per chunk.
type packJob struct {
	m    *matrix
	fill func(i int, dst []float32)
}

func (j *packJob) chunk(w *worker, p int) {
	w.row = grow(w.row, j.m.in)
	panel := j.m.panel(p)
	for lane := range min(panelWidth, j.m.out-p*panelWidth) {
		j.fill(p*panelWidth+lane, w.row)
		for k, v := range w.row {
			panel[k*panelWidth+lane] = v
		}
	}
}

func (d *device) Embed(dst kernels.Tensor, table kernels.Matrix, tokens []int32) {
	t, m := dst.(*tensor), table.(*matrix)
	if t.cols != m.in {
		mismatch("embed: %d columns into %d", m.in, t.cols)
	}
	t.must("embed", len(tokens))
	d.embed = embedJob{t, m, tokens}
	d.pool.run(&d.embed, rowChunks(len(tokens), m.in))
}

type embedJob struct {
	dst    *tensor
	table  *matrix
	tokens []int32
}

func (j *embedJob) chunk(_ *worker, i int) {
	lo, hi := rowChunk(i, len(j.tokens), j.table.in)
	for r := lo; r < hi; r++ {
		token := int(j.tokens[r])
		if token < 0 || token >= j.table.out {
			mismatch("embed: token %d of %d", token, j.table.out)
		}
		panel, lane := j.table.panel(token/panelWidth), token%panelWidth
		for k, row := 0, j.dst.row(r); k < len(row); k++ {
			row[k] = panel[k*panelWidth+lane]
		}
	}
}

const (
	// blockRows rows of x are multiplied with a panel before the next panel is
	// loaded; depth is how much of a panel is used at a time. Both keep what is
	// used again in the nearer caches.
	blockRows = 64
	depth     = 512
	// chunkWork is the number of multiplications worth handing to another core.
	chunkWork = 1 << 17
)

func (d *device) Linear(dst, x kernels.Tensor, w kernels.Matrix, bias kernels.Tensor, rows int) {
	j := &d.linear
	j.set, j.dst, j.x, j.w, j.rows, j.bias = d.set, dst.(*tensor), x.(*tensor), w.(*matrix), rows, nil
	if j.x.cols != j.w.in || j.dst.cols != j.w.out {
		mismatch("linear: %d columns by %dx%d into %d", j.x.cols, j.w.out, j.w.in, j.dst.cols)
	}
	j.dst.must("linear", rows)
	j.x.must("linear", rows)
	if bias != nil {
		j.bias = bias.(*tensor).row(0)
		if len(j.bias) != j.w.out {
			mismatch("linear: bias of %d for %d outputs", len(j.bias), j.w.out)
		}
	}
	// A chunk is a block of rows by some panels: enough work to be worth it, and
	// blocks of fewer rows if there would be too few chunks for all workers.
	threads := len(d.pool.workers)
	j.blockRows = min(blockRows, max(rows, 1))
	for j.blockRows > maxTile && ceil(rows, j.blockRows)*j.w.panels() < 2*threads {
		j.blockRows = ceil(j.blockRows/2, j.set.tile) * j.set.tile
	}
	j.rowBlocks = ceil(rows, j.blockRows)
	j.panels = max(1, chunkWork/(j.blockRows*j.w.in*panelWidth))
	j.panels = max(1, min(j.panels, ceil(j.w.panels(), threads)))
	if rows*j.w.in*j.w.out < chunkWork {
		j.panels = j.w.panels()
	}
	d.pool.run(j, j.rowBlocks*ceil(j.w.panels(), j.panels))
}

type linearJob struct {
	set                          *set
	dst, x                       *tensor
	w                            *matrix
	bias                         []float32
	rows                         int
	blockRows, rowBlocks, panels int
}

func (j *linearJob) chunk(w *worker, i int) {
	first := i / j.rowBlocks * j.panels
	r0 := i % j.rowBlocks * j.blockRows
	r1 := min(r0+j.blockRows, j.rows)
	for p := first; p < min(first+j.panels, j.w.panels()); p++ {
		if width := j.w.out - p*panelWidth; width < panelWidth {
			j.lastPanel(w, p, width, r0, r1)
		} else {
			j.panel(p, r0, r1)
		}
	}
}

// panel computes rows r0 to r1 of 32 outputs.
func (j *linearJob) panel(p, r0, r1 int) {
	b, out, in := j.w.panel(p), j.w.out, j.w.in
	if j.bias != nil {
		for r := r0; r < r1; r++ {
			copy(j.dst.row(r)[p*panelWidth:], j.bias[p*panelWidth:][:panelWidth])
		}
	}
	for k := 0; k < in; k += depth {
		for r := r0; r < r1; r += j.set.tile {
			bk := b[k*panelWidth:]
			j.set.matmul(min(j.set.tile, r1-r), j.dst.data[r*out+p*panelWidth:], out, j.x.data[r*in+k:], in,
				bk, bk[lanes:], panelWidth, min(depth, in-k), k > 0 || j.bias != nil)
		}
	}
}

// lastPanel computes rows r0 to r1 of the last outputs, fewer than 32, by way of
// the worker's tile.
func (j *linearJob) lastPanel(w *worker, p, width, r0, r1 int) {
	b, in := j.w.panel(p), j.w.in
	for r := r0; r < r1; r += j.set.tile {
		n := min(j.set.tile, r1-r)
		if j.bias != nil {
			for i := range n {
				copy(w.tile[i*panelWidth:], j.bias[p*panelWidth:])
			}
		}
		for k := 0; k < in; k += depth {
			bk := b[k*panelWidth:]
			j.set.matmul(n, w.tile[:], panelWidth, j.x.data[r*in+k:], in,
				bk, bk[lanes:], panelWidth, min(depth, in-k), k > 0 || j.bias != nil)
		}
		for i := range n {
			copy(j.dst.row(r + i)[p*panelWidth:], w.tile[i*panelWidth:][:width])
		}
	}
}

// ceil is n/d rounded up.
func ceil(n, d int) int { return (n + d - 1) / d }

// grow returns s with length n, its contents undefined. It makes room to grow on.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/2)
	}
	return s[:n]
}
