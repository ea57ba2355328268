// Package cpu is the processor as a [kernels.Device]: a pool of goroutines, with
// vector instructions where the machine has them.
//
// A device computes with one kernel set, chosen when it is made: "avx512bf16",
// "avx512vnni" and "avx512", which differ in the instructions for weights that are
// not float32, "avx2", or "go", which is plain Go, runs everywhere and is the twin
// that the others are tested against. Results are the same bit for bit for any number of
// threads and any batch, and differ in the last bits between kernel sets.
//
// The matrix product is the heart of it. Weights, keys and values are all kept
// as panels whose rows are lanes of output, so one kernel serves linear layers,
// attention scores and the weighted sum of values:
//
//	c[rows][32]  (+)=  x[rows][k] · { b0[k][16] | b1[k][16] }
//
// Every element of c accumulates over k in order, whatever the number of rows.
// Linear layers have such a kernel for each format of weights: see multiplier.
//
// # Goroutines
//
// A device starts Threads-1 workers, which run until Close. They spin for about
// a tenth of a millisecond after an operation and then sleep. The goroutine that
// calls an operation works too.
package cpu

import (
	"fmt"
	"os"
	"runtime"

	"deepprune/kernels"
)

// Options configures a device.
type Options struct {
	// Threads is the number of goroutines that compute, the caller's included;
	// 0 stands for GOMAXPROCS.
	Threads int
	// Kernels names the kernel set. If it is empty the environment variable
	// DEEPPRUNE_CPU names it, and if that is empty too, the best one is taken.
	Kernels string
}

// New returns a CPU device. It fails when the kernel set is unknown or the
// machine lacks its instructions.
func New(opts Options) (kernels.Device, error) {
	name := opts.Kernels
	if name == "" {
		name = os.Getenv("DEEPPRUNE_CPU")
	}
	s, err := setNamed(name)
	if err != nil {
		return nil, err
	}
	threads := opts.Threads
	if threads < 0 {
		return nil, fmt.Errorf("cpu: %d threads", threads)
	}
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	return &device{set: s, pool: newPool(threads), attention: attentionJob{memory: slotFloats}}, nil
}

// KernelSets lists the kernel sets that this machine can run, the best first.
func KernelSets() []string {
	var names []string
	for _, s := range sets() {
		names = append(names, s.name)
	}
	return names
}

type device struct {
	set  *set
	pool *pool
	slab *slab // that the next matrix is carved from, or nil

	// The operations' jobs live here, since a job passed to the pool must not be
	// allocated by each operation.
	linear    linearJob
	rounding  roundingJob
	embed     embedJob
	norm      normJob
	swiglu    swigluJob
	route     routeJob
	dispatch  dispatchJob
	expert    expertJob
	combine   combineJob
	clamped   clampedJob
	rotary    rotaryJob
	attention attentionJob
	merge     mergeJob
	sample    sampleJob
}

func (d *device) Info() kernels.Info {
	return kernels.Info{Kind: "cpu", Name: processorName(), Kernels: d.set.name, Threads: len(d.pool.workers)}
}

func (d *device) Close() error {
	d.pool.close()
	return nil
}

// tensor is a row-major array; row r is data[r*cols : (r+1)*cols].
type tensor struct {
	data       []float32
	rows, cols int
}

func (t *tensor) Rows() int           { return t.rows }
func (t *tensor) Cols() int           { return t.cols }
func (t *tensor) row(r int) []float32 { return t.data[r*t.cols : (r+1)*t.cols] }

// must panics if t has fewer than rows rows.
func (t *tensor) must(what string, rows int) {
	if rows > t.rows {
		mismatch("%s: %d rows of %d", what, rows, t.rows)
	}
}

func (d *device) NewTensor(rows, cols int) (kernels.Tensor, error) {
	if rows < 1 || cols < 1 {
		return nil, fmt.Errorf("cpu: a tensor of %d by %d", rows, cols)
	}
	data, err := allocate[float32](int64(rows) * int64(cols))
	if err != nil {
		return nil, err
	}
	return &tensor{data: data, rows: rows, cols: cols}, nil
}

func (d *device) Upload(data []float32, rows, cols int) (kernels.Tensor, error) {
	if rows < 1 || cols < 1 || len(data) != rows*cols {
		return nil, fmt.Errorf("cpu: %d values for a tensor of %d by %d", len(data), rows, cols)
	}
	return &tensor{data: append([]float32(nil), data...), rows: rows, cols: cols}, nil
}

func (d *device) Gather(dst, src kernels.Tensor, rows []int32) {
	to, from := dst.(*tensor), src.(*tensor)
	if to.cols != from.cols {
		mismatch("gather: %d columns into %d", from.cols, to.cols)
	}
	to.must("gather", len(rows))
	for i, r := range rows {
		copy(to.row(i), from.row(int(r)))
	}
}

func (d *device) Read(t kernels.Tensor, row int, dst []float32) {
	from := t.(*tensor)
	if len(dst) > from.cols {
		mismatch("read: %d columns of %d", len(dst), from.cols)
	}
	copy(dst, from.row(row))
}

// mismatch panics because of shapes that do not fit: a mistake in the caller.
func mismatch(format string, args ...any) {
	panic("cpu: " + fmt.Sprintf(format, args...))
}
