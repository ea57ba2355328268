// The two products of attention over a partition of 64 keys, for each format of keys and
// values. Keys, then dims, are the rows of A and M, queries the columns of B and N; a warp has
// 16 keys, then every fourth 16 dims. With g = lane / 4 and t = lane % 4, sum j of the eight
// queries n is of key (dim) g + 8(j/2) and query 8n + 2t + j%2, in every format.
#pragma once
#include "kv.cuh"

namespace dp {

constexpr int partition_keys = 64, partition_blocks = 4;
constexpr int warps = 4;
// Words of memory for an item's queries, and for the weights of a partition.
constexpr int query_words = 4096 + 256, weight_words = 2048;

// most_queries is how many queries of heads of M times 64 dims fit into this memory and into
// registers.
template <KVFormat format, int M>
constexpr int most_queries = M == 4 ? 16 : format == KVFormat::f32 ? 32 : 64;

// widen makes a pair of bfloat16 of two integers, bytes 0 and 2 of w: 128 plus the lower 7 bits,
// less 128 or 256.
DP_DEVICE uint32_t widen(uint32_t w) {
	const uint32_t sum = (w & 0x007f007fu) | 0x43004300u, less = (w & 0x00800080u) | 0x43004300u;
#ifdef DP_HOST
	const float2 x = to_floats(sum), y = to_floats(less);
	return pack_bf16(x.x - y.x, x.y - y.y);
#else
	uint32_t pair;
	asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(pair) : "r"(less), "r"(0xbf80bf80u), "r"(sum));
	return pair;
#endif
}

// Tile is what a lane has of 16 by 16 keys or values, as it was loaded.
template <KVFormat format>
struct Tile;

template <>
struct Tile<KVFormat::bf16> {
	uint4 x;
	DP_DEVICE void load(const unsigned char* p, int tile, int lane) { x = __ldg(reinterpret_cast<const uint4*>(p) + tile * 32 + lane); }
	DP_DEVICE void clear() { x = make_uint4(0, 0, 0, 0); }
	DP_DEVICE void fragment(uint32_t (&a)[4]) const { a[0] = x.x, a[1] = x.y, a[2] = x.z, a[3] = x.w; }

	static DP_DEVICE bool finite(uint32_t pair) { return (pair & 0x7f80u) != 0x7f80u && (pair & 0x7f800000u) != 0x7f800000u; }
	static DP_DEVICE uint32_t mend(uint32_t pair) {
		if ((pair & 0x7f80u) == 0x7f80u) pair &= 0xffff0000u;
		if ((pair & 0x7f800000u) == 0x7f800000u) pair &= 0xffffu;
		return pair;
	}
	DP_DEVICE bool finite() const { return finite(x.x) && finite(x.y) && finite(x.z) && finite(x.w); }
	// mend makes 0 of what is not finite.
	DP_DEVICE void mend() { x = make_uint4(mend(x.x), mend(x.y), mend(x.z), mend(x.w)); }
};

template <>
struct Tile<KVFormat::int8> {
	uint2 x;
	DP_DEVICE void load(const unsigned char* p, int tile, int lane) { x = __ldg(reinterpret_cast<const uint2*>(p) + tile * 32 + lane); }
	DP_DEVICE void clear() { x = make_uint2(0, 0); }
	DP_DEVICE void fragment(uint32_t (&a)[4]) const {
		a[0] = widen(__byte_perm(x.x, 0, 0x4140)), a[1] = widen(__byte_perm(x.x, 0, 0x4342));
		a[2] = widen(__byte_perm(x.y, 0, 0x4140)), a[3] = widen(__byte_perm(x.y, 0, 0x4342));
	}
};

// Products are those of keys and values that are multiplied by the tensor cores, with queries
// and weights in bfloat16.
template <KVFormat format, int M, int N>
struct Products {
	Tile<format> keys[4 * M];
	Tile<format> values[M][partition_blocks];
	float key_scales[2], value_scales[2];  // of keys g and g+8 of the warp's

	// Queries lie as fragments of B, [dim / 16][query / 8][lane] two words.
	static DP_DEVICE void put_queries(uint32_t* to, int query, const float* from, int dim, float scale, int lane) {
		for (int d = 2 * lane; d < dim; d += 64) {
			const float2 x = from == nullptr ? make_float2(0, 0) : *reinterpret_cast<const float2*>(from + d);
			to[((d / 16 * N + query / 8) * 32 + query % 8 * 4 + d % 8 / 2) * 2 + d % 16 / 8] =
			    pack_bf16(__fmul_rn(x.x, scale), __fmul_rn(x.y, scale));
		}
	}
	// load_keys begins to load the keys of the warp's block; p is null if nobody sees them.
	DP_DEVICE void load_keys(const unsigned char* p, int dim, int half_head, int lane) {
#pragma unroll
		for (int k = 0; k < 4 * M; k++) {
			if (p != nullptr && k < dim / 16) keys[k].load(p, k, lane);
			else keys[k].clear();
		}
		if constexpr (format == KVFormat::int8) {
#pragma unroll
			for (int i = 0; i < 2; i++) {
				key_scales[i] = p == nullptr ? 0 : __ldg(scales(p, dim) + lane / 4 + 8 * i);
				value_scales[i] = p == nullptr ? 0 : __ldg(scales(p + half_head, dim) + lane / 4 + 8 * i);
			}
		}
	}
	// load_values begins to load the warp's dims of the values of a block.
	DP_DEVICE void load_values(int block, const unsigned char* p, int dim, int warp, int lane) {
#pragma unroll
		for (int i = 0; i < M; i++) {
			if (p != nullptr && warp + warps * i < dim / 16) values[i][block].load(p, warp + warps * i, lane);
			else values[i][block].clear();
		}
	}
	DP_DEVICE void scores(float (&s)[N][4], const uint32_t* queries, int dim, int lane) const {
#pragma unroll
		for (int k = 0; k < 4 * M; k++) {
			if (k >= dim / 16) break;
			uint32_t a[4];
			keys[k].fragment(a);
#pragma unroll
			for (int n = 0; n < N; n++) {
				const uint2 q = reinterpret_cast<const uint2*>(queries)[(k * N + n) * 32 + lane];
				mma_bf16(s[n], a, {q.x, q.y});
			}
		}
		if constexpr (format == KVFormat::int8) {
#pragma unroll
			for (int n = 0; n < N; n++)
#pragma unroll
				for (int j = 0; j < 4; j++) s[n][j] = __fmul_rn(s[n][j], key_scales[j / 2]);
		}
	}
	// put_weights leaves the weights of the warp's keys in shared memory, [query / 8][key][query % 8],
	// and makes of them what is summed up: the scales of values are not, what was rounded is.
	DP_DEVICE void put_weights(uint32_t* to, float (&w)[N][4], int warp, int lane) const {
#pragma unroll
		for (int n = 0; n < N; n++) {
#pragma unroll
			for (int i = 0; i < 2; i++) {
				float x = w[n][2 * i], y = w[n][2 * i + 1];
				if constexpr (format == KVFormat::int8) {
					// A key that is not seen has weight 0, whatever its scale.
					x = x == 0 ? 0 : __fmul_rn(x, value_scales[i]);
					y = y == 0 ? 0 : __fmul_rn(y, value_scales[i]);
				}
				const uint32_t pair = pack_bf16(x, y);
				if constexpr (format == KVFormat::bf16) {
					const float2 rounded = to_floats(pair);
					w[n][2 * i] = rounded.x, w[n][2 * i + 1] = rounded.y;
				}
				to[(n * partition_keys + warp * 16 + lane / 4 + 8 * i) * 4 + lane % 4] = pair;
			}
		}
	}
	// weigh sums up the values of the warp's i-th 16 dims.
	DP_DEVICE void weigh(float (&o)[N][4], int i, const uint32_t* weights, int lane) const {
		uint32_t a[partition_blocks][4];
#pragma unroll
		for (int b = 0; b < partition_blocks; b++) values[i][b].fragment(a[b]);
#pragma unroll
		for (int n = 0; n < N; n++) {
#pragma unroll
			for (int b = 0; b < partition_blocks; b += 2) {
				uint32_t w[4];
				ldmatrix_x4_trans(w, weights + (n * partition_keys + b * 16 + lane) * 4);
				mma_bf16(o[n], a[b], {w[0], w[1]});
				mma_bf16(o[n], a[b + 1], {w[2], w[3]});
			}
		}
	}
	// mend makes 0 of values that are not finite, which a weight of 0 would make NaN of, and
	// says whether there were any in the warp.
	DP_DEVICE bool mend(int i) {
		if constexpr (format == KVFormat::int8) return false;
		else {
			bool finite = true;
#pragma unroll
			for (int b = 0; b < partition_blocks; b++) finite = finite && values[i][b].finite();
			if (__all_sync(all_lanes, finite)) return false;
#pragma unroll
			for (int b = 0; b < partition_blocks; b++) values[i][b].mend();
			return true;
		}
	}
	// add_infinite adds what mend took of a block, for the queries that see it: sees(query, key).
	template <typename S>
	static DP_DEVICE void add_infinite(float (&o)[N][4], int d, const unsigned char* p, int block, int dim, const uint32_t* weights, int lane, S sees) {
#pragma unroll 1
		for (int key = 0; key < 16; key++) {
#pragma unroll
			for (int j = 0; j < 4; j++) {
				const float v = to_float(reinterpret_cast<const bf16*>(p)[value_element<format>(key, d + lane / 4 + j / 2 * 8, dim)]);
				if ((__float_as_uint(v) & 0x7f800000u) != 0x7f800000u) continue;
#pragma unroll
				for (int n = 0; n < N; n++) {
					const int query = 8 * n + lane % 4 * 2 + j % 2;
					if (!sees(query, block * 16 + key)) continue;
					const float2 w = to_floats(weights[(n * partition_keys + block * 16 + key) * 4 + lane % 4]);
					o[n][j] = __fmaf_rn(j % 2 == 0 ? w.x : w.y, v, o[n][j]);
				}
			}
		}
	}
};

// In float32 there are no tensor cores: keys and values are read as they are needed. A weight
// of 0 adds nothing, whatever the value.
template <int M, int N>
struct Products<KVFormat::f32, M, N> {
	const unsigned char* keys;
	const unsigned char* values[partition_blocks];
	int dims, first;

	// Queries lie one after another.
	static DP_DEVICE int stride(int dim) { return dim + 4; }
	static DP_DEVICE void put_queries(uint32_t* to, int query, const float* from, int dim, float scale, int lane) {
		for (int d = lane; d < dim; d += 32) to[query * stride(dim) + d] = __float_as_uint(from == nullptr ? 0 : __fmul_rn(from[d], scale));
	}
	DP_DEVICE void load_keys(const unsigned char* p, int, int, int) { keys = p; }
	DP_DEVICE void load_values(int block, const unsigned char* p, int dim, int warp, int) {
		values[block] = p;
		dims = dim, first = warp * 16;
	}
	DP_DEVICE void scores(float (&s)[N][4], const uint32_t* queries, int dim, int lane) const {
		if (keys == nullptr) return;
		for (int d = 0; d < dim; d += 4) {
			const float4* k = reinterpret_cast<const float4*>(keys) + d * 4 + lane / 4;
			const float4 k0 = __ldg(k), k1 = __ldg(k + 8);
#pragma unroll
			for (int n = 0; n < N; n++) {
#pragma unroll
				for (int e = 0; e < 2; e++) {
					const float4 q = *reinterpret_cast<const float4*>(queries + (8 * n + lane % 4 * 2 + e) * stride(dim) + d);
					s[n][e] = dot(k0, q, s[n][e]);
					s[n][e + 2] = dot(k1, q, s[n][e + 2]);
				}
			}
		}
	}
	DP_DEVICE void put_weights(uint32_t* to, float (&w)[N][4], int warp, int lane) const {
#pragma unroll
		for (int n = 0; n < N; n++)
#pragma unroll
			for (int j = 0; j < 4; j++)
				to[(n * partition_keys + warp * 16 + lane / 4 + j / 2 * 8) * 8 + lane % 4 * 2 + j % 2] = __float_as_uint(w[n][j]);
	}
	DP_DEVICE void weigh(float (&o)[N][4], int i, const uint32_t* weights, int lane) const {
#pragma unroll
		for (int b = 0; b < partition_blocks; b++) {
			if (values[b] == nullptr) continue;
			for (int key = 0; key < 16; key += 4) {
				const float4* v = reinterpret_cast<const float4*>(values[b]) + key / 4 * dims + first + i * warps * 16 + lane / 4;
				const float4 v0 = __ldg(v), v1 = __ldg(v + 8);
#pragma unroll
				for (int n = 0; n < N; n++) {
#pragma unroll
					for (int e = 0; e < 2; e++) {
						const uint32_t* w = weights + (n * partition_keys + b * 16 + key) * 8 + lane % 4 * 2 + e;
						add(o[n][e], w, v0);
						add(o[n][e + 2], w, v1);
					}
				}
			}
		}
	}
	DP_DEVICE bool mend(int) const { return false; }
	template <typename S>
	static DP_DEVICE void add_infinite(float (&)[N][4], int, const unsigned char*, int, int, const uint32_t*, int, S) {}

private:
	static DP_DEVICE float dot(const float4& x, const float4& y, float sum) {
		return __fmaf_rn(x.w, y.w, __fmaf_rn(x.z, y.z, __fmaf_rn(x.y, y.y, __fmaf_rn(x.x, y.x, sum))));
	}
	static DP_DEVICE void add_one(float& o, uint32_t weight, float v) {
		const float w = __uint_as_float(weight);
		if (w != 0) o = __fmaf_rn(w, v, o);
	}
	// add adds four keys, whose weights lie eight words apart.
	static DP_DEVICE void add(float& o, const uint32_t* w, const float4& v) {
		add_one(o, w[0], v.x);
		add_one(o, w[8], v.y);
		add_one(o, w[16], v.z);
		add_one(o, w[24], v.w);
	}
};

}  // namespace dp
