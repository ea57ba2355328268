// What driver.go calls in C: each function makes the context the thread's own first,
// since a goroutine's thread changes.
#ifndef DEEPPRUNE_DRIVER_H
#define DEEPPRUNE_DRIVER_H

#include <cuda.h>
#include <stdint.h>

enum { DP_ARGS = 32 };

// dp_args is the arguments of a kernel.
typedef struct {
	uint64_t values[DP_ARGS];
	uint32_t n;
} dp_args;

CUresult dp_enter(CUcontext c);
void dp_closed(void); // a context was
CUresult dp_launch(CUcontext c, CUstream s, CUfunction f, uint32_t gx, uint32_t gy, uint32_t gz, uint32_t bx, uint32_t by, uint32_t bz, uint32_t shared, dp_args *args);
CUresult dp_upload(CUcontext c, CUstream s, CUdeviceptr to, const void *from, size_t bytes);
CUresult dp_download(CUcontext c, CUstream s, void *to, CUdeviceptr from, size_t bytes);
CUresult dp_copy(CUcontext c, CUstream s, CUdeviceptr to, CUdeviceptr from, size_t bytes);
CUresult dp_zero(CUcontext c, CUstream s, CUdeviceptr at, size_t bytes);
CUresult dp_sync(CUcontext c, CUstream s);
CUresult dp_begin_capture(CUcontext c, CUstream s);
CUresult dp_end_capture(CUcontext c, CUstream s, CUgraphExec *exec);
CUresult dp_run_graph(CUcontext c, CUstream s, CUgraphExec exec);
CUresult dp_destroy_graph(CUcontext c, CUgraphExec exec);
CUresult dp_pinned(CUcontext c, size_t bytes, void **at);
CUresult dp_free_pinned(CUcontext c, void *at);
CUresult dp_event(CUcontext c, CUevent *e, int timed);
CUresult dp_record(CUcontext c, CUstream s, CUevent e);
CUresult dp_wait(CUcontext c, CUstream s, CUevent e);
CUresult dp_wait_here(CUcontext c, CUevent e);
CUresult dp_elapsed(CUcontext c, CUevent from, CUevent to, float *ms);

// deepprune_cuda_load is in stub/libcuda.c.
int deepprune_cuda_load(const char **why);

#endif
