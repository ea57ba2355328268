// Mixtures of experts: rows choose experts, and the entries of the routing are put in order of
// expert, then of row. What a routing holds is drawn in experts.go.
#include "exponential.cuh"

using namespace dp;

constexpr int none = -1;  // in place of the expert of a row of padding, and of its entry

// Scores are done in float64, as kernels/cpu does, so that the same experts are chosen.
constexpr double minus_infinity = -__builtin_huge_val();

// taken stands in place of what is chosen, or may not be: NaN, which no number is below.
DP_DEVICE double taken() { return __longlong_as_double(0x7ff8000000000000ll); }

DP_DEVICE double number(float x) { return x == x ? double(x) : minus_infinity; }

// Best is the largest number and where it is first.
struct Best {
	double value;
	int at;

	DP_DEVICE void take(double v, int i) {
		if (v > value || (v == value && i < at)) *this = Best{v, i};
	}
};

// highest finds the largest of n numbers, of equals the first, that a warp holds in shared
// memory. If all are taken it is the first.
DP_DEVICE int highest(const double* x, int n) {
	Best best{minus_infinity, n};
	for (int i = threadIdx.x % 32; i < n; i += 32) best.take(x[i], i);
	for (int by = 16; by > 0; by /= 2) {
		double value = __shfl_xor_sync(all_lanes, best.value, by);
		int at = __shfl_xor_sync(all_lanes, best.at, by);
		best.take(value, at);
	}
	return best.at < n ? best.at : 0;
}

DP_DEVICE double warp_sum(double x) {
	for (int by = 16; by > 0; by /= 2) x = __dadd_rn(x, __shfl_xor_sync(all_lanes, x, by));
	return x;
}

// score writes a row's scores: shares of the softmax, or sigmoids.
DP_DEVICE void score(double* scores, const float* logits, int count, bool sigmoid) {
	int lane = threadIdx.x % 32;
	if (sigmoid) {
		for (int i = lane; i < count; i += 32) scores[i] = 1 / (1 + dp::exp(-number(logits[i])));
		return;
	}
	double max = minus_infinity;
	for (int i = lane; i < count; i += 32) max = number(logits[i]) > max ? number(logits[i]) : max;
	for (int by = 16; by > 0; by /= 2) {
		double other = __shfl_xor_sync(all_lanes, max, by);
		max = other > max ? other : max;
	}
	// If the largest is infinite, those that are it share all.
	bool infinite = max - max != 0;
	double sum = 0;
	for (int i = lane; i < count; i += 32) {
		double x = number(logits[i]);
		scores[i] = infinite ? double(x == max) : dp::exp(x - max);
		sum = __dadd_rn(sum, scores[i]);
	}
	sum = warp_sum(sum);
	for (int i = lane; i < count; i += 32) scores[i] /= sum;
}

// forbid takes the experts of all groups but the best few, by the sum of their best two.
DP_DEVICE void forbid(double* ranks, double* sums, int count, int groups, int chosen_groups) {
	int lane = threadIdx.x % 32, size = count / groups;
	for (int g = lane; g < groups; g += 32) {
		double first = minus_infinity, second = minus_infinity;
		for (int i = g * size; i < (g + 1) * size; i++) {
			if (ranks[i] > first) {
				second = first;
				first = ranks[i];
			} else if (ranks[i] > second) {
				second = ranks[i];
			}
		}
		sums[g] = first + second;
	}
	__syncwarp();
	for (int i = 0; i < chosen_groups; i++) {
		int best = highest(sums, groups);
		__syncwarp();
		if (lane == 0) sums[best] = taken();
		__syncwarp();
	}
	for (int i = lane; i < count; i += 32) {
		double sum = sums[i / size];
		if (sum == sum) ranks[i] = taken();
	}
	__syncwarp();
}

constexpr int sigmoid = 1, normalize = 2;

// A warp has a row: of its block's shared memory 2*count+groups numbers. A row whose slot is
// negative is padding, and chooses none. An expert's rank is its score and its bias.
KERNEL((128), route, (int* chose, float* weight, const float* logits, const float* bias, const int* slots,
		int count, int chosen, int does, float scale, int groups, int chosen_groups, int rows)) {
	DYNAMIC_SHARED(double, shared);
	int warp = threadIdx.x / 32, lane = threadIdx.x % 32, row = blockIdx.x * (blockDim.x / 32) + warp;
	if (row >= rows) return;
	chose += size_t(row) * chosen;
	weight += size_t(row) * chosen;
	if (slots != nullptr && slots[row] < 0) {
		for (int i = lane; i < chosen; i += 32) {
			chose[i] = none;
			weight[i] = 0;
		}
		return;
	}
	double* scores = shared + warp * (2 * count + groups);
	double* ranks = scores + count;
	score(scores, logits + size_t(row) * count, count, does & sigmoid);
	for (int i = lane; i < count; i += 32) {
		double rank = bias == nullptr ? scores[i] : __dadd_rn(scores[i], bias[i]);
		ranks[i] = rank == rank ? rank : minus_infinity;
	}
	__syncwarp();
	if (groups > 1) forbid(ranks, ranks + count, count, groups, chosen_groups);
	uint64_t mine = 0;  // bit i: the lane's i-th expert is chosen
	for (int i = 0; i < chosen; i++) {
		int best = highest(ranks, count);
		__syncwarp();
		if (best % 32 == lane) {
			mine |= uint64_t(1) << best / 32;
			ranks[best] = taken();
		}
		__syncwarp();
	}
	double factor = scale;
	if (does & normalize) {
		double sum = 0;
		for (int i = 0; i < (count + 31) / 32; i++) {
			if (mine >> i & 1) sum = __dadd_rn(sum, scores[32 * i + lane]);
		}
		factor /= warp_sum(sum) + 1e-20;  // of sigmoids that are all 0
	}
	int before = 0;
	for (int i = 0; i < (count + 31) / 32; i++) {
		unsigned some = __ballot_sync(all_lanes, mine >> i & 1);
		if (mine >> i & 1) {
			int at = before + __popc(some & ((1u << lane) - 1));
			chose[at] = 32 * i + lane;
			weight[at] = float(__dmul_rn(scores[32 * i + lane], factor));
		}
		before += __popc(some);
	}
}

constexpr int threads = 256, warps = threads / 32;

// A block has an expert: it finds where its entries begin, and puts them in order of row.
KERNEL((threads), route_order, (int* offsets, int* rows_of, int* place, const int* chose, int chosen, int entries)) {
	__shared__ int before, sums[warps];
	int expert = blockIdx.x, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
	if (threadIdx.x == 0) before = 0;
	__syncthreads();
	int fewer = 0, real = 0;
	for (int i = threadIdx.x; i < entries; i += threads) {
		fewer += chose[i] != none && chose[i] < expert;
		real += chose[i] != none;
		if (chose[i] == none && expert == 0) place[i] = none;
	}
	fewer = __reduce_add_sync(all_lanes, fewer);
	if (lane == 0) atomicAdd(&before, fewer);
	__syncthreads();
	int next = before;
	if (threadIdx.x == 0) offsets[expert] = next;
	if (expert == int(gridDim.x) - 1) {
		__syncthreads();
		real = __reduce_add_sync(all_lanes, real);
		if (threadIdx.x == 0) before = 0;
		__syncthreads();
		if (lane == 0) atomicAdd(&before, real);
		__syncthreads();
		if (threadIdx.x == 0) offsets[gridDim.x] = before;
	}
	constexpr int each = 8;  // entries of a thread, side by side
	for (int base = 0; base < entries; base += threads * each) {
		int first = base + int(threadIdx.x) * each;
		unsigned hits = 0;
		for (int k = 0; k < each; k++) hits |= unsigned(first + k < entries && chose[first + k] == expert) << k;
		int through = __popc(hits);
		for (int by = 1; by < 32; by *= 2) {
			int other = __shfl_up_sync(all_lanes, through, by);
			if (lane >= by) through += other;
		}
		if (lane == 31) sums[warp] = through;
		__syncthreads();
		int at = next + through - __popc(hits);
		for (int w = 0; w < warps; w++) {
			if (w < warp) at += sums[w];
			next += sums[w];
		}
		for (; hits != 0; hits &= hits - 1) {
			int i = first + __ffs(hits) - 1;
			place[i] = at;
			rows_of[at++] = i / chosen;
		}
		__syncthreads();
	}
}

// A block copies the row of an entry.
KERNEL((threads), dispatch, (float* dst, const float* x, const int* offsets, const int* rows_of, int count, int cols)) {
	int entry = blockIdx.x;
	if (entry >= offsets[count]) return;
	const float* from = x + size_t(rows_of[entry]) * cols;
	float* to = dst + size_t(entry) * cols;
	if (cols % 4 == 0) {
		for (int i = threadIdx.x; i < cols / 4; i += threads) reinterpret_cast<float4*>(to)[i] = reinterpret_cast<const float4*>(from)[i];
		return;
	}
	for (int i = threadIdx.x; i < cols; i += threads) to[i] = from[i];
}

// A thread has a column (y) of a row (x).
KERNEL((threads), combine, (float* dst, const float* x, const int* place, const float* weight, int chosen, int cols, int add)) {
	int column = blockIdx.y * threads + threadIdx.x, row = blockIdx.x;
	if (column >= cols) return;
	float* to = dst + size_t(row) * cols + column;
	float sum = add ? *to : 0;
	for (int i = row * chosen; i < (row + 1) * chosen; i++) {
		if (place[i] != none) sum = __fmaf_rn(x[size_t(place[i]) * cols + column], weight[i], sum);
	}
	*to = sum;
}
