//go:build cuda

// Package driver is the part of CUDA's driver API that package cuda uses: one
// [Context] on one GPU, memory, kernels, streams, events and graphs.
//
// It stands on gorgonia.org/cu, with a C file of its own for what that lacks or does
// in a slower way. The driver's library is loaded by [Open] (see stub/libcuda.c), so
// that a program runs on machines without one. The environment variable
// DEEPPRUNE_LIBCUDA names another library.
//
// # Failures
//
// What a stream is told to do fails later, if it fails. The first failure is kept by
// the context: what its streams are told afterwards is not done, and [Context.Err]
// returns it. Calls that allocate or load return their errors.
//
// # Concurrency
//
// A Context and what is made of it may be used by one goroutine at a time, on any
// thread.
package driver

/*
#include "driver.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"gorgonia.org/cu"
)

// Why there is no context.
var (
	ErrNoDriver    = errors.New("no CUDA driver")
	ErrNoDevice    = errors.New("no CUDA device")
	ErrOutOfMemory = errors.New("out of GPU memory")
)

// Pointer is an address in the device's memory.
type Pointer uintptr

// Info describes a GPU.
type Info struct {
	Name         string
	Major, Minor int   // compute capability
	SMs          int   // streaming multiprocessors
	Memory       int64 // bytes
	Driver       int   // the CUDA version that the driver is made for: 13000 is 13.0
}

// Version is the driver's CUDA version as people write it.
func (i Info) Version() string { return fmt.Sprintf("%d.%d", i.Driver/1000, i.Driver%1000/10) }

// Context is a GPU in use.
type Context struct {
	device  cu.Device
	context C.CUcontext
	info    Info
	err     error
}

// Load loads the driver. It fails with ErrNoDriver, and says why.
func Load() error {
	var why *C.char
	switch r := C.deepprune_cuda_load(&why); {
	case r == C.CUDA_SUCCESS:
		return nil
	case C.GoString(why) != "":
		return fmt.Errorf("%w: %s", ErrNoDriver, C.GoString(why))
	default:
		return fmt.Errorf("%w: cuInit: %w", ErrNoDriver, failure(C.CUresult(r)))
	}
}

// Devices loads the driver and counts its GPUs.
func Devices() (int, error) {
	if err := Load(); err != nil {
		return 0, err
	}
	n, err := cu.NumDevices()
	if err != nil {
		return 0, fmt.Errorf("driver: counting the devices: %w", err)
	}
	if n == 0 {
		return 0, ErrNoDevice
	}
	return n, nil
}

// Describe describes a GPU without using it.
func Describe(ordinal int) (Info, error) {
	_, info, err := describe(ordinal)
	return info, err
}

func describe(ordinal int) (cu.Device, Info, error) {
	n, err := Devices()
	if err != nil {
		return 0, Info{}, err
	}
	if ordinal < 0 || ordinal >= n {
		return 0, Info{}, fmt.Errorf("%w: number %d of %d", ErrNoDevice, ordinal, n)
	}
	device, err := cu.GetDevice(ordinal)
	if err != nil {
		return 0, Info{}, fmt.Errorf("driver: device %d: %w", ordinal, err)
	}
	info := Info{Driver: cu.Version()}
	if info.Name, err = device.Name(); err != nil {
		return 0, Info{}, fmt.Errorf("driver: name of device %d: %w", ordinal, err)
	}
	if info.Memory, err = device.TotalMem(); err != nil {
		return 0, Info{}, fmt.Errorf("driver: memory of device %d: %w", ordinal, err)
	}
	for _, a := range []struct {
		attribute cu.DeviceAttribute
		value     *int
	}{
		{cu.ComputeCapabilityMajor, &info.Major},
		{cu.ComputeCapabilityMinor, &info.Minor},
		{cu.MultiprocessorCount, &info.SMs},
	} {
		if *a.value, err = device.Attribute(a.attribute); err != nil {
			return 0, Info{}, fmt.Errorf("driver: attribute %d of device %d: %w", a.attribute, ordinal, err)
		}
	}
	return device, info, nil
}

// Open takes a GPU into use. Its primary context is used, which libraries of NVIDIA's
// in the same process share.
func Open(ordinal int) (*Context, error) {
	device, info, err := describe(ordinal)
	if err != nil {
		return nil, err
	}
	primary, err := device.RetainPrimaryCtx()
	if err != nil {
		return nil, fmt.Errorf("driver: context of device %d, %s: %w", ordinal, info.Name, err)
	}
	return &Context{device: device, context: *(*C.CUcontext)(unsafe.Pointer(&primary)), info: info}, nil
}

// Close gives the GPU back, and with it all that was made on it.
func (c *Context) Close() error {
	C.dp_closed()
	if err := c.device.ReleasePrimaryCtx(); err != nil {
		return fmt.Errorf("driver: releasing the context: %w", err)
	}
	return nil
}

// Info describes the GPU.
func (c *Context) Info() Info { return c.info }

// Err is the first failure of what streams were told to do.
func (c *Context) Err() error { return c.err }

// Fail keeps a failure as if a stream had failed.
func (c *Context) Fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// do calls f of gorgonia.org/cu, which works on the thread's context.
func (c *Context) do(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if r := C.dp_enter(c.context); r != C.CUDA_SUCCESS {
		return failure(r)
	}
	return f()
}

// Free is the memory that could be allocated now, in bytes.
func (c *Context) Free() (int64, error) {
	var free int64
	err := c.do(func() (err error) {
		free, _, err = cu.MemInfo()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("driver: free memory: %w", err)
	}
	return free, nil
}

// Alloc allocates memory, not cleared.
func (c *Context) Alloc(bytes int64) (Pointer, error) {
	var p cu.DevicePtr
	err := c.do(func() (err error) {
		p, err = cu.MemAlloc(bytes)
		return err
	})
	switch {
	case err == nil:
		return Pointer(p), nil
	case errors.Is(err, cu.OutOfMemory):
		free, _ := c.Free()
		return 0, fmt.Errorf("%w: %d bytes asked for, %d free of %d", ErrOutOfMemory, bytes, free, c.info.Memory)
	default:
		return 0, fmt.Errorf("driver: allocating %d bytes: %w", bytes, err)
	}
}

// Release frees memory of Alloc. Streams must have done what they do with it.
func (c *Context) Release(p Pointer) error {
	if err := c.do(func() error { return cu.MemFree(cu.DevicePtr(p)) }); err != nil {
		return fmt.Errorf("driver: freeing memory: %w", err)
	}
	return nil
}

// AllocPinned allocates memory of the host that the GPU copies from and to by itself.
// ReleasePinned frees it.
func (c *Context) AllocPinned(bytes int) ([]byte, error) {
	var at unsafe.Pointer
	if r := C.dp_pinned(c.context, C.size_t(bytes), &at); r != C.CUDA_SUCCESS {
		return nil, fmt.Errorf("driver: allocating %d bytes of pinned host memory: %w", bytes, failure(r))
	}
	return unsafe.Slice((*byte)(at), bytes), nil
}

// ReleasePinned frees memory of AllocPinned.
func (c *Context) ReleasePinned(p []byte) error {
	if r := C.dp_free_pinned(c.context, unsafe.Pointer(unsafe.SliceData(p))); r != C.CUDA_SUCCESS {
		return fmt.Errorf("driver: freeing pinned host memory: %w", failure(r))
	}
	return nil
}

// Result is an error code of the driver.
type Result int

func (r Result) Error() string {
	var text *C.char
	if C.cuGetErrorString(C.CUresult(r), &text) != C.CUDA_SUCCESS || text == nil {
		return fmt.Sprintf("CUDA error %d", int(r))
	}
	return fmt.Sprintf("CUDA error %d, %s", int(r), C.GoString(text))
}

func failure(r C.CUresult) error { return Result(r) }
