// Matrix products of many rows: bound by the tensor cores. A block computes 128 outputs of 128
// rows; weights and rows go through shared memory in stages of a step, copied ahead of their
// use in the order of fragments, so that a stage is read without bank conflicts and without
// ldmatrix. A warp has 64 outputs of 32 rows.
#include "linear.cuh"

namespace dp {

constexpr int many_tiles = 8, many_columns = 16;  // tiles of 16 outputs and of 8 rows, in a block
constexpr int stages = 3;

template <typename F>
struct Stage {
	uint4 a[many_tiles][F::loads][32];
	uint4 b[many_columns][32];
};

// many computes a block; Sliced says whether there is more than one slice to add up.
template <typename F, bool Sliced>
DP_DEVICE void many(Target to, Operands o, const int* offsets, int rows, int slices) {
	__shared__ Stage<F> ring[stages];
	const Span span = pick(o, offsets, rows);
	const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
	const int tile = blockIdx.x * many_tiles, width = (o.steps + slices - 1) / slices;
	const int m0 = warp % 2 * 4, n0 = warp / 2 * 4;  // the warp's first tiles in the block
	const Weights<F> copied(o, tile + warp, lane), used(o, tile + m0, lane);

	for (int base = span.first + blockIdx.y * (8 * many_columns); base < span.end; base += gridDim.y * (8 * many_columns)) {
		// Warp w copies tile w of the weight and eights 2w, 2w+1 of the rows.
		const Rows<F> x(o, base + n0 * 8, span.end, lane);
		const Rows<F> copied_rows(o, base + 2 * warp * 8, span.end, lane);
		auto copy = [&](int step) {
			if (step < o.steps) {
				Stage<F>& s = ring[step % stages];
#pragma unroll
				for (int i = 0; i < F::loads; i++)
					cp_async16(&s.a[warp][i][lane], copied.value(0, step, i), true);
#pragma unroll
				for (int i = 0; i < 2; i++) {
					const bool valid = copied_rows.has(i);
					cp_async16(&s.b[2 * warp + i][lane], valid ? copied_rows.value(i, step) : o.x, valid);
				}
			}
			cp_async_commit();
		};
#pragma unroll
		for (int i = 0; i < stages - 1; i++) copy(i);

		float sum[4][4][4] = {}, total[Sliced ? 4 : 1][4][4] = {};
		int slice_end = min(width, o.steps);
#pragma unroll 1
		for (int step = 0; step < o.steps; step++) {
			cp_async_wait<stages - 2>();
			__syncthreads();  // the step is there for all, and the stage before it has been read by all
			copy(step + stages - 1);
			const Stage<F>& s = ring[step % stages];
			uint4 b[4];
			typename F::RowScale x0[4], x1[4];
#pragma unroll
			for (int n = 0; n < 4; n++) {
				b[n] = s.b[n0 + n][lane];
				x0[n] = x.scale(n, 0, step), x1[n] = x.scale(n, 1, step);
			}
#pragma unroll
			for (int m = 0; m < 4; m++) {
				uint4 a[F::loads];
#pragma unroll
				for (int i = 0; i < F::loads; i++) a[i] = s.a[m0 + m][i][lane];
				const auto scales = used.scale(m, step);
#pragma unroll
				for (int n = 0; n < 4; n++) F::multiply(sum[m][n], a, b[n], scales, x0[n], x1[n]);
			}
			if constexpr (Sliced) {
				if (step + 1 == slice_end) {
#pragma unroll
					for (int i = 0; i < 64; i++) {
						float& y = sum[i / 16][i / 4 % 4][i % 4];
						float& z = total[i / 16][i / 4 % 4][i % 4];
						z = __fadd_rn(z, y);
						y = 0;
					}
					slice_end = min(slice_end + width, o.steps);
				}
			}
		}
		__syncthreads();  // the stages have been read: their memory is free
		float(*const results)[32] = reinterpret_cast<float(*)[16][32]>(ring)[warp];
#pragma unroll
		for (int m = 0; m < 4; m++) {
#pragma unroll
			for (int j = 0; j < 16; j++) results[j][lane] = Sliced ? total[Sliced ? m : 0][j / 4][j % 4] : __fadd_rn(0, sum[m][j / 4][j % 4]);
#pragma unroll 1
			for (int j = 0; j < 16; j++) store(to, base + n0 * 8, span.end, tile + m0 + m, j, lane, results[j][lane]);
		}
		__syncthreads();
	}
}

}  // namespace dp

// A block has 128 outputs (x), blocks of 128 rows in strides (y), an expert (z).
#define MANY(name, blocks, F, Sliced)                                                                      \
	KERNEL((256, blocks), name,                                                                            \
	       (float* dst, const uint4* x, const float* x_scales, const unsigned char* w, const float* bias,  \
	        const int* offsets, int rows, int out, int tiles, int steps, int columns, int slices)) {                    \
		dp::many<F, Sliced>({dst, bias, out}, {x, x_scales, w, tiles, steps, columns}, offsets, rows, slices); \
	}

MANY(linear_bf16_many, 2, dp::BF16, false)
MANY(linear_int8_many, 1, dp::Int8, false)
MANY(linear_int4_many, 1, dp::Int4, false)

MANY(linear_bf16_many_sliced, 1, dp::BF16, true)
MANY(linear_int8_many_sliced, 1, dp::Int8, true)
MANY(linear_int4_many_sliced, 1, dp::Int4, true)
