package kernels

import "math/bits"

// Uniform returns a number in [0, 1) that depends on its arguments alone: the
// counter-based generator of sampling. It is Philox-2x64-10 (Salmon et al.,
// "Parallel random numbers: as easy as 1, 2, 3", SC 2011) with the seed as key
// and (trace, position) as counter; the upper 53 bits make the fraction.
func Uniform(seed uint64, trace, position uint32) float64 {
	x, _ := philox(uint64(trace)<<32|uint64(position), 0, seed)
	return float64(x>>11) / (1 << 53)
}

// philox is Philox-2x64 with ten rounds.
func philox(c0, c1, key uint64) (uint64, uint64) {
	for range 10 {
		hi, lo := bits.Mul64(c0, 0xD2B74407B1CE6E93)
		c0, c1 = hi^key^c1, lo
		key += 0x9E3779B97F4A7C15
	}
	return c0, c1
}
