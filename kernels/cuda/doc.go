// Package cuda is an NVIDIA GPU as a [kernels.Device], of compute capability 8.0 or
// later. It is in builds with -tags cuda; in others [Open] returns ErrNotBuilt.
//
// Every operation of the device puts its kernels at the end of a stream and returns;
// Read and Sample wait for them. The kernels are CUDA C++ in src, compiled ahead and
// carried by package image: a machine needs NVIDIA's driver and nothing else.
//
// # Determinism
//
// A kernel computes a row in one order of operations, whatever else is in the batch:
// no split of a sum depends on the number of rows, and no sum of floating-point numbers
// is made by atomics.
//
// # What changes from step to step
//
// Tokens, positions, slots and lists of work are copied, through pinned memory of the
// host, into tables at fixed addresses. The operations of a decode step can therefore
// be taken down once as a CUDA graph and run again in the next step: see
// [kernels.Stepper].
//
// # Failures
//
// Memory that there is not is an error of the call that asks for it, and says how
// much it was and how much there is. A failure while the device works is kept: the
// operations after it do nothing, and the next Read or Sample panics with it, since
// what the device holds is lost.
package cuda

import (
	"errors"

	"deepprune/kernels"
)

// Why there is no device.
var (
	// ErrNone is of a machine without a driver or a GPU that can be used.
	ErrNone     = errors.New("no GPU to use")
	ErrNotBuilt = errors.New("this build has no CUDA device (build with -tags cuda)")
)

// Options configures a device.
type Options struct {
	Ordinal int // which GPU, in the driver's order
	// NoGraphs runs every operation of every step for itself.
	NoGraphs bool
}

// Limits is the most that a device could do.
type Limits struct {
	// CopyBytes is the bytes read and written in a second by a copy in its memory.
	CopyBytes float64
	// Operations is the multiplications and additions in a second of the mma
	// instructions that linear layers are made of, by the format of the weights; those
	// without have none.
	Operations map[kernels.Format]float64
}
