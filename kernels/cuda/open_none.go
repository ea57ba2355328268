//go:build !cuda

package cuda

import "deepprune/kernels"

// Built is whether this build has the device.
const Built = false

// Open takes a GPU into use.
func Open(Options) (kernels.Device, error) { return nil, ErrNotBuilt }

// State describes the driver and the GPU in a line.
func State() string { return "not in this build" }

// MeasureLimits measures a device of Open.
func MeasureLimits(kernels.Device) (Limits, error) { return Limits{}, ErrNotBuilt }
