#include "textflag.h"

// The softmax of AVX-512 takes a row of 64 scores in four registers: see
// set.softmax. Scores of keys that are not seen become -Inf as they are loaded.

DATA lane<>+0(SB)/8, $0x0000000100000000
DATA lane<>+8(SB)/8, $0x0000000300000002
DATA lane<>+16(SB)/8, $0x0000000500000004
DATA lane<>+24(SB)/8, $0x0000000700000006
DATA lane<>+32(SB)/8, $0x0000000900000008
DATA lane<>+40(SB)/8, $0x0000000b0000000a
DATA lane<>+48(SB)/8, $0x0000000d0000000c
DATA lane<>+56(SB)/8, $0x0000000f0000000e
GLOBL lane<>(SB), RODATA|NOPTR, $64

// The constants of exp in vector.go, one after another.
DATA exp<>+0(SB)/4, $0xc2aea8f6  // low
DATA exp<>+4(SB)/4, $0x3fb8aa3b  // log2e
DATA exp<>+8(SB)/4, $0x3f318000  // ln2High
DATA exp<>+12(SB)/4, $0xb95e8083 // ln2Low
DATA exp<>+16(SB)/4, $0x39506967 // exp0
DATA exp<>+20(SB)/4, $0x3ab743ce
DATA exp<>+24(SB)/4, $0x3c088908
DATA exp<>+28(SB)/4, $0x3d2aa9c1
DATA exp<>+32(SB)/4, $0x3e2aaaaa
DATA exp<>+36(SB)/4, $0x3f000000 // exp5
DATA exp<>+40(SB)/4, $0x3f800000 // 1
DATA exp<>+44(SB)/4, $0xff800000 // -Inf
DATA exp<>+48(SB)/4, $16
GLOBL exp<>(SB), RODATA|NOPTR, $52

// EXP512 is exp of x into y, where mask holds; 0 elsewhere. n and s are lost.
#define EXP512(x, y, n, s, mask) \
	VMULPS       Z17, x, n; \
	VRNDSCALEPS  $0, n, n; \
	VFNMADD231PS Z18, n, x; \
	VFNMADD231PS Z19, n, x; \
	VMOVAPS      Z20, y; \
	VFMADD213PS  Z21, x, y; \
	VFMADD213PS  Z22, x, y; \
	VFMADD213PS  Z23, x, y; \
	VFMADD213PS  Z24, x, y; \
	VFMADD213PS  Z25, x, y; \
	VMULPS       x, x, s; \
	VFMADD213PS  x, s, y; \
	VADDPS       Z26, y, y; \
	VSCALEFPS.Z  n, y, mask, y

// CONSTANTS loads them.
#define CONSTANTS \
	VBROADCASTSS exp<>+0(SB), Z16; \
	VBROADCASTSS exp<>+4(SB), Z17; \
	VBROADCASTSS exp<>+8(SB), Z18; \
	VBROADCASTSS exp<>+12(SB), Z19; \
	VBROADCASTSS exp<>+16(SB), Z20; \
	VBROADCASTSS exp<>+20(SB), Z21; \
	VBROADCASTSS exp<>+24(SB), Z22; \
	VBROADCASTSS exp<>+28(SB), Z23; \
	VBROADCASTSS exp<>+32(SB), Z24; \
	VBROADCASTSS exp<>+36(SB), Z25; \
	VBROADCASTSS exp<>+40(SB), Z26; \
	VBROADCASTSS exp<>+44(SB), Z27; \
	VPBROADCASTD exp<>+48(SB), Z15; \
	VMOVDQU32    lane<>(SB), Z28; \
	VPADDD       Z15, Z28, Z29; \
	VPADDD       Z15, Z29, Z30; \
	VPADDD       Z15, Z30, Z31

// WEIGHTS computes exp(score - max) of the row at DI into Z4 to Z7, and stores
// max at DX. SI points to what the row sees. A NaN loses: MAXPS returns its last
// operand, in Go's order the first. The last comparisons are x >= low, which is
// false for NaN.
#define WEIGHTS \
	VPBROADCASTD  (SI), Z5; \
	VPBROADCASTD  4(SI), Z0; \
	VPCMPD        $1, Z0, Z28, K1; /* lane < to */ \
	VPCMPD        $1, Z0, Z29, K2; \
	VPCMPD        $1, Z0, Z30, K3; \
	VPCMPD        $1, Z0, Z31, K4; \
	VPCMPD        $5, Z5, Z28, K1, K1; /* lane >= from */ \
	VPCMPD        $5, Z5, Z29, K2, K2; \
	VPCMPD        $5, Z5, Z30, K3, K3; \
	VPCMPD        $5, Z5, Z31, K4, K4; \
	VBLENDMPS     (DI), Z27, K1, Z0; \
	VBLENDMPS     64(DI), Z27, K2, Z1; \
	VBLENDMPS     128(DI), Z27, K3, Z2; \
	VBLENDMPS     192(DI), Z27, K4, Z3; \
	VMAXPS        Z27, Z0, Z4; \
	VMAXPS        Z27, Z1, Z5; \
	VMAXPS        Z4, Z2, Z4; \
	VMAXPS        Z5, Z3, Z5; \
	VMAXPS        Z5, Z4, Z4; \
	VEXTRACTF64X4 $1, Z4, Y5; \
	VMAXPS        Y5, Y4, Y4; \
	VEXTRACTF128  $1, Y4, X5; \
	VMAXPS        X5, X4, X4; \
	VMOVHLPS      X4, X4, X5; \
	VMAXPS        X5, X4, X4; \
	VMOVSHDUP     X4, X5; \
	VMAXSS        X5, X4, X4; \
	VMOVSS        X4, (DX); \
	VBROADCASTSS  X4, Z4; \
	VSUBPS        Z4, Z0, Z0; \
	VSUBPS        Z4, Z1, Z1; \
	VSUBPS        Z4, Z2, Z2; \
	VSUBPS        Z4, Z3, Z3; \
	VCMPPS        $0x1d, Z16, Z0, K1; \
	VCMPPS        $0x1d, Z16, Z1, K2; \
	VCMPPS        $0x1d, Z16, Z2, K3; \
	VCMPPS        $0x1d, Z16, Z3, K4; \
	EXP512(Z0, Z4, Z8, Z12, K1); \
	EXP512(Z1, Z5, Z9, Z13, K2); \
	EXP512(Z2, Z6, Z10, Z14, K3); \
	EXP512(Z3, Z7, Z11, Z15, K4)

// SUM stores the sum of Z4 to Z7 behind max.
#define SUM \
	VADDPS        Z5, Z4, Z4; \
	VADDPS        Z7, Z6, Z6; \
	VADDPS        Z6, Z4, Z4; \
	VEXTRACTF64X4 $1, Z4, Y5; \
	VADDPS        Y5, Y4, Y4; \
	VEXTRACTF128  $1, Y4, X5; \
	VADDPS        X5, X4, X4; \
	VMOVHLPS      X4, X4, X5; \
	VADDPS        X5, X4, X4; \
	VMOVSHDUP     X4, X5; \
	VADDSS        X5, X4, X4; \
	VMOVSS        X4, 4(DX)

// func softmaxAVX512(scores []float32, sees []span, sums []partial)
TEXT ·softmaxAVX512(SB), NOSPLIT, $0-72
	MOVQ  scores_base+0(FP), DI
	MOVQ  sees_base+24(FP), SI
	MOVQ  sees_len+32(FP), CX
	MOVQ  sums_base+48(FP), DX
	TESTQ CX, CX
	JZ    done
	CONSTANTS

row:
	WEIGHTS
	VMOVUPS Z4, (DI)
	VMOVUPS Z5, 64(DI)
	VMOVUPS Z6, 128(DI)
	VMOVUPS Z7, 192(DI)
	SUM
	ADDQ    $256, DI
	ADDQ    $8, SI
	ADDQ    $8, DX
	DECQ    CX
	JNZ     row

done:
	VZEROUPPER
	RET

// func softmaxBF16AVX512(scores []float32, sees []span, sums []partial)
TEXT ·softmaxBF16AVX512(SB), NOSPLIT, $0-72
	MOVQ  scores_base+0(FP), DI
	MOVQ  sees_base+24(FP), SI
	MOVQ  sees_len+32(FP), CX
	MOVQ  sums_base+48(FP), DX
	TESTQ CX, CX
	JZ    done
	CONSTANTS

row:
	WEIGHTS
	LONG      $0x48577262; WORD $0xc472 // VCVTNE2PS2BF16 Z4, Z5, Z8
	LONG      $0x48477262; WORD $0xce72 // VCVTNE2PS2BF16 Z6, Z7, Z9
	VMOVDQU32 Z8, (DI)
	VMOVDQU32 Z9, 64(DI)

	// The sum is that of the rounded weights.
	VPSLLD $16, Z8, Z4
	VPSRLD $16, Z8, Z5
	VPSLLD $16, Z5, Z5
	VPSLLD $16, Z9, Z6
	VPSRLD $16, Z9, Z7
	VPSLLD $16, Z7, Z7
	SUM
	ADDQ   $256, DI
	ADDQ   $8, SI
	ADDQ   $8, DX
	DECQ   CX
	JNZ    row

done:
	VZEROUPPER
	RET
