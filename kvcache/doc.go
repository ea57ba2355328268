// Package kvcache keeps the books of KV memory: which blocks are free, which
// sequence holds which, and which can be found again by their content. It holds
// no device memory and runs nothing on a device; what a device must do (copy a
// block before it is written) is returned as a [Copy].
//
// An [Arena] is one allocation of device memory cut into pages. A [Pool] is the
// blocks of one model: it takes pages from the arena and cuts them into blocks of
// its size. A [Sequence] is the block table of one trace or judge pair.
//
//	arena    | page 0      | page 1      | page 2      | page 3      |
//	owner    | reasoner    | judge       | reasoner    | nobody yet  |
//	blocks   | 0  1  2  3  | 8 9 … 14 15 | 8  9 10 11  |             |
//
// A block is numbered within its pool, page*blocksPerPage + place in the page.
// It is in one of three states:
//
//	        Extend                       Release, not published
//	free ------------> in use --------------------------------------> free
//	                    |   ^
//	Release, published  v   |  Match
//	                    cached -------------------------------------> free
//	                             evicted when nothing else is left
//
// # Order
//
// Everything is deterministic. Release puts the blocks that became free at the
// head of the pool's free list, such that the next allocations take them in the
// order in which the sequence held them. Extend takes, in this order: the head of
// the free list; a page that nobody has had; a page of another pool with free
// blocks only, the longest empty; the least recently used cached block of its own;
// a page of another pool after evicting that pool's cached blocks, least recently
// used first.
//
// A page whose blocks are all free stays with its pool until another pool needs
// it, so that using and freeing a block costs the same at the edge of a page as
// elsewhere. [Pool.Reserve] keeps pages from the others.
//
// # Invariants
//
//   - The reference count of a block is the number of live sequences that hold it;
//     a block is free or cached exactly if it is zero.
//   - Only full blocks are published, and nothing writes to a full block.
//   - A block with more than one reference is never written: Extend copies a
//     shared, partly filled tail first.
//   - A sequence that holds a published block holds its parent before it. So a
//     cached block has no child in use, and stands in the order of eviction behind
//     all its children: whatever is evicted next is a leaf.
//   - A page with a block in use belongs to one pool and stays there.
//
// [Arena.Check] verifies them.
//
// # Concurrency
//
// None: one goroutine owns an arena, its pools and their sequences.
package kvcache

import "errors"

// BlockSize is the number of tokens in a block. It equals kernels.BlockSize,
// which this package does not import; a test at the module's root compares them.
const BlockSize = 16

// ErrNoBlocks is returned when a pool cannot obtain the blocks it was asked for,
// not even by evicting what is cached. Nothing has changed then.
var ErrNoBlocks = errors.New("kvcache: no free blocks")
