//go:build cuda

package cuda

import (
	"deepprune/kernels"
	"deepprune/kernels/cuda/driver"
)

// mostHeadDim bounds heads: what a warp keeps of one in registers.
const mostHeadDim = 256

// checkHeads checks the shapes that RotaryWriteKV and Attention share.
func checkHeads(qkv *tensor, spec *kernels.AttentionSpec, kv *kernels.KV, layer int, b *kernels.Batch) {
	switch {
	case spec.HeadDim < 16 || spec.HeadDim%16 != 0 || spec.HeadDim > mostHeadDim:
		mismatch("heads of %d, not a multiple of 16 up to %d", spec.HeadDim, mostHeadDim)
	case spec.HeadDim != kv.HeadDim || spec.KVHeads != kv.KVHeads || layer >= kv.Layers:
		mismatch("KV of %d heads of %d in %d layers for %d of %d in layer %d", kv.KVHeads, kv.HeadDim, kv.Layers, spec.KVHeads, spec.HeadDim, layer)
	case spec.Heads%spec.KVHeads != 0:
		mismatch("%d heads over %d KV heads", spec.Heads, spec.KVHeads)
	case qkv.cols != (spec.Heads+2*spec.KVHeads)*spec.HeadDim:
		mismatch("q, k and v of %d columns for %d+2*%d heads of %d", qkv.cols, spec.Heads, spec.KVHeads, spec.HeadDim)
	case kv.PageBytes%16 != 0:
		mismatch("KV pages of %d bytes, not a multiple of 16", kv.PageBytes)
	}
	qkv.must("q, k and v", b.Rows())
}

// kvArgs adds where the keys and values of a layer are: KVLayer of kv.cuh.
func kvArgs(a *driver.Args, kv *kernels.KV, layer int) *driver.Args {
	at := kv.Arena.(*arena).at + driver.Pointer(int64(layer)*int64(kv.KVHeads)*kv.HeadBytes())
	return a.Pointer(at).Int64(kv.PageBytes).Int64(kv.BlockBytes()).Int(int(kv.PageBytes / kv.BlockBytes())).Int(int(kv.HeadBytes()))
}

func (d *device) RotaryWriteKV(qkv kernels.Tensor, spec *kernels.RotarySpec, kv kernels.KV, layer int, b *kernels.Batch) {
	x := qkv.(*tensor)
	checkHeads(x, &spec.AttentionSpec, &kv, layer, b)
	cos, sin := spec.Cos.(*tensor), spec.Sin.(*tensor)
	if half := spec.HeadDim / 2; cos.cols != half || sin.cols != half {
		mismatch("rotary tables of %d and %d columns for heads of %d", cos.cols, sin.cols, spec.HeadDim)
	}
	if b.Rows() == 0 {
		return
	}
	a := d.args.Reset().Pointer(x.at).Pointer(cos.at).Pointer(sin.at).Pointer(pointer(spec.QNorm)).Pointer(pointer(spec.KNorm)).
		Float(spec.Eps).Pointer(put(d, &d.step.positions, b.Positions)).Pointer(put(d, &d.step.slots, b.Slots))
	kvArgs(a, &kv, layer).Int(spec.Heads).Int(spec.KVHeads).Int(spec.HeadDim)
	const warps = 4
	heads := spec.Heads + 2*spec.KVHeads
	d.stream.Launch(d.fn.attention.rotary[kv.Format], [3]uint32{uint32(b.Rows()), uint32(ceil(heads, warps)), 1},
		[3]uint32{32 * warps, 1, 1}, 0, a)
}
