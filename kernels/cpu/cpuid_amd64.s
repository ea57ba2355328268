#include "textflag.h"

// func pause(n int)
TEXT ·pause(SB), NOSPLIT, $0-8
	MOVQ n+0(FP), CX
loop:
	PAUSE
	DECQ CX
	JNZ  loop
	RET

// func cpuBrand(name *[48]byte)
TEXT ·cpuBrand(SB), NOSPLIT, $0-8
	MOVQ name+0(FP), DI
	MOVL $0x80000000, AX
	CPUID
	CMPL AX, $0x80000004
	JB   none
	MOVL $0x80000002, R8

next:
	MOVL R8, AX
	CPUID
	MOVL AX, (DI)
	MOVL BX, 4(DI)
	MOVL CX, 8(DI)
	MOVL DX, 12(DI)
	ADDQ $16, DI
	INCL R8
	CMPL R8, $0x80000005
	JB   next

none:
	RET
