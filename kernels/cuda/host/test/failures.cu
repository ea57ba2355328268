// Kernels for driver_test.cpp, most of them wrong.
#include "../../src/prelude.cuh"

KERNEL((64), add_one, (unsigned* p)) {
	if (threadIdx.x == 0) ++*p;
}

KERNEL((64), read_shared_beyond, (unsigned* p)) {
	DYNAMIC_SHARED(unsigned, shared);
	*p = shared[threadIdx.x];
}

KERNEL((64), leave_before_barrier, (unsigned*)) {
	if (threadIdx.x == 5) return;
	__syncthreads();
}

KERNEL((64), shuffle_without_half, (unsigned*)) {
	if (threadIdx.x % 32 < 16) __shfl_xor_sync(dp::all_lanes, threadIdx.x, 1);
}

KERNEL((64), shuffle_from_outside, (unsigned*)) {
	if (threadIdx.x % 32 < 16) __shfl_sync(0xffff, threadIdx.x, 20);
}
