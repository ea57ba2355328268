// The merge of a row's states: those of a split from left to right, then the splits, then the
// sink, which has a most and a sum of 1 but no value. A warp for each head of each row.
#include "attention.cuh"

namespace dp {

constexpr int ahead = 8;  // states that are loaded together

// State is (most, sum, out) of a head, elements lane + 32i of it.
template <int D>
struct State {
	float most, sum, out[D];

	DP_DEVICE void fold(const State& b) {
		const Factors f(most, b.most);
		most = f.most;
		sum = dp::fold(sum, b.sum, f.left, f.right);
#pragma unroll
		for (int i = 0; i < D; i++) out[i] = dp::fold(out[i], b.out[i], f.left, f.right);
	}
};

// merge merges heads of up to 32D dims.
template <int D>
DP_DEVICE void merge(float* dst, const States& states, const float* sinks, const Header& header, const int* tables, int heads, int dim) {
	const int lane = threadIdx.x % 32;
	const int stride = gridDim.x * (blockDim.x / 32);
	for (int w = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; w < header.merge_rows * heads; w += stride) {
		const int head = w % heads;
		const int4 row = reinterpret_cast<const int4*>(tables + header.merge_at)[w / heads];
		const int* splits = tables + header.splits_at + row.y;
		State<D> all, split, x[ahead];
		int whole = 0, of = -1;  // splits in all, the one that split is of
		for (int first = 0; first < row.z; first += ahead) {
#pragma unroll
			for (int j = 0; j < ahead; j++) {
				if (first + j >= row.z) continue;
				const size_t at = (size_t)(row.y + first + j) * heads + head;
				const float2 sums = states.sums[at];
				x[j].most = sums.x, x[j].sum = sums.y;
#pragma unroll
				for (int i = 0; i < D; i++) x[j].out[i] = lane + 32 * i < dim ? states.outs[at * dim + lane + 32 * i] : 0;
			}
#pragma unroll
			for (int j = 0; j < ahead; j++) {
				if (first + j >= row.z) continue;
				const int now = splits[first + j];
				if (now == of) {
					split.fold(x[j]);
					continue;
				}
				if (of >= 0) {
					if (whole++ == 0) all = split;
					else all.fold(split);
				}
				split = x[j], of = now;
			}
		}
		float* to = dst + ((size_t)row.x * heads + head) * dim;
		if (of < 0) {  // a row of padding
			for (int d = lane; d < dim; d += 32) to[d] = 0;
			continue;
		}
		if (whole == 0) all = split;
		else all.fold(split);
		if (sinks != nullptr) {
			State<D> sink = {sinks[head], 1, {}};
			all.fold(sink);
		}
#pragma unroll
		for (int i = 0; i < D; i++)
			if (lane + 32 * i < dim) to[lane + 32 * i] = __fdiv_rn(all.out[i], all.sum);
	}
}

}  // namespace dp

// The merge also sets the counter of the items back.
#define MERGE(name, dims)                                                                                              \
	KERNEL((128), name, (float* dst, float* outs, float2* sums, const float* sinks, const dp::Header* headers,         \
	                     int round, const int* tables, unsigned* counter, int heads, int dim)) {                       \
		if (blockIdx.x == 0 && threadIdx.x == 0) *counter = 0;                                                         \
		dp::merge<dims>(dst, {outs, sums}, sinks, headers[round], tables, heads, dim);                                 \
	}

MERGE(attention_merge_128, 4)
MERGE(attention_merge_256, 8)
