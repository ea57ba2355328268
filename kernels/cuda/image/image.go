//go:build cuda

// Package image carries the compiled kernels: for each file of ../src, PTX that any
// driver for CUDA 12 or later compiles for any GPU of compute capability 8.0 or later,
// and code for 9.0. `make cuda-kernels` makes the files and writes the hash of what
// they were made from into sources.sum.
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
	Name string // of the source, "attention.cu"
	Code []byte // PTX, ended by a zero, or a cubin
}

// For returns the images for a GPU of a compute capability.
func For(major, minor int) ([]Image, error) {
	suffix := ".ptx.gz"
	if major == 9 && minor == 0 {
		suffix = ".cubin.gz"
	}
	names, err := fs.Glob(files, "*"+suffix)
	if err != nil {
		return nil, err
	}
	var images []Image
	for _, name := range names {
		packed, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		r, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return nil, fmt.Errorf("image: %s: %w", name, err)
		}
		code, err := io.ReadAll(r)
		if err != nil {
			return nil, fmt.Errorf("image: %s: %w", name, err)
		}
		images = append(images, Image{strings.TrimSuffix(name, suffix) + ".cu", append(code, 0)})
	}
	return images, nil
}
