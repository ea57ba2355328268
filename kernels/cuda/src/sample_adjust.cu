// Adjusted copies of logits. The logits of tokens that are not allowed become -Inf first
// rather than last, which is the same: nothing that is done to -Inf makes it larger.
#include "sample.cuh"

using namespace dp;
using namespace dp::sample;

// Adjustment is where the parts of a row's adjustment are in the words that are uploaded;
// sampleAdjustment in sample.go is its twin.
struct Adjustment {
	int32_t row;
	float repetition, presence, frequency;
	int32_t counts, counted;  // pairs of a token and its count
	int32_t biases, biased;   // pairs of a token and what is added
	int32_t allowed, words;   // bits; words < 0: all are
	int32_t unused[2];
};

// A block copies a part (x) of an adjustment's row (y).
KERNEL((256), sample_allow, (float* adjusted, const float* logits, const Adjustment* adjustments, const uint32_t* words, int n)) {
	const Adjustment& a = adjustments[blockIdx.y];
	const float* from = logits + size_t(a.row) * n;
	float* to = adjusted + size_t(blockIdx.y) * n;
	const uint32_t* allowed = words + a.allowed;
	int word = a.words;
	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
		bool may = word < 0 || (i / 32 < word && allowed[i / 32] >> i % 32 & 1);
		to[i] = may ? from[i] : minus_infinity;
	}
}

// A block changes the logits of the tokens that an adjustment names.
KERNEL((256), sample_adjust, (float* adjusted, const Adjustment* adjustments, const uint32_t* words, int n)) {
	const Adjustment& a = adjustments[blockIdx.x];
	float* to = adjusted + size_t(blockIdx.x) * n;
	for (int i = threadIdx.x; i < a.counted; i += blockDim.x) {
		int token = words[a.counts + 2 * i], count = words[a.counts + 2 * i + 1];
		float l = to[token];
		l = l < 0 ? __fmul_rn(l, a.repetition) : __fdiv_rn(l, a.repetition);
		if (count > 0) l = __fsub_rn(l, __fadd_rn(__fmul_rn(float(count), a.frequency), a.presence));
		to[token] = l;
	}
	__syncthreads();  // a token may have both
	for (int i = threadIdx.x; i < a.biased; i += blockDim.x) {
		int token = words[a.biases + 2 * i];
		to[token] = __fadd_rn(to[token], __uint_as_float(words[a.biases + 2 * i + 1]));
	}
}
