//go:build cuda

package cuda

import (
	"errors"
	"fmt"

	"deepprune/kernels"
	"deepprune/kernels/cuda/driver"
)

// peakFunctions are loops of an instruction on registers.
type peakFunctions struct{ bf16, s8 driver.Function }

func (f *peakFunctions) load(l *loader) {
	f.bf16, f.s8 = l.function("peak_bf16"), l.function("peak_s8")
}

const (
	// A probe is repeated, or made longer, until it has taken so many milliseconds.
	probeMillis = 20
	probeCopy   = 256 << 20 // bytes, more than caches hold
	// peakProducts is the products that a warp makes in a round of a loop.
	peakProducts = 8
)

// MeasureLimits measures a device of Open, which has nothing queued.
func MeasureLimits(dev kernels.Device) (l Limits, err error) {
	d := dev.(*device)
	l.Operations = make(map[kernels.Format]float64)
	clock, err := newStopwatch(d)
	if err != nil {
		return l, err
	}
	memory, err := d.ctx.Alloc(2 * probeCopy)
	if err != nil {
		return l, fmt.Errorf("cuda: limits: %w", err)
	}
	defer func() { err = errors.Join(err, d.ctx.Release(memory)) }()
	seconds, n, err := clock.longEnough(func(n int) {
		for range n {
			d.stream.Copy(memory, memory+probeCopy, probeCopy)
		}
	})
	if err != nil {
		return l, err
	}
	l.CopyBytes = float64(2*probeCopy*n) / seconds

	const warps = 8
	blocks := 4 * d.info.SMs
	for _, p := range []struct {
		f       driver.Function
		k       int // the depth of a product of 16 by 8
		formats []kernels.Format
	}{
		{d.fn.peaks.bf16, 16, []kernels.Format{kernels.BF16}},
		{d.fn.peaks.s8, 32, []kernels.Format{kernels.Int8, kernels.Int4}},
	} {
		seconds, n, err := clock.longEnough(func(n int) {
			d.stream.Launch(p.f, [3]uint32{uint32(blocks), 1, 1}, [3]uint32{32 * warps, 1, 1}, 0, d.args.Reset().Pointer(memory).Int(n))
		})
		if err != nil {
			return l, err
		}
		for _, format := range p.formats {
			l.Operations[format] = float64(n*blocks*warps*peakProducts*2*16*8*p.k) / seconds
		}
	}
	return l, nil
}

// stopwatch takes the time on the device.
type stopwatch struct {
	d        *device
	from, to *driver.Event
}

func newStopwatch(d *device) (s stopwatch, err error) {
	s.d = d
	if s.from, err = d.ctx.NewEvent(true); err == nil {
		s.to, err = d.ctx.NewEvent(true)
	}
	return s, err
}

// longEnough runs more and more of f until that takes long enough, and returns how
// long how many took.
func (s stopwatch) longEnough(f func(n int)) (seconds float64, n int, err error) {
	for n = 1; ; n *= 2 {
		s.d.stream.Record(s.from)
		f(n)
		s.d.stream.Record(s.to)
		s.d.stream.Sync()
		if err := s.d.ctx.Err(); err != nil {
			return 0, 0, err
		}
		ms, err := s.from.Elapsed(s.to)
		if err != nil {
			return 0, 0, err
		}
		if ms >= probeMillis {
			return float64(ms) / 1e3, n, nil
		}
	}
}
