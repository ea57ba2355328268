// The most that tensor cores do: products of registers that nothing is read for.
#include "prelude.cuh"

// Every warp makes n rounds of 8 independent products of 16x8x16. out is never written:
// it keeps the compiler from leaving them out.
KERNEL((256), peak_bf16, (float* out, int n)) {
	float d[8][4] = {};
	uint32_t a[4], b[2];
	for (int i = 0; i < 4; i++) a[i] = 0x3c003c00u + threadIdx.x;
	for (int i = 0; i < 2; i++) b[i] = 0x3c003c00u + threadIdx.x;
	for (int round = 0; round < n; round++) {
#pragma unroll
		for (int i = 0; i < 8; i++) dp::mma_bf16(d[i], a, b);
	}
	float sum = 0;
	for (int i = 0; i < 8; i++) {
		for (int j = 0; j < 4; j++) sum += d[i][j];
	}
	if (sum == -1.0f) out[0] = sum;
}

// The same of 16x8x32 in integers.
KERNEL((256), peak_s8, (float* out, int n)) {
	int32_t d[8][4] = {};
	uint32_t a[4], b[2];
	for (int i = 0; i < 4; i++) a[i] = 0x01010101u + threadIdx.x;
	for (int i = 0; i < 2; i++) b[i] = 0x01010101u + threadIdx.x;
	for (int round = 0; round < n; round++) {
#pragma unroll
		for (int i = 0; i < 8; i++) dp::mma_s8(d[i], a, b);
	}
	int32_t sum = 0;
	for (int i = 0; i < 8; i++) {
		for (int j = 0; j < 4; j++) sum |= d[i][j];
	}
	if (sum == -1) out[0] = 0.0f;
}
