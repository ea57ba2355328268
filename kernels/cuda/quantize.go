//go:build cuda

package cuda

import (
	"encoding/binary"
	"math"
)

// Weights are rounded as kernels/cpu rounds them: scales are bfloat16, rounded away from
// zero, and NaN if a weight of the group is not finite.

// bfloat16 rounds to the nearest bfloat16, ties to even.
func bfloat16(x float32) uint16 {
	bits := math.Float32bits(x)
	if x != x {
		return uint16(bits>>16) | 0x40 // stays a NaN
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// up is the nearest bfloat16 that is as far from zero as x, or further.
func up(x float32) float32 {
	return math.Float32frombits((math.Float32bits(x) + 0xffff) &^ 0xffff)
}

func putScale(dst []byte, scale float32) {
	binary.LittleEndian.PutUint16(dst, uint16(math.Float32bits(scale)>>16))
}

// largest is the number of a group that is furthest from zero, and whether all are finite.
func largest(group []float32) (most float32, finite bool) {
	for _, w := range group {
		if w != w || math.IsInf(float64(w), 0) {
			return 0, false
		}
		if math.Abs(float64(w)) > math.Abs(float64(most)) {
			most = w
		}
	}
	return most, true
}

// int8Scale makes the largest 127 or a little less.
func int8Scale(group []float32) float32 {
	most, finite := largest(group)
	if !finite {
		return float32(math.NaN())
	}
	return up(float32(math.Abs(float64(most))) / 127)
}

// int4Scale makes the largest -8, the one end of the range that has no counterpart.
func int4Scale(group []float32) float32 {
	most, finite := largest(group)
	if !finite {
		return float32(math.NaN())
	}
	return up(most / -8)
}

// quotient is a weight in units of scale; 1 if the scale is no number, so that products
// with it are none either, and if it is 0, where it does not matter.
func quotient(w, scale float32) int32 {
	if !(scale > 0 || scale < 0) {
		return 1
	}
	return int32(math.RoundToEven(float64(w / scale)))
}
