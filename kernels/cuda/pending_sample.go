//go:build cuda

package cuda

import "deepprune/kernels"

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
func (d *device) NewExperts(matrices []kernels.Matrix) (kernels.Experts, error) { panic("pending") }
func (d *device) NewRouting(rows, experts, chosen int) (kernels.Routing, error) { panic("pending") }
func (d *device) Route(r kernels.Routing, logits kernels.Tensor, spec *kernels.RouterSpec, rows int) {
	panic("pending")
}
func (d *device) Dispatch(dst, x kernels.Tensor, r kernels.Routing) { panic("pending") }
func (d *device) ExpertLinear(dst, x kernels.Tensor, w kernels.Experts, bias kernels.Tensor, r kernels.Routing) {
	panic("pending")
}
func (d *device) Combine(dst, x kernels.Tensor, r kernels.Routing, add bool) { panic("pending") }
func (d *device) ClampedSwiGLU(dst, gateUp kernels.Tensor, rows int, alpha, limit float32) {
	panic("pending")
}
