package cpu

import "deepprune/kernels"

const (
	// blockRows rows of x are multiplied with a panel before the next panel is
	// loaded, and blockWords of a panel are used at a time. Both keep what is used
	// again in the nearer caches.
	blockRows  = 64
	blockWords = 1 << 14
	// chunkWork is the number of multiplications worth handing to another core, and
	// chunkWords as much of the weights as takes as long to read.
	chunkWork  = 1 << 17
	chunkWords = 1 << 15
)

// multiplier is how a kernel set multiplies with weights of one format. It works
// in steps along the input, of the format's layout.
type multiplier struct {
	rows  int // the most that matmul takes, up to maxTile
	words int // of a prepared row in a step
	// prepare rounds a row of x as the format says and writes it as matmul reads
	// it, whole steps, the last one filled up with zeros. It is nil if matmul
	// reads x as it is.
	prepare func(dst []uint32, x []float32)
	// matmul computes 32 outputs of some rows: c[r][0:32] = x[r]·bᵀ, or adds to c
	// if load is set. b is steps of a panel. Rows of c and x lie cStride and
	// xStride apart. Each element accumulates over the steps in order.
	matmul func(rows int, c []float32, cStride int, x []uint32, xStride int, b []uint32, steps int, load bool)
}

// product is a matrix product, dst = x·wᵀ + bias, the rows of x prepared.
type product struct {
	multiplier
	dst  []float32 // rows of w.out
	x    []uint32  // rows of xStride words
	w    *matrix
	bias []float32 // or nil

	xStride int
}

func (d *device) Linear(dst, x kernels.Tensor, w kernels.Matrix, bias kernels.Tensor, rows int) {
	j := &d.linear
	to, from, m := dst.(*tensor), x.(*tensor), w.(*matrix)
	if from.cols != m.in || to.cols != m.out {
		mismatch("linear: %d columns by %dx%d into %d", from.cols, m.out, m.in, to.cols)
	}
	to.must("linear", rows)
	from.must("linear", rows)
	j.product = product{multiplier: d.set.linear[m.format], dst: to.data, w: m}
	if bias != nil {
		j.bias = bias.(*tensor).row(0)
		if len(j.bias) != m.out {
			mismatch("linear: bias of %d for %d outputs", len(j.bias), m.out)
		}
	}
	j.x, j.xStride = d.prepare(from, rows, m.format)
	j.split(rows, len(d.pool.workers))
	d.pool.run(j, j.rowBlocks*ceil(m.panels(), j.panels))
}

// linearJob is a product in chunks: a block of rows by some panels each, enough
// work to be worth it, and blocks of fewer rows if there would be too few chunks
// for all workers.
type linearJob struct {
	product
	rows                         int
	blockRows, rowBlocks, panels int
}

func (j *linearJob) split(rows, threads int) {
	panels, in := j.w.panels(), j.w.in
	j.rows = rows
	j.blockRows = min(blockRows, max(rows, 1))
	for j.blockRows > maxTile && ceil(rows, j.blockRows)*panels < 2*threads {
		j.blockRows = ceil(j.blockRows/2, j.multiplier.rows) * j.multiplier.rows
	}
	j.rowBlocks = ceil(rows, j.blockRows)
	j.panels = max(1, min(chunkWork/(j.blockRows*in*panelWidth), chunkWords/len(j.w.panel(0)), ceil(panels, threads)))
	if rows*in*j.w.out < chunkWork {
		j.panels = panels
	}
}

func (j *linearJob) chunk(w *worker, i int) {
	first := i / j.rowBlocks * j.panels
	r0 := i % j.rowBlocks * j.blockRows
	for p := first; p < min(first+j.panels, j.w.panels()); p++ {
		j.panel(w, p, r0, min(r0+j.blockRows, j.rows))
	}
}

// panel computes rows r0 to r1 of the outputs of panel p.
func (j *product) panel(w *worker, p, r0, r1 int) {
	for ; r0 < r1; r0 += blockRows {
		j.block(w, p, r0, min(r0+blockRows, r1))
	}
}

// block computes rows r0 to r1, blockRows at most, of the outputs of panel p: 32, or
// fewer in the last one. Formats whose sums are in memory sum up in the worker's
// tile: rows of dst often lie a multiple of a page apart, where they would compete
// for the same few lines of the nearest cache.
func (j *product) block(w *worker, p, r0, r1 int) {
	first, width := p*panelWidth, min(panelWidth, j.w.out-p*panelWidth)
	c, cStride := j.dst[r0*j.w.out+first:], j.w.out
	buffered := width < panelWidth || j.w.format.Group() > 0
	if buffered {
		c, cStride = w.tile[:], panelWidth
	}
	if j.bias != nil {
		for r := range r1 - r0 {
			copy(c[r*cStride:], j.bias[first:][:width])
		}
	}
	j.tiles(p, r0, r1, c, cStride)
	if buffered {
		for r := r0; r < r1; r++ {
			copy(j.dst[r*j.w.out+first:][:width], w.tile[(r-r0)*panelWidth:])
		}
	}
}

// tiles multiplies rows r0 to r1 of x with a panel and writes them to c, to which
// it adds if there is a bias. The rows are shared out evenly among the tiles.
func (j *product) tiles(p, r0, r1 int, c []float32, cStride int) {
	l := &layouts[j.w.format]
	b, steps, block := j.w.panel(p), j.w.steps(), max(1, blockWords/l.words)
	n := ceil(r1-r0, ceil(r1-r0, j.rows))
	for k := 0; k < steps; k += block {
		for r := r0; r < r1; r += n {
			j.matmul(min(n, r1-r), c[(r-r0)*cStride:], cStride, j.x[r*j.xStride+k*j.words:], j.xStride,
				b[k*l.words:], min(block, steps-k), k > 0 || j.bias != nil)
		}
	}
}

// prepare returns the first rows rows of x as products with weights of a format
// read them, and how many words a row has. It is valid until the next call.
func (d *device) prepare(x *tensor, rows int, format kernels.Format) ([]uint32, int) {
	m := &d.set.linear[format]
	if m.prepare == nil {
		return words(x.data), x.cols
	}
	j := &d.rounding
	j.prepare, j.x, j.rows, j.words = m.prepare, x, rows, layouts[format].steps(x.cols)*m.words
	j.stride = j.words | vectorWords // no multiple of a page, see product.block
	j.dst = grow(j.dst, rows*j.stride)
	d.pool.run(j, rowChunks(rows, x.cols))
	return j.dst, j.stride
}

type roundingJob struct {
	prepare       func(dst []uint32, x []float32)
	dst           []uint32
	x             *tensor
	rows          int
	words, stride int // of a row
}

func (j *roundingJob) chunk(_ *worker, i int) {
	lo, hi := rowChunk(i, j.rows, j.x.cols)
	for r := lo; r < hi; r++ {
		j.prepare(j.dst[r*j.stride:][:j.words], j.x.row(r))
	}
}

// ceil is n/d rounded up.
func ceil[T int | int32](n, d T) T { return (n + d - 1) / d }

// grow returns s with length n, its contents undefined. It makes room to grow on.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/2)
	}
	return s[:n]
}
