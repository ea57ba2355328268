// RMSNorm: a block for each row, bound by latency for a few rows and by memory for many.
#include "prelude.cuh"

namespace dp {

constexpr int norm_threads = 512;

// block_sum adds up the threads' numbers: lanes by halves, then warps in order.
DP_DEVICE float block_sum(float x) {
	__shared__ float warps[norm_threads / 32];
#pragma unroll
	for (int lanes = 16; lanes > 0; lanes /= 2) x = __fadd_rn(x, __shfl_xor_sync(all_lanes, x, lanes));
	if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = x;
	__syncthreads();
	float sum = 0;
#pragma unroll
	for (int i = 0; i < norm_threads / 32; i++) sum = __fadd_rn(sum, warps[i]);
	return sum;
}

}  // namespace dp

// add is null, or is added to x first. dst may be x.
KERNEL((dp::norm_threads), rms_norm, (float* dst, float* x, const float* add, const float* weight, int cols, float eps)) {
	const size_t row = (size_t)blockIdx.x * cols;
	float squares = 0;
	for (int i = threadIdx.x; i < cols; i += dp::norm_threads) {
		float v = x[row + i];
		if (add != nullptr) x[row + i] = v = __fadd_rn(v, add[row + i]);
		squares = __fmaf_rn(v, v, squares);
	}
	const double mean = __ddiv_rn(dp::block_sum(squares), cols);
	const float scale = __double2float_rn(1 / sqrt(mean + eps));
	for (int i = threadIdx.x; i < cols; i += dp::norm_threads)
		dst[row + i] = __fmul_rn(__fmul_rn(x[row + i], scale), weight[i]);
}
