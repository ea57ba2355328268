// What threads of a block do together, whichever way they are scheduled.
#include "block.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>

namespace dp::host {

uint3 block_index;
dim3 block_shape, grid_shape;
unsigned char* dynamic_shared;
Thread threads[max_threads];
Warp warps[max_threads / 32];
int block_threads;

namespace {

const Kernel* running;
uint64_t random_state = 1;
int arrived, finished;
int result;

// A number of the driver's threads as lanes of a barrier.
void describe(FILE* to) {
	if (!running) return;
	fprintf(to, "kernel %s (%s:%d), block (%u, %u, %u) of (%u, %u, %u)", running->name, running->site.file, running->site.line, block_index.x,
	        block_index.y, block_index.z, grid_shape.x, grid_shape.y, grid_shape.z);
	if (current) fprintf(to, ", thread (%u, %u, %u)", current->thread.x, current->thread.y, current->thread.z);
	fprintf(to, " of (%u, %u, %u)\n", block_shape.x, block_shape.y, block_shape.z);
}

// The dynamic shared memory ends where no memory is.
unsigned char* shared_end() {
	static unsigned char* end = [] {
		size_t bytes = (max_shared + 4095) & ~size_t(4095);
		auto* at = static_cast<unsigned char*>(mmap(nullptr, bytes + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		mprotect(at + bytes, 4096, PROT_NONE);
		return at + bytes;
	}();
	return end;
}

}  // namespace

void seed(uint64_t seed) { random_state = seed * 0x9e3779b97f4a7c15u | 1; }

uint64_t draw() {
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

void fail(Site site, const char* format, ...) {
	fprintf(stderr, "%s:%d: ", site.file, site.line);
	va_list arguments;
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs("\n\tin ", stderr);
	describe(stderr);
	abort();
}

void describe_fault() { describe(stderr); }

void stuck() {
	fputs("threads of a block wait for others that never come:\n", stderr);
	int told = 0, returned = 0;
	Site last{};
	for (int i = 0; i < block_threads; i++) {
		const Thread& t = threads[i];
		if (t.done) {
			returned++;
			continue;
		}
		if (!t.waits || (t.site.line == last.line && t.site.file == last.file) || told == 32) continue;
		last = t.site;
		told++;
		fprintf(stderr, "\t%s:%d: thread %d", t.site.file, t.site.line, i);
		if (t.at_barrier) fputs(" and others at a barrier of the block\n", stderr);
		else fprintf(stderr, " and others in an operation of the warp's lanes %#x\n", t.mask);
	}
	fprintf(stderr, "\t%d of %d threads have returned\n\tin ", returned, block_threads);
	current = nullptr;
	describe(stderr);
	abort();
}

extern "C" const Kernel* const __start_dp_kernels[] __attribute__((weak, visibility("hidden")));
extern "C" const Kernel* const __stop_dp_kernels[] __attribute__((weak, visibility("hidden")));

const Kernel* find(const char* name) {
	for (auto k = __start_dp_kernels; k != __stop_dp_kernels; k++)
		if (strcmp((*k)->name, name) == 0) return *k;
	return nullptr;
}

void run(const Launch& launch) {
	static_assert(sizeof(Thread) < 32768);
	running = launch.kernel;
	grid_shape = launch.grid;
	block_shape = launch.block;
	block_threads = launch.block.x * launch.block.y * launch.block.z;
	size_t shared = (launch.shared + 127) & ~size_t(127);
	dynamic_shared = shared_end() - shared;
	uint64_t blocks = uint64_t(launch.grid.x) * launch.grid.y * launch.grid.z;
	// Blocks run in the order of a random step that visits them all.
	uint64_t step = blocks > 1 ? draw() % blocks : 0, at = blocks > 1 ? draw() % blocks : 0;
	auto divides = [](uint64_t a, uint64_t b) {
		while (b) a %= b, std::swap(a, b);
		return a != 1;
	};
	if (blocks > 1)
		while (step == 0 || divides(blocks, step)) step = (step + 1) % blocks;
	for (uint64_t i = 0; i < blocks; i++, at = (at + step) % blocks) {
		block_index = {unsigned(at % launch.grid.x), unsigned(at / launch.grid.x % launch.grid.y), unsigned(at / launch.grid.x / launch.grid.y)};
		memset(dynamic_shared, 0xff, shared);  // NaN
		arrived = finished = 0;
		for (int t = 0; t < block_threads; t++) {
			Thread& thread = threads[t];
			Warp& warp = warps[t / 32];
			thread.thread = {t % launch.block.x, t / launch.block.x % launch.block.y, t / launch.block.x / launch.block.y};
			thread.lane = t % 32;
			thread.warp = &warp;
			thread.in = warp.in[thread.lane];
			thread.out = warp.out[thread.lane];
			thread.waits = thread.at_barrier = thread.done = false;
			thread.pending = thread.groups = 0;
			warp.threads = threads + t / 32 * 32;
			warp.waiting = warp.done = 0;
		}
		run_threads(launch);
	}
	current = nullptr;
	running = nullptr;
}

void exchange(Kind kind, unsigned mask, Site site) {
	Thread& me = *static_cast<Thread*>(current);
	Warp& warp = *me.warp;
	unsigned self = 1u << me.lane;
	if (!(mask & self)) fail(site, "lane %u calls for lanes %#x", me.lane, mask);
	if (kind == Kind::sync) publish(&warp);
	lock();
	me.kind = kind;
	me.mask = mask;
	me.site = site;
	warp.waiting |= self;
	if ((warp.waiting & mask) == mask) {
		for (unsigned rest = mask; rest; rest &= rest - 1) {
			const Thread& other = warp.threads[__builtin_ctz(rest)];
			if (other.mask != mask || other.kind != kind)
				fail(site, "lane %u is in another operation of lanes %#x, at %s:%d", other.lane, other.mask, other.site.file, other.site.line);
		}
		exchange_all(kind, warp, mask, site);
		warp.waiting &= ~mask;
		release(me.warp - warps, mask & ~self);
	} else {
		me.waits = true;
		suspend();
	}
	unlock();
	if (kind == Kind::sync) observe(&warp);
}

int barrier(Vote vote, int predicate, Site site) {
	Thread& me = *static_cast<Thread*>(current);
	publish(&arrived);
	lock();
	me.vote = vote;
	me.predicate = predicate;
	me.site = site;
	me.at_barrier = true;
	if (++arrived == block_threads) {
		int count = 0;
		for (int t = 0; t < block_threads; t++) {
			if (threads[t].vote != vote) fail(site, "thread %d is at another barrier, %s:%d", t, threads[t].site.file, threads[t].site.line);
			threads[t].at_barrier = false;
			count += threads[t].predicate != 0;
		}
		result = vote == Vote::any ? count > 0 : vote == Vote::all ? count == block_threads : count;
		arrived = 0;
		for (int w = 0; w * 32 < block_threads; w++) {
			unsigned lanes = block_threads - w * 32 >= 32 ? ~0u : (1u << (block_threads - w * 32)) - 1;
			release(w, &warps[w] == me.warp ? lanes & ~(1u << me.lane) : lanes);
		}
	} else {
		me.waits = true;
		suspend();
	}
	int r = result;
	unlock();
	observe(&arrived);
	return r;
}

bool begin_copy(const Copy& copy, Site site) {
	Thread& me = *static_cast<Thread*>(current);
	if (uintptr_t(copy.to) % 16 != 0) fail(site, "cp.async: shared address %p is no multiple of 16", copy.to);
	if (uintptr_t(copy.from) % 16 != 0) fail(site, "cp.async: global address %p is no multiple of 16", copy.from);
	me.site = site;
	uint64_t h = (uintptr_t(copy.to) + uintptr_t(copy.from) + random_state) * 0x9e3779b97f4a7c15u;
	if (h >> 63) return true;
	if (me.pending == 512) fail(site, "more than 512 copies under way");
	me.copies[me.pending] = copy;
	me.group[me.pending++] = me.groups;
	return false;
}

void commit_copies() { static_cast<Thread*>(current)->groups++; }

// The copies stay in place until the next is begun: they are shifted out before that.
const Copy* due_copies(int groups, int* count) {
	static thread_local Copy due[512];
	Thread& me = *static_cast<Thread*>(current);
	int n = 0;
	while (n < me.pending && me.group[n] < me.groups - groups) n++;
	memcpy(due, me.copies, n * sizeof *due);
	memmove(me.copies, me.copies + n, (me.pending - n) * sizeof *me.copies);
	memmove(me.group, me.group + n, (me.pending - n) * sizeof *me.group);
	me.pending -= n;
	*count = n;
	return due;
}

}  // namespace dp::host
