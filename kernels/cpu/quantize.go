package cpu

import (
	"math"
	"unsafe"

	"deepprune/kernels"
)

// Weights are kept with a bias, so that their bytes are unsigned, and rows of x
// as signed bytes: what the instructions for products of bytes take.
const (
	int8Bias = 128
	int4Bias = 8
)

// words is floats as the words that products read.
func words(x []float32) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// floats is the inverse of words.
func floats(x []uint32) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// widen is the value of a bfloat16.
func widen(x uint16) float32 { return math.Float32frombits(uint32(x) << 16) }

// scaleOf is the scale of a lane.
func scaleOf(scales []uint32, lane int) float32 {
	return widen(uint16(scales[lane/2] >> (lane % 2 * 16)))
}

// setScale sets the scale of a lane, a bfloat16.
func setScale(scales []uint32, lane int, scale float32) {
	shift := lane % 2 * 16
	scales[lane/2] = scales[lane/2]&^(0xffff<<shift) | math.Float32bits(scale)>>16<<shift
}

// int8Word is four weights in units of scale, biased.
func int8Word(w []float32, scale float32) uint32 {
	word := uint32(0)
	for i, v := range w[:4] {
		word |= uint32(int8Bias+kernels.Int8Of(v, scale)) << (8 * i)
	}
	return word
}

// int4Word is eight weights in units of scale, biased: the first four in the low
// halves of the bytes.
func int4Word(w []float32, scale float32) uint32 {
	word := uint32(0)
	for i, v := range w[:8] {
		word |= uint32(int4Bias+kernels.Int4Of(v, scale)) << (i%4*8 + i/4*4)
	}
	return word
}

// prepareBF16Go rounds a row to bfloat16, a number per word as a float32.
func prepareBF16Go(dst []uint32, x []float32) {
	for i, v := range x {
		dst[i] = uint32(kernels.BFloat16(v)) << 16
	}
	clear(dst[len(x):])
}

// int8Words and int4Words are a prepared row's words in a step: integers in bytes,
// their scale, and what the bias of the weights adds to a sum of products.
const (
	int8Words = int8Group/4 + 2
	int4Words = int4Group/4 + 2
)

func prepareInt8Go(dst []uint32, x []float32) { prepareGo(dst, x, int8Group, int8Bias) }
func prepareInt4Go(dst []uint32, x []float32) { prepareGo(dst, x, int4Group, int4Bias) }

// prepareGo rounds a row to integers of 8 bits, scaled by the largest of a group.
// A group of nearly nothing, below 2^-100, counts as zeros; one with a number that
// is not finite has a scale that is not finite.
func prepareGo(dst []uint32, x []float32, group int, bias int32) {
	const least, infinite = (127 - 100) << 23, 0xff << 23
	for len(dst) > 0 {
		n := min(group, len(x))
		most := uint32(0) // in bits: NaN is more than Inf is more than all others
		for _, v := range x[:n] {
			most = max(most, math.Float32bits(v)&^(1<<31))
		}
		largest, scale, sum := math.Float32frombits(most), float32(0), int32(0)
		if most >= least {
			scale = largest / 127
		}
		clear(dst[:group/4])
		if most >= least && most < infinite {
			for i, v := range x[:n] {
				q := int32(math.RoundToEven(float64(v * float32(127/largest))))
				sum += q
				dst[i/4] |= uint32(uint8(q)) << (i % 4 * 8)
			}
		}
		dst[group/4], dst[group/4+1] = math.Float32bits(scale), uint32(-bias*sum)
		dst, x = dst[group/4+2:], x[n:]
	}
}
