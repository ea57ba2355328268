// The threads of a block as fibers of one thread of the system: a thread runs until it
// waits; which runs next is drawn, in the same warp seven times of eight.
#include "block.h"

#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>

#if !defined(__x86_64__)
#error "fibers are written for x86-64"
#endif

namespace dp::host {

Lane* current;

namespace {

constexpr size_t stack_bytes = 256 << 10, page = 4096;
void* stacks[max_threads + 1];  // the stack pointers of suspended fibers; the last is the caller's
const Launch* launched;
unsigned ready[max_threads / 32];
unsigned ready_warps;
int remaining, warp_at;

// dp_switch keeps the registers that a call keeps, and goes on where another stack was left.
extern "C" void dp_switch(void** from, void* to);
__asm__(
    ".text\n.p2align 4\n.type dp_switch, @function\ndp_switch:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp, (%rdi)\nmovq %rsi, %rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n");

void go(int from, int to) {
	current = to < max_threads ? &threads[to] : nullptr;
	if (from != to) dp_switch(&stacks[from], stacks[to]);
}

int self() { return static_cast<Thread*>(current) - threads; }

int choose(unsigned among, unsigned by) {
	unsigned turned = among >> by | among << (-by & 31);
	return (__builtin_ctz(turned) + by) & 31;
}

int next() {
	if (ready_warps == 0) stuck();
	uint64_t random = draw();
	if (!ready[warp_at] || (random & 7) == 0) warp_at = choose(ready_warps, random >> 3 & 31);
	int lane = choose(ready[warp_at], random >> 8 & 31);
	ready[warp_at] &= ~(1u << lane);
	if (!ready[warp_at]) ready_warps &= ~(1u << warp_at);
	return warp_at * 32 + lane;
}

// body is where a fiber begins; the next block finds it in finish.
void body() {
	for (;;) {
		launched->kernel->call(launched->arguments);
		finish();
	}
}

void make(int i) {
	static unsigned char* memory = [] {
		void* at = mmap(nullptr, max_threads * stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (at == MAP_FAILED) perror("stacks of threads"), abort();
		return static_cast<unsigned char*>(at);
	}();
	unsigned char* low = memory + i * stack_bytes;
	mprotect(low, page, PROT_NONE);
	// Stacks begin on different lines of the cache.
	void** top = reinterpret_cast<void**>(low + stack_bytes - 64 - i % 61 * 64);
	*--top = nullptr;
	*--top = reinterpret_cast<void*>(body);
	for (int r = 0; r < 6; r++) *--top = nullptr;
	stacks[i] = top;
}

}  // namespace

void run_threads(const Launch& launch) {
	launched = &launch;
	remaining = block_threads;
	ready_warps = 0;
	for (int i = 0; i < block_threads; i++)
		if (!stacks[i]) make(i);
	for (int w = 0; w * 32 < block_threads; w++) release(w, block_threads - w * 32 >= 32 ? ~0u : (1u << (block_threads - w * 32)) - 1);
	go(max_threads, next());
}

void suspend() { go(self(), next()); }

void release(int warp, unsigned lanes) {
	if (!lanes) return;
	ready[warp] |= lanes;
	ready_warps |= 1u << warp;
}

void finish() {
	static_cast<Thread*>(current)->done = true;
	if (--remaining == 0) go(self(), max_threads);
	else go(self(), next());
}

void lock() {}
void unlock() {}
void publish(void*) {}
void observe(void*) {}

}  // namespace dp::host
