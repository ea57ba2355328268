// The kernels of attention: for each format of keys and values, and for heads of up to 64, 128
// and 256.
#include "attention.cuh"

#define ATTEND(name, format, sixty_fours, blocks)                                                                        \
	KERNEL((128, blocks), name, (float* qkv, unsigned char* kv, long long page, long long block, int per_page,           \
	                             int head_bytes, float* outs, float2* sums, const dp::Header* headers, int round,        \
	                             const int* tables, unsigned* counter, int heads, int kv_heads, int dim, int window,     \
	                             float scale)) {                                                                         \
		const dp::Attention a{qkv, {kv, page, block, per_page, head_bytes}, {outs, sums}, tables, heads, kv_heads, dim,  \
		                      window, scale};                                                                            \
		dp::attend_all<dp::KVFormat::format, sixty_fours>(a, headers, round, counter);                                   \
	}

ATTEND(attend_bf16_64, bf16, 1, 3)
ATTEND(attend_bf16_128, bf16, 2, 2)
ATTEND(attend_bf16_256, bf16, 4, 2)
ATTEND(attend_int8_64, int8, 1, 3)
ATTEND(attend_int8_128, int8, 2, 2)
ATTEND(attend_int8_256, int8, 4, 2)
ATTEND(attend_f32_64, f32, 1, 3)
ATTEND(attend_f32_128, f32, 2, 2)
ATTEND(attend_f32_256, f32, 4, 2)
