// Stands before the toolkit's cuda.h in a build with -tags cuda, and in that of the
// driver without a GPU.
//
// gorgonia.org/cu is written for CUDA 12 and older. CUDA 13 gives five names that it
// uses other arguments; drivers keep the old functions, so these are declared here.
#ifndef DEEPPRUNE_CUDA_H
#define DEEPPRUNE_CUDA_H
#include_next <cuda.h>

#ifdef __cplusplus
extern "C" {
#endif
#if CUDA_VERSION >= 13000
#undef cuCtxCreate
#define cuCtxCreate cuCtxCreate_v2
CUresult CUDAAPI cuCtxCreate_v2(CUcontext *context, unsigned int flags, CUdevice device);

#undef cuMemAdvise
CUresult CUDAAPI cuMemAdvise(CUdeviceptr at, size_t bytes, CUmem_advise advice, CUdevice device);

#undef cuMemPrefetchAsync
CUresult CUDAAPI cuMemPrefetchAsync(CUdeviceptr at, size_t bytes, CUdevice device, CUstream stream);

#undef cuGraphAddDependencies
CUresult CUDAAPI cuGraphAddDependencies(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, size_t n);

#undef cuGraphGetEdges
CUresult CUDAAPI cuGraphGetEdges(CUgraph graph, CUgraphNode *from, CUgraphNode *to, size_t *n);

#ifdef cuEventElapsedTime
#undef cuEventElapsedTime
CUresult CUDAAPI cuEventElapsedTime(float *ms, CUevent from, CUevent to);
#endif
#endif
#ifdef __cplusplus
}
#endif

#endif
