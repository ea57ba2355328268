// What the lanes of a warp make together: shuffles, votes and the tensor instructions,
// by the tables of the PTX ISA manual.
#include "block.h"

namespace dp::host {

namespace {

float bf16_float(uint32_t bits) { return __uint_as_float(bits << 16); }

// The element of a row of A at column k lies in register 2·(k ≥ half) + (row ≥ 8) of
// lane 4·(row % 8) + k % half / each; that of B of column n in register k ≥ half of lane
// 4n + k % half / each; each is 2 elements of 16 bits or 4 of 8.
template <int depth, typename T, typename Element>
void multiply(Warp& w, Element element) {
	constexpr int half = depth / 2, each = half / 4, bits = 32 / each;
	T a[16][depth], b[depth][8];
	for (int k = 0; k < depth; k++) {
		int t = k % half / each, high = k >= half, shift = k % each * bits;
		for (int row = 0; row < 16; row++) a[row][k] = element(w.in[row % 8 * 4 + t][2 * high + row / 8] >> shift);
		for (int n = 0; n < 8; n++) b[k][n] = element(w.in[4 * n + t][4 + high] >> shift);
	}
	for (int row = 0; row < 16; row++) {
		T d[8];
		for (int n = 0; n < 8; n++) d[n] = dp_bits<T>(w.in[row % 8 * 4 + n / 2][6 + row / 8 * 2 + n % 2]);
		for (int k = 0; k < depth; k++)
			for (int n = 0; n < 8; n++) {
				if constexpr (std::is_same_v<T, float>) d[n] = __builtin_fmaf(a[row][k], b[k][n], d[n]);
				else d[n] += a[row][k] * b[k][n];
			}
		for (int n = 0; n < 8; n++) w.out[row % 8 * 4 + n / 2][row / 8 * 2 + n % 2] = dp_bits<uint32_t>(d[n]);
	}
}

// Row r of matrix i is what lane 8i + r has read.
void matrices(Warp& w, bool transposed) {
	for (int lane = 0; lane < 32; lane++)
		for (int i = 0; i < 4; i++) {
			int g = lane / 4, t = lane % 4;
			auto at = [&](int row, int column) { return w.in[8 * i + row][column / 2] >> column % 2 * 16 & 0xffff; };
			w.out[lane][i] = transposed ? at(2 * t, g) | at(2 * t + 1, g) << 16 : at(g, 2 * t) | at(g, 2 * t + 1) << 16;
		}
}

}  // namespace

void exchange_all(Kind kind, Warp& w, unsigned mask, Site site) {
	auto lanes = [mask](auto f) {
		for (unsigned rest = mask; rest; rest &= rest - 1) f(__builtin_ctz(rest));
	};
	auto fold = [&](uint32_t start, auto f) {
		lanes([&](int i) { start = f(start, w.in[i][0]); });
		lanes([&](int i) { w.out[i][0] = start; });
	};
	switch (kind) {
	case Kind::sync:
		break;
	case Kind::shuffle:
		lanes([&](int i) {
			unsigned source = w.in[i][0];
			if (!(mask >> source & 1)) fail(site, "lane %d reads lane %u, which is not among the lanes %#x", i, source, mask);
			w.out[i][0] = w.in[source][1];
			w.out[i][1] = w.in[source][2];
		});
		break;
	case Kind::ballot: {
		uint32_t ballot = 0;
		lanes([&](int i) { ballot |= w.in[i][0] << i; });
		lanes([&](int i) { w.out[i][0] = ballot; });
		break;
	}
	case Kind::match:
		lanes([&](int i) {
			uint32_t equal = 0;
			lanes([&](int j) { equal |= uint32_t(w.in[i][0] == w.in[j][0]) << j; });
			w.out[i][0] = equal;
		});
		break;
	case Kind::reduce_add:
		fold(0, [](uint32_t a, uint32_t b) { return a + b; });
		break;
	case Kind::reduce_min:
		fold(~0u, [](uint32_t a, uint32_t b) { return a < b ? a : b; });
		break;
	case Kind::reduce_max:
		fold(0, [](uint32_t a, uint32_t b) { return a < b ? b : a; });
		break;
	case Kind::mma_bf16:
		multiply<16, float>(w, bf16_float);
		break;
	case Kind::mma_s8:
		multiply<32, int32_t>(w, [](uint32_t bits) { return int32_t(int8_t(bits)); });
		break;
	case Kind::matrix:
	case Kind::matrix_trans:
		matrices(w, kind == Kind::matrix_trans);
		break;
	}
}

}  // namespace dp::host
