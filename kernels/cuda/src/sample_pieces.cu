// The first pass of sampling, bound by reading the logits once: the maximum and the sum of
// weights of each piece of each row.
#include "sample.cuh"

using namespace dp;
using namespace dp::sample;

constexpr int warps = 8, share = piece / 32;

// load gives a lane its share of a piece; what is beyond the row is -Inf.
DP_DEVICE void load(float (&l)[share], const float* row, int first, int n) {
	for (int k = 0; k < share; k++) {
		int i = first + 32 * k + threadIdx.x % 32;
		l[k] = i < n ? number(row[i]) : minus_infinity;
	}
}

DP_DEVICE float maximum(const float (&l)[share]) {
	int m = ordered(minus_infinity);
	for (int k = 0; k < share; k++) m = max(m, ordered(l[k]));
	return unordered(__reduce_max_sync(all_lanes, m));
}

// total adds weights up: a lane's in order, then lanes in a tree.
DP_DEVICE float total(const float (&l)[share], float max, float scale) {
	float sum = 0;
	for (int k = 0; k < share; k++) sum = __fadd_rn(sum, weight(l[k], max, scale));
	for (int by = 16; by > 0; by /= 2) sum = __fadd_rn(sum, __shfl_xor_sync(all_lanes, sum, by));
	return sum;
}

// A warp has a piece (x) of a row (y).
KERNEL((32 * warps), sample_pieces, (Piece* pieces, const float* logits, const float* adjusted, const Row* rows, int n)) {
	int p = blockIdx.x * warps + threadIdx.x / 32, count = (n + piece - 1) / piece;
	if (p >= count) return;
	const Row& r = rows[blockIdx.y];
	float l[share];
	load(l, logits + size_t(blockIdx.y) * n, p * piece, n);
	Piece made;
	made.max = made.raw_max = maximum(l);
	made.sum = made.raw_sum = total(l, made.max, 1);
	if (r.adjusted >= 0) {
		load(l, adjusted + size_t(r.adjusted) * n, p * piece, n);
		made.max = maximum(l);
	}
	if (r.does & draws && (r.adjusted >= 0 || r.scale != 1)) made.sum = total(l, made.max, r.scale);
	if (threadIdx.x % 32 == 0) pieces[size_t(blockIdx.y) * count + p] = made;
}
