package kernels

import (
	"fmt"
	"strings"
)

// Format is how the numbers of a [Matrix] are kept.
//
// A linear layer rounds its input to match: BF16 to the nearest bfloat16, Int8
// and Int4 to integers of 8 bits with a scale for each group of a row. Sums are
// in float32, those of integers within a group exact.
type Format uint8

const (
	F32  Format = iota // float32
	BF16               // the upper half of a float32
	Int8               // integers of 8 bits, a scale for every 64 of them along the input
	Int4               // integers of 4 bits, a scale for every 32 of them along the input
)

var formatNames = [...]string{F32: "f32", BF16: "bf16", Int8: "int8", Int4: "int4"}

// Formats lists all formats, the most exact first.
func Formats() []Format { return []Format{F32, BF16, Int8, Int4} }

func (f Format) String() string {
	if int(f) < len(formatNames) {
		return formatNames[f]
	}
	return fmt.Sprintf("Format(%d)", uint8(f))
}

// ParseFormat is the inverse of String.
func ParseFormat(name string) (Format, error) {
	for f, n := range formatNames {
		if n == name {
			return Format(f), nil
		}
	}
	return 0, fmt.Errorf("kernels: no format %q; there are %s", name, strings.Join(formatNames[:], ", "))
}

// Group is how many numbers along the input share a scale, 0 if there are none.
func (f Format) Group() int {
	switch f {
	case Int8:
		return 64
	case Int4:
		return 32
	}
	return 0
}

// Bytes is the memory of n numbers in whole groups, their scales of 2 bytes
// included; what a device adds to fill its vectors up is not.
func (f Format) Bytes(n int64) int64 {
	switch f {
	case BF16:
		return 2 * n
	case Int8:
		return n + 2*n/int64(f.Group())
	case Int4:
		return n/2 + 2*n/int64(f.Group())
	}
	return 4 * n
}
