// A kernel that shows how one is written and run.
#include "../../src/prelude.cuh"

// sums adds up each row of n numbers, a block a row.
KERNEL((256), sums, (const float* x, float* y, int n)) {
	DYNAMIC_SHARED(float, part);
	__shared__ float warp[8];
	float sum = 0;
	for (int i = threadIdx.x; i < n; i += blockDim.x) sum += x[blockIdx.x * n + i];
	part[threadIdx.x] = sum;
	__syncthreads();
	sum = part[threadIdx.x ^ 1];
	for (int by = 16; by > 0; by /= 2) sum += __shfl_xor_sync(dp::all_lanes, sum, by);
	if (threadIdx.x % 32 == 0) warp[threadIdx.x / 32] = sum;
#ifndef WITHOUT_BARRIER
	__syncthreads();
#endif
	if (threadIdx.x == 0) {
		float all = 0;
		for (int i = 0; i < 8; i++) all += warp[i];
		y[blockIdx.x] = all;
	}
}
