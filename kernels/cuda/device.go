//go:build cuda

package cuda

import (
	"fmt"
	"unsafe"

	"deepprune/kernels"
	"deepprune/kernels/cuda/driver"
)

// device is a GPU with its kernels loaded.
type device struct {
	ctx    *driver.Context
	info   driver.Info
	stream *driver.Stream // that operations are put on
	args   driver.Args    // of the launch that is being made
	fn     functions
	queue  bool // made by NewQueue: the context is another's

	stage   staging
	result  []byte        // pinned: what Read and Sample copy from the device
	reached *driver.Event // of Follow
	step    stepTables
	graphs  graphs

	dense     denseState
	attention attentionState
	sample    sampleState
}

// functions are the kernels, those of a file together.
type functions struct {
	gather    driver.Function
	peaks     peakFunctions
	dense     denseFunctions
	attention attentionFunctions
	experts   expertFunctions
	sample    sampleFunctions
}

// resultBytes bounds what Read and Sample copy at once.
const resultBytes = 4 << 20

func newDevice(ctx *driver.Context, opt Options) (*device, error) {
	d := &device{ctx: ctx, info: ctx.Info()}
	d.graphs.off = opt.NoGraphs
	if d.info.Major < 8 {
		return nil, fmt.Errorf("%w: %s has compute capability %d.%d, below 8.0", ErrNone, d.info.Name, d.info.Major, d.info.Minor)
	}
	if err := d.open(); err != nil {
		return nil, err
	}
	return d, d.load()
}

// load finds the kernels.
func (d *device) load() error {
	l, err := newLoader(d.ctx)
	if err != nil {
		return err
	}
	d.fn.gather = l.function("gather")
	d.fn.peaks.load(l)
	d.fn.dense.load(l)
	d.fn.attention.load(l)
	d.fn.experts.load(l)
	d.fn.sample.load(l)
	return l.err
}

func (d *device) Info() kernels.Info {
	return kernels.Info{
		Kind: "cuda", Name: d.info.Name,
		Kernels: fmt.Sprintf("sm_%d%d", d.info.Major, d.info.Minor),
	}
}

// Memory is of [kernels.Bounded].
func (d *device) Memory() (free, total int64, err error) {
	free, err = d.ctx.Free()
	return free, d.info.Memory, err
}

// wait waits for the operations so far, and panics if the device has failed.
func (d *device) wait() {
	d.stream.Sync()
	if err := d.ctx.Err(); err != nil {
		panic(fmt.Sprintf("cuda: the device has failed: %v", err))
	}
}

// tensor is a row-major float32 array.
type tensor struct {
	at         driver.Pointer
	rows, cols int
}

func (t *tensor) Rows() int { return t.rows }
func (t *tensor) Cols() int { return t.cols }

// row is the address of row r.
func (t *tensor) row(r int) driver.Pointer { return t.at + driver.Pointer(4*r*t.cols) }

// must panics if t has fewer than rows rows.
func (t *tensor) must(what string, rows int) {
	if rows > t.rows {
		mismatch("%s: %d rows of %d", what, rows, t.rows)
	}
}

// pointer is the address of a tensor that may be nil.
func pointer(t kernels.Tensor) driver.Pointer {
	if t == nil {
		return 0
	}
	return t.(*tensor).at
}

// mismatch panics because of shapes that do not fit: a mistake in the caller.
func mismatch(format string, args ...any) {
	panic("cuda: " + fmt.Sprintf(format, args...))
}

// allocate allocates memory and clears it.
func (d *device) allocate(bytes int64) (driver.Pointer, error) {
	at, err := d.ctx.Alloc(bytes)
	if err != nil {
		return 0, fmt.Errorf("cuda: %w", err)
	}
	d.stream.Zero(at, bytes)
	return at, nil
}

func (d *device) NewTensor(rows, cols int) (kernels.Tensor, error) {
	if rows < 1 || cols < 1 {
		return nil, fmt.Errorf("cuda: a tensor of %d by %d", rows, cols)
	}
	at, err := d.allocate(4 * int64(rows) * int64(cols))
	if err != nil {
		return nil, err
	}
	return &tensor{at: at, rows: rows, cols: cols}, nil
}

func (d *device) Upload(data []float32, rows, cols int) (kernels.Tensor, error) {
	if rows < 1 || cols < 1 || len(data) != rows*cols {
		return nil, fmt.Errorf("cuda: %d values for a tensor of %d by %d", len(data), rows, cols)
	}
	at, err := d.ctx.Alloc(4 * int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	d.copyIn(at, bytesOf(data))
	return &tensor{at: at, rows: rows, cols: cols}, d.ctx.Err()
}

// arena is memory for KV blocks.
type arena struct {
	at    driver.Pointer
	bytes int64
}

func (a *arena) Bytes() int64 { return a.bytes }

func (d *device) NewArena(bytes int64) (kernels.Arena, error) {
	if bytes < 1 {
		return nil, fmt.Errorf("cuda: an arena of %d bytes", bytes)
	}
	at, err := d.allocate(bytes)
	if err != nil {
		return nil, err
	}
	d.stream.Sync() // another queue may be the first to write
	return &arena{at, bytes}, d.ctx.Err()
}

func (d *device) CopyBlock(kv kernels.KV, dst, src int32) {
	at := kv.Arena.(*arena).at
	d.stream.Copy(at+driver.Pointer(kv.Offset(dst)), at+driver.Pointer(kv.Offset(src)), kv.BlockBytes())
}

func (d *device) Gather(dst, src kernels.Tensor, rows []int32) {
	to, from := dst.(*tensor), src.(*tensor)
	if to.cols != from.cols {
		mismatch("gather: %d columns into %d", from.cols, to.cols)
	}
	to.must("gather", len(rows))
	if len(rows) == 0 {
		return
	}
	const threads = 256
	d.stream.Launch(d.fn.gather, [3]uint32{uint32(len(rows)), 1, 1}, [3]uint32{threads, 1, 1}, 0,
		d.args.Reset().Pointer(to.at).Pointer(from.at).Pointer(put(d, &d.step.rows, rows)).Int(to.cols))
}

func (d *device) Read(t kernels.Tensor, row int, dst []float32) {
	from := t.(*tensor)
	if len(dst) > from.cols {
		mismatch("read: %d columns of %d", len(dst), from.cols)
	}
	for at := from.row(row); len(dst) > 0; {
		n := min(len(dst), resultBytes/4)
		d.stream.Download(d.result[:4*n], at)
		d.wait()
		copy(bytesOf(dst[:n]), d.result)
		dst, at = dst[n:], at+driver.Pointer(4*n)
	}
}

// bytesOf is the memory of a slice of numbers.
func bytesOf[T any](s []T) []byte {
	var t T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(t)))
}
