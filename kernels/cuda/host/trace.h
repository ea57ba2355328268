// Launches written to files, to be run again by a program of a sanitizer's.
#pragma once
#include "block.h"
#include "memory.h"

namespace dp::host {

// Trace writes a launch and all memory to the folder DEEPPRUNE_CUDA_TRACE: of each kernel
// the first launch, the second, the fourth and so on. after adds the memory's hash.
class Trace {
public:
	explicit Trace(const Memory& memory) : memory(memory) {}
	bool before(const Launch& launch);
	void after();

private:
	const Memory& memory;
	std::map<const Kernel*, unsigned> launches;
	void* file = nullptr;
	int files = 0;
};

// hash is of the contents of all allocations.
uint64_t hash(const std::map<uintptr_t, size_t>& allocations);

// replay reads a file of a Trace, runs the launch, and compares the memory.
bool replay(const char* path);

}  // namespace dp::host
