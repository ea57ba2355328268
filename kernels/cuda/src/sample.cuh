// What the kernels of sampling share: the row's parameters, pieces of logits, weights.
//
// A row of logits is cut in pieces. One pass over the logits finds the maximum of each piece
// and the sum of its weights against that; what follows reads a row's pieces, and the logits
// of those alone that hold a token likely enough.
//
// Sums over more than a piece are of integers, multiples of 1/one: so their order does not
// matter, and a row draws the same token whoever adds them up.
#pragma once
#include "exponential.cuh"

namespace dp::sample {

constexpr int piece = 256;
constexpr float minus_infinity = -__builtin_huge_valf();

// Row is what is asked of a row; sampleRow in sample.go is its twin.
struct Row {
	uint64_t seed;
	double min_logit;  // Temperature * log(MinP)
	uint32_t trace, position;
	float scale;  // 1 / Temperature
	float top_p;
	int32_t top_k;
	int32_t listed;    // how many of the likeliest tokens are asked for
	int32_t list;      // where they go
	int32_t forced;    // 1 + the token that is taken; 0: none
	int32_t adjusted;  // the row of adjusted logits to draw from; -1: logits as they are
	int32_t fallback;  // the token if no logit is above -Inf
	int32_t does;      // of the bits below
	int32_t unused;
};

constexpr int draws = 1, by_count = 2, by_mass = 4, by_logit = 8, filters = 16;

// Piece is the maximum of a piece's logits and the sum of exp(logit-max), for the logits as
// they are, and of exp((logit-max)*scale) for those that are drawn from.
struct __align__(16) Piece {
	float raw_max, raw_sum, max, sum;
};

// Result is what becomes of a row; sampleResult in sample.go is its twin.
struct Result {
	double z;      // the sum of exp(logit-max)
	float max;     // of the logits as they are
	float logit;   // of token
	int32_t token;
	int32_t listed;  // how many likeliest tokens there are, of those asked for
};

// Likely is one of the likeliest tokens; sampleLikely in sample.go is its twin.
struct Likely {
	int32_t token;
	float logit;
};

// number is a logit as everything here sees it: NaN is -Inf, and there is one zero.
DP_DEVICE float number(float l) { return l == l ? __fadd_rn(l, 0) : minus_infinity; }

DP_DEVICE bool finite(float l) { return l - l == 0; }

// weight is exp((l-max)*scale). If max is not finite, it is of no use.
DP_DEVICE float weight(float l, float max, float scale) {
	float x = __fmul_rn(__fsub_rn(l, max), scale);
	return l > minus_infinity && x >= exp_low ? exp(x) : 0;
}

// ordered is an integer whose order is that of numbers; unordered is its inverse.
DP_DEVICE int ordered(float l) {
	int bits = __float_as_int(l);
	return bits ^ (bits >> 31 & 0x7fffffff);
}
DP_DEVICE float unordered(int bits) { return __int_as_float(bits ^ (bits >> 31 & 0x7fffffff)); }

constexpr float one = 8796093022208;  // 2^43: 2^20 weights, each at most one, are less than 2^64

// multiples is a weight in integer multiples of 1/one.
DP_DEVICE uint64_t multiples(double weight) { return uint64_t(weight * double(one)); }

}  // namespace dp::sample
