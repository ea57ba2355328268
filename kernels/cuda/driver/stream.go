//go:build cuda

package driver

/*
#include "driver.h"
*/
import "C"

import (
	"fmt"
	"math"
	"runtime"
	"unsafe"

	"gorgonia.org/cu"
)

// Module is loaded kernels.
type Module struct {
	c      *Context
	module cu.Module
}

// Load loads an image: PTX, a cubin or a fat binary.
func (c *Context) Load(image []byte) (*Module, error) {
	m := &Module{c: c}
	err := c.do(func() (err error) {
		m.module, err = cu.LoadData(string(image))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("driver: loading a module of %d bytes: %w", len(image), err)
	}
	return m, nil
}

// Function is a kernel.
type Function struct{ f C.CUfunction }

// Function finds a kernel by name; ok is whether there is one.
func (m *Module) Function(name string) (f Function, ok bool) {
	var found cu.Function
	err := m.c.do(func() (err error) {
		found, err = m.module.Function(name)
		return err
	})
	if err != nil {
		return Function{}, false
	}
	return Function{*(*C.CUfunction)(unsafe.Pointer(&found))}, true
}

// Args is the arguments of a launch, in the order of the kernel's parameters. It is
// reused: a launch copies them.
//
//	s.Launch(f, grid, block, 0, args.Reset().Pointer(x).Int(rows).Float(eps))
type Args struct{ c C.dp_args }

// Reset removes all arguments.
func (a *Args) Reset() *Args {
	a.c.n = 0
	return a
}

func (a *Args) add(bits uint64) *Args {
	a.c.values[a.c.n] = C.uint64_t(bits)
	a.c.n++
	return a
}

// Pointer adds a pointer.
func (a *Args) Pointer(p Pointer) *Args { return a.add(uint64(p)) }

// Int adds an int32.
func (a *Args) Int(v int) *Args { return a.add(uint64(uint32(int32(v)))) }

// Int64 adds an int64.
func (a *Args) Int64(v int64) *Args { return a.add(uint64(v)) }

// Float adds a float32.
func (a *Args) Float(v float32) *Args { return a.add(uint64(math.Float32bits(v))) }

// Stream does what it is told in order.
type Stream struct {
	c *Context
	s C.CUstream
}

// NewStream makes a stream, which Context.Close ends.
func (c *Context) NewStream() (*Stream, error) {
	var s cu.Stream
	err := c.do(func() (err error) {
		s, err = cu.MakeStream(cu.NonBlocking)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("driver: making a stream: %w", err)
	}
	return &Stream{c: c, s: *(*C.CUstream)(unsafe.Pointer(&s))}, nil
}

// check keeps the failure of a call.
func (s *Stream) check(r C.CUresult, what string) {
	if r != C.CUDA_SUCCESS {
		s.c.Fail(fmt.Errorf("driver: %s: %w", what, failure(r)))
	}
}

// Launch runs a kernel on a grid of blocks of threads, with so many bytes of dynamic
// shared memory.
func (s *Stream) Launch(f Function, grid, block [3]uint32, shared uint32, args *Args) {
	if s.c.err != nil {
		return
	}
	n := func(v uint32) C.uint32_t { return C.uint32_t(v) }
	s.check(C.dp_launch(s.c.context, s.s, f.f, n(grid[0]), n(grid[1]), n(grid[2]), n(block[0]), n(block[1]), n(block[2]),
		n(shared), &args.c), "launching a kernel")
}

// Upload copies src to the device. src of AllocPinned is read later, and must not
// change until the stream has been waited for; of other memory, it is read at once.
func (s *Stream) Upload(dst Pointer, src []byte) {
	if s.c.err != nil || len(src) == 0 {
		return
	}
	s.check(C.dp_upload(s.c.context, s.s, C.CUdeviceptr(dst), unsafe.Pointer(unsafe.SliceData(src)), C.size_t(len(src))), "copying to the device")
}

// Download copies to dst, which is memory of AllocPinned, and holds the data when the
// stream has been waited for.
func (s *Stream) Download(dst []byte, src Pointer) {
	if s.c.err != nil || len(dst) == 0 {
		return
	}
	s.check(C.dp_download(s.c.context, s.s, unsafe.Pointer(unsafe.SliceData(dst)), C.CUdeviceptr(src), C.size_t(len(dst))), "copying from the device")
}

// Copy copies within the device.
func (s *Stream) Copy(dst, src Pointer, bytes int64) {
	if s.c.err != nil || bytes == 0 {
		return
	}
	s.check(C.dp_copy(s.c.context, s.s, C.CUdeviceptr(dst), C.CUdeviceptr(src), C.size_t(bytes)), "copying on the device")
}

// Zero clears memory.
func (s *Stream) Zero(at Pointer, bytes int64) {
	if s.c.err != nil || bytes == 0 {
		return
	}
	s.check(C.dp_zero(s.c.context, s.s, C.CUdeviceptr(at), C.size_t(bytes)), "clearing memory")
}

// Sync waits until the stream has done all it was told.
func (s *Stream) Sync() {
	if s.c.err == nil {
		s.check(C.dp_sync(s.c.context, s.s), "waiting for the device")
	}
}

// Event is a point in a stream.
type Event struct {
	c *Context
	e C.CUevent
}

// NewEvent makes an event; only timed ones can be given to Elapsed.
func (c *Context) NewEvent(timed bool) (*Event, error) {
	flag := C.int(0)
	if timed {
		flag = 1
	}
	e := &Event{c: c}
	if r := C.dp_event(c.context, &e.e, flag); r != C.CUDA_SUCCESS {
		return nil, fmt.Errorf("driver: making an event: %w", failure(r))
	}
	return e, nil
}

// Record puts e at the end of the stream.
func (s *Stream) Record(e *Event) {
	if s.c.err == nil {
		s.check(C.dp_record(s.c.context, s.s, e.e), "recording an event")
	}
}

// Wait has the stream wait for e, where it was last recorded.
func (s *Stream) Wait(e *Event) {
	if s.c.err == nil {
		s.check(C.dp_wait(s.c.context, s.s, e.e), "waiting for an event")
	}
}

// Sync waits for e here.
func (e *Event) Sync() {
	if e.c.err != nil {
		return
	}
	if r := C.dp_wait_here(e.c.context, e.e); r != C.CUDA_SUCCESS {
		e.c.Fail(fmt.Errorf("driver: waiting for the device: %w", failure(r)))
	}
}

// Elapsed is the time from one event to a later one, in milliseconds.
func (e *Event) Elapsed(later *Event) (float32, error) {
	var ms C.float
	if r := C.dp_elapsed(e.c.context, e.e, later.e, &ms); r != C.CUDA_SUCCESS {
		return 0, fmt.Errorf("driver: time between events: %w", failure(r))
	}
	return float32(ms), nil
}

// Graph is what a stream was told between BeginCapture and EndCapture.
type Graph struct {
	c    *Context
	exec C.CUgraphExec
}

// BeginCapture has the stream take down what it is told from now on instead of doing
// it. Nothing may be allocated or waited for meanwhile. The goroutine keeps its thread
// until EndCapture, which has to be called on the same.
func (s *Stream) BeginCapture() {
	runtime.LockOSThread()
	if s.c.err == nil {
		s.check(C.dp_begin_capture(s.c.context, s.s), "beginning a graph")
	}
}

// EndCapture makes a graph of what was taken down. It fails when the context has.
func (s *Stream) EndCapture() (*Graph, error) {
	defer runtime.UnlockOSThread()
	g := &Graph{c: s.c}
	r := C.dp_end_capture(s.c.context, s.s, &g.exec)
	switch {
	case s.c.err != nil:
		return nil, s.c.err
	case r != C.CUDA_SUCCESS:
		return nil, fmt.Errorf("driver: making a graph: %w", failure(r))
	}
	return g, nil
}

// Run does what the graph holds.
func (s *Stream) Run(g *Graph) {
	if s.c.err == nil {
		s.check(C.dp_run_graph(s.c.context, s.s, g.exec), "running a graph")
	}
}

// Close frees the graph. Streams must have run it to its end.
func (g *Graph) Close() error {
	if r := C.dp_destroy_graph(g.c.context, g.exec); r != C.CUDA_SUCCESS {
		return fmt.Errorf("driver: freeing a graph: %w", failure(r))
	}
	return nil
}
