//go:build cuda

package cuda

import (
	"errors"

	"deepprune/kernels/cuda/driver"
)

// staging is pinned memory of the host, in two halves, that data is put into on its
// way to the device. A half is filled again when what it held has been copied.
type staging struct {
	memory []byte
	half   int // that is being filled
	filled int // bytes of it
	copied [2]*driver.Event
}

// stagingBytes is the size of a half: several steps' tables.
const stagingBytes = 8 << 20

func (s *staging) open(ctx *driver.Context) (err error) {
	if s.memory, err = ctx.AllocPinned(2 * stagingBytes); err != nil {
		return err
	}
	for i := range s.copied {
		if s.copied[i], err = ctx.NewEvent(false); err != nil {
			return err
		}
	}
	return nil
}

func (s *staging) close(ctx *driver.Context) error { return ctx.ReleasePinned(s.memory) }

// room is memory for n bytes, no more than a half has, on their way to stream.
func (s *staging) room(stream *driver.Stream, n int) []byte {
	const align = 16
	n = (n + align - 1) &^ (align - 1)
	if s.filled+n > stagingBytes {
		stream.Record(s.copied[s.half])
		s.half = 1 - s.half
		s.copied[s.half].Sync()
		s.filled = 0
	}
	room := s.memory[s.half*stagingBytes+s.filled:][:n]
	s.filled += n
	return room
}

// copyIn copies to the device by way of pinned memory; data may change when it returns.
func (d *device) copyIn(at driver.Pointer, data []byte) {
	for len(data) > 0 {
		n := min(len(data), stagingBytes)
		room := d.stage.room(d.stream, n)[:n]
		copy(room, data)
		d.stream.Upload(at, room)
		data, at = data[n:], at+driver.Pointer(n)
	}
}

// buffer is device memory that grows: scratch of an operation, or a table that the
// host fills. A graph holds its address, so graphs are dropped when it grows.
type buffer struct {
	at    driver.Pointer
	bytes int64
}

// reserve makes b at least so large; what it held is lost if it grows. If there is no
// memory the device has failed. It must not grow while a graph is taken down: an
// operation that is in graphs reserves what depends on more than the number of rows
// in its part of stageStep.
func (d *device) reserve(b *buffer, bytes int64) driver.Pointer {
	if bytes <= b.bytes {
		return b.at
	}
	d.stream.Sync() // what is queued may use it
	d.dropGraphs()
	if b.bytes > 0 {
		if err := d.ctx.Release(b.at); err != nil {
			d.ctx.Fail(err)
		}
	}
	*b = buffer{}
	bytes += bytes / 4 // so that it does not grow often
	at, err := d.ctx.Alloc(bytes)
	if err != nil {
		d.ctx.Fail(errors.Join(errors.New("cuda: scratch memory"), err))
		return 0
	}
	*b = buffer{at, bytes}
	return at
}

// upload copies data into a buffer and returns where it is on the device.
func upload[T any](d *device, b *buffer, data []T) driver.Pointer {
	at := d.reserve(b, int64(len(bytesOf(data))))
	d.copyIn(at, bytesOf(data))
	return at
}

// put is upload into a table of a step. In one that has been staged it is filled already.
func put[T any](d *device, b *buffer, data []T) driver.Pointer {
	if d.step.staged {
		return d.reserve(b, int64(len(bytesOf(data))))
	}
	return upload(d, b, data)
}
