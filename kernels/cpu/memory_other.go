//go:build !linux

package cpu

import "math"

// physicalMemory is not known here.
func physicalMemory() int64 { return math.MaxInt64 }

// mapMemory takes memory from the heap, which needs no giving back.
func mapMemory(bytes int64) ([]byte, func(), error) { return make([]byte, bytes), nil, nil }
