// The exponential, of fixed bits: additions and products rounded for themselves or fused
// where it says so, whatever a compiler's options.
#pragma once
#include "prelude.cuh"

namespace dp {

constexpr float exp_low = -87.33654f, exp_high = 88.37626f;

// exp is e^x to a relative error of 2e-7 for x from exp_low to exp_high; outside it is the
// value at the nearer bound. It is NaN for NaN. The polynomial is that of Cephes' expf.
DP_DEVICE float exp(float x) {
	x = x < exp_low ? exp_low : x > exp_high ? exp_high : x;
	constexpr float magic = 12582912;  // 1.5 * 2^23: what is added to it is rounded to an integer
	float n = __fsub_rn(__fmaf_rn(x, 1.44269504f, magic), magic);
	float r = __fmaf_rn(n, -0.693359375f, x);
	r = __fmaf_rn(n, 2.12194440e-4f, r);
	float p = 1.9875691500e-4f;
	p = __fmaf_rn(p, r, 1.3981999507e-3f);
	p = __fmaf_rn(p, r, 8.3334519073e-3f);
	p = __fmaf_rn(p, r, 4.1665795894e-2f);
	p = __fmaf_rn(p, r, 1.6666665459e-1f);
	p = __fmaf_rn(p, r, 5.0000001201e-1f);
	p = __fmaf_rn(p, __fmul_rn(r, r), r);
	return __fmul_rn(__fadd_rn(p, 1), __uint_as_float(unsigned(int(n) + 127) << 23));
}

// exp is e^x to a relative error of 4e-16, 0 below -708 and +Inf above 709. It is NaN for NaN.
// The polynomial is the series, up to the 13th power.
DP_DEVICE double exp(double x) {
	if (x < -708) return 0;
	if (x > 709) return __longlong_as_double(0x7ff0000000000000ll);
	if (x != x) return x;
	constexpr double magic = 6755399441055744;  // 1.5 * 2^52
	double n = __dadd_rn(__fma_rn(x, 1.4426950408889634, magic), -magic);
	double r = __fma_rn(n, -6.93147180369123816490e-1, x);
	r = __fma_rn(n, -1.90821492927058770002e-10, r);
	double p = 1. / 6227020800;
	p = __fma_rn(p, r, 1. / 479001600);
	p = __fma_rn(p, r, 1. / 39916800);
	p = __fma_rn(p, r, 1. / 3628800);
	p = __fma_rn(p, r, 1. / 362880);
	p = __fma_rn(p, r, 1. / 40320);
	p = __fma_rn(p, r, 1. / 5040);
	p = __fma_rn(p, r, 1. / 720);
	p = __fma_rn(p, r, 1. / 120);
	p = __fma_rn(p, r, 1. / 24);
	p = __fma_rn(p, r, 1. / 6);
	p = __fma_rn(p, r, .5);
	p = __fma_rn(p, r, 1);
	p = __fma_rn(p, r, 1);
	return __dmul_rn(p, __longlong_as_double((long long)(int(n) + 1023) << 52));
}

}  // namespace dp
