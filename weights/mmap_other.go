//go:build !unix

package weights

import "io/fs"

// mapFile reads the first size bytes of f.
func mapFile(f fs.File, size int) (mapping, error) {
	return readAll(f, size)
}
