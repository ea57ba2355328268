#include "../run.h"
#include <cstdio>
#include <vector>
int main() {
	const int rows = 300, n = 1000;
	std::vector<float> x(rows * n), y(rows);
	for (int i = 0; i < rows * n; i++) x[i] = i % 7;
	dp::host::launch("sums", rows, 256, 1024, (const float*)x.data(), y.data(), n);
	for (int r = 0; r < rows; r++) {
		float want = 0;
		for (int i = 0; i < n; i++) want += x[r * n + i];
		if (y[r] != want) return printf("row %d: %g; want %g\n", r, y[r], want), 1;
	}
	puts("ok");
}
