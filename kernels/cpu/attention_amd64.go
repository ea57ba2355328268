package cpu

//go:noescape
func scoresBF16AVX512(rows int, scores []float32, queries []uint32, n int, k0, k1 []uint32, ahead int)

//go:noescape
func weighBF16AVX512(rows int, out []float32, stride int, weights []uint32, values *[4][]uint32, p0, p1, from, to, ahead int, load bool)

//go:noescape
func roundBF16AVX512(dst []uint32, src []float32, scale float32)

//go:noescape
func softmaxBF16AVX512(scores []float32, sees []span, sums []partial)

//go:noescape
func widenAVX2(dst []float32, pairs []uint32)

//go:noescape
func pairInt8AVX2(dst, src []uint32)

//go:noescape
func pairInt8BF16AVX512(dst, src []uint32)
