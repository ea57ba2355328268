// Streams, events and graphs: queues of operations that run when something waits.
#pragma once
#include <cuda.h>

#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "block.h"
#include "memory.h"
#include "trace.h"

namespace dp::host {

struct Stream;

// Event counts how often it was recorded, and how many of these records have been reached.
struct Event {
	uint64_t recorded = 0, reached = 0;
	double seconds = 0;
	bool timed = true;
	Stream* by = nullptr;
};

struct Function {
	const Kernel* kernel;
	int shared_limit = 48 << 10;
};

struct Operation {
	enum { launch, copy, fill8, fill32, record, wait } kind;
	const Kernel* kernel;
	dim3 grid, block;
	size_t shared;
	std::vector<uint64_t> arguments;
	uintptr_t to, from;
	size_t bytes;
	unsigned value;
	std::shared_ptr<std::vector<unsigned char>> data;  // what a copy has instead of from
	Event* event;
	uint64_t ticket;
};

struct Graph {
	std::vector<Operation> operations;
};

struct Stream {
	std::deque<Operation> queue;
	bool blocking;
	std::unique_ptr<Graph> capture;
	bool invalid;  // what it captures
	std::thread::id capturing = {};  // the thread that ends it; none: any
};

}  // namespace dp::host
