// How keys and values lie in a KV block, which holds 16 tokens: layer by layer the KV heads,
// for each its keys and then its values. They lie as attention's products want them, so that a
// warp reads a tile of 16 by 16 with one load of each lane, side by side, into the registers
// where mma.sync has its first factor: tile after tile along the head, each lane's elements
// one after another (see prelude.cuh: lane 4g+t, registers a[0] … a[3], lower halves first).
//
//	BF16  keys    [dim / 16] A[key][dim]       512 bytes, 16 of a lane
//	      values  [dim / 16] A[dim][key]
//	Int8  the same of bytes, 8 of a lane; 16 scales in float32 follow the keys, and 16 the values
//	F32   keys    [dim / 4][16 keys][4 dims]
//	      values  [4][dim][4 keys]
#pragma once
#include "prelude.cuh"

namespace dp {

enum class KVFormat { f32, bf16, int8 };

// KVLayer is where the blocks' keys and values of a layer are.
struct KVLayer {
	unsigned char* at;      // of the layer in block 0
	long long page, block;  // bytes from page to page, from block to block in one
	int per_page;           // blocks
	int head;               // bytes from head to head: half of them are keys

	// offset is that of a block from at.
	DP_DEVICE long long offset(int id) const {
		const unsigned n = id, page_index = n / unsigned(per_page);
		return page_index * page + (n - page_index * unsigned(per_page)) * block;
	}
};

// key_element and value_element are the index of an element in the keys and in the values of a
// head, from the token's place in its block.

template <KVFormat format>
DP_DEVICE int key_element(int token, int d) {
	if constexpr (format == KVFormat::f32) return (d / 4 * 16 + token) * 4 + d % 4;
	return d / 16 * 256 + (token % 8 * 4 + d % 8 / 2) * 8 + (token / 8 + d % 16 / 8 * 2) * 2 + d % 2;
}

template <KVFormat format>
DP_DEVICE int value_element(int token, int d, int dim) {
	if constexpr (format == KVFormat::f32) return (token / 4 * dim + d) * 4 + token % 4;
	return d / 16 * 256 + (d % 8 * 4 + token % 8 / 2) * 8 + (d % 16 / 8 + token / 8 * 2) * 2 + token % 2;
}

// scales is where the scales of 16 keys or values of integers are.
DP_DEVICE float* scales(unsigned char* integers, int dim) { return reinterpret_cast<float*>(integers + 16 * dim); }
DP_DEVICE const float* scales(const unsigned char* integers, int dim) {
	return reinterpret_cast<const float*>(integers + 16 * dim);
}

}  // namespace dp
