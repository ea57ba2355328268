#include "trace.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <unistd.h>
#include <vector>

namespace dp::host {

namespace {

// A launch with more memory is not written, the first of a kernel apart.
constexpr size_t limit = size_t(8) << 20, first_limit = size_t(1) << 30;

template <typename T>
void put(void* file, const T& value) { fwrite(&value, sizeof value, 1, static_cast<FILE*>(file)); }

template <typename T>
T take(FILE* file) {
	T value{};
	if (fread(&value, sizeof value, 1, file) != 1) fputs("a trace is cut off\n", stderr), exit(2);
	return value;
}

// Of an allocation, what is not as it was filled is written, in pieces.
constexpr size_t piece = 4096;

bool untouched(const unsigned char* at, size_t bytes) {
	return bytes == 0 || (at[0] == 0xff && memcmp(at, at + 1, bytes - 1) == 0);
}

}  // namespace

uint64_t hash(const std::map<uintptr_t, size_t>& allocations) {
	uint64_t h = 14695981039346656037u;
	for (auto [at, bytes] : allocations)
		for (size_t i = 0; i < bytes; i++) h = (h ^ reinterpret_cast<const unsigned char*>(at)[i]) * 1099511628211u;
	return h;
}

bool Trace::before(const Launch& launch) {
	static const char* folder = getenv("DEEPPRUNE_CUDA_TRACE");
	if (!folder) return false;
	unsigned n = ++launches[launch.kernel];
	if (n & (n - 1) || memory.used > (n == 1 ? first_limit : limit)) return false;  // the first, second, fourth, eighth … of a kernel
	std::string path = folder + ("/" + std::string(launch.kernel->name)) + "-" + std::to_string(getpid()) + "-" + std::to_string(files++) + ".launch";
	file = fopen(path.c_str(), "wb");
	if (!file) return perror(path.c_str()), false;
	char name[128] = {};
	snprintf(name, sizeof name, "%s", launch.kernel->name);
	put(file, name);
	for (const dim3& d : {launch.grid, launch.block}) put(file, d.x), put(file, d.y), put(file, d.z);
	put(file, launch.shared);
	for (int i = 0; i < launch.kernel->parameters; i++) {
		uint64_t value = 0;
		memcpy(&value, launch.arguments[i], launch.kernel->sizes[i]);
		put(file, value);
	}
	put(file, memory.allocations().size());
	for (auto [at, bytes] : memory.allocations()) {
		put(file, at), put(file, bytes);
		for (size_t i = 0; i < bytes; i += piece) {
			auto from = reinterpret_cast<const unsigned char*>(at + i);
			size_t n = std::min(piece, bytes - i);
			if (untouched(from, n)) continue;
			put(file, i);
			fwrite(from, n, 1, static_cast<FILE*>(file));
		}
		put(file, bytes);
	}
	return true;
}

void Trace::after() {
	put(file, hash(memory.allocations()));
	fclose(static_cast<FILE*>(file));
}

bool replay(const char* path) {
	FILE* file = fopen(path, "rb");
	if (!file) return perror(path), false;
	auto name = take<std::array<char, 128>>(file);
	Launch launch{};
	launch.kernel = find(name.data());
	if (!launch.kernel) return fprintf(stderr, "%s: no kernel %s\n", path, name.data()), false;
	for (dim3* d : {&launch.grid, &launch.block}) d->x = take<unsigned>(file), d->y = take<unsigned>(file), d->z = take<unsigned>(file);
	launch.shared = take<size_t>(file);
	std::vector<uint64_t> values(launch.kernel->parameters);
	std::vector<void*> arguments;
	for (auto& v : values) v = take<uint64_t>(file), arguments.push_back(&v);
	launch.arguments = arguments.data();
	std::map<uintptr_t, size_t> allocations;
	for (auto n = take<size_t>(file); n > 0; n--) {
		auto at = take<uintptr_t>(file);
		auto bytes = allocations[at] = take<size_t>(file);
		if (!map({at, bytes})) return fprintf(stderr, "%s: no memory at %#zx\n", path, at), false;
		for (size_t i; (i = take<size_t>(file)) < bytes;)
			if (fread(reinterpret_cast<void*>(at + i), std::min(piece, bytes - i), 1, file) != 1) return fprintf(stderr, "%s: cut off\n", path), false;
	}
	run(launch);
	auto want = take<uint64_t>(file);
	fclose(file);
	if (hash(allocations) != want) return fprintf(stderr, "%s: kernel %s computed something else than in the trace\n", path, launch.kernel->name), false;
	return true;
}

}  // namespace dp::host
