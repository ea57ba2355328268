// The functions of the CUDA language, and plain twins of prelude.cuh's instructions.
#pragma once

#define DP_INLINE inline __attribute__((always_inline))

DP_INLINE void __syncthreads(DP_SITE) { dp::host::barrier(dp::host::Vote::none, 0, site); }
DP_INLINE int __syncthreads_or(int p, DP_SITE) { return dp::host::barrier(dp::host::Vote::any, p, site); }
DP_INLINE int __syncthreads_and(int p, DP_SITE) { return dp::host::barrier(dp::host::Vote::all, p, site); }
DP_INLINE int __syncthreads_count(int p, DP_SITE) { return dp::host::barrier(dp::host::Vote::count, p, site); }
DP_INLINE void __syncwarp(unsigned mask = 0xffffffffu, DP_SITE) { dp::host::exchange(dp::host::Kind::sync, mask, site); }

namespace dp::host {

// shuffle gives the value of the lane source, which the lane has computed as the manual says.
template <typename T>
DP_INLINE T shuffle(unsigned mask, T value, int source, Site site) {
	static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a shuffle moves 4 or 8 bytes");
	Lane& lane = *current;
	lane.in[0] = source;
	std::memcpy(lane.in + 1, &value, sizeof(T));
	exchange(Kind::shuffle, mask, site);
	std::memcpy(&value, lane.out, sizeof(T));
	return value;
}

// vote makes one number of every lane's.
DP_INLINE uint32_t vote(Kind kind, unsigned mask, uint32_t value, Site site) {
	Lane& lane = *current;
	lane.in[0] = value;
	exchange(kind, mask, site);
	return lane.out[0];
}

}  // namespace dp::host

template <typename T>
DP_INLINE T __shfl_sync(unsigned mask, T value, int source, int width = 32, DP_SITE) {
	int lane = dp::host::current->lane;
	return dp::host::shuffle(mask, value, (lane & ~(width - 1)) | (source & (width - 1)), site);
}
template <typename T>
DP_INLINE T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, DP_SITE) {
	int lane = dp::host::current->lane, source = lane ^ lanes;
	return dp::host::shuffle(mask, value, source > (lane | (width - 1)) ? lane : source, site);
}
template <typename T>
DP_INLINE T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, DP_SITE) {
	int lane = dp::host::current->lane, source = lane - int(by);
	return dp::host::shuffle(mask, value, source < (lane & ~(width - 1)) ? lane : source, site);
}
template <typename T>
DP_INLINE T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32, DP_SITE) {
	int lane = dp::host::current->lane, source = lane + int(by);
	return dp::host::shuffle(mask, value, source > (lane | (width - 1)) ? lane : source, site);
}

DP_INLINE unsigned __ballot_sync(unsigned mask, int p, DP_SITE) { return dp::host::vote(dp::host::Kind::ballot, mask, p != 0, site); }
DP_INLINE int __any_sync(unsigned mask, int p, DP_SITE) { return __ballot_sync(mask, p, site) != 0; }
DP_INLINE int __all_sync(unsigned mask, int p, DP_SITE) { return __ballot_sync(mask, p, site) == mask; }
DP_INLINE unsigned __match_any_sync(unsigned mask, unsigned v, DP_SITE) { return dp::host::vote(dp::host::Kind::match, mask, v, site); }
DP_INLINE unsigned __reduce_add_sync(unsigned mask, unsigned v, DP_SITE) { return dp::host::vote(dp::host::Kind::reduce_add, mask, v, site); }
DP_INLINE int __reduce_add_sync(unsigned mask, int v, DP_SITE) { return dp::host::vote(dp::host::Kind::reduce_add, mask, v, site); }
// The order of int is made that of unsigned by its highest bit.
DP_INLINE unsigned __reduce_min_sync(unsigned mask, unsigned v, DP_SITE) { return dp::host::vote(dp::host::Kind::reduce_min, mask, v, site); }
DP_INLINE int __reduce_min_sync(unsigned mask, int v, DP_SITE) { return dp::host::vote(dp::host::Kind::reduce_min, mask, v ^ 0x80000000u, site) ^ 0x80000000u; }
DP_INLINE unsigned __reduce_max_sync(unsigned mask, unsigned v, DP_SITE) { return dp::host::vote(dp::host::Kind::reduce_max, mask, v, site); }
DP_INLINE int __reduce_max_sync(unsigned mask, int v, DP_SITE) { return dp::host::vote(dp::host::Kind::reduce_max, mask, v ^ 0x80000000u, site) ^ 0x80000000u; }

// Bits.
template <typename To, typename From>
DP_INLINE To dp_bits(From x) {
	static_assert(sizeof(To) == sizeof(From));
	To y;
	std::memcpy(&y, &x, sizeof y);
	return y;
}
DP_INLINE float __uint_as_float(unsigned x) { return dp_bits<float>(x); }
DP_INLINE unsigned __float_as_uint(float x) { return dp_bits<unsigned>(x); }
DP_INLINE float __int_as_float(int x) { return dp_bits<float>(x); }
DP_INLINE int __float_as_int(float x) { return dp_bits<int>(x); }
DP_INLINE double __longlong_as_double(long long x) { return dp_bits<double>(x); }
DP_INLINE long long __double_as_longlong(double x) { return dp_bits<long long>(x); }
DP_INLINE int __popc(unsigned x) { return __builtin_popcount(x); }
DP_INLINE int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
DP_INLINE int __ffs(int x) { return __builtin_ffs(x); }
DP_INLINE int __ffsll(long long x) { return __builtin_ffsll(x); }
DP_INLINE int __clz(int x) { return x == 0 ? 32 : __builtin_clz(x); }
DP_INLINE int __clzll(long long x) { return x == 0 ? 64 : __builtin_clzll(x); }
DP_INLINE unsigned __brev(unsigned x) {
	x = __builtin_bswap32(x);
	x = (x & 0x0f0f0f0fu) << 4 | (x >> 4 & 0x0f0f0f0fu);
	x = (x & 0x33333333u) << 2 | (x >> 2 & 0x33333333u);
	return (x & 0x55555555u) << 1 | (x >> 1 & 0x55555555u);
}
DP_INLINE unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
	uint64_t bytes = x | uint64_t(y) << 32;
	unsigned z = 0;
	for (int i = 0; i < 4; i++) {
		unsigned s = selector >> 4 * i, byte = bytes >> 8 * (s & 7) & 0xff;
		if (s & 8) byte = byte & 0x80 ? 0xff : 0;
		z |= byte << 8 * i;
	}
	return z;
}
DP_INLINE unsigned __umulhi(unsigned x, unsigned y) { return uint64_t(x) * y >> 32; }
DP_INLINE int __mulhi(int x, int y) { return int64_t(x) * y >> 32; }
DP_INLINE unsigned long long __umul64hi(unsigned long long x, unsigned long long y) { return (unsigned __int128)x * y >> 64; }
DP_INLINE unsigned __funnelshift_l(unsigned low, unsigned high, unsigned by) { return (uint64_t(high) << 32 | low) << (by & 31) >> 32; }
DP_INLINE unsigned __funnelshift_r(unsigned low, unsigned high, unsigned by) { return (uint64_t(high) << 32 | low) >> (by & 31); }
DP_INLINE int __dp4a(int a, int b, int c) {
	for (int i = 0; i < 32; i += 8) c += int(int8_t(a >> i)) * int8_t(b >> i);
	return c;
}

// Arithmetic, rounded to nearest even.
DP_INLINE float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
DP_INLINE float __fadd_rn(float a, float b) { return a + b; }
DP_INLINE float __fsub_rn(float a, float b) { return a - b; }
DP_INLINE float __fmul_rn(float a, float b) { return a * b; }
DP_INLINE float __fdiv_rn(float a, float b) { return a / b; }
DP_INLINE float __fsqrt_rn(float a) { return std::sqrt(a); }
DP_INLINE float __frcp_rn(float a) { return 1 / a; }
DP_INLINE double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
DP_INLINE double __dadd_rn(double a, double b) { return a + b; }
DP_INLINE double __dmul_rn(double a, double b) { return a * b; }
DP_INLINE double __ddiv_rn(double a, double b) { return a / b; }
DP_INLINE float rsqrtf(float x) { return 1 / std::sqrt(x); }
DP_INLINE int __float2int_rn(float x) { return x != x ? 0 : x >= 2147483648.f ? 2147483647 : x < -2147483648.f ? -2147483647 - 1 : int(std::nearbyint(x)); }
DP_INLINE int __float2int_rd(float x) { return __float2int_rn(std::floor(x)); }
DP_INLINE int __float2int_rz(float x) { return __float2int_rn(std::trunc(x)); }
DP_INLINE float __int2float_rn(int x) { return float(x); }
DP_INLINE float __uint2float_rn(unsigned x) { return float(x); }
DP_INLINE float __double2float_rn(double x) { return float(x); }
DP_INLINE float __ull2float_rn(unsigned long long x) { return float(x); }
DP_INLINE double __ull2double_rn(unsigned long long x) { return double(x); }

template <typename A, typename B>
constexpr std::enable_if_t<std::is_integral_v<A> && std::is_integral_v<B>, std::common_type_t<A, B>> min(A a, B b) {
	using T = std::common_type_t<A, B>;
	return T(b) < T(a) ? T(b) : T(a);
}
template <typename A, typename B>
constexpr std::enable_if_t<std::is_integral_v<A> && std::is_integral_v<B>, std::common_type_t<A, B>> max(A a, B b) {
	using T = std::common_type_t<A, B>;
	return T(a) < T(b) ? T(b) : T(a);
}
DP_INLINE float min(float a, float b) { return std::fmin(a, b); }
DP_INLINE float max(float a, float b) { return std::fmax(a, b); }
DP_INLINE double min(double a, double b) { return std::fmin(a, b); }
DP_INLINE double max(double a, double b) { return std::fmax(a, b); }

// Memory.
template <typename T>
DP_INLINE T __ldg(const T* p) { return *p; }
template <typename T>
DP_INLINE T __ldcs(const T* p) { return *p; }
template <typename T>
DP_INLINE T __ldcg(const T* p) { return *p; }
template <typename T>
DP_INLINE void __stcs(T* p, T x) { *p = x; }
template <typename T>
DP_INLINE void __stcg(T* p, T x) { *p = x; }
DP_INLINE void __threadfence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
DP_INLINE void __threadfence_block() { std::atomic_thread_fence(std::memory_order_seq_cst); }

namespace dp::host {

// update replaces *p by change(*p) in one step and returns what was there.
template <typename T, typename F>
DP_INLINE T update(T* p, F change) {
	T old, next;
	__atomic_load(p, &old, __ATOMIC_RELAXED);
	do next = change(old);
	while (!__atomic_compare_exchange(p, &old, &next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return old;
}

}  // namespace dp::host

template <typename T>
DP_INLINE T atomicAdd(T* p, std::common_type_t<T> x) { return dp::host::update(p, [=](T y) { return T(y + x); }); }
template <typename T>
DP_INLINE T atomicSub(T* p, std::common_type_t<T> x) { return dp::host::update(p, [=](T y) { return T(y - x); }); }
template <typename T>
DP_INLINE T atomicMin(T* p, std::common_type_t<T> x) { return dp::host::update(p, [=](T y) { return x < y ? x : y; }); }
template <typename T>
DP_INLINE T atomicMax(T* p, std::common_type_t<T> x) { return dp::host::update(p, [=](T y) { return y < x ? x : y; }); }
template <typename T>
DP_INLINE T atomicAnd(T* p, std::common_type_t<T> x) { return dp::host::update(p, [=](T y) { return y & x; }); }
template <typename T>
DP_INLINE T atomicOr(T* p, std::common_type_t<T> x) { return dp::host::update(p, [=](T y) { return y | x; }); }
template <typename T>
DP_INLINE T atomicXor(T* p, std::common_type_t<T> x) { return dp::host::update(p, [=](T y) { return y ^ x; }); }
template <typename T>
DP_INLINE T atomicExch(T* p, std::common_type_t<T> x) { return dp::host::update(p, [=](T) { return x; }); }
template <typename T>
DP_INLINE T atomicCAS(T* p, std::common_type_t<T> expected, std::common_type_t<T> x) {
	return dp::host::update(p, [=](T y) { return y == expected ? x : y; });
}
DP_INLINE unsigned atomicInc(unsigned* p, unsigned limit) {
	return dp::host::update(p, [=](unsigned y) { return y >= limit ? 0 : y + 1; });
}

namespace dp {

DP_INLINE void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], DP_SITE) {
	host::Lane& lane = *host::current;
	std::memcpy(lane.in, a, sizeof a);
	std::memcpy(lane.in + 4, b, sizeof b);
	std::memcpy(lane.in + 6, d, sizeof d);
	host::exchange(host::Kind::mma_bf16, 0xffffffffu, site);
	std::memcpy(d, lane.out, sizeof d);
}

DP_INLINE void mma_s8(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], DP_SITE) {
	host::Lane& lane = *host::current;
	std::memcpy(lane.in, a, sizeof a);
	std::memcpy(lane.in + 4, b, sizeof b);
	std::memcpy(lane.in + 6, d, sizeof d);
	host::exchange(host::Kind::mma_s8, 0xffffffffu, site);
	std::memcpy(d, lane.out, sizeof d);
}

namespace host {

// A lane reads the row that it names, so that a sanitizer sees the read.
DP_INLINE void matrix(Kind kind, uint32_t (&r)[4], const void* shared, Site site) {
	if (uintptr_t(shared) % 16 != 0) fail(site, "ldmatrix: address %p is no multiple of 16", shared);
	Lane& lane = *current;
	for (int i = 0; i < 4; i++) lane.in[i] = static_cast<const uint32_t*>(shared)[i];
	exchange(kind, 0xffffffffu, site);
	std::memcpy(r, lane.out, sizeof r);
}

DP_INLINE void make(const Copy& copy) {
	uint32_t* to = static_cast<uint32_t*>(copy.to);
	const uint32_t* from = static_cast<const uint32_t*>(copy.from);
	for (int i = 0; i < 4; i++) to[i] = copy.valid ? from[i] : 0;
}

}  // namespace host

DP_INLINE void ldmatrix_x4(uint32_t (&r)[4], const void* shared, DP_SITE) { host::matrix(host::Kind::matrix, r, shared, site); }
DP_INLINE void ldmatrix_x4_trans(uint32_t (&r)[4], const void* shared, DP_SITE) { host::matrix(host::Kind::matrix_trans, r, shared, site); }

// The hardware makes a copy at any time until the wait; here it happens at once or in the wait.
DP_INLINE void cp_async16(void* shared, const void* global, bool valid, DP_SITE) {
	host::Copy copy{shared, global, valid};
	if (host::begin_copy(copy, site)) host::make(copy);
}
DP_INLINE void cp_async_commit() { host::commit_copies(); }
template <int N>
DP_INLINE void cp_async_wait() {
	int count;
	const host::Copy* copies = host::due_copies(N, &count);
	for (int i = 0; i < count; i++) host::make(copies[i]);
}

}  // namespace dp
