package cpu

import (
	"fmt"

	"deepprune/kernels"
)

// arena is device memory for KV blocks. In a block each layer's KV heads follow
// one another, and for each its keys and then its values, laid out as panels for
// matmul:
//
//	keys   [headDim][16 keys]
//	values [headDim/16][16 keys][16 dims]
type arena struct {
	data []float32
}

func (a *arena) Bytes() int64 { return int64(len(a.data)) * 4 }

func (d *device) NewArena(bytes int64) (kernels.Arena, error) {
	if bytes < 4 || bytes/4 != int64(int(bytes/4)) {
		return nil, fmt.Errorf("cpu: an arena of %d bytes", bytes)
	}
	data, err := allocate[float32](bytes / 4)
	if err != nil {
		return nil, err
	}
	return &arena{data}, nil
}

func (d *device) CopyBlock(kv kernels.KV, dst, src int32) {
	n := kv.BlockBytes() / 4
	to, from := kv.Offset(dst)/4, kv.Offset(src)/4
	data := kv.Arena.(*arena).data
	copy(data[to:to+n], data[from:from+n])
}

// layerKV is one layer of the KV blocks in an arena, ready to be indexed.
type layerKV struct {
	data []float32
	kernels.KVLayout
	layer         int
	page, block   int // floats
	blocksPerPage uint32
}

func newLayerKV(kv *kernels.KV, layer int) layerKV {
	return layerKV{
		data: kv.Arena.(*arena).data, KVLayout: kv.KVLayout, layer: layer,
		page: int(kv.PageBytes / 4), block: int(kv.BlockBytes() / 4),
		blocksPerPage: uint32(kv.PageBytes / kv.BlockBytes()),
	}
}

// head is the keys and the values of a KV head in a block.
func (l *layerKV) head(head int, block int32) (keys, values []float32) {
	n := l.HeadDim * kernels.BlockSize
	page, within := uint32(block)/l.blocksPerPage, uint32(block)%l.blocksPerPage
	first := int(page)*l.page + int(within)*l.block + (l.layer*l.KVHeads+head)*2*n
	both := l.data[first : first+2*n]
	return both[:n], both[n:]
}

// checkHeads checks the shapes that RotaryWriteKV and Attention share.
func checkHeads(qkv *tensor, spec *kernels.AttentionSpec, kv *kernels.KV, layer int, b *kernels.Batch) {
	switch {
	case spec.HeadDim < 1 || spec.HeadDim%lanes != 0:
		mismatch("heads of %d, not a multiple of %d", spec.HeadDim, lanes)
	case spec.HeadDim != kv.HeadDim || spec.KVHeads != kv.KVHeads || layer >= kv.Layers:
		mismatch("KV of %d heads of %d in %d layers for %d of %d in layer %d", kv.KVHeads, kv.HeadDim, kv.Layers, spec.KVHeads, spec.HeadDim, layer)
	case spec.Heads%spec.KVHeads != 0:
		mismatch("%d heads over %d KV heads", spec.Heads, spec.KVHeads)
	case qkv.cols != (spec.Heads+2*spec.KVHeads)*spec.HeadDim:
		mismatch("q, k and v of %d columns for %d+2*%d heads of %d", qkv.cols, spec.Heads, spec.KVHeads, spec.HeadDim)
	}
	qkv.must("q, k and v", b.Rows())
}

func (d *device) RotaryWriteKV(qkv kernels.Tensor, spec *kernels.RotarySpec, kv kernels.KV, layer int, b *kernels.Batch) {
	j := &d.rotary
	*j = rotaryJob{set: d.set, qkv: qkv.(*tensor), spec: spec.AttentionSpec, batch: b,
		cos: spec.Cos.(*tensor), sin: spec.Sin.(*tensor), eps: spec.Eps}
	checkHeads(j.qkv, &j.spec, &kv, layer, b)
	j.kv = newLayerKV(&kv, layer)
	half := spec.HeadDim / 2
	if j.cos.cols != half || j.sin.cols != half {
		mismatch("rotary tables of %d and %d columns for heads of %d", j.cos.cols, j.sin.cols, spec.HeadDim)
	}
	if spec.QNorm != nil {
		j.qNorm = spec.QNorm.(*tensor).row(0)
	}
	if spec.KNorm != nil {
		j.kNorm = spec.KNorm.(*tensor).row(0)
	}
	d.pool.run(j, rowChunks(b.Rows(), j.qkv.cols))
}

type rotaryJob struct {
	set          *set
	qkv          *tensor
	spec         kernels.AttentionSpec
	kv           layerKV
	batch        *kernels.Batch
	cos, sin     *tensor
	qNorm, kNorm []float32
	eps          float32
}

func (j *rotaryJob) chunk(_ *worker, i int) {
	dim := j.spec.HeadDim
	lo, hi := rowChunk(i, j.batch.Rows(), j.qkv.cols)
	for r := lo; r < hi; r++ {
		row := j.qkv.row(r)
		position, slot := int(j.batch.Positions[r]), j.batch.Slots[r]
		cos, sin := j.cos.row(position), j.sin.row(position)
		for range j.spec.Heads {
			j.rotate(row[:dim], j.qNorm, cos, sin)
			row = row[dim:]
		}
		k, v := row[:j.spec.KVHeads*dim], row[j.spec.KVHeads*dim:]
		offset := int(slot % kernels.BlockSize)
		for h := range j.spec.KVHeads {
			kh, vh := k[h*dim:][:dim], v[h*dim:][:dim]
			j.rotate(kh, j.kNorm, cos, sin)
			keys, values := j.kv.head(h, slot/kernels.BlockSize)
			for i, x := range kh {
				keys[i*kernels.BlockSize+offset] = x
			}
			for i := 0; i < dim; i += lanes {
				copy(values[i*kernels.BlockSize+offset*lanes:], vh[i:i+lanes])
			}
		}
	}
}

// rotate normalises a head with weight, if there is one, and rotates it.
func (j *rotaryJob) rotate(x, weight, cos, sin []float32) {
	if weight != nil {
		j.set.scaleMul(x, x, weight, invRMS(j.set.sumSquares(x), len(x), j.eps))
	}
	j.set.rotate(x, cos, sin)
}
