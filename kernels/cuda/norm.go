//go:build cuda

package cuda

import (
	"deepprune/kernels"
	"deepprune/kernels/cuda/driver"
)

func (d *device) RMSNorm(dst, x, weight kernels.Tensor, rows int, eps float32) {
	d.rmsNorm(dst.(*tensor), x.(*tensor), nil, weight.(*tensor), rows, eps)
}

func (d *device) AddRMSNorm(dst, residual, x, weight kernels.Tensor, rows int, eps float32) {
	d.rmsNorm(dst.(*tensor), residual.(*tensor), x.(*tensor), weight.(*tensor), rows, eps)
}

// rmsNorm adds add to x first, unless it is nil.
func (d *device) rmsNorm(dst, x, add, weight *tensor, rows int, eps float32) {
	if dst.cols != x.cols || weight.cols != x.cols || add != nil && add.cols != x.cols {
		mismatch("norm: columns differ: %d, %d, weight %d", dst.cols, x.cols, weight.cols)
	}
	dst.must("norm", rows)
	x.must("norm", rows)
	var added driver.Pointer
	if add != nil {
		add.must("norm", rows)
		added = add.at
	}
	if rows == 0 {
		return
	}
	const threads = 512 // norm_threads
	d.stream.Launch(d.fn.dense.norm, [3]uint32{uint32(rows), 1, 1}, [3]uint32{threads, 1, 1}, 0,
		d.args.Reset().Pointer(dst.at).Pointer(x.at).Pointer(added).Pointer(weight.at).Int(x.cols).Float(eps))
}

func (d *device) SwiGLU(dst, gateUp kernels.Tensor, rows int) {
	d.gated(d.fn.dense.swiglu, dst.(*tensor), gateUp.(*tensor), rows)
}

func (d *device) ClampedSwiGLU(dst, gateUp kernels.Tensor, rows int, alpha, limit float32) {
	d.gated(d.fn.dense.clampedGLU, dst.(*tensor), gateUp.(*tensor), rows, alpha, limit)
}

// gated launches an activation, whose kernel takes parameters beside the tensors.
func (d *device) gated(f driver.Function, dst, gateUp *tensor, rows int, parameters ...float32) {
	if gateUp.cols != 2*dst.cols {
		mismatch("swiglu: %d columns into %d", gateUp.cols, dst.cols)
	}
	dst.must("swiglu", rows)
	gateUp.must("swiglu", rows)
	if rows == 0 {
		return
	}
	args := d.args.Reset().Pointer(dst.at).Pointer(gateUp.at).Int(dst.cols)
	for _, p := range parameters {
		args.Float(p)
	}
	const threads = 256
	d.stream.Launch(f, [3]uint32{uint32(rows), uint32(ceil(dst.cols, threads)), 1}, [3]uint32{threads, 1, 1}, 0, args)
}
