//go:build cuda

// Package image carries the compiled kernels: for each file of ../src, PTX that any
// driver for CUDA 12.3 or later compiles for any GPU of compute capability 8.0 or
// later, and code for 9.0, which a driver for CUDA 13 or later takes as it is. `make
// cuda-kernels` makes the files and writes the hash of what they were made from into
// sources.sum.
package image

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

//go:embed sources.sum *.gz
var files embed.FS

// Image is the kernels of one source file.
type Image struct {
	Name string   // of the source, "attention.cu"
	Code [][]byte // cubins and PTX, each ended by a zero, the best first
}

// For returns the images for a GPU of a compute capability.
func For(major, minor int) ([]Image, error) {
	forms := []string{".ptx.gz"}
	if major == 9 && minor == 0 {
		forms = []string{".cubin.gz", ".ptx.gz"}
	}
	names, err := fs.Glob(files, "*.ptx.gz")
	if err != nil {
		return nil, err
	}
	var images []Image
	for _, name := range names {
		source := strings.TrimSuffix(name, ".ptx.gz")
		i := Image{Name: source + ".cu"}
		for _, form := range forms {
			code, err := unpack(source + form)
			if err != nil {
				return nil, fmt.Errorf("image: %s: %w", source+form, err)
			}
			i.Code = append(i.Code, append(code, 0))
		}
		images = append(images, i)
	}
	return images, nil
}

func unpack(name string) ([]byte, error) {
	packed, err := files.ReadFile(name)
	if err != nil {
		return nil, err
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
