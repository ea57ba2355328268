// Matrix products dst = x·wᵀ + bias: how weights and rounded rows lie in memory, and the
// arithmetic of a step, which every kernel of linear_few.cu and linear_many.cu shares.
//
// The outputs of the weight are the rows of A of mma.sync, 16 to a tile; the rows of the
// batch are the columns of B, 8 to a tile; the input is K, in steps. Which element of the
// input stands at which k of an instruction is free as long as A and B agree: lane
// (g, t) = (lane / 4, lane % 4) takes elements that lie side by side, so that rounding a row
// reads and writes 32 and 16 bytes at a time:
//
//	BF16        step of 32: elements 8t … 8t+7 in pairs; k16 number i has pairs 2i and 2i+1
//	Int8, Int4  step of 64: elements 32i + 8t … +7 in fours; k32 number i has both
//
// Memory of a weight, every load 16 bytes a lane and 512 bytes a warp:
//
//	BF16  [tile][step][2 k16][lane]       a[0..3]
//	Int8  [tile][step][2 k32][lane]       a[0..3];          then [tile][step][g] scales
//	Int4  [tile][step][lane]              2 k32 x 2 words;  then [tile][step][g][2] scales
//
// The scales of outputs g and g+8 are the two bfloat16 of a word. A word of Int4 has a[0] (or
// a[1]) in the low halves of its bytes and a[2] (or a[3]) in the high halves, as signed
// numbers of 4 bits: shifted to the upper half of a byte they are 16 times themselves, which
// the scale of the row takes back.
//
// Rounded rows are [step][row / 8][lane] 16 bytes, b[0..1] of both instructions, and their
// scales [step][row][groups], in float32: rows that are multiplied together lie at fixed
// distances.
//
// The steps are cut into slices by the shape of the weight alone. A slice is summed up from
// zero in order of its steps, and the slices are added up in order: the same bits whichever
// warp does it, whatever the number of rows.
#pragma once
#include "prelude.cuh"

namespace dp {

// Operands is what a product reads, as the driver hands it over.
struct Operands {
	const uint4* x;          // rounded rows
	const float* x_scales;   // of rows, unless BF16
	const unsigned char* w;  // weights
	int tiles, steps;        // whole eights of tiles are there
	int columns;             // rows / 8 that the rounded rows have room for
};

// load_weights reads 16 bytes that are used once: they do not displace rows in the cache.
DP_DEVICE uint4 load_weights(const uint4* p) { return __ldcs(p); }

// A format's loads are those of a lane for a step of a tile. WeightScales are of outputs g and
// g+8, RowScale is of a row of the batch, both in a step. multiply adds a step to the sums of 16
// outputs and 8 rows.

struct BF16 {
	static constexpr int loads = 2;
	static constexpr bool scaled = false;
	struct WeightScales {};
	struct RowScale {};

	static DP_DEVICE void multiply(float (&sum)[4], const uint4 (&a)[2], const uint4& b, WeightScales, RowScale, RowScale) {
		mma_bf16(sum, {a[0].x, a[0].y, a[0].z, a[0].w}, {b.x, b.y});
		mma_bf16(sum, {a[1].x, a[1].y, a[1].z, a[1].w}, {b.z, b.w});
	}
};

// add_group adds a group's exact sum to the sums in units of its scales.
DP_DEVICE void add_group(float (&sum)[4], const int32_t (&d)[4], float2 w, float x0, float x1) {
	sum[0] = __fmaf_rn(__int2float_rn(d[0]), __fmul_rn(w.x, x0), sum[0]);
	sum[1] = __fmaf_rn(__int2float_rn(d[1]), __fmul_rn(w.x, x1), sum[1]);
	sum[2] = __fmaf_rn(__int2float_rn(d[2]), __fmul_rn(w.y, x0), sum[2]);
	sum[3] = __fmaf_rn(__int2float_rn(d[3]), __fmul_rn(w.y, x1), sum[3]);
}

struct Int8 {
	static constexpr int loads = 2;
	static constexpr bool scaled = true;
	using WeightScales = uint32_t;
	using RowScale = float;

	static DP_DEVICE void multiply(float (&sum)[4], const uint4 (&a)[2], const uint4& b, WeightScales w, RowScale x0, RowScale x1) {
		int32_t d[4] = {};
		mma_s8(d, {a[0].x, a[0].y, a[0].z, a[0].w}, {b.x, b.y});
		mma_s8(d, {a[1].x, a[1].y, a[1].z, a[1].w}, {b.z, b.w});
		add_group(sum, d, to_floats(w), x0, x1);
	}
};

struct Int4 {
	static constexpr int loads = 1;
	static constexpr bool scaled = true;
	using WeightScales = uint2;
	using RowScale = float2;

	static DP_DEVICE uint32_t low(uint32_t w) { return w << 4 & 0xf0f0f0f0u; }
	static DP_DEVICE uint32_t high(uint32_t w) { return w & 0xf0f0f0f0u; }

	static DP_DEVICE void multiply(float (&sum)[4], const uint4 (&a)[1], const uint4& b, WeightScales w, RowScale x0, RowScale x1) {
		int32_t d[4] = {};
		mma_s8(d, {low(a[0].x), low(a[0].y), high(a[0].x), high(a[0].y)}, {b.x, b.y});
		add_group(sum, d, to_floats(w.x), x0.x, x1.x);
		int32_t e[4] = {};
		mma_s8(e, {low(a[0].z), low(a[0].w), high(a[0].z), high(a[0].w)}, {b.z, b.w});
		add_group(sum, e, to_floats(w.y), x0.y, x1.y);
	}
};

// Weights is where a lane reads the weights of a tile and of those after it.
template <typename F>
struct Weights {
	const uint4* values;
	const typename F::WeightScales* scales;
	int steps;

	DP_DEVICE Weights(const Operands& o, int tile, int lane) : scales(nullptr), steps(o.steps) {
		const int whole = (o.tiles + 7) / 8 * 8;
		values = reinterpret_cast<const uint4*>(o.w) + (size_t)tile * steps * (F::loads * 32) + lane;
		if constexpr (F::scaled)
			scales = reinterpret_cast<const typename F::WeightScales*>(o.w + (size_t)whole * steps * (F::loads * 512)) +
			         (size_t)tile * steps * 8 + lane / 4;
	}
	// value is where load i of a step of tile m after the first is.
	DP_DEVICE const uint4* value(int m, int step, int i) const { return values + ((m * steps + step) * F::loads + i) * 32; }
	DP_DEVICE typename F::WeightScales scale(int m, int step) const {
		if constexpr (F::scaled) return __ldg(scales + (m * steps + step) * 8);
		else return {};
	}
};

// Rows is where a lane reads the rows of the batch: as columns of B, row `column` and those 8,
// 16, … further on; their scales, for its sums, rows `pair` and pair+1 and so on.
template <typename F>
struct Rows {
	const uint4* values;
	const typename F::RowScale* scales;
	int columns, pairs, stride;  // rows that there are from `column` and `pair` on, and in memory

	DP_DEVICE Rows(const Operands& o, int first, int end, int lane)
	    : columns(end - first - lane / 4), pairs(end - first - lane % 4 * 2), stride(o.columns) {
		const int column = first + lane / 4;
		values = o.x + (size_t)(column / 8) * 32 + column % 8 * 4 + lane % 4;
		scales = reinterpret_cast<const typename F::RowScale*>(o.x_scales) + first + lane % 4 * 2;
	}
	DP_DEVICE bool has(int n) const { return 8 * n < columns; }
	DP_DEVICE const uint4* value(int n, int step) const { return values + (size_t)(step * stride) * 32 + n * 32; }
	// scale is that of row pair + 8n + i.
	DP_DEVICE typename F::RowScale scale(int n, int i, int step) const {
		if constexpr (F::scaled) {
			if (8 * n + i < pairs) return scales[(size_t)(step * stride) * 8 + 8 * n + i];
		}
		return {};
	}
};

// Target is where the results go: dst has out columns, bias a row for each expert.
struct Target {
	float* dst;
	const float* bias;  // or null
	int out;
};

// store writes sum j of a lane, of a tile of outputs and of rows from first on, with the bias:
// row 8(j/4) + 2t + j%2, output g + 8(j%4/2).
DP_DEVICE void store(const Target& to, int first, int end, int tile, int j, int lane, float sum) {
	const int row = first + j / 4 * 8 + lane % 4 * 2 + j % 2, output = tile * 16 + lane / 4 + j % 4 / 2 * 8;
	if (row >= end || output >= to.out) return;
	if (to.bias != nullptr) sum = __fadd_rn(sum, to.bias[(size_t)blockIdx.z * to.out + output]);
	to.dst[(size_t)row * to.out + output] = sum;
}

// Span is the rows first … end-1 that are multiplied with one weight.
struct Span {
	int first, end;
};

// pick turns to the weight and the rows of expert blockIdx.z, if there are experts:
// weights is then a table of pointers, and entries of the routing in order of expert.
DP_DEVICE Span pick(Operands& o, const int* offsets, int rows) {
	if (offsets == nullptr) return {0, rows};
	const int e = blockIdx.z;
	o.w = reinterpret_cast<const unsigned char* const*>(o.w)[e];
	return {offsets[e], offsets[e + 1]};
}

}  // namespace dp
