// The CUDA language for g++: what kernels/cuda/src uses of it, run by block.h's runtime.
//
// A file that includes it is compiled once with fibers (the default) and, under a
// sanitizer, once with a thread of the system for every CUDA thread (DEEPPRUNE_THREADS).
#pragma once
#define DP_HOST 1

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(...)
// One block runs at a time.
#define __shared__ static

#define DP_VECTOR(name, type, bytes)                                                          \
	struct __align__(2 * bytes) name##2 { type x, y; };                                        \
	struct name##3 { type x, y, z; };                                                          \
	struct __align__(4 * bytes > 16 ? 16 : 4 * bytes) name##4 { type x, y, z, w; };            \
	inline name##2 make_##name##2(type x, type y) { return {x, y}; }                           \
	inline name##3 make_##name##3(type x, type y, type z) { return {x, y, z}; }                \
	inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
DP_VECTOR(float, float, 4)
DP_VECTOR(int, int, 4)
DP_VECTOR(uint, unsigned, 4)
DP_VECTOR(char, signed char, 1)
DP_VECTOR(uchar, unsigned char, 1)
DP_VECTOR(short, short, 2)
DP_VECTOR(ushort, unsigned short, 2)
DP_VECTOR(longlong, long long, 8)
DP_VECTOR(ulonglong, unsigned long long, 8)
DP_VECTOR(double, double, 8)
#undef DP_VECTOR

struct dim3 {
	unsigned x, y, z;
	constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

namespace dp::host {

// Site is a line of a kernel, for messages.
struct Site {
	const char* file;
	int line;
};
#define DP_SITE ::dp::host::Site site = ::dp::host::Site{__builtin_FILE(), __builtin_LINE()}

// Copy is a cp.async that has not happened.
struct Copy {
	void* to;
	const void* from;
	bool valid;
};

struct Warp;

// Lane is a CUDA thread, as far as kernels see it.
struct Lane {
	uint3 thread;
	unsigned lane;  // in its warp
	Warp* warp;
	uint32_t* in;   // what it gives to an exchange, 10 words
	uint32_t* out;  // what it takes from it, 4 words
};

#ifdef DEEPPRUNE_THREADS
extern thread_local Lane* current;
#else
extern Lane* current;
#endif
extern uint3 block_index;
extern dim3 block_shape, grid_shape;
extern unsigned char* dynamic_shared;

// Kind says what the lanes of a warp exchange.
enum class Kind : uint8_t { sync, shuffle, ballot, match, reduce_add, reduce_min, reduce_max, mma_bf16, mma_s8, matrix, matrix_trans };

// exchange returns when every lane of mask has called it. It makes out from in, for all of them.
void exchange(Kind kind, unsigned mask, Site site);

enum class Vote : uint8_t { none, any, all, count };

// barrier returns when all threads of the block have called it.
int barrier(Vote vote, int predicate, Site site);

// The copies of the running thread: begin_copy says whether the copy is to be made at once.
bool begin_copy(const Copy& copy, Site site);
void commit_copies();
// due_copies gives the copies that a wait for all but the latest groups has to make.
const Copy* due_copies(int groups, int* count);

[[noreturn]] void fail(Site site, const char* format, ...) __attribute__((format(printf, 2, 3)));

// Kernel is a function that a module has under its name.
struct Kernel {
	const char* name;
	void (*call)(void** arguments);
	int parameters;
	const int* sizes;  // of the parameters
	int threads;       // that a block has at most
	Site site;
};

struct Bounds {
	int threads;
	constexpr Bounds(int threads, int = 0) : threads(threads) {}
};

template <auto function, typename... A, size_t... I>
inline void call(void (*)(A...), void** arguments, std::index_sequence<I...>) {
	function(*static_cast<std::remove_const_t<A>*>(arguments[I])...);
}

template <auto function>
struct Entry;

template <typename... A, void (*function)(A...)>
struct Entry<function> {
	static_assert(((sizeof(A) <= 8) && ...), "a parameter has at most 8 bytes");
	static constexpr int sizes[] = {int(sizeof(A))..., 0};
	static constexpr int count = sizeof...(A);
	static void call(void** arguments) {
		dp::host::call<function>(function, arguments, std::index_sequence_for<A...>{});
	}
};

}  // namespace dp::host

// Every kernel has a pointer in the section dp_kernels, where the driver looks for them.
#define KERNEL(bounds, name, parameters)                                                      \
	static void name parameters;                                                               \
	static const ::dp::host::Kernel dp_kernel_##name = {                                       \
		#name, &::dp::host::Entry<&name>::call, ::dp::host::Entry<&name>::count,               \
		::dp::host::Entry<&name>::sizes, (::dp::host::Bounds bounds).threads, {__FILE__, __LINE__}}; \
	__attribute__((section("dp_kernels"), used)) static const ::dp::host::Kernel* const dp_entry_##name = \
		&dp_kernel_##name;                                                                     \
	static void name parameters

#define DYNAMIC_SHARED(type, name) type* const name = reinterpret_cast<type*>(::dp::host::dynamic_shared)

#define threadIdx (::dp::host::current->thread)
#define blockIdx (::dp::host::block_index)
#define blockDim (::dp::host::block_shape)
#define gridDim (::dp::host::grid_shape)
constexpr int warpSize = 32;

#include "intrinsics.h"
