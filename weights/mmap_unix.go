//go:build unix

package weights

import (
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// mapFile returns the first size bytes of f, which stay valid after f is closed,
// and what frees them.
func mapFile(f fs.File, size int) ([]byte, func() error, error) {
	file, ok := f.(*os.File)
	if !ok {
		return readAll(f, size)
	}
	data, err := unix.Mmap(int(file.Fd()), 0, size, unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil, fmt.Errorf("mapping %d bytes: %w", size, err)
	}
	return data, func() error { return unix.Munmap(data) }, nil
}
