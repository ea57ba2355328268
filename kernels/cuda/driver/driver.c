#include "driver.h"

// The context of this thread, made current when closed was as it is. A context that is
// opened anew may lie where one lay that has been closed.
static __thread CUcontext current;
static __thread unsigned current_closed;
static unsigned closed;

CUresult dp_enter(CUcontext c) {
	unsigned now = __atomic_load_n(&closed, __ATOMIC_RELAXED);
	if (c == current && now == current_closed) {
		return CUDA_SUCCESS;
	}
	CUresult r = cuCtxSetCurrent(c);
	if (r == CUDA_SUCCESS) {
		current = c;
		current_closed = now;
	}
	return r;
}

void dp_closed(void) { __atomic_add_fetch(&closed, 1, __ATOMIC_RELAXED); }

#define ENTER(c)                                \
	do {                                    \
		CUresult entered = dp_enter(c); \
		if (entered != CUDA_SUCCESS) {  \
			return entered;         \
		}                               \
	} while (0)

CUresult dp_launch(CUcontext c, CUstream s, CUfunction f, uint32_t gx, uint32_t gy, uint32_t gz, uint32_t bx, uint32_t by, uint32_t bz, uint32_t shared, dp_args *args) {
	void *pointers[DP_ARGS];
	for (uint32_t i = 0; i < args->n; i++) {
		pointers[i] = &args->values[i];
	}
	ENTER(c);
	return cuLaunchKernel(f, gx, gy, gz, bx, by, bz, shared, s, pointers, NULL);
}

CUresult dp_upload(CUcontext c, CUstream s, CUdeviceptr to, const void *from, size_t bytes) {
	ENTER(c);
	return cuMemcpyHtoDAsync(to, from, bytes, s);
}

CUresult dp_download(CUcontext c, CUstream s, void *to, CUdeviceptr from, size_t bytes) {
	ENTER(c);
	return cuMemcpyDtoHAsync(to, from, bytes, s);
}

CUresult dp_copy(CUcontext c, CUstream s, CUdeviceptr to, CUdeviceptr from, size_t bytes) {
	ENTER(c);
	return cuMemcpyDtoDAsync(to, from, bytes, s);
}

CUresult dp_zero(CUcontext c, CUstream s, CUdeviceptr at, size_t bytes) {
	ENTER(c);
	return cuMemsetD8Async(at, 0, bytes, s);
}

CUresult dp_sync(CUcontext c, CUstream s) {
	ENTER(c);
	return cuStreamSynchronize(s);
}

// Only what this thread does is watched for calls that may not be captured.
CUresult dp_begin_capture(CUcontext c, CUstream s) {
	ENTER(c);
	return cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
}

CUresult dp_end_capture(CUcontext c, CUstream s, CUgraphExec *exec) {
	CUgraph graph = NULL;
	ENTER(c);
	CUresult r = cuStreamEndCapture(s, &graph);
	if (r != CUDA_SUCCESS) {
		return r;
	}
	r = cuGraphInstantiateWithFlags(exec, graph, 0);
	cuGraphDestroy(graph);
	return r;
}

CUresult dp_run_graph(CUcontext c, CUstream s, CUgraphExec exec) {
	ENTER(c);
	return cuGraphLaunch(exec, s);
}

CUresult dp_destroy_graph(CUcontext c, CUgraphExec exec) {
	ENTER(c);
	return cuGraphExecDestroy(exec);
}

CUresult dp_pinned(CUcontext c, size_t bytes, void **at) {
	ENTER(c);
	return cuMemHostAlloc(at, bytes, CU_MEMHOSTALLOC_PORTABLE);
}

CUresult dp_free_pinned(CUcontext c, void *at) {
	ENTER(c);
	return cuMemFreeHost(at);
}

CUresult dp_event(CUcontext c, CUevent *e, int timed) {
	ENTER(c);
	return cuEventCreate(e, timed ? CU_EVENT_DEFAULT : CU_EVENT_DISABLE_TIMING);
}

CUresult dp_record(CUcontext c, CUstream s, CUevent e) {
	ENTER(c);
	return cuEventRecord(e, s);
}

CUresult dp_wait(CUcontext c, CUstream s, CUevent e) {
	ENTER(c);
	return cuStreamWaitEvent(s, e, 0);
}

CUresult dp_wait_here(CUcontext c, CUevent e) {
	ENTER(c);
	return cuEventSynchronize(e);
}

CUresult dp_elapsed(CUcontext c, CUevent from, CUevent to, float *ms) {
	ENTER(c);
	return cuEventElapsedTime(ms, from, to);
}
