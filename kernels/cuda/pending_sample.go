//go:build cuda

package cuda

import (
	"deepprune/kernels"
	"deepprune/kernels/cuda/driver"
)

// SAMPLE replaces this file.
type (
	sampleFunctions struct{}
	sampleState     struct{}
	expertFunctions struct{}
	expertState     struct{}
)

func (f *sampleFunctions) load(*loader) {}
func (f *expertFunctions) load(*loader) {}

func (d *device) Sample(logits kernels.Tensor, params []kernels.SampleParams, out []kernels.Sampled) {
	panic("pending")
}
func (d *device) NewRouting(rows, experts, chosen int) (kernels.Routing, error) { panic("pending") }
func (d *device) Route(r kernels.Routing, logits kernels.Tensor, spec *kernels.RouterSpec, rows int) {
	panic("pending")
}
func (d *device) Dispatch(dst, x kernels.Tensor, r kernels.Routing)          { panic("pending") }
func (d *device) Combine(dst, x kernels.Tensor, r kernels.Routing, add bool) { panic("pending") }

// routing: ExpertLinear reads experts and offsets, which is int32[experts+1] on the device.
type routing struct {
	experts, entries int
	offsets          driver.Pointer
}

func (r *routing) Entries() int { return r.entries }
