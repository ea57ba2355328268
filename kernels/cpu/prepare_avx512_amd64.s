#include "textflag.h"

// The rows of x as products read them: twins of those in quantize.go.

// func prepareBF16AVX512(dst []uint32, x []float32)
//
// The length of x is a multiple of 16, not 0.
TEXT ·prepareBF16AVX512(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ x_base+24(FP), SI
	MOVQ x_len+32(FP), CX

loop:
	VMOVUPS (SI), Z0
	BYTE $0x62; BYTE $0xf2; BYTE $0x7e; BYTE $0x48; BYTE $0x72; BYTE $0xc0 // VCVTNEPS2BF16 Z0, Y0
	VMOVDQU Y0, (DI)
	ADDQ $64, SI
	ADDQ $32, DI
	SUBQ $16, CX
	JNZ  loop
	VZEROUPPER
	RET

DATA most127<>+0(SB)/4, $0x42fe0000 // 127
GLOBL most127<>(SB), RODATA|NOPTR, $4

// REDUCE leaves op of the lanes of Z4 in R8.
#define REDUCE(op) \
	VEXTRACTI64X4 $1, Z4, Y5; \
	op            Y5, Y4, Y4; \
	VEXTRACTI128  $1, Y4, X5; \
	op            X5, X4, X4; \
	VPSHUFD       $0x4e, X4, X5; \
	op            X5, X4, X4; \
	VPSHUFD       $0xb1, X4, X5; \
	op            X5, X4, X4; \
	VMOVD         X4, R8

// SCALE takes the largest absolute value's bits from R8. It writes the scale to
// at(DI) and 127 divided by the largest into all of Z6, or jumps to none.
#define SCALE(at, none) \
	VMOVD        R8, X5; \
	VDIVSS       X7, X5, X6; \
	LEAL         -0x0d800000(R8), R9; \
	CMPL         R9, $0x72000000; \
	JAE          none; \
	VMOVSS       X6, at(DI); \
	VDIVSS       X5, X7, X6; \
	VBROADCASTSS X6, Z6

// NONE writes the scale of a group of nothing or of what is no number: 0 for the
// former.
#define NONE(at, done) \
	CMPL   R8, $0x7f800000; \
	JAE    done; \
	VXORPS X6, X6, X6; \
done: \
	VMOVSS X6, at(DI)

// ROUND turns the floats of a register into bytes at(DI).
#define ROUND(z, x, at) \
	VMULPS    Z6, z, z; \
	VCVTPS2DQ z, z; \
	VPMOVSDB  z, x; \
	VMOVDQU   x, at(DI)

// func prepareInt8AVX512(dst []uint32, x []float32)
//
// The length of x is a multiple of 64, not 0.
TEXT ·prepareInt8AVX512(SB), NOSPLIT, $0-48
	MOVQ         dst_base+0(FP), DI
	MOVQ         x_base+24(FP), SI
	MOVQ         x_len+32(FP), CX
	VMOVSS       most127<>(SB), X7
	MOVL         $0x7fffffff, R8
	VPBROADCASTD R8, Z8

loop:
	VMOVUPS (SI), Z0
	VMOVUPS 64(SI), Z1
	VMOVUPS 128(SI), Z2
	VMOVUPS 192(SI), Z3
	VPANDD  Z0, Z8, Z4
	VPANDD  Z1, Z8, Z5
	VPMAXUD Z5, Z4, Z4
	VPANDD  Z2, Z8, Z5
	VPMAXUD Z5, Z4, Z4
	VPANDD  Z3, Z8, Z5
	VPMAXUD Z5, Z4, Z4
	REDUCE(VPMAXUD)
	SCALE(64, none)
	ROUND(Z0, X9, 0)
	ROUND(Z1, X10, 16)
	ROUND(Z2, X11, 32)
	ROUND(Z3, X12, 48)
	VPADDD  Z0, Z1, Z4
	VPADDD  Z2, Z3, Z5
	VPADDD  Z4, Z5, Z4
	REDUCE(VPADDD)
	SHLL    $7, R8
	NEGL    R8
	MOVL    R8, 68(DI)

next:
	ADDQ $256, SI
	ADDQ $72, DI
	SUBQ $64, CX
	JNZ  loop
	VZEROUPPER
	RET

none:
	NONE(64, bad)
	VPXORD    Z0, Z0, Z0
	VMOVDQU32 Z0, (DI)
	MOVL      $0, 68(DI)
	JMP       next

// func prepareInt4AVX512(dst []uint32, x []float32)
//
// The length of x is a multiple of 32, not 0.
TEXT ·prepareInt4AVX512(SB), NOSPLIT, $0-48
	MOVQ         dst_base+0(FP), DI
	MOVQ         x_base+24(FP), SI
	MOVQ         x_len+32(FP), CX
	VMOVSS       most127<>(SB), X7
	MOVL         $0x7fffffff, R8
	VPBROADCASTD R8, Z8

loop:
	VMOVUPS (SI), Z0
	VMOVUPS 64(SI), Z1
	VPANDD  Z0, Z8, Z4
	VPANDD  Z1, Z8, Z5
	VPMAXUD Z5, Z4, Z4
	REDUCE(VPMAXUD)
	SCALE(32, none)
	ROUND(Z0, X9, 0)
	ROUND(Z1, X10, 16)
	VPADDD  Z0, Z1, Z4
	REDUCE(VPADDD)
	SHLL    $3, R8
	NEGL    R8
	MOVL    R8, 36(DI)

next:
	ADDQ $128, SI
	ADDQ $40, DI
	SUBQ $32, CX
	JNZ  loop
	VZEROUPPER
	RET

none:
	NONE(32, bad)
	VPXORD  Y0, Y0, Y0
	VMOVDQU Y0, (DI)
	MOVL    $0, 36(DI)
	JMP     next
