#include "textflag.h"

// Vectors' lengths are multiples of 16 here, of 8 in rotateAVX2.

// EIGHT defines a constant of eight equal numbers, given twice over in 8 bytes.
#define EIGHT(name, pair) \
	DATA name<>+0(SB)/8, $pair; \
	DATA name<>+8(SB)/8, $pair; \
	DATA name<>+16(SB)/8, $pair; \
	DATA name<>+24(SB)/8, $pair; \
	GLOBL name<>(SB), RODATA|NOPTR, $32

// The constants of exp in vector.go.
EIGHT(low, 0xc2aea8f6c2aea8f6)
EIGHT(high, 0x42b0bd7142b0bd71)
EIGHT(log2e, 0x3fb8aa3b3fb8aa3b)
EIGHT(ln2High, 0x3f3180003f318000)
EIGHT(ln2Low, 0xb95e8083b95e8083)
EIGHT(exp0, 0x3950696739506967)
EIGHT(exp1, 0x3ab743ce3ab743ce)
EIGHT(exp2, 0x3c0889083c088908)
EIGHT(exp3, 0x3d2aa9c13d2aa9c1)
EIGHT(exp4, 0x3e2aaaaa3e2aaaaa)
EIGHT(exp5, 0x3f0000003f000000)
EIGHT(one, 0x3f8000003f800000)
EIGHT(bias, 0x0000007f0000007f)
EIGHT(sign, 0x8000000080000000)
EIGHT(minusInf, 0xff800000ff800000)

// EXP computes y = exp(x) for x within the bounds of exp; x, n and s are lost.
//
//	n = round(x/ln 2);  r = x - n ln 2;  y = (1 + r + r² p(r)) 2ⁿ
#define EXP(x, y, n, s) \
	VMULPS       log2e<>(SB), x, n; \
	VROUNDPS     $8, n, n; \
	VFNMADD231PS ln2High<>(SB), n, x; \
	VFNMADD231PS ln2Low<>(SB), n, x; \
	VMOVUPS      exp0<>(SB), y; \
	VFMADD213PS  exp1<>(SB), x, y; \
	VFMADD213PS  exp2<>(SB), x, y; \
	VFMADD213PS  exp3<>(SB), x, y; \
	VFMADD213PS  exp4<>(SB), x, y; \
	VFMADD213PS  exp5<>(SB), x, y; \
	VMULPS       x, x, s; \
	VFMADD213PS  x, s, y; \
	VADDPS       one<>(SB), y, y; \
	VCVTPS2DQ    n, n; \
	VPADDD       bias<>(SB), n, n; \
	VPSLLD       $23, n, n; \
	VMULPS       n, y, y

// SUM adds the lanes of Y0 and Y1 up into X0.
#define SUM \
	VADDPS       Y1, Y0, Y0; \
	VEXTRACTF128 $1, Y0, X1; \
	VADDPS       X1, X0, X0; \
	VMOVHLPS     X0, X0, X1; \
	VADDPS       X1, X0, X0; \
	VMOVSHDUP    X0, X1; \
	VADDSS       X1, X0, X0

// func sumSquaresAVX2(x []float32) float32
TEXT ·sumSquaresAVX2(SB), NOSPLIT, $0-28
	MOVQ   x_base+0(FP), SI
	MOVQ   x_len+8(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1

loop:
	VMOVUPS     (SI), Y2
	VMOVUPS     32(SI), Y3
	VFMADD231PS Y2, Y2, Y0
	VFMADD231PS Y3, Y3, Y1
	ADDQ        $64, SI
	SUBQ        $16, CX
	JNZ         loop
	SUM
	VMOVSS      X0, ret+24(FP)
	VZEROUPPER
	RET

// func addSumSquaresAVX2(acc, x []float32) float32
TEXT ·addSumSquaresAVX2(SB), NOSPLIT, $0-52
	MOVQ   acc_base+0(FP), DI
	MOVQ   x_base+24(FP), SI
	MOVQ   x_len+32(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1

loop:
	VMOVUPS     (SI), Y2
	VMOVUPS     32(SI), Y3
	VADDPS      (DI), Y2, Y2
	VADDPS      32(DI), Y3, Y3
	VMOVUPS     Y2, (DI)
	VMOVUPS     Y3, 32(DI)
	VFMADD231PS Y2, Y2, Y0
	VFMADD231PS Y3, Y3, Y1
	ADDQ        $64, SI
	ADDQ        $64, DI
	SUBQ        $16, CX
	JNZ         loop
	SUM
	VMOVSS      X0, ret+48(FP)
	VZEROUPPER
	RET

// func scaleMulAVX2(dst, x, w []float32, s float32)
TEXT ·scaleMulAVX2(SB), NOSPLIT, $0-76
	MOVQ         dst_base+0(FP), DI
	MOVQ         x_base+24(FP), SI
	MOVQ         x_len+32(FP), CX
	MOVQ         w_base+48(FP), DX
	VBROADCASTSS s+72(FP), Y0

loop:
	VMULPS  (SI), Y0, Y1
	VMULPS  32(SI), Y0, Y2
	VMULPS  (DX), Y1, Y1
	VMULPS  32(DX), Y2, Y2
	VMOVUPS Y1, (DI)
	VMOVUPS Y2, 32(DI)
	ADDQ    $64, SI
	ADDQ    $64, DX
	ADDQ    $64, DI
	SUBQ    $16, CX
	JNZ     loop
	VZEROUPPER
	RET

// func axpyAVX2(dst, x []float32, a float32)
TEXT ·axpyAVX2(SB), NOSPLIT, $0-52
	MOVQ         dst_base+0(FP), DI
	MOVQ         x_base+24(FP), SI
	MOVQ         x_len+32(FP), CX
	VBROADCASTSS a+48(FP), Y0

loop:
	VMOVUPS     (DI), Y1
	VMOVUPS     32(DI), Y2
	VFMADD231PS (SI), Y0, Y1
	VFMADD231PS 32(SI), Y0, Y2
	VMOVUPS     Y1, (DI)
	VMOVUPS     Y2, 32(DI)
	ADDQ        $64, SI
	ADDQ        $64, DI
	SUBQ        $16, CX
	JNZ         loop
	VZEROUPPER
	RET

// func rotateAVX2(x, cos, sin []float32)
TEXT ·rotateAVX2(SB), NOSPLIT, $0-72
	MOVQ x_base+0(FP), DI
	MOVQ cos_base+24(FP), SI
	MOVQ cos_len+32(FP), CX
	MOVQ sin_base+48(FP), DX
	LEAQ (DI)(CX*4), R8 // the upper half

loop:
	VMOVUPS     (DI), Y0
	VMOVUPS     (R8), Y1
	VMOVUPS     (SI), Y2
	VMOVUPS     (DX), Y3
	VMULPS      Y3, Y1, Y4
	VMULPS      Y3, Y0, Y5
	VFMSUB213PS Y4, Y2, Y0
	VFMADD213PS Y5, Y2, Y1
	VMOVUPS     Y0, (DI)
	VMOVUPS     Y1, (R8)
	ADDQ        $32, DI
	ADDQ        $32, R8
	ADDQ        $32, SI
	ADDQ        $32, DX
	SUBQ        $8, CX
	JNZ         loop
	VZEROUPPER
	RET

// BOUND brings x within the bounds of exp; Y14 and Y15 hold them. A NaN stays,
// since MAXPS and MINPS return their last operand, in Go's order the first.
#define BOUND(x) \
	VMAXPS x, Y14, x; \
	VMINPS x, Y15, x

// func swigluAVX2(dst, g, u []float32)
TEXT ·swigluAVX2(SB), NOSPLIT, $0-72
	MOVQ    dst_base+0(FP), DI
	MOVQ    g_base+24(FP), SI
	MOVQ    g_len+32(FP), CX
	MOVQ    u_base+48(FP), DX
	VMOVUPS low<>(SB), Y14
	VMOVUPS high<>(SB), Y15
	VMOVUPS sign<>(SB), Y13
	VMOVUPS one<>(SB), Y12

loop:
	VMOVUPS (SI), Y8
	VMOVUPS 32(SI), Y9
	VXORPS  Y13, Y8, Y0
	VXORPS  Y13, Y9, Y4
	BOUND(Y0)
	BOUND(Y4)
	EXP(Y0, Y1, Y2, Y3)
	EXP(Y4, Y5, Y6, Y7)
	VADDPS  Y12, Y1, Y1
	VADDPS  Y12, Y5, Y5
	VDIVPS  Y1, Y8, Y8
	VDIVPS  Y5, Y9, Y9
	VMULPS  (DX), Y8, Y8
	VMULPS  32(DX), Y9, Y9
	VMOVUPS Y8, (DI)
	VMOVUPS Y9, 32(DI)
	ADDQ    $64, SI
	ADDQ    $64, DX
	ADDQ    $64, DI
	SUBQ    $16, CX
	JNZ     loop
	VZEROUPPER
	RET

// func maximumAVX2(x []float32) float32
//
// A NaN in x loses against the accumulator, as in BOUND.
TEXT ·maximumAVX2(SB), NOSPLIT, $0-28
	MOVQ    x_base+0(FP), SI
	MOVQ    x_len+8(FP), CX
	VMOVUPS minusInf<>(SB), Y0
	VMOVAPS Y0, Y1

loop:
	VMOVUPS (SI), Y2
	VMOVUPS 32(SI), Y3
	VMAXPS  Y0, Y2, Y0
	VMAXPS  Y1, Y3, Y1
	ADDQ    $64, SI
	SUBQ    $16, CX
	JNZ     loop

	VMAXPS       Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VMAXPS       X1, X0, X0
	VMOVHLPS     X0, X0, X1
	VMAXPS       X1, X0, X0
	VMOVSHDUP    X0, X1
	VMAXSS       X1, X0, X0
	VMOVSS       X0, ret+24(FP)
	VZEROUPPER
	RET

// func expSumAVX2(dst, x []float32, shift, scale float32) float32
TEXT ·expSumAVX2(SB), NOSPLIT, $0-60
	MOVQ         dst_base+0(FP), DI
	MOVQ         x_base+24(FP), SI
	MOVQ         x_len+32(FP), CX
	VBROADCASTSS shift+48(FP), Y12
	VBROADCASTSS scale+52(FP), Y13
	VMOVUPS      low<>(SB), Y14
	VMOVUPS      high<>(SB), Y15
	VXORPS       Y10, Y10, Y10
	VXORPS       Y11, Y11, Y11

loop:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y4
	VSUBPS  Y12, Y0, Y0
	VSUBPS  Y12, Y4, Y4
	VMULPS  Y13, Y0, Y0
	VMULPS  Y13, Y4, Y4
	VCMPPS  $0x1d, Y14, Y0, Y8 // x >= low; false for NaN
	VCMPPS  $0x1d, Y14, Y4, Y9
	BOUND(Y0)
	BOUND(Y4)
	EXP(Y0, Y1, Y2, Y3)
	EXP(Y4, Y5, Y6, Y7)
	VANDPS  Y8, Y1, Y1
	VANDPS  Y9, Y5, Y5
	VMOVUPS Y1, (DI)
	VMOVUPS Y5, 32(DI)
	VADDPS  Y1, Y10, Y10
	VADDPS  Y5, Y11, Y11
	ADDQ    $64, SI
	ADDQ    $64, DI
	SUBQ    $16, CX
	JNZ     loop
	VMOVAPS Y10, Y0
	VMOVAPS Y11, Y1
	SUM
	VMOVSS  X0, ret+56(FP)
	VZEROUPPER
	RET

// func widenAVX2(dst []float32, pairs []uint32)
TEXT ·widenAVX2(SB), NOSPLIT, $0-48
	MOVQ    dst_base+0(FP), DI
	MOVQ    pairs_base+24(FP), SI
	MOVQ    pairs_len+32(FP), CX
	SHRQ    $4, CX
	JZ      widened

widen:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VPSLLD  $16, Y0, Y2
	VPSLLD  $16, Y1, Y3
	VPSRLD  $16, Y0, Y0
	VPSRLD  $16, Y1, Y1
	VPSLLD  $16, Y0, Y0
	VPSLLD  $16, Y1, Y1
	VMOVDQU Y2, (DI)
	VMOVDQU Y3, 32(DI)
	VMOVDQU Y0, 64(DI)
	VMOVDQU Y1, 96(DI)
	ADDQ    $64, SI
	ADDQ    $128, DI
	DECQ    CX
	JNZ     widen

widened:
	VZEROUPPER
	RET

// func pairInt8AVX2(dst, src []uint32)
TEXT ·pairInt8AVX2(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ src_base+24(FP), SI
	MOVQ src_len+32(FP), CX
	SHRQ $2, CX
	JZ   paired

pair:
	VPMOVZXWD (SI), Y0
	VPSLLD    $24, Y0, Y1
	VPSLLD    $16, Y0, Y2
	VPSRAD    $24, Y1, Y1
	VPSRAD    $24, Y2, Y2
	VCVTDQ2PS Y1, Y1
	VCVTDQ2PS Y2, Y2
	VPSRLD    $16, Y1, Y1 // the low halves are 0
	VPOR      Y1, Y2, Y2
	VMOVDQU   Y2, (DI)
	ADDQ      $16, SI
	ADDQ      $32, DI
	DECQ      CX
	JNZ       pair

paired:
	VZEROUPPER
	RET
