// A static libcuda.a that stands between the program and the driver's library, which
// is loaded when a device is opened: without a driver the program runs all the same.
//
// Each function of symbols.inc jumps through a slot. Until deepprune_cuda_load has
// found the driver, and for a function that the driver lacks, a slot leads to a
// function that returns CUDA_ERROR_STUB_LIBRARY. cuInit alone is a function of ours:
// gorgonia.org/cu calls it when the program starts, and ends the program on failure.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

enum { success = 0, stub_library = 34 };

static int unavailable(void) { return stub_library; }

#define SYMBOL(name) void *deepprune_slot_##name = (void *)unavailable;
#include "symbols.inc"
#undef SYMBOL

#if defined(__x86_64__)
#define JUMP(name) "jmp *deepprune_slot_" #name "(%rip)\n"
#elif defined(__aarch64__)
#define JUMP(name)                              \
	"adrp x16, deepprune_slot_" #name "\n"  \
	"ldr x16, [x16, :lo12:deepprune_slot_" #name "]\n" \
	"br x16\n"
#else
#error "no jump for this processor"
#endif
#define SYMBOL(name)                   \
	__asm__(".text\n.p2align 4\n"  \
	        ".globl " #name "\n"   \
	        ".type " #name ", %function\n" #name ":\n" JUMP(name));
#include "symbols.inc"
#undef SYMBOL

int cuInit(unsigned int flags) {
	(void)flags;
	return success;
}

// deepprune_cuda_load loads the driver, once, and returns what its cuInit does;
// *why is the reason if there is none to load. It is not for several threads at once.
int deepprune_cuda_load(const char **why) {
	static int result = -1;
	static const char *reason = "";
	if (result < 0) {
		const char *path = getenv("DEEPPRUNE_LIBCUDA");
		void *library = dlopen(path && *path ? path : "libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
		int (*init)(unsigned int) = NULL;
		if (library) {
			init = (int (*)(unsigned int))dlsym(library, "cuInit");
		}
		if (!init) {
			const char *error = dlerror();
			reason = error ? error : "it has no cuInit";
			result = stub_library;
		} else {
#define SYMBOL(name)                                               \
	{                                                          \
		void *symbol = dlsym(library, #name);              \
		if (symbol) {                                      \
			deepprune_slot_##name = symbol;            \
		}                                                  \
	}
#include "symbols.inc"
#undef SYMBOL
			result = init(0);
		}
	}
	*why = reason;
	return result;
}
