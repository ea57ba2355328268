// Gated activations of a feed-forward layer: a thread for each element, bound by memory.
// A block has 256 columns (y) of a row (x); rows are g and then u.
#include "exponential.cuh"

// swiglu: dst = silu(g) · u.
KERNEL((256), swiglu, (float* dst, const float* gate_up, int cols)) {
	const int i = blockIdx.y * 256 + threadIdx.x;
	if (i >= cols) return;
	const float* const row = gate_up + (size_t)blockIdx.x * 2 * cols;
	const float g = row[i], silu = __fdiv_rn(g, __fadd_rn(1, dp::exp(-g)));
	dst[(size_t)blockIdx.x * cols + i] = __fmul_rn(silu, row[cols + i]);
}

// clamped_swiglu: dst = g·sigmoid(alpha·g) · (u+1), g at most limit, u within ±limit.
KERNEL((256), clamped_swiglu, (float* dst, const float* gate_up, int cols, float alpha, float limit)) {
	const int i = blockIdx.y * 256 + threadIdx.x;
	if (i >= cols) return;
	const float* const row = gate_up + (size_t)blockIdx.x * 2 * cols;
	float g = row[i], u = row[cols + i];
	g = g > limit ? limit : g;
	u = u > limit ? limit : u < -limit ? -limit : u;
	const float gate = __fdiv_rn(g, __fadd_rn(1, dp::exp(__fmul_rn(-alpha, g))));
	dst[(size_t)blockIdx.x * cols + i] = __fmul_rn(gate, __fadd_rn(u, 1));
}
