// What the driver must refuse, defer and tell; linked with it and with failures.cu.
#include <cuda.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

static void want(CUresult got, CUresult wanted, int line) {
	if (got != wanted) fprintf(stderr, "line %d: CUDA error %d; want %d\n", line, got, wanted), exit(1);
}
#define WANT(call, code) want(call, code, __LINE__)
#define OK(call) want(call, CUDA_SUCCESS, __LINE__)
#define CHECK(condition) if (!(condition)) fprintf(stderr, "line %d: %s is false\n", __LINE__, #condition), exit(1)

static CUmodule module;
static CUstream a, b;

static CUresult run(const char* name, unsigned grid, unsigned block, unsigned shared, CUdeviceptr p, CUstream s) {
	CUfunction f;
	OK(cuModuleGetFunction(&f, module, name));
	void* arguments[] = {&p};
	return cuLaunchKernel(f, grid, 1, 1, block, 1, 1, shared, s, arguments, nullptr);
}

// dies checks that f ends the process and says a text.
template <typename F>
static void dies(const char* text, F f) {
	int out[2];
	if (pipe(out) != 0) exit(2);
	pid_t child = fork();
	if (child == 0) {
		dup2(out[1], 2);
		f();
		_exit(0);
	}
	close(out[1]);
	std::string said;
	char part[4096];
	for (ssize_t n; (n = read(out[0], part, sizeof part)) > 0;) said.append(part, n);
	close(out[0]);
	int status;
	waitpid(child, &status, 0);
	if (!WIFSIGNALED(status) || said.find(text) == std::string::npos) fprintf(stderr, "status %d, said: %s\nwant: %s\n", status, said.c_str(), text), exit(1);
}

int main() {
	setenv("DEEPPRUNE_CUDA_SEED", "5", 1);
	setenv("DEEPPRUNE_CUDA_MEMORY", "1000000", 1);
	OK(cuInit(0));
	CUcontext context;
	OK(cuDevicePrimaryCtxRetain(&context, 0));
	OK(cuCtxSetCurrent(context));
	OK(cuModuleLoadData(&module, "any"));
	CUfunction f;
	WANT(cuModuleGetFunction(&f, module, "no such kernel"), CUDA_ERROR_NOT_FOUND);
	OK(cuStreamCreate(&a, CU_STREAM_NON_BLOCKING));
	OK(cuStreamCreate(&b, CU_STREAM_NON_BLOCKING));

	// Memory: new memory is NaN, and there is no more than there is.
	CUdeviceptr p, q;
	WANT(cuMemAlloc(&q, 1000001), CUDA_ERROR_OUT_OF_MEMORY);
	OK(cuMemAlloc(&p, 1024));
	unsigned word;
	OK(cuMemcpyDtoH(&word, p + 1020, 4));
	CHECK(word == 0xffffffff);
	WANT(cuMemcpyDtoH(&word, p + 1021, 4), CUDA_ERROR_INVALID_VALUE);

	// Launches that the device refuses.
	WANT(run("add_one", 0, 32, 0, p, a), CUDA_ERROR_INVALID_VALUE);
	WANT(run("add_one", 1, 1025, 0, p, a), CUDA_ERROR_INVALID_VALUE);
	WANT(run("add_one", 1, 512, 0, p, a), CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
	WANT(run("add_one", 1, 32, 50000, p, a), CUDA_ERROR_INVALID_VALUE);
	OK(cuModuleGetFunction(&f, module, "add_one"));
	WANT(cuFuncSetAttribute(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 228 << 10), CUDA_ERROR_INVALID_VALUE);
	OK(cuFuncSetAttribute(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 50000));

	// Pinned memory is read when the copy happens, other memory in the call.
	unsigned* pinned;
	OK(cuMemHostAlloc((void**)&pinned, 4, 0));
	*pinned = 1;
	OK(cuMemcpyHtoDAsync(p, pinned, 4, a));
	*pinned = 2;
	OK(cuStreamSynchronize(a));
	OK(cuMemcpyDtoH(&word, p, 4));
	CHECK(word == 2);
	word = 10;
	OK(cuMemcpyHtoDAsync(p, &word, 4, a));
	word = 11;
	OK(cuStreamSynchronize(a));
	OK(cuMemcpyDtoH(&word, p, 4));
	CHECK(word == 10);

	// A stream waits for another by an event, and not without.
	CUevent e;
	OK(cuEventCreate(&e, 0));
	OK(run("add_one", 1, 32, 50000, p, a));
	OK(cuEventRecord(e, a));
	WANT(cuEventQuery(e), CUDA_ERROR_NOT_READY);
	OK(cuStreamWaitEvent(b, e, 0));
	OK(run("add_one", 1, 32, 0, p, b));
	OK(cuStreamSynchronize(b));
	OK(cuMemcpyDtoH(&word, p, 4));
	CHECK(word == 12);

	// A graph runs what was captured with the memory of now.
	CUgraph graph;
	CUgraphExec exec;
	OK(cuStreamBeginCapture(a, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
	OK(cuMemcpyHtoDAsync(p, pinned, 4, a));
	OK(run("add_one", 1, 32, 0, p, a));
	std::thread([&] { WANT(cuStreamEndCapture(a, &graph), CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD); }).join();
	OK(cuStreamEndCapture(a, &graph));
	OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
	OK(cuGraphDestroy(graph));
	for (unsigned i = 100; i < 103; i++) {
		*pinned = i;
		OK(cuGraphLaunch(exec, a));
		OK(cuStreamSynchronize(a));
		OK(cuMemcpyDtoH(&word, p, 4));
		CHECK(word == i + 1);
	}
	OK(cuStreamBeginCapture(a, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
	WANT(cuMemAlloc(&q, 4), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
	WANT(cuStreamEndCapture(a, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);

	// Mistakes of kernels.
	auto alone = [&](const char* name, CUdeviceptr at) {
		OK(run(name, 1, 64, 0, at, a));
		OK(cuStreamSynchronize(a));
	};
	dies("kernel add_one", [&] { alone("add_one", p + 1024); });
	dies("no allocation's", [&] { alone("read_shared_beyond", p); });
	OK(cuMemFree(p));
	dies("no allocation's", [&] { alone("add_one", p); });
	dies("at a barrier of the block", [&] { alone("leave_before_barrier", 0); });
	dies("wait for others", [&] { alone("shuffle_without_half", 0); });
	dies("not among the lanes", [&] { alone("shuffle_from_outside", 0); });
	puts("ok");
}
