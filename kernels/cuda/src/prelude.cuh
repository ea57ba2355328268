// What every kernel file includes first. It compiles with nvcc and clang for a GPU, and
// with g++ for the host, where host/shim.h stands in for the CUDA language.
//
// Fragments are those of the PTX ISA manual. With g = lane / 4 and t = lane % 4, a lane holds
//
//	mma_bf16 (m16n8k16)      a[0] A[g][2t, 2t+1]   a[1] A[g+8][2t, 2t+1]
//	                         a[2] A[g][2t+8, +9]   a[3] A[g+8][2t+8, +9]
//	                         b[0] B[2t, 2t+1][g]   b[1] B[2t+8, 2t+9][g]
//	mma_s8 (m16n8k32)        a[0] A[g][4t … 4t+3]  a[1] A[g+8][4t … 4t+3]
//	                         a[2] A[g][4t+16 … 19] a[3] A[g+8][4t+16 … 19]
//	                         b[0] B[4t … 4t+3][g]  b[1] B[4t+16 … 4t+19][g]
//	both                     d[0] D[g][2t]  d[1] D[g][2t+1]  d[2] D[g+8][2t]  d[3] D[g+8][2t+1]
//
// the element of the lower index in the lower bits.
#pragma once

#if defined(__CUDACC__) || defined(__CUDA__)
#include <cstdint>
#define DP_DEVICE __device__ __forceinline__

// KERNEL((threads) or (threads, blocks), name, (parameters)) begins the definition of a
// kernel: a block has at most that many threads, a multiprocessor at least that many
// blocks. A parameter has at most 8 bytes.
#define KERNEL(bounds, name, parameters) extern "C" __global__ void __launch_bounds__ bounds name parameters

// DYNAMIC_SHARED declares a pointer to the shared memory that the launch asks for.
#define DYNAMIC_SHARED(type, name)                                 \
	extern __shared__ __align__(128) unsigned char dp_dynamic[]; \
	type* const name = reinterpret_cast<type*>(dp_dynamic)
#else
#include "../host/shim.h"
#define DP_DEVICE inline __attribute__((always_inline))
#endif

namespace dp {

constexpr unsigned all_lanes = 0xffffffffu;

// bf16 is the upper half of a float32.
struct bf16 {
	uint16_t bits;
};

DP_DEVICE float to_float(bf16 x) { return __uint_as_float(uint32_t(x.bits) << 16); }

// to_floats gives the two halves of a packed pair; x is the lower one.
DP_DEVICE float2 to_floats(uint32_t pair) {
	return make_float2(__uint_as_float(pair << 16), __uint_as_float(pair & 0xffff0000u));
}

#ifdef DP_HOST

// to_bf16 rounds to nearest even; every NaN becomes 0x7fff.
DP_DEVICE bf16 to_bf16(float x) {
	uint32_t b = __float_as_uint(x);
	if ((b & 0x7fffffffu) > 0x7f800000u) return bf16{0x7fff};
	return bf16{uint16_t((b + 0x7fff + (b >> 16 & 1)) >> 16)};
}

// pack_bf16 rounds two numbers to a pair, low into the lower half.
DP_DEVICE uint32_t pack_bf16(float low, float high) {
	return to_bf16(low).bits | uint32_t(to_bf16(high).bits) << 16;
}

#else

DP_DEVICE bf16 to_bf16(float x) {
	bf16 y;
	asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
	return y;
}

DP_DEVICE uint32_t pack_bf16(float low, float high) {
	uint32_t pair;
	asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
	return pair;
}

// mma_bf16 adds the product of the warp's fragments to d, in float32. The order in which
// the hardware adds is its own; the host's twin adds k = 0, 1, … by fused multiply-adds.
DP_DEVICE void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
	asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
	             : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
	             : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// mma_s8 adds the product of the warp's fragments to d, exactly (modulo 2^32).
DP_DEVICE void mma_s8(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
	asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
	             : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
	             : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

DP_DEVICE uint32_t shared_address(const void* shared) { return uint32_t(__cvta_generic_to_shared(shared)); }

// ldmatrix_x4 loads four 8x8 matrices of 16-bit elements. Lane l names row l % 8 of matrix
// l / 8, 16 bytes that lie on a multiple of 16; r[i] is elements 2t, 2t+1 of row g of matrix i.
DP_DEVICE void ldmatrix_x4(uint32_t (&r)[4], const void* shared) {
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
	             : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
	             : "r"(shared_address(shared))
	             : "memory");
}

// ldmatrix_x4_trans is ldmatrix_x4 of the transposed matrices: r[i] is elements [2t][g], [2t+1][g].
DP_DEVICE void ldmatrix_x4_trans(uint32_t (&r)[4], const void* shared) {
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
	             : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
	             : "r"(shared_address(shared))
	             : "memory");
}

// cp_async16 begins a copy of 16 bytes from global to shared memory; where !valid nothing is
// read and zeros are written. Both addresses are multiples of 16.
DP_DEVICE void cp_async16(void* shared, const void* global, bool valid) {
	asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
	             "l"(__cvta_generic_to_global(global)), "r"(valid ? 16 : 0)
	             : "memory");
}

// cp_async_commit makes a group of this thread's copies since the last one.
DP_DEVICE void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// cp_async_wait waits until at most N of this thread's groups are under way. What was copied
// is then visible to this thread alone: others need a barrier after it.
template <int N>
DP_DEVICE void cp_async_wait() {
	asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

#endif

}  // namespace dp
