//go:build cuda

package cuda

import "deepprune/kernels"

// ATTN replaces this file.
type (
	attentionFunctions struct{}
	attentionState     struct{}
)

func (f *attentionFunctions) load(*loader) {}

// stageAttention fills the tables that Attention reads, and reserves its memory.
func (d *device) stageAttention(b *kernels.Batch) {}

func (d *device) RotaryWriteKV(qkv kernels.Tensor, spec *kernels.RotarySpec, kv kernels.KV, layer int, b *kernels.Batch) {
	panic("pending")
}
func (d *device) Attention(dst, qkv kernels.Tensor, spec *kernels.AttentionSpec, kv kernels.KV, layer int, b *kernels.Batch) {
	panic("pending")
}
