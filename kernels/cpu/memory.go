package cpu

import (
	"fmt"
	"runtime"
	"unsafe"
)

// allocate returns n numbers of zero. What exceeds the machine's memory is refused:
// asking the runtime for it would end the process.
func allocate[T float32 | uint32](n int64) ([]T, error) {
	if err := available(4, n); err != nil {
		return nil, err
	}
	return make([]T, n), nil
}

// available refuses n elements of so many bytes if the machine has not as much.
func available(size, n int64) error {
	if most := physicalMemory(); n > most/size {
		return fmt.Errorf("cpu: %d bytes of memory asked for, the machine has %d", size*n, most)
	}
	return nil
}

// slab is memory that weights are carved from, one after the other. It is not the
// garbage collector's: weights are most of what a process holds, and would have it
// let the heap grow to twice their size. And it is in large pages where the system
// has them, since a page is the farthest that a processor reads ahead. It is unmapped
// when no matrix refers to it any more.
type slab struct {
	free []uint32
}

const (
	slabBytes = 64 << 20
	// vectorWords is what the weights of a matrix are aligned to.
	vectorWords = 16
)

// carve returns n words of zero and the slab that must be referred to as long as
// they are used.
func (d *device) carve(n int64) ([]uint32, *slab, error) {
	if err := available(4, n); err != nil {
		return nil, nil, err
	}
	if s := d.slab; s != nil && n <= int64(len(s.free)) {
		return s.carve(n), s, nil
	}
	// A large matrix has a slab for itself.
	alone := 4*n > slabBytes/4
	bytes := int64(slabBytes)
	if alone {
		bytes = 4 * n
	}
	memory, unmap, err := mapMemory(bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("cpu: %d bytes of memory: %w", bytes, err)
	}
	s := &slab{free: unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(memory))), len(memory)/4)}
	if unmap != nil {
		runtime.AddCleanup(s, func(unmap func()) { unmap() }, unmap)
	}
	if !alone {
		d.slab = s
	}
	return s.carve(n), s, nil
}

func (s *slab) carve(n int64) []uint32 {
	words := s.free[:n:n]
	s.free = s.free[min(int64(len(s.free)), (n+vectorWords-1)/vectorWords*vectorWords):]
	return words
}
