// Running a grid of blocks, for the driver and for tests.
#pragma once
#include "shim.h"

namespace dp::host {

constexpr int max_threads = 1024;
constexpr size_t max_shared = 227 << 10;

struct Launch {
	const Kernel* kernel;
	dim3 grid, block;
	size_t shared;     // bytes of dynamic shared memory
	void** arguments;  // a pointer to each
};

// run runs the blocks of a grid, one after the other, in an order that the seed makes.
void run(const Launch& launch);

// find returns the kernel of a name, or null.
const Kernel* find(const char* name);

// seed sets the order of threads and blocks.
void seed(uint64_t seed);

// draw gives random bits, for the thread that runs launches.
uint64_t draw();

// Between the scheduler (fibers.cpp or threads.cpp) and block.cpp.

struct Thread : Lane {
	Kind kind;      // of the exchange that it waits in
	Vote vote;      // of the barrier
	unsigned mask;  // of the exchange
	Site site;      // where it waits
	bool waits, at_barrier, done;
	int predicate;  // of the barrier
	Copy copies[512];
	uint16_t group[512];  // of a copy
	int pending, groups, due;
};

struct Warp {
	unsigned waiting;  // lanes in an exchange
	unsigned done;
	Thread* threads;   // 32
	uint32_t in[32][10], out[32][4];
};

extern Thread threads[max_threads];
extern Warp warps[max_threads / 32];
extern int block_threads;

// exchange_all makes every lane's out of their in.
void exchange_all(Kind kind, Warp& warp, unsigned mask, Site site);

// run_threads runs the kernel in all threads of the block whose state is set.
void run_threads(const Launch& launch);

// suspend waits until release of this thread; both with the scheduler's lock held.
void suspend();
void release(int warp, unsigned lanes);
void lock();
void unlock();
void publish(void* at);  // what was done before is seen after observe
void observe(void* at);

// finish says that the running thread has returned from the kernel.
void finish();

// stuck tells where the threads wait for one another, and ends the program.
[[noreturn]] void stuck();

}  // namespace dp::host
