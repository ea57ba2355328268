package cpu

import (
	"math"

	"deepprune/kernels"
)

// chunkElements is the number of elements of an operation that works on each
// row for itself that are worth handing to another core.
const chunkElements = 4096

// rowChunks is the number of chunks for rows of cols elements, rowChunk the rows
// of chunk i.
func rowChunks(rows, cols int) int { return ceil(rows, max(1, chunkElements/cols)) }

func rowChunk(i, rows, cols int) (lo, hi int) {
	n := max(1, chunkElements/cols)
	return i * n, min((i+1)*n, rows)
}

func (d *device) RMSNorm(dst, x, weight kernels.Tensor, rows int, eps float32) {
	d.runNorm(dst.(*tensor), x.(*tensor), nil, weight.(*tensor), rows, eps)
}

func (d *device) AddRMSNorm(dst, residual, x, weight kernels.Tensor, rows int, eps float32) {
	d.runNorm(dst.(*tensor), residual.(*tensor), x.(*tensor), weight.(*tensor), rows, eps)
}

func (d *device) runNorm(dst, x, add, weight *tensor, rows int, eps float32) {
	if dst.cols != x.cols || weight.cols != x.cols || add != nil && add.cols != x.cols {
		mismatch("norm: columns differ: %d, %d, weight %d", dst.cols, x.cols, weight.cols)
	}
	dst.must("norm", rows)
	x.must("norm", rows)
	if add != nil {
		add.must("norm", rows)
	}
	d.norm = normJob{d.set, dst, x, add, weight.row(0), rows, eps}
	d.pool.run(&d.norm, rowChunks(rows, x.cols))
}

type normJob struct {
	set         *set
	dst, x, add *tensor // add is nil for RMSNorm
	weight      []float32
	rows        int
	eps         float32
}

func (j *normJob) chunk(_ *worker, i int) {
	lo, hi := rowChunk(i, j.rows, j.x.cols)
	for r := lo; r < hi; r++ {
		x := j.x.row(r)
		var sum float32
		if j.add != nil {
			sum = j.set.addSumSquares(x, j.add.row(r))
		} else {
			sum = j.set.sumSquares(x)
		}
		j.set.scaleMul(j.dst.row(r), x, j.weight, invRMS(sum, len(x), j.eps))
	}
}

// invRMS is 1/sqrt(sum/n + eps).
func invRMS(sum float32, n int, eps float32) float32 {
	return float32(1 / math.Sqrt(float64(sum)/float64(n)+float64(eps)))
}

func (d *device) SwiGLU(dst, gateUp kernels.Tensor, rows int) {
	to, from := dst.(*tensor), gateUp.(*tensor)
	if from.cols != 2*to.cols {
		mismatch("swiglu: %d columns into %d", from.cols, to.cols)
	}
	to.must("swiglu", rows)
	from.must("swiglu", rows)
	d.swiglu = swigluJob{d.set, to, from, rows}
	d.pool.run(&d.swiglu, rowChunks(rows, to.cols))
}

type swigluJob struct {
	set         *set
	dst, gateUp *tensor
	rows        int
}

func (j *swigluJob) chunk(_ *worker, i int) {
	lo, hi := rowChunk(i, j.rows, j.dst.cols)
	for r := lo; r < hi; r++ {
		row := j.gateUp.row(r)
		j.set.swiglu(j.dst.row(r), row[:j.dst.cols], row[j.dst.cols:])
	}
}
