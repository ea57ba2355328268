package cpu

import "fmt"

// allocate returns n floats of zero. What exceeds the machine's memory is refused:
// asking the runtime for it would end the process.
func allocate(n int64) ([]float32, error) {
	if most := physicalMemory(); n > most/4 {
		return nil, fmt.Errorf("cpu: %d bytes of memory asked for, the machine has %d", 4*n, most)
	}
	return make([]float32, n), nil
}
