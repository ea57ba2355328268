// Embedding: rows of a weight as it is kept (linear.cuh), a block for each.
#include "linear.cuh"

namespace dp {

// Element is where an element of the input stands in a tile, in Int8 and Int4: byte of lane t's
// word, of instruction `unit`, of the first or second four.
struct Element {
	int step, unit, t, four, byte;

	DP_DEVICE explicit Element(int k) : step(k / 64), unit(k % 64 / 32), t(k % 32 / 8), four(k % 8 / 4), byte(k % 4) {}
};

// half_of is the scale of output r of a tile.
DP_DEVICE float half_of(uint32_t scales, int r) {
	const float2 both = to_floats(scales);
	return r / 8 ? both.y : both.x;
}

}  // namespace dp

KERNEL((256), embed_f32, (float* dst, const float* w, const int* tokens, int in, int, int steps)) {
	const int token = tokens[blockIdx.x];
	const float* const tile = w + (size_t)(token / 32) * steps * 128 + token % 32 * 4;
	for (int k = threadIdx.x; k < in; k += 256) dst[(size_t)blockIdx.x * in + k] = tile[k / 4 * 128 + k % 4];
}

KERNEL((256), embed_bf16, (float* dst, const dp::bf16* w, const int* tokens, int in, int, int steps)) {
	const int token = tokens[blockIdx.x], r = token % 16;
	const dp::bf16* const tile = w + (size_t)(token / 16) * steps * 512;
	for (int k = threadIdx.x; k < in; k += 256) {
		const int word = (k / 32 * 64 + k % 8 / 4 * 32 + r % 8 * 4 + k % 32 / 8) * 4 + k % 4 / 2 * 2 + r / 8;
		dst[(size_t)blockIdx.x * in + k] = dp::to_float(tile[word * 2 + k % 2]);
	}
}

KERNEL((256), embed_int8, (float* dst, const signed char* w, const int* tokens, int in, int tiles, int steps)) {
	const int token = tokens[blockIdx.x], r = token % 16;
	const size_t tile = (size_t)(token / 16) * steps, whole = (size_t)((tiles + 7) / 8 * 8) * steps;
	const uint32_t* const scales = reinterpret_cast<const uint32_t*>(w + whole * 1024);
	for (int k = threadIdx.x; k < in; k += 256) {
		const dp::Element e(k);
		const int q = w[(tile + e.step) * 1024 + ((e.unit * 32 + r % 8 * 4 + e.t) * 4 + e.four * 2 + r / 8) * 4 + e.byte];
		dst[(size_t)blockIdx.x * in + k] = __fmul_rn(__int2float_rn(q), dp::half_of(scales[(tile + e.step) * 8 + r % 8], r));
	}
}

KERNEL((256), embed_int4, (float* dst, const unsigned char* w, const int* tokens, int in, int tiles, int steps)) {
	const int token = tokens[blockIdx.x], r = token % 16;
	const size_t tile = (size_t)(token / 16) * steps, whole = (size_t)((tiles + 7) / 8 * 8) * steps;
	const uint32_t* const scales = reinterpret_cast<const uint32_t*>(w + whole * 512);
	for (int k = threadIdx.x; k < in; k += 256) {
		const dp::Element e(k);
		const int both = w[(tile + e.step) * 512 + ((r % 8 * 4 + e.t) * 4 + e.unit * 2 + r / 8) * 4 + e.byte];
		const int q = ((both >> e.four * 4 & 15) ^ 8) - 8;
		dst[(size_t)blockIdx.x * in + k] = __fmul_rn(__int2float_rn(q), dp::half_of(scales[((tile + e.step) * 8 + r % 8) * 2 + e.unit], r));
	}
}
