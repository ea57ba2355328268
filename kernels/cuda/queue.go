//go:build cuda

package cuda

import (
	"errors"
	"fmt"

	"deepprune/kernels"
)

// NewQueue is of [kernels.Queuer]: a device on a stream of its own, with scratch memory,
// tables and graphs of its own.
func (d *device) NewQueue() (kernels.Queue, error) {
	q := &device{ctx: d.ctx, info: d.info, fn: d.fn, queue: true}
	q.graphs.off = d.graphs.off
	if err := q.open(); err != nil {
		return nil, fmt.Errorf("cuda: a second queue: %w", err)
	}
	return q, nil
}

// open makes what every queue has for itself.
func (d *device) open() (err error) {
	if d.stream, err = d.ctx.NewStream(); err != nil {
		return err
	}
	if d.reached, err = d.ctx.NewEvent(false); err != nil {
		return err
	}
	if d.result, err = d.ctx.AllocPinned(resultBytes); err != nil {
		return err
	}
	return d.stage.open(d.ctx)
}

// Follow is of [kernels.Queue].
func (d *device) Follow(other kernels.Device) {
	o := other.(*device)
	d.stream.Record(d.reached)
	o.stream.Record(o.reached)
	d.stream.Wait(o.reached)
	o.stream.Wait(d.reached)
}

// Close gives back what the queue has, and the GPU if the device is not a second queue.
func (d *device) Close() error {
	d.stream.Sync()
	err := d.ctx.Err()
	d.dropGraphs()
	err = errors.Join(err, d.ctx.ReleasePinned(d.result), d.stage.close(d.ctx))
	if d.queue {
		return err
	}
	return errors.Join(err, d.ctx.Close())
}

var (
	_ kernels.Stepper = (*device)(nil)
	_ kernels.Queuer  = (*device)(nil)
	_ kernels.Queue   = (*device)(nil)
	_ kernels.Bounded = (*device)(nil)
)
