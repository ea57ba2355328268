package kernels

import "math"

// How numbers are rounded for a [Format], the same on every device. The scale of a
// group of weights is a bfloat16, rounded away from zero, so that no weight of the
// group becomes more than its range has; NaN if a weight is not finite.

// BFloat16 is the nearest bfloat16, ties to even. A NaN stays one.
func BFloat16(x float32) uint16 {
	bits := math.Float32bits(x)
	if x != x {
		return uint16(bits>>16) | 0x40
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// up is the nearest bfloat16 that is as far from zero as x, or further.
func up(x float32) float32 {
	return math.Float32frombits((math.Float32bits(x) + 0xffff) &^ 0xffff)
}

// Int8Scale is the scale of a group of weights in [Int8]: the largest becomes 127 or
// a little less.
func Int8Scale(group []float32) float32 {
	return up(float32(math.Abs(float64(largest(group)))) / 127)
}

// Int4Scale is the scale of a group of weights in [Int4]: the largest becomes -8, the
// one end of the range that has no counterpart.
func Int4Scale(group []float32) float32 { return up(largest(group) / -8) }

// largest is the weight that is furthest from zero; NaN if one is not finite.
func largest(group []float32) float32 {
	var most float32
	for _, w := range group {
		if math.Abs(float64(w)) > math.Abs(float64(most)) || w != w {
			most = w
		}
	}
	if !(math.Abs(float64(most)) <= math.MaxFloat32) {
		return float32(math.NaN())
	}
	return most
}

// Int8Of is a weight in units of scale. Where the scale is NaN, it is 1, so that
// products are NaN too; where it is 0, which it is, does not matter.
func Int8Of(w, scale float32) int32 {
	if !(scale > 0 || scale < 0) {
		return 1
	}
	return int32(math.RoundToEven(float64(w / scale)))
}

// Int4Of is Int8Of for weights of 4 bits, which end at 7.
func Int4Of(w, scale float32) int32 { return min(Int8Of(w, scale), 7) }
