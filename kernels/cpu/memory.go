package cpu

import (
	"fmt"
	"unsafe"
)

// allocate returns n numbers of zero. What exceeds the machine's memory is refused:
// asking the runtime for it would end the process.
func allocate[T float32 | uint32](n int64) ([]T, error) {
	size := int64(unsafe.Sizeof(T(0)))
	if most := physicalMemory(); n > most/size {
		return nil, fmt.Errorf("cpu: %d bytes of memory asked for, the machine has %d", size*n, most)
	}
	return make([]T, n), nil
}
