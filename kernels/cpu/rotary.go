package cpu

import "deepprune/kernels"

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

func (j *rotaryJob) chunk(w *worker, i int) {
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
		for h := range j.spec.KVHeads {
			kh, vh := k[h*dim:][:dim], v[h*dim:][:dim]
			j.rotate(kh, j.kNorm, cos, sin)
			j.write(w, h, slot, kh, vh)
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
