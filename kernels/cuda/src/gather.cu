// Rows of one tensor, in an order that the host gives.
#include "prelude.cuh"

// A block copies row rows[blockIdx.x] of src into row blockIdx.x of dst.
KERNEL((256), gather, (float* dst, const float* src, const int* rows, int cols)) {
	const float* from = src + (size_t)rows[blockIdx.x] * cols;
	float* to = dst + (size_t)blockIdx.x * cols;
	for (int i = threadIdx.x; i < cols; i += blockDim.x) {
		to[i] = from[i];
	}
}
