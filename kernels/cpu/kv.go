package cpu

import (
	"fmt"
	"math"
	"unsafe"

	"golang.org/x/sys/cpu"

	"deepprune/kernels"
)

// arena is device memory for KV blocks. In a block each layer's KV heads follow
// one another, and for each its keys and then its values, laid out for the
// products of attention in panels of 16 lanes. In float32 they are
//
//	keys   [headDim][16 keys]
//	values [headDim/16][16 keys][16 dims]
//
// and in bfloat16 words that are pairs along the sum, the first in the low half:
//
//	keys   [headDim/2][16 keys] of two dims
//	values [headDim/16][8][16 dims] of two keys
//
// Integers of 8 bits lie as numbers in bfloat16 do, in half the words, and 16 scales
// in float32 follow the keys, and 16 the values.
type arena struct {
	data []uint32
	slab *slab // that data is carved from
}

func (a *arena) Bytes() int64 { return int64(len(a.data)) * 4 }

func (d *device) NewArena(bytes int64) (kernels.Arena, error) {
	if bytes < 4 || bytes/4 != int64(int(bytes/4)) {
		return nil, fmt.Errorf("cpu: an arena of %d bytes", bytes)
	}
	data, slab, err := d.carve(bytes / 4)
	if err != nil {
		return nil, err
	}
	return &arena{data, slab}, nil
}

func (d *device) CopyBlock(kv kernels.KV, dst, src int32) {
	n := kv.BlockBytes() / 4
	to, from := kv.Offset(dst)/4, kv.Offset(src)/4
	data := kv.Arena.(*arena).data
	copy(data[to:to+n], data[from:from+n])
}

// layerKV is one layer of the KV blocks in an arena, ready to be indexed.
type layerKV struct {
	data []uint32
	kernels.KVLayout
	layer             int
	page, block, head int // words
	blocksPerPage     uint32
}

func newLayerKV(kv *kernels.KV, layer int) layerKV {
	return layerKV{
		data: kv.Arena.(*arena).data, KVLayout: kv.KVLayout, layer: layer,
		page: int(kv.PageBytes / 4), block: int(kv.BlockBytes() / 4), head: int(kv.HeadBytes() / 4),
		blocksPerPage: uint32(kv.PageBytes / kv.BlockBytes()),
	}
}

// of is the keys and the values of a KV head in a block.
func (l *layerKV) of(head int, block int32) (keys, values []uint32) {
	page, within := uint32(block)/l.blocksPerPage, uint32(block)%l.blocksPerPage
	first := int(page)*l.page + int(within)*l.block + (l.layer*l.KVHeads+head)*l.head
	both := l.data[first : first+l.head]
	return both[:l.head/2], both[l.head/2:]
}

// scales is the scales of a block's keys or values.
func scales(x []uint32) []float32 { return floats(x[len(x)-kernels.BlockSize:]) }

// write keeps the key and the value of a token in a slot of a block. A neighbour in
// a pair of values may be written at the same time by another worker.
func (j *rotaryJob) write(w *worker, head int, slot int32, key, value []float32) {
	keys, values := j.kv.of(head, slot/kernels.BlockSize)
	at := int(slot % kernels.BlockSize)
	switch j.kv.Format {
	case kernels.F32:
		keys, values := floats(keys), floats(values)
		for i, x := range key {
			keys[i*kernels.BlockSize+at] = x
		}
		for i := 0; i < len(value); i += lanes {
			copy(values[i*kernels.BlockSize+at*lanes:], value[i:i+lanes])
		}
	case kernels.Int8:
		writeInt8(keys, at, key, func(i int) int { return i/2*2*kernels.BlockSize + 2*at + i%2 })
		writeInt8(values, at, value, func(i int) int {
			return i/lanes*lanes*kernels.BlockSize + at/2*2*lanes + i%lanes*2 + at%2
		})
	case kernels.BF16:
		w.rounded = grow(w.rounded, len(key)/2)
		j.set.round(w.rounded, key, 1)
		for i, pair := range w.rounded {
			keys[i*kernels.BlockSize+at] = pair
		}
		j.set.round(w.rounded, value, 1)
		to, from := halves(values), halves(w.rounded)
		for i := range from {
			to[i/lanes*lanes*kernels.BlockSize+half(at/2*2*lanes+i%lanes*2+at%2)] = from[half(i)]
		}
	}
}

// writeInt8 rounds a key or a value, at in its block, to integers. Integer i has its
// place at byte place(i).
func writeInt8(to []uint32, at int, x []float32, place func(i int) int) {
	var most float32
	for _, v := range x {
		if v = float32(math.Abs(float64(v))); v > most || v != v {
			most = v
		}
	}
	scale := most / 127
	integers := unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(to))), 4*len(to))
	for i, v := range x {
		q := int8(0)
		if v = v / scale; v > -127.5 && v < 127.5 { // the largest may not be 127 exactly
			q = int8(math.RoundToEven(float64(v)))
		}
		integers[place(i)] = q
	}
	scales(to)[at] = scale
}

// halves is words as their halves, of which half i in the order of their weight is
// number half(i).
func halves(x []uint32) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(x))), 2*len(x))
}

func half(i int) int {
	if cpu.IsBigEndian {
		return i ^ 1
	}
	return i
}
