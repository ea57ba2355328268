//go:build cuda

package cuda

import "deepprune/kernels"

// DENSE replaces this file.
type (
	denseFunctions struct{}
	denseState     struct{}
)

func (f *denseFunctions) load(*loader) {}

func (d *device) NewMatrix(format kernels.Format, out, in int, fill func(i int, dst []float32)) (kernels.Matrix, error) {
	panic("pending")
}
func (d *device) Embed(dst kernels.Tensor, table kernels.Matrix, tokens []int32) { panic("pending") }
func (d *device) RMSNorm(dst, x, weight kernels.Tensor, rows int, eps float32)   { panic("pending") }
func (d *device) AddRMSNorm(dst, residual, x, weight kernels.Tensor, rows int, eps float32) {
	panic("pending")
}
func (d *device) Linear(dst, x kernels.Tensor, w kernels.Matrix, bias kernels.Tensor, rows int) {
	panic("pending")
}
func (d *device) SwiGLU(dst, gateUp kernels.Tensor, rows int) { panic("pending") }
