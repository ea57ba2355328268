// Kernels that do one operation of prelude.cuh, for twins_test.cpp.
#include "../../src/prelude.cuh"

// Each takes a lane's registers from and to memory: [lane][register].
KERNEL((32), one_mma_bf16, (const uint32_t* a, const uint32_t* b, float* d)) {
	int l = threadIdx.x;
	uint32_t ra[4], rb[2];
	float rd[4];
	for (int i = 0; i < 4; i++) ra[i] = a[4 * l + i], rd[i] = d[4 * l + i];
	for (int i = 0; i < 2; i++) rb[i] = b[2 * l + i];
	dp::mma_bf16(rd, ra, rb);
	for (int i = 0; i < 4; i++) d[4 * l + i] = rd[i];
}

KERNEL((32), one_mma_s8, (const uint32_t* a, const uint32_t* b, int32_t* d)) {
	int l = threadIdx.x;
	uint32_t ra[4], rb[2];
	int32_t rd[4];
	for (int i = 0; i < 4; i++) ra[i] = a[4 * l + i], rd[i] = d[4 * l + i];
	for (int i = 0; i < 2; i++) rb[i] = b[2 * l + i];
	dp::mma_s8(rd, ra, rb);
	for (int i = 0; i < 4; i++) d[4 * l + i] = rd[i];
}

KERNEL((32), one_ldmatrix, (const uint32_t* rows, uint32_t* plain, uint32_t* transposed)) {
	DYNAMIC_SHARED(uint32_t, shared);
	int l = threadIdx.x;
	for (int i = 0; i < 4; i++) shared[4 * l + i] = rows[4 * l + i];
	__syncwarp();
	uint32_t r[4];
	dp::ldmatrix_x4(r, shared + 4 * l);
	for (int i = 0; i < 4; i++) plain[4 * l + i] = r[i];
	dp::ldmatrix_x4_trans(r, shared + 4 * l);
	for (int i = 0; i < 4; i++) transposed[4 * l + i] = r[i];
}

// Every third thread copies zeros.
KERNEL((64), one_copy, (const uint32_t* from, uint32_t* to)) {
	DYNAMIC_SHARED(uint32_t, shared);
	int t = threadIdx.x;
	dp::cp_async16(shared + 4 * t, from + 4 * t, t % 3 != 0);
	dp::cp_async_commit();
	dp::cp_async_wait<0>();
	__syncthreads();
	for (int i = 0; i < 4; i++) to[4 * t + i] = shared[4 * (63 - t) + i];
}

KERNEL((32), one_exchange, (int* out)) {
	int l = threadIdx.x;
	out[l] = __shfl_sync(~0u, l * l, l + 5, 8);
	out[32 + l] = __shfl_xor_sync(~0u, l, 3);
	out[64 + l] = __shfl_up_sync(~0u, l, 2, 16);
	out[96 + l] = __shfl_down_sync(~0u, l, 2, 16);
	out[128 + l] = __ballot_sync(~0u, l % 3 == 0);
	out[160 + l] = l < 16 ? __shfl_xor_sync(0xffffu, l, 1) : 0;
	out[192 + l] = __reduce_max_sync(~0u, l - 40);
	out[224 + l] = __syncthreads_count(l < 7);
}
