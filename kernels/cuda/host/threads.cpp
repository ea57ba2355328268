// The threads of a block as threads of the system, for sanitizers.
//
// This file and block.cpp are compiled without the sanitizer: what they do to hand
// numbers from lane to lane orders nothing in its eyes, as on the GPU, where a shuffle
// orders no memory. Barriers do, by publish and observe.
#include "block.h"

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

extern "C" void __tsan_acquire(void*) __attribute__((weak));
extern "C" void __tsan_release(void*) __attribute__((weak));

namespace dp::host {

thread_local Lane* current;

namespace {

const Launch* launched;
int made, running, remaining;
int words[max_threads + 2];  // futexes: of each thread, of the caller, of the lock

void sleep(int* word, int value) {
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value) syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void wake(int* word) {
	__atomic_store_n(word, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

int self() { return static_cast<Thread*>(current) - threads; }

void* body(void* at) {
	Thread* me = static_cast<Thread*>(at);
	int i = me - threads;
	for (;;) {
		sleep(&words[i], 0);
		words[i] = 0;
		current = me;
		observe(&launched);
		launched->kernel->call(launched->arguments);
		publish(&remaining);
		finish();
	}
}

}  // namespace

void run_threads(const Launch& launch) {
	launched = &launch;
	running = remaining = block_threads;
	publish(&launched);
	pthread_attr_t small;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 256 << 10);
	for (; made < block_threads; made++) {
		pthread_t thread;
		if (pthread_create(&thread, &small, body, &threads[made])) perror("pthread_create"), abort();
		pthread_detach(thread);
	}
	pthread_attr_destroy(&small);
	for (int i = 0; i < block_threads; i++) wake(&words[i]);
	sleep(&words[max_threads], 0);
	words[max_threads] = 0;
	observe(&remaining);
}

void suspend() {
	int i = self();
	if (--running == 0) stuck();
	unlock();
	sleep(&words[i], 0);
	words[i] = 0;
	lock();
}

void release(int warp, unsigned lanes) {
	for (; lanes; lanes &= lanes - 1) {
		running++;
		wake(&words[warp * 32 + __builtin_ctz(lanes)]);
	}
}

void finish() {
	lock();
	static_cast<Thread*>(current)->done = true;
	running--;
	if (--remaining == 0) wake(&words[max_threads]);
	else if (running == 0) stuck();
	unlock();
}

void lock() {
	int* word = &words[max_threads + 1];
	while (__atomic_exchange_n(word, 1, __ATOMIC_ACQUIRE)) syscall(SYS_sched_yield);
}
void unlock() { __atomic_store_n(&words[max_threads + 1], 0, __ATOMIC_RELEASE); }

void publish(void* at) {
	if (__tsan_release) __tsan_release(at);
}
void observe(void* at) {
	if (__tsan_acquire) __tsan_acquire(at);
}

}  // namespace dp::host
