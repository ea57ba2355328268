// Matrix products of few rows, up to 64 at a time: bound by the memory that the weights are
// read from. A warp streams its slice of some tiles of the weight straight into registers,
// several loads of 16 bytes ahead, and takes the rows from the nearest cache, where other
// warps of the block have left them. Slices of the same outputs are warps of one block, which
// adds them up in shared memory.
#include "linear.cuh"

namespace dp {

constexpr int few_warps = 8;

// few computes blocks of 8·NT rows and MT tiles a warp, depth steps ahead.
template <typename F, int MT, int NT, int depth>
DP_DEVICE void few(Target to, Operands o, const int* offsets, int rows, int slices) {
	__shared__ float partial[few_warps][NT * 4][32];
	const Span span = pick(o, offsets, rows);
	const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
	const int slice = warp % slices, width = (o.steps + slices - 1) / slices;
	const int tile = (blockIdx.x * (few_warps / slices) + warp / slices) * MT;
	const int begin = min(slice * width, o.steps), end = tile < o.tiles ? min(begin + width, o.steps) : begin;
	const Weights<F> weights(o, tile, lane);

	for (int base = span.first + blockIdx.y * (8 * NT); base < span.end; base += gridDim.y * (8 * NT)) {
		const Rows<F> x(o, base, span.end, lane);
		float sum[MT][NT][4] = {};
		uint4 a[depth][MT][F::loads];
		typename F::WeightScales scales[depth][MT];
		auto load = [&](int d, int step) {
#pragma unroll
			for (int m = 0; m < MT; m++) {
#pragma unroll
				for (int i = 0; i < F::loads; i++) a[d][m][i] = load_weights(weights.value(m, step, i));
				scales[d][m] = weights.scale(m, step);
			}
		};
#pragma unroll
		for (int d = 0; d < depth; d++)
			if (begin + d < end) load(d, begin + d);

#pragma unroll 1
		for (int ahead = begin; ahead < end; ahead += depth) {
#pragma unroll
			for (int d = 0; d < depth; d++) {
				const int step = ahead + d;
				if (step >= end) break;
#pragma unroll
				for (int n = 0; n < NT; n++) {
					uint4 b = make_uint4(0, 0, 0, 0);
					if (x.has(n)) b = *x.value(n, step);
					const auto x0 = x.scale(n, 0, step), x1 = x.scale(n, 1, step);
#pragma unroll
					for (int m = 0; m < MT; m++) F::multiply(sum[m][n], a[d][m], b, scales[d][m], x0, x1);
				}
				if (step + depth < end) load(d, step + depth);
			}
		}
#pragma unroll
		for (int m = 0; m < MT; m++) {
#pragma unroll
			for (int j = 0; j < NT * 4; j++) partial[warp][j][lane] = sum[m][j / 4][j % 4];
			__syncthreads();
#pragma unroll 1
			for (int j = slice; j < NT * 4; j += slices) {
				float y = 0;
				for (int s = 0; s < slices; s++) y = __fadd_rn(y, partial[warp - slice + s][j][lane]);
				store(to, base, span.end, tile + m, j, lane, y);
			}
			__syncthreads();
		}
	}
}

}  // namespace dp

// A block has few_warps / slices x MT tiles (x), blocks of rows in strides (y), an expert (z).
#define FEW(name, blocks, F, MT, NT, depth)                                                                    \
	KERNEL((256, blocks), name,                                                                                \
	       (float* dst, const uint4* x, const float* x_scales, const unsigned char* w, const float* bias,      \
	        const int* offsets, int rows, int out, int tiles, int steps, int columns, int slices)) {                        \
		dp::few<F, MT, NT, depth>({dst, bias, out}, {x, x_scales, w, tiles, steps, columns}, offsets, rows, slices); \
	}

FEW(linear_bf16_8, 2, dp::BF16, 1, 1, 6)
FEW(linear_bf16_16, 2, dp::BF16, 2, 2, 3)
FEW(linear_bf16_32, 2, dp::BF16, 2, 4, 2)
FEW(linear_bf16_64, 1, dp::BF16, 4, 8, 1)

FEW(linear_int8_8, 2, dp::Int8, 1, 1, 5)
FEW(linear_int8_16, 2, dp::Int8, 2, 2, 2)
FEW(linear_int8_32, 1, dp::Int8, 2, 4, 4)
FEW(linear_int8_64, 1, dp::Int8, 4, 8, 1)

FEW(linear_int4_8, 2, dp::Int4, 1, 1, 6)
FEW(linear_int4_16, 1, dp::Int4, 2, 2, 6)
FEW(linear_int4_32, 1, dp::Int4, 2, 4, 5)
FEW(linear_int4_64, 1, dp::Int4, 1, 8, 4)
