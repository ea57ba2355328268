package weights

import (
	"fmt"
	"math"
	"slices"
	"sync"
)

// MXFP4 is the type of a tensor of 4-bit numbers in blocks of 32 with a scale that
// is a power of two (OCP Microscaling Formats specification 1.0, section 5.2): a
// sign, 2 bits of exponent and 1 of fraction.
//
// Checkpoints of gpt-oss keep such a tensor of [experts, out, in] numbers as two of
// bytes:
//
//	NAME_blocks  [experts, out, in/32, 16]  number 2i in the low half of byte i, 2i+1 in the high one
//	NAME_scales  [experts, out, in/32]      the exponent of two, biased by 127
const MXFP4 DType = "MXFP4"

const (
	mxfp4Block = 32
	mxfp4Bias  = 127
	blocksName = "_blocks"
	scalesName = "_scales"
)

// mxfp4Values are the numbers; the high half is negative.
var mxfp4Values = [16]float32{0, 0.5, 1, 1.5, 2, 3, 4, 6, float32(math.Copysign(0, -1)), -0.5, -1, -1.5, -2, -3, -4, -6}

// MXFP4 finds the tensor that the checkpoint keeps as name_blocks and name_scales.
// The error wraps [ErrTensor] if one of the two is missing.
func (c *Checkpoint) MXFP4(name string) (*Tensor, error) {
	var parts [2]*Tensor
	for i, suffix := range []string{blocksName, scalesName} {
		t, ok := c.tensors[name+suffix]
		if !ok {
			return nil, fmt.Errorf("weights: %s: tensor %q: %w", c.name, name+suffix, ErrTensor)
		}
		if t.DType != "U8" {
			return nil, fmt.Errorf("weights: %s: tensor %q: %w %q, want U8", c.path(t.file), t.Name, ErrDType, t.DType)
		}
		parts[i] = t
	}
	blocks, scales := parts[0], parts[1]
	if n := len(blocks.Shape); n < 3 || blocks.Shape[n-1] != mxfp4Block/2 {
		return nil, fmt.Errorf("weights: %s: tensor %q: shape %v; want blocks of %d bytes", c.path(blocks.file), blocks.Name, blocks.Shape, mxfp4Block/2)
	}
	if want := blocks.Shape[:len(blocks.Shape)-1]; !slices.Equal(scales.Shape, want) {
		return nil, fmt.Errorf("weights: %s: tensor %q: shape %v; the blocks make it %v", c.path(scales.file), scales.Name, scales.Shape, want)
	}
	return newMXFP4(name, blocks, scales), nil
}

// newMXFP4 joins the two tensors, whose shapes have been compared.
func newMXFP4(name string, blocks, scales *Tensor) *Tensor {
	dims := len(scales.Shape)
	shape := slices.Clone(scales.Shape)
	shape[dims-1] *= mxfp4Block
	t := &Tensor{Name: name, DType: MXFP4, Shape: shape, file: blocks.file, rows: shape[0], cols: 1, sources: []*Tensor{blocks, scales}}
	for _, n := range shape[1:] {
		t.cols *= n
	}
	// rows makes rows of n blocks, the first of which is block first.
	rows := func(first, n int) func(i int, dst []float32) {
		return func(i int, dst []float32) {
			at := first + i*n
			for b := range n {
				decodeMXFP4(dst[b*mxfp4Block:][:mxfp4Block], blocks.data[(at+b)*mxfp4Block/2:], scales.data[at+b], interleaved)
			}
		}
	}
	perRow := t.cols / mxfp4Block
	t.generate = rows(0, perRow)
	if dims > 2 {
		inner := shape[dims-1] / mxfp4Block
		t.part = func(element int) func(i int, dst []float32) { return rows(element*perRow, inner) }
	}
	return t
}

// nibbleOrder is where the numbers of a block lie in its bytes.
type nibbleOrder bool

const (
	interleaved nibbleOrder = false // 2i and 2i+1 in byte i
	halves      nibbleOrder = true  // i and i+16 in byte i, as in GGUF
)

// decodeMXFP4 reads a block. The products are exact, but for those beyond the range
// of float32.
func decodeMXFP4(dst []float32, block []byte, scale byte, order nibbleOrder) {
	factor := mxfp4Scales()[scale]
	for i, q := range block[:mxfp4Block/2] {
		low, high := 2*i, 2*i+1
		if order == halves {
			low, high = i, i+mxfp4Block/2
		}
		dst[low], dst[high] = mxfp4Values[q&15]*factor, mxfp4Values[q>>4]*factor
	}
}

// mxfp4Scales is the value of every scale. 255 is no number by the specification;
// the reference reads it as 2^128, and so is it infinite here.
var mxfp4Scales = sync.OnceValue(func() *[256]float32 {
	table := new([256]float32)
	for i := range table {
		table[i] = float32(math.Ldexp(1, i-mxfp4Bias))
	}
	return table
})

// decodeMXFP4Rows reads the blocks of a GGUF file:
//
//	0       1                17
//	| scale | 16 bytes q     |
func decodeMXFP4Rows(dst []float32, src []byte) {
	for ; len(dst) >= mxfp4Block; dst, src = dst[mxfp4Block:], src[17:] {
		decodeMXFP4(dst[:mxfp4Block], src[1:], src[0], halves)
	}
}
