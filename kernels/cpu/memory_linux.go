package cpu

import (
	"math"
	"unsafe"

	"golang.org/x/sys/unix"
)

// physicalMemory is the size of the machine's memory in bytes.
func physicalMemory() int64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return math.MaxInt64
	}
	return int64(info.Totalram) * int64(info.Unit)
}

// largePage is the size of a large page on the machines that have one.
const largePage = 2 << 20

// mapMemory returns memory of zeros that begins with a large page, and what gives
// it back. A rest that fills no large page is in small ones.
func mapMemory(bytes int64) ([]byte, func(), error) {
	all, err := unix.Mmap(-1, 0, int(bytes+largePage), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		return nil, nil, err
	}
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(all))) % largePage
	memory := all[skip:][:bytes]
	if large := memory[:bytes/largePage*largePage]; len(large) > 0 {
		_ = unix.Madvise(large, unix.MADV_HUGEPAGE) // slower without, not wrong
	}
	return memory, func() { _ = unix.Munmap(all) }, nil
}
