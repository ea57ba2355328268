//go:build unix

package weights

import (
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps the first size bytes of f, which stay valid after f is closed.
func mapFile(f fs.File, size int) (mapping, error) {
	file, ok := f.(*os.File)
	if !ok {
		return readAll(f, size)
	}
	data, err := unix.Mmap(int(file.Fd()), 0, size, unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return mapping{}, fmt.Errorf("mapping %d bytes: %w", size, err)
	}
	page := os.Getpagesize()
	return mapping{
		data: data,
		free: func() error { return unix.Munmap(data) },
		forget: func(at, n int) {
			// The pages at both ends may belong to others too.
			if lo, hi := (at+page-1)/page*page, (at+n)/page*page; lo < hi {
				_ = unix.Madvise(data[lo:hi], unix.MADV_DONTNEED) // advice: nothing is lost without
			}
		},
	}, nil
}
