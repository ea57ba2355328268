// Matrix products in float32, by fused multiply-adds in order of the input: exact weights for
// tests and small models, without tensor cores.
//
// A lane has an output; weights lie as [32 outputs][4 of the input][lane] 16 bytes. Slices are
// warps of a block, as in linear_few.cu.
#include "linear.cuh"

KERNEL((256), linear_f32,
       (float* dst, const float* x, const float* w, const float* bias, const int* offsets, int rows, int out, int in,
        int tiles, int steps, int slices)) {
	constexpr int at_once = 8, warps = 8;
	__shared__ float partial[warps][at_once][32];
	dp::Operands o{nullptr, nullptr, reinterpret_cast<const unsigned char*>(w), tiles, steps, 0};
	const dp::Span span = dp::pick(o, offsets, rows);
	const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, slice = warp % slices;
	const int tile = blockIdx.x * (warps / slices) + warp / slices, width = (steps + slices - 1) / slices;
	const int begin = min(slice * width, steps), end = tile < tiles ? min(begin + width, steps) : begin;
	const float4* const weights = reinterpret_cast<const float4*>(o.w) + (size_t)tile * steps * 32 + lane;

	for (int base = span.first + blockIdx.y * at_once; base < span.end; base += gridDim.y * at_once) {
		float sum[at_once] = {};
		const int n = min(span.end - base, at_once);
#pragma unroll 1
		for (int step = begin; step < end; step++) {
			const float4 v = __ldcs(weights + step * 32);
			const int k = step * 4;
#pragma unroll
			for (int r = 0; r < at_once; r++) {
				if (r >= n) break;
				const float* const row = x + (size_t)(base + r) * in + k;
				sum[r] = __fmaf_rn(row[0], v.x, sum[r]);
				if (k + 1 < in) sum[r] = __fmaf_rn(row[1], v.y, sum[r]);
				if (k + 2 < in) sum[r] = __fmaf_rn(row[2], v.z, sum[r]);
				if (k + 3 < in) sum[r] = __fmaf_rn(row[3], v.w, sum[r]);
			}
		}
#pragma unroll
		for (int r = 0; r < at_once; r++) partial[warp][r][lane] = sum[r];
		__syncthreads();
		for (int r = slice; r < n; r += slices) {
			const int output = tile * 32 + lane;
			if (output >= out) break;
			float y = 0;
			for (int s = 0; s < slices; s++) y = __fadd_rn(y, partial[warp - slice + s][r][lane]);
			if (bias != nullptr) y = __fadd_rn(y, bias[(size_t)blockIdx.z * out + output]);
			dst[(size_t)(base + r) * out + output] = y;
		}
		__syncthreads();
	}
}
