// Rounding the rows of a matrix product, once for all outputs, in the order in which the
// products read them (linear.cuh).
#include "linear.cuh"

namespace dp {

// read8 reads elements k … k+7 of a row of in; those beyond its end are zeros.
DP_DEVICE void read8(float (&v)[8], const float* row, int k, int in) {
	if (in % 4 == 0 && k + 8 <= in) {
		const float4 a = *reinterpret_cast<const float4*>(row + k), b = *reinterpret_cast<const float4*>(row + k + 4);
		v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w, v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
		return;
	}
#pragma unroll
	for (int i = 0; i < 8; i++) v[i] = k + i < in ? row[k + i] : 0;
}

// largest is the largest of the bits of absolute values: NaN is more than Inf is more than all others.
DP_DEVICE uint32_t largest(const float (&v)[8]) {
	uint32_t most = 0;
#pragma unroll
	for (int i = 0; i < 8; i++) most = max(most, __float_as_uint(v[i]) & 0x7fffffffu);
	return most;
}

// of_row is the largest of the four lanes that have a row.
DP_DEVICE uint32_t of_row(uint32_t most) {
	most = max(most, __shfl_xor_sync(all_lanes, most, 1));
	return max(most, __shfl_xor_sync(all_lanes, most, 2));
}

// Group is how a group of a row is rounded: below 2^-100 all counts as zeros, and one with a
// number that is not finite has a scale that is not finite.
struct Group {
	float scale, inverse;

	DP_DEVICE explicit Group(uint32_t most) : scale(0), inverse(0) {
		constexpr uint32_t least = (127 - 100) << 23, infinite = 0xffu << 23;
		if (most >= least) scale = __fdiv_rn(__uint_as_float(most), 127);
		if (most >= least && most < infinite) inverse = __fdiv_rn(127, __uint_as_float(most));
	}
	// four rounds numbers to the bytes of a word.
	DP_DEVICE uint32_t four(float a, float b, float c, float d) const {
		if (inverse == 0) return 0;
		return byte(a) | byte(b) << 8 | byte(c) << 16 | byte(d) << 24;
	}
	DP_DEVICE uint32_t byte(float v) const { return uint32_t(__float2int_rn(__fmul_rn(v, inverse))) & 0xff; }
};

}  // namespace dp

// A warp rounds a step (8 blockIdx.y + warp) of 8 rows (blockIdx.x); a lane reads its elements
// of its row.

KERNEL((256), round_bf16, (uint4* values, float*, const float* x, int rows, int in, int steps, int columns)) {
	const int step = blockIdx.y * 8 + threadIdx.x / 32, lane = threadIdx.x % 32, row = blockIdx.x * 8 + lane / 4;
	if (step >= steps || row >= rows) return;
	float v[8];
	dp::read8(v, x + (size_t)row * in, step * 32 + lane % 4 * 8, in);
	values[((size_t)step * columns + blockIdx.x) * 32 + lane] =
	    make_uint4(dp::pack_bf16(v[0], v[1]), dp::pack_bf16(v[2], v[3]), dp::pack_bf16(v[4], v[5]), dp::pack_bf16(v[6], v[7]));
}

KERNEL((256), round_int8, (uint4* values, float* scales, const float* x, int rows, int in, int steps, int columns)) {
	const int step = blockIdx.y * 8 + threadIdx.x / 32, lane = threadIdx.x % 32, row = blockIdx.x * 8 + lane / 4;
	if (step >= steps) return;
	float v[8] = {}, w[8] = {};
	if (row < rows) {
		dp::read8(v, x + (size_t)row * in, step * 64 + lane % 4 * 8, in);
		dp::read8(w, x + (size_t)row * in, step * 64 + lane % 4 * 8 + 32, in);
	}
	const dp::Group group(dp::of_row(max(dp::largest(v), dp::largest(w))));
	values[((size_t)step * columns + blockIdx.x) * 32 + lane] =
	    make_uint4(group.four(v[0], v[1], v[2], v[3]), group.four(v[4], v[5], v[6], v[7]),
	               group.four(w[0], w[1], w[2], w[3]), group.four(w[4], w[5], w[6], w[7]));
	if (lane % 4 == 0) scales[((size_t)step * columns + blockIdx.x) * 8 + lane / 4] = group.scale;
}

// Weights of Int4 are multiplied as 16 times themselves; the scales of the rows are a 16th.
KERNEL((256), round_int4, (uint4* values, float* scales, const float* x, int rows, int in, int steps, int columns)) {
	const int step = blockIdx.y * 8 + threadIdx.x / 32, lane = threadIdx.x % 32, row = blockIdx.x * 8 + lane / 4;
	if (step >= steps) return;
	float v[8] = {}, w[8] = {};
	if (row < rows) {
		dp::read8(v, x + (size_t)row * in, step * 64 + lane % 4 * 8, in);
		dp::read8(w, x + (size_t)row * in, step * 64 + lane % 4 * 8 + 32, in);
	}
	const dp::Group first(dp::of_row(dp::largest(v))), second(dp::of_row(dp::largest(w)));
	values[((size_t)step * columns + blockIdx.x) * 32 + lane] =
	    make_uint4(first.four(v[0], v[1], v[2], v[3]), first.four(v[4], v[5], v[6], v[7]),
	               second.four(w[0], w[1], w[2], w[3]), second.four(w[4], w[5], w[6], w[7]));
	if (lane % 4 == 0)
		reinterpret_cast<float2*>(scales)[((size_t)step * columns + blockIdx.x) * 8 + lane / 4] =
		    make_float2(__fmul_rn(first.scale, 0.0625f), __fmul_rn(second.scale, 0.0625f));
}
