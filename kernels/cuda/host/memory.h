// The memory of the device that is not there.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>

namespace dp::host {

struct Allocation {
	uintptr_t at;
	size_t bytes;
};

// Memory gives out addresses that are the same in every run and never given again. An
// allocation begins on a multiple of 256, ends (to 255 bytes) where no memory is, and is
// filled with 0xff: NaN in every format.
class Memory {
public:
	Memory();
	uintptr_t allocate(size_t bytes);  // 0 where there is not enough
	bool release(uintptr_t at);
	bool holds(uintptr_t at, size_t bytes) const;  // lies in one allocation
	const std::map<uintptr_t, size_t>& allocations() const { return live; }
	size_t total, used = 0;

private:
	std::map<uintptr_t, size_t> live;
	uintptr_t next;
};

// map makes the allocation at its address.
bool map(Allocation a);

}  // namespace dp::host
