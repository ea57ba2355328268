// Running one kernel of this program by its name, in tests:
//
//	dp::host::launch("sums", rows, 256, 0, x, y, n);
#pragma once
#include "block.h"

namespace dp::host {

template <typename... A>
void launch(const char* name, dim3 grid, dim3 block, size_t shared, A... arguments) {
	const Kernel* kernel = find(name);
	if (!kernel) fail({name, 0}, "no such kernel");
	if (kernel->parameters != sizeof...(A)) fail(kernel->site, "%d parameters, %d arguments", kernel->parameters, int(sizeof...(A)));
	int i = 0;
	bool same = true;
	((same = same && kernel->sizes[i++] == int(sizeof arguments)), ...);
	if (!same) fail(kernel->site, "an argument has not the size of its parameter");
	void* pointers[] = {&arguments..., nullptr};
	run({kernel, grid, block, shared, pointers});
}

}  // namespace dp::host
