// Normalising and rotating queries and keys, and writing keys and values into their blocks: a
// warp for each head of each row, which reads it once. See kernels.RotarySpec.
#include "kv.cuh"

namespace dp {

constexpr int most_pairs = 4;  // of a lane: heads of 256 at most

DP_DEVICE float warp_sum(float x) {
	for (int i = 16; i > 0; i /= 2) x = __fadd_rn(x, __shfl_xor_sync(all_lanes, x, i));
	return x;
}

// Head is elements lane + 32i of a head, and those half a head behind them.
struct Head {
	float low[most_pairs], high[most_pairs];

	DP_DEVICE void load(const float* x, int half, int lane) {
#pragma unroll
		for (int i = 0; i < most_pairs; i++) {
			const int d = lane + 32 * i;
			low[i] = d < half ? x[d] : 0;
			high[i] = d < half ? x[d + half] : 0;
		}
	}
	DP_DEVICE void store(float* x, int half, int lane) const {
#pragma unroll
		for (int i = 0; i < most_pairs; i++) {
			const int d = lane + 32 * i;
			if (d < half) x[d] = low[i], x[d + half] = high[i];
		}
	}
	DP_DEVICE void normalise(const float* weight, int half, int lane, float eps) {
		float sum = 0;
#pragma unroll
		for (int i = 0; i < most_pairs; i++) {
			sum = __fmaf_rn(low[i], low[i], sum);
			sum = __fmaf_rn(high[i], high[i], sum);
		}
		const float scale = __fdiv_rn(1, __fsqrt_rn(__fadd_rn(__fdiv_rn(warp_sum(sum), float(2 * half)), eps)));
#pragma unroll
		for (int i = 0; i < most_pairs; i++) {
			const int d = lane + 32 * i;
			if (d >= half) continue;
			low[i] = __fmul_rn(__fmul_rn(low[i], scale), weight[d]);
			high[i] = __fmul_rn(__fmul_rn(high[i], scale), weight[d + half]);
		}
	}
	DP_DEVICE void rotate(const float* cos, const float* sin, int half, int lane) {
#pragma unroll
		for (int i = 0; i < most_pairs; i++) {
			const int d = lane + 32 * i;
			if (d >= half) continue;
			const float x = low[i], y = high[i], c = cos[d], s = sin[d];
			low[i] = __fmaf_rn(x, c, -__fmul_rn(y, s));
			high[i] = __fmaf_rn(y, c, __fmul_rn(x, s));
		}
	}
	// each calls f with every element and its index.
	template <typename F>
	DP_DEVICE void each(int half, int lane, F f) const {
#pragma unroll
		for (int i = 0; i < most_pairs; i++) {
			const int d = lane + 32 * i;
			if (d < half) f(low[i], d), f(high[i], d + half);
		}
	}
	// scale is that of integers: the largest number over 127, NaN if one is.
	DP_DEVICE float scale() const {
		float most = 0;
#pragma unroll
		for (int i = 0; i < most_pairs; i++) {
			const float x = __uint_as_float(__float_as_uint(low[i]) & 0x7fffffffu);
			const float y = __uint_as_float(__float_as_uint(high[i]) & 0x7fffffffu);
			if (x > most || x != x) most = x;
			if (y > most || y != y) most = y;
		}
		// Without their sign the bits of numbers are in order, and NaN is above them.
		return __fdiv_rn(__uint_as_float(__reduce_max_sync(all_lanes, __float_as_uint(most))), 127);
	}
};

// write keeps a head; place gives the index of an element among keys or values.
template <KVFormat format, typename P>
DP_DEVICE void write(const Head& x, unsigned char* to, int token, int dim, int lane, P place) {
	if constexpr (format == KVFormat::f32) {
		x.each(dim / 2, lane, [=](float v, int d) { reinterpret_cast<float*>(to)[place(d)] = v; });
	} else if constexpr (format == KVFormat::bf16) {
		x.each(dim / 2, lane, [=](float v, int d) { reinterpret_cast<bf16*>(to)[place(d)] = to_bf16(v); });
	} else {
		const float scale = x.scale();
		x.each(dim / 2, lane, [=](float v, int d) {
			v = __fdiv_rn(v, scale);
			// The largest may not be 127 exactly; a scale of 0 makes NaN.
			reinterpret_cast<signed char*>(to)[place(d)] = v > -127.5f && v < 127.5f ? __float2int_rn(v) : 0;
		});
		if (lane == 0) scales(to, dim)[token] = scale;
	}
}

template <KVFormat format>
DP_DEVICE void rotary(float* qkv, const float* cos, const float* sin, const float* q_norm, const float* k_norm, float eps,
                      const int* positions, const int* slots, const KVLayer& kv, int heads, int kv_heads, int dim) {
	const int row = blockIdx.x, lane = threadIdx.x % 32, half = dim / 2;
	int head = blockIdx.y * (blockDim.x / 32) + threadIdx.x / 32;
	if (head >= heads + 2 * kv_heads) return;
	float* at = qkv + ((size_t)row * (heads + 2 * kv_heads) + head) * dim;
	const int slot = slots[row];
	if (slot < 0) return;  // a row of padding
	Head x;
	x.load(at, half, lane);
	if (head < heads + kv_heads) {
		const float* norm = head < heads ? q_norm : k_norm;
		if (norm != nullptr) x.normalise(norm, half, lane, eps);
		const size_t position = positions[row];
		x.rotate(cos + position * half, sin + position * half, half, lane);
		x.store(at, half, lane);
	}
	head -= heads;
	if (head < 0) return;
	const int token = slot % 16;
	const bool key = head < kv_heads;
	if (!key) head -= kv_heads;
	unsigned char* to = kv.at + kv.offset(slot / 16) + (size_t)head * kv.head;
	if (key) {
		write<format>(x, to, token, dim, lane, [=](int d) { return key_element<format>(token, d); });
	} else {
		write<format>(x, to + kv.head / 2, token, dim, lane, [=](int d) { return value_element<format>(token, d, dim); });
	}
}

}  // namespace dp

#define ROTARY(name, format)                                                                                          \
	KERNEL((128), name, (float* qkv, const float* cos, const float* sin, const float* q_norm, const float* k_norm,    \
	                     float eps, const int* positions, const int* slots, unsigned char* kv, long long page,        \
	                     long long block, int per_page, int head, int heads, int kv_heads, int dim)) {                \
		dp::rotary<dp::KVFormat::format>(qkv, cos, sin, q_norm, k_norm, eps, positions, slots,                        \
		                                 dp::KVLayer{kv, page, block, per_page, head}, heads, kv_heads, dim);         \
	}

ROTARY(rotary_f32, f32)
ROTARY(rotary_bf16, bf16)
ROTARY(rotary_int8, int8)
