// Compares the twins with plain loops over whole matrices, whose elements go to lanes and
// registers as the tables of the PTX ISA manual say (they are repeated in prelude.cuh).
#include "../run.h"

#include <cstdio>
#include <cstdlib>
#include <vector>

using namespace dp::host;

static void check(bool equal, const char* what, int i) {
	if (!equal) fprintf(stderr, "%s: element %d is wrong\n", what, i), exit(1);
}

static uint32_t bf16_of(float x) { return dp_bits<uint32_t>(x) >> 16; }

static void mma_bf16() {
	float A[16][16], B[16][8], D[16][8];
	for (auto& row : A) for (float& x : row) x = int(draw() % 31) - 15;
	for (auto& row : B) for (float& x : row) x = int(draw() % 31) - 15;
	for (auto& row : D) for (float& x : row) x = int(draw() % 999);
	std::vector<uint32_t> a(128), b(64);
	std::vector<float> d(128);
	for (int l = 0; l < 32; l++) {
		int g = l / 4, t = l % 4;
		auto pair = [](float low, float high) { return bf16_of(low) | bf16_of(high) << 16; };
		a[4 * l] = pair(A[g][2 * t], A[g][2 * t + 1]);
		a[4 * l + 1] = pair(A[g + 8][2 * t], A[g + 8][2 * t + 1]);
		a[4 * l + 2] = pair(A[g][2 * t + 8], A[g][2 * t + 9]);
		a[4 * l + 3] = pair(A[g + 8][2 * t + 8], A[g + 8][2 * t + 9]);
		b[2 * l] = pair(B[2 * t][g], B[2 * t + 1][g]);
		b[2 * l + 1] = pair(B[2 * t + 8][g], B[2 * t + 9][g]);
		for (int i = 0; i < 4; i++) d[4 * l + i] = D[g + i / 2 * 8][2 * t + i % 2];
	}
	launch("one_mma_bf16", 1, 32, 0, (const uint32_t*)a.data(), (const uint32_t*)b.data(), d.data());
	for (int l = 0; l < 32; l++)
		for (int i = 0; i < 4; i++) {
			int row = l / 4 + i / 2 * 8, column = l % 4 * 2 + i % 2;
			float want = D[row][column];
			for (int k = 0; k < 16; k++) want += A[row][k] * B[k][column];
			check(d[4 * l + i] == want, "mma_bf16", 4 * l + i);
		}
}

static void mma_s8() {
	int A[16][32], B[32][8];
	for (auto& row : A) for (int& x : row) x = int8_t(draw());
	for (auto& row : B) for (int& x : row) x = int8_t(draw());
	std::vector<uint32_t> a(128), b(64);
	std::vector<int32_t> d(128, -5);
	for (int l = 0; l < 32; l++) {
		int g = l / 4, t = l % 4;
		for (int j = 0; j < 4; j++) {
			auto byte = [j](int x) { return uint32_t(uint8_t(x)) << 8 * j; };
			a[4 * l] |= byte(A[g][4 * t + j]);
			a[4 * l + 1] |= byte(A[g + 8][4 * t + j]);
			a[4 * l + 2] |= byte(A[g][4 * t + 16 + j]);
			a[4 * l + 3] |= byte(A[g + 8][4 * t + 16 + j]);
			b[2 * l] |= byte(B[4 * t + j][g]);
			b[2 * l + 1] |= byte(B[4 * t + 16 + j][g]);
		}
	}
	launch("one_mma_s8", 1, 32, 0, (const uint32_t*)a.data(), (const uint32_t*)b.data(), d.data());
	for (int l = 0; l < 32; l++)
		for (int i = 0; i < 4; i++) {
			int row = l / 4 + i / 2 * 8, column = l % 4 * 2 + i % 2, want = -5;
			for (int k = 0; k < 32; k++) want += A[row][k] * B[k][column];
			check(d[4 * l + i] == want, "mma_s8", 4 * l + i);
		}
}

static void ldmatrix() {
	uint16_t M[4][8][8];
	memset(M, 0, sizeof M);
	for (auto& m : M) for (auto& row : m) for (auto& x : row) x = draw();
	std::vector<uint32_t> plain(128), transposed(128);
	launch("one_ldmatrix", 1, 32, 512, (const uint32_t*)&M, plain.data(), transposed.data());
	for (int l = 0; l < 32; l++)
		for (int i = 0; i < 4; i++) {
			int g = l / 4, t = l % 4;
			check(plain[4 * l + i] == (M[i][g][2 * t] | uint32_t(M[i][g][2 * t + 1]) << 16), "ldmatrix", 4 * l + i);
			check(transposed[4 * l + i] == (M[i][2 * t][g] | uint32_t(M[i][2 * t + 1][g]) << 16), "ldmatrix.trans", 4 * l + i);
		}
}

static void copies() {
	alignas(16) static uint32_t from[256];
	std::vector<uint32_t> to(256);
	for (auto& x : from) x = draw() | 1;
	launch("one_copy", 1, 64, 1024, (const uint32_t*)from, to.data());
	for (int i = 0; i < 256; i++) {
		int t = 63 - i / 4;
		check(to[i] == (t % 3 ? from[4 * t + i % 4] : 0), "cp.async", i);
	}
}

static void exchanges() {
	std::vector<int> out(256);
	launch("one_exchange", 1, 32, 0, out.data());
	uint32_t thirds = 0;
	for (int l = 0; l < 32; l += 3) thirds |= 1u << l;
	for (int l = 0; l < 32; l++) {
		int source = (l & ~7) + (l + 5) % 8;
		check(out[l] == source * source, "shfl", l);
		check(out[32 + l] == (l ^ 3), "shfl.xor", l);
		check(out[64 + l] == (l % 16 < 2 ? l : l - 2), "shfl.up", l);
		check(out[96 + l] == (l % 16 > 13 ? l : l + 2), "shfl.down", l);
		check(out[128 + l] == int(thirds), "ballot", l);
		check(out[160 + l] == (l < 16 ? l ^ 1 : 0), "shfl of half a warp", l);
		check(out[192 + l] == -9, "reduce_max", l);
		check(out[224 + l] == 7, "syncthreads_count", l);
	}
}

int main() {
	for (int s = 1; s <= 20; s++) {
		seed(s);
		mma_bf16(), mma_s8(), ldmatrix(), copies(), exchanges();
	}
	puts("ok");
}
