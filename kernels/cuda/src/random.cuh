// The counter-based generator of kernels.Uniform.
#pragma once
#include "prelude.cuh"

namespace dp {

// uniform is a number in [0, 1) that depends on its arguments alone: Philox-2x64-10, the seed
// its key, (trace, position) its counter, the upper 53 bits the fraction.
DP_DEVICE double uniform(uint64_t seed, uint32_t trace, uint32_t position) {
	uint64_t x = uint64_t(trace) << 32 | position, y = 0;
	for (int round = 0; round < 10; round++) {
		uint64_t high = __umul64hi(x, 0xD2B74407B1CE6E93u);
		y = high ^ seed ^ y;
		uint64_t low = x * 0xD2B74407B1CE6E93u;
		x = y;
		y = low;
		seed += 0x9E3779B97F4A7C15u;
	}
	return double(x >> 11) * (1. / 9007199254740992.);
}

}  // namespace dp
