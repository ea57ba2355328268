// Attention of an item: some queries over up to eight partitions of keys, which are all in one
// split (see spans.go). A block of four warps takes a partition at a time:
//
//	scores   each warp, 16 keys:    keys · queries, from registers that were loaded before
//	softmax  each warp, 16 keys:    the largest score of all four, then the weights
//	values   each warp, 16 of 64 dims:  values · weights, then the fold
//
// Keys and values go from memory to registers, once for all the queries. Those of the values
// are on their way while scores are computed, the keys of the next partition while values are.
//
// # Bits
//
// A partition's (most, sum, out) are made in an order that depends on the head's dims alone:
// the sum of a query over 16 keys by halving, over the warps in order; the products over dims
// and over keys in the order of the instruction. fold is the one way to put two together.
#pragma once
#include "attention_products.cuh"
#include "exponential.cuh"

namespace dp {

DP_DEVICE float minus_infinity() { return __uint_as_float(0xff800000u); }

// weight is e^x, 0 where x is too small.
DP_DEVICE float weight(float x) { return x < exp_low ? 0 : exp(x); }

// Factors are what two states are multiplied by before they are added, to have a common most.
struct Factors {
	float most, left, right;

	DP_DEVICE Factors(float a, float b) : most(a > b ? a : b) {
		left = a == most ? 1 : weight(__fsub_rn(a, most));
		right = b == most ? 1 : weight(__fsub_rn(b, most));
	}
};

DP_DEVICE float fold(float a, float b, float left, float right) { return __fadd_rn(__fmul_rn(a, left), __fmul_rn(b, right)); }

// Header says where the tables of a round are, and Item is its work: see appendTables.
struct Header {
	int items, items_at, rows_at, blocks_at, merge_rows, merge_at, splits_at, unused;
};
struct Item {
	int partition, partitions, folded, blocks, rows, first, queries, unused;
};

// States are those of rows: out [state][head][dim], sums [state][head] (most, sum).
struct States {
	float* outs;
	float2* sums;
};

struct Attention {
	const float* qkv;
	KVLayer kv;
	States states;
	const int* tables;
	int heads, kv_heads, dim, window;
	float scale;
};

// Shared is the memory of a block, and what it is at work on.
struct Shared {
	Attention attention;
	Header header;
	Item item;
	int kv_head;
	alignas(16) uint32_t queries[query_words];
	alignas(16) uint32_t weights[weight_words];
	alignas(16) float most[64][warps], sums[64][warps];  // of each query, of each warp's keys
	alignas(16) float2 factors[64];
	int2 sees[64];                           // positions of the first and the last key that a query sees
	int state[64], head[64];                 // of each query
	long long target[64];                    // where its out is written, counted in floats; -1: nowhere
	long long offsets[32];                   // of the blocks
	unsigned next;  // of items times KV heads
};

constexpr int shared_bytes = 31 << 10;  // that attention.go asks for
static_assert(sizeof(Shared) <= shared_bytes, "the launch asks for less");

// Range is of positions, the first and the last.
struct Range {
	int first, last;
	DP_DEVICE bool meets(int from, int to) const { return from <= last && first <= to; }
	DP_DEVICE bool has(int from, int to) const { return first <= from && to <= last; }
};

// store writes sums of 16 dims from d on to the targets of their queries.
template <int N>
DP_DEVICE void store(float* outs, const long long* target, const float (&o)[N][4], int d, int lane) {
#pragma unroll
	for (int n = 0; n < N; n++) {
#pragma unroll
		for (int j = 0; j < 2; j++) {
			const long long at = target[8 * n + lane % 4 * 2 + j];
			if (at < 0) continue;
			outs[at + d + lane / 4] = o[n][j];
			outs[at + d + lane / 4 + 8] = o[n][j + 2];
		}
	}
}

// attend computes an item of up to 8N queries. It is no part of the loop around it, or the
// compiler mixes the code for different N, and needs more registers than there are.
template <KVFormat format, int M, int N>
__device__ __noinline__ void attend(Shared* s) {
	const Attention& a = s->attention;
	const Header& header = s->header;
	const Item& item = s->item;
	const int kv_head = s->kv_head;
	const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
	const int group = a.heads / a.kv_heads;
	const unsigned char* const kv = a.kv.at + (size_t)kv_head * a.kv.head;
	const int half = a.kv.head / 2;

	for (int q = warp; q < 8 * N; q += warps) {
		const float* from = nullptr;
		if (q < item.queries) {
			const int of = item.first + q, head = kv_head * group + of % group;
			const int4 row = reinterpret_cast<const int4*>(a.tables + header.rows_at)[item.rows + of / group];
			from = a.qkv + ((size_t)row.x * (a.heads + 2 * a.kv_heads) + head) * a.dim;
			if (lane == 0) {
				s->sees[q] = make_int2(a.window > 0 && row.y >= a.window ? row.y - a.window + 1 : 0, row.y);
				s->state[q] = row.z, s->head[q] = head;
			}
		}
		Products<format, M, N>::put_queries(s->queries, q, from, a.dim, a.scale, lane);
	}
	if (threadIdx.x < item.partitions * partition_blocks)
		s->offsets[threadIdx.x] = a.kv.offset(a.tables[header.blocks_at + item.blocks + threadIdx.x]);
	__syncthreads();

	// What any and what every query sees.
	Range any{0x7fffffff, -1}, every{0, 0x7fffffff};
	for (int q = lane; q < item.queries; q += 32) {
		const int2 sees = s->sees[q];
		any = {min(any.first, sees.x), max(any.last, sees.y)};
		every = {max(every.first, sees.x), min(every.last, sees.y)};
	}
	any = {__reduce_min_sync(all_lanes, any.first), __reduce_max_sync(all_lanes, any.last)};
	every = {__reduce_max_sync(all_lanes, every.first), __reduce_min_sync(all_lanes, every.last)};

	// block is where keys of block b of partition p are, null if nobody sees them.
	auto block = [&](int p, int b) -> const unsigned char* {
		const int from = p * partition_keys + b * 16;
		return any.meets(from, from + 15) ? kv + s->offsets[(p - item.partition) * partition_blocks + b] : nullptr;
	};
	// sees says whether a query sees the key at a position.
	auto sees = [&](int query, int position) {
		const int2 range = s->sees[query];
		return query < item.queries && range.x <= position && position <= range.y;
	};
	// state is that of query threadIdx.x for partition p, the first one's if it has one for all.
	auto state = [&](int p) { return (long long)(s->state[threadIdx.x] + p - item.partition) * a.heads + s->head[threadIdx.x]; };
	const int first = max(item.partition, any.first / partition_keys);
	const int end = min(item.partition + item.partitions - 1, any.last / partition_keys) + 1;

	Products<format, M, N> x;
	float out[M][N][4] = {};
	float most = minus_infinity(), sum = 0;  // of query threadIdx.x
	if (first < end) x.load_keys(block(first, warp), a.dim, half, lane);
	for (int p = first; p < end; p++) {
		const int position = p * partition_keys;
		const bool whole = every.has(position, position + partition_keys - 1);
#pragma unroll
		for (int b = 0; b < partition_blocks; b++) {
			const unsigned char* at = block(p, b);
			x.load_values(b, at == nullptr ? nullptr : at + half, a.dim, warp, lane);
		}

		float w[N][4] = {};
		x.scores(w, s->queries, a.dim, lane);
		if (!whole) {
#pragma unroll
			for (int n = 0; n < N; n++)
#pragma unroll
				for (int j = 0; j < 4; j++)
					if (!sees(8 * n + 2 * t + j % 2, position + 16 * warp + g + j / 2 * 8)) w[n][j] = minus_infinity();
		}
#pragma unroll
		for (int n = 0; n < N; n++) {
#pragma unroll
			for (int e = 0; e < 2; e++) {
				float m = max(w[n][e], w[n][e + 2]);
				m = max(m, __shfl_xor_sync(all_lanes, m, 4));
				m = max(m, __shfl_xor_sync(all_lanes, m, 8));
				m = max(m, __shfl_xor_sync(all_lanes, m, 16));
				if (g == 0) s->most[8 * n + 2 * t + e][warp] = m;
			}
		}
		__syncthreads();

		float partition_most = 0, right = 0, left = 0;  // of query threadIdx.x
		bool seen_here = false;
		auto most_of = [&](int q) {
			const float4 m = *reinterpret_cast<const float4*>(s->most[q]);
			return max(max(m.x, m.y), max(m.z, m.w));
		};
		if (threadIdx.x < 8 * N) {
			partition_most = most_of(threadIdx.x);
			const Factors f(most, partition_most);
			most = f.most, left = f.left, right = f.right;
			s->factors[threadIdx.x] = make_float2(left, right);
			if (!item.folded) {
				seen_here = threadIdx.x < item.queries && s->sees[threadIdx.x].x < position + partition_keys && position <= s->sees[threadIdx.x].y;
				s->target[threadIdx.x] = seen_here ? state(p) * a.dim : -1;
			}
		}
#pragma unroll
		for (int n = 0; n < N; n++) {
#pragma unroll
			for (int e = 0; e < 2; e++) {
				const float m = most_of(8 * n + 2 * t + e);
				// If nothing is seen all scores are -Inf, and their difference would be NaN.
				w[n][e] = w[n][e] == minus_infinity() ? 0 : weight(__fsub_rn(w[n][e], m));
				w[n][e + 2] = w[n][e + 2] == minus_infinity() ? 0 : weight(__fsub_rn(w[n][e + 2], m));
			}
		}
		x.put_weights(s->weights, w, warp, lane);
		if (p + 1 < end) x.load_keys(block(p + 1, warp), a.dim, half, lane);
#pragma unroll
		for (int n = 0; n < N; n++) {
#pragma unroll
			for (int e = 0; e < 2; e++) {
				float l = __fadd_rn(w[n][e], w[n][e + 2]);
				l = __fadd_rn(l, __shfl_xor_sync(all_lanes, l, 4));
				l = __fadd_rn(l, __shfl_xor_sync(all_lanes, l, 8));
				l = __fadd_rn(l, __shfl_xor_sync(all_lanes, l, 16));
				if (g == 0) s->sums[8 * n + 2 * t + e][warp] = l;
			}
		}
		__syncthreads();

		if (threadIdx.x < 8 * N) {
			const float4 l = *reinterpret_cast<const float4*>(s->sums[threadIdx.x]);
			const float partition_sum = __fadd_rn(__fadd_rn(__fadd_rn(l.x, l.y), l.z), l.w);
			sum = fold(sum, partition_sum, left, right);
			if (!item.folded && seen_here) a.states.sums[state(p)] = make_float2(partition_most, partition_sum);
		}
#pragma unroll
		for (int i = 0; i < M; i++) {
			const int d = (warp + warps * i) * 16;
			if (d >= a.dim) break;
			const bool mended = !whole && x.mend(i);
			float o[N][4] = {};
			x.weigh(o, i, s->weights, lane);
			if (mended) {
#pragma unroll 1
				for (int b = 0; b < partition_blocks; b++) {
					const unsigned char* at = block(p, b);
					if (at == nullptr) continue;
					x.add_infinite(o, d, at + half, b, a.dim, s->weights, lane, [&](int q, int key) { return sees(q, position + key); });
				}
			}
#pragma unroll
			for (int n = 0; n < N; n++) {
				const float4 f = *reinterpret_cast<const float4*>(&s->factors[8 * n + 2 * t]);
#pragma unroll
				for (int j = 0; j < 4; j++) {
					o[n][j] = __fadd_rn(o[n][j], 0);  // never -0, as a state that begins with it
					out[i][n][j] = fold(out[i][n][j], o[n][j], j % 2 == 0 ? f.x : f.z, j % 2 == 0 ? f.y : f.w);
				}
			}
			if (!item.folded) store(a.states.outs, s->target, o, d, lane);
		}
	}
	if (!item.folded) return;
	if (threadIdx.x < 8 * N) {
		const bool real = threadIdx.x < item.queries;
		if (real) a.states.sums[state(item.partition)] = make_float2(most, sum);
		s->target[threadIdx.x] = real ? state(item.partition) * a.dim : -1;
	}
	__syncthreads();
#pragma unroll
	for (int i = 0; i < M; i++) {
		const int d = (warp + warps * i) * 16;
		if (d < a.dim) store(a.states.outs, s->target, out[i], d, lane);
	}
}

// attend_all takes items and KV heads until there are none, in the order of the table, from a
// counter that the merge sets back.
template <KVFormat format, int M>
DP_DEVICE void attend_all(const Attention& a, const Header* headers, int round, unsigned* counter) {
	DYNAMIC_SHARED(Shared, s);
	const Header header = headers[round];
	const unsigned count = header.items * a.kv_heads;
	unsigned next = 0;
	if (threadIdx.x == 0) {
		s->attention = a, s->header = header;
		next = atomicAdd(counter, 1u);
	}
	for (;;) {
		if (threadIdx.x == 0) {
			s->next = next;
			if (next < count) {
				s->item = reinterpret_cast<const Item*>(a.tables + header.items_at)[next / a.kv_heads];
				s->kv_head = next % a.kv_heads;
				next = atomicAdd(counter, 1u);
			}
		}
		__syncthreads();
		if (s->next >= count) return;
		const int queries = s->item.queries;
		constexpr int most = most_queries<format, M>;
		if (queries <= 8) attend<format, M, 1>(s);
		else if (most == 16 || queries <= 16) attend<format, M, 2>(s);
		else if (most == 32 || queries <= 32) attend<format, M, most < 32 ? 2 : 4>(s);
		else attend<format, M, most < 64 ? 2 : 8>(s);
		__syncthreads();
	}
}

}  // namespace dp
