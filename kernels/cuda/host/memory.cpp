#include "memory.h"

#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

namespace dp::host {

namespace {

constexpr size_t page = 4096;
// Programs under ThreadSanitizer and AddressSanitizer may map these as well.
constexpr uintptr_t begin = 0x7e9000000000;
// More than this is not filled: a page costs memory when it is written.
constexpr size_t filled = size_t(256) << 20;

size_t pages(size_t bytes) { return (bytes + page - 1) & ~(page - 1); }
uintptr_t base(Allocation a) { return a.at & ~(page - 1); }
size_t span(Allocation a) { return pages(a.at + a.bytes - base(a)); }

}  // namespace

Memory::Memory() : total(size_t(4) << 30), next(begin) {
	if (const char* bytes = getenv("DEEPPRUNE_CUDA_MEMORY")) total = strtoull(bytes, nullptr, 10);
}

bool map(Allocation a) {
	void* at = mmap(reinterpret_cast<void*>(base(a)), span(a), PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (at != reinterpret_cast<void*>(base(a))) return false;
	if (span(a) <= filled) memset(at, 0xff, span(a));
	return true;
}

uintptr_t Memory::allocate(size_t bytes) {
	if (bytes > total - used) return 0;
	size_t whole = (bytes + 255) & ~size_t(255);
	Allocation a{next + pages(whole) - whole, bytes};
	if (!map(a)) return 0;
	next += pages(whole) + page;  // a page between two stays unmapped
	used += bytes;
	live[a.at] = bytes;
	return a.at;
}

bool Memory::release(uintptr_t at) {
	auto found = live.find(at);
	if (found == live.end()) return false;
	Allocation a{at, found->second};
	munmap(reinterpret_cast<void*>(base(a)), span(a));
	used -= a.bytes;
	live.erase(found);
	return true;
}

bool Memory::holds(uintptr_t at, size_t bytes) const {
	auto after = live.upper_bound(at);
	if (after == live.begin()) return false;
	auto a = std::prev(after);
	return at - a->first <= a->second && bytes <= a->second - (at - a->first);
}

}  // namespace dp::host
