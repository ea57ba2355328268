//go:build cuda

package cuda

import (
	"errors"
	"fmt"

	"deepprune/kernels"
	"deepprune/kernels/cuda/driver"
)

// Built is whether this build has the device.
const Built = true

// Open takes a GPU into use.
func Open(opt Options) (kernels.Device, error) {
	ctx, err := driver.Open(opt.Ordinal)
	switch {
	case errors.Is(err, driver.ErrNoDriver) || errors.Is(err, driver.ErrNoDevice):
		return nil, fmt.Errorf("cuda: %w: %w", ErrNone, err)
	case err != nil:
		return nil, fmt.Errorf("cuda: %w", err)
	}
	d, err := newDevice(ctx, opt)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cuda: %w", err), ctx.Close())
	}
	return d, nil
}

// State describes the driver and the GPU in a line.
func State() string {
	info, err := driver.Describe(0)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("driver for CUDA %s, %s, compute %d.%d", info.Version(), info.Name, info.Major, info.Minor)
}
