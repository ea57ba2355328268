package weights

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/x448/float16"
)

// ErrDType is returned for a tensor whose numbers cannot be read.
var ErrDType = errors.New("unsupported type")

// DType is the type of a tensor's numbers, as safetensors and ggml spell it.
type DType string

// Types that Row can read, beside F8E4M3 and the quantised ones of GGUF: Q4_0,
// Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K and MXFP4.
const (
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
)

// size is the bytes of a number, 0 if the type is unknown or not of whole bytes.
func (d DType) size() int {
	switch d {
	case "C64", "F64", "I64", "U64":
		return 8
	case F32, "I32", "U32":
		return 4
	case F16, BF16, "I16", "U16":
		return 2
	case "I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ":
		return 1
	}
	return 0
}

// Tensor is a row-major array in a checkpoint. It is valid until the checkpoint
// is closed; its methods may be called concurrently.
type Tensor struct {
	Name  string
	DType DType
	Shape []int

	file       string
	rows, cols int
	rowBytes   int
	data       []byte
	decode     func(dst []float32, src []byte) // of a row; nil if the type cannot be read
	generate   func(i int, dst []float32)      // instead of data, see Generated

	// sources are the tensors that the rows are made of, of a tensor that has no data.
	sources []*Tensor

	// part makes the rows of an element of the first dimension, of a tensor of more
	// than two that has no data.
	part func(element int) func(i int, dst []float32)
}

func (t *Tensor) readable() bool { return t.decode != nil || t.generate != nil }

// Rows is the first dimension, or 1 for a tensor of fewer than two.
func (t *Tensor) Rows() int { return t.rows }

// Cols is the numbers in a row, all dimensions after the first multiplied.
func (t *Tensor) Cols() int { return t.cols }

// Bytes is the tensor as it lies in the file, little-endian, nil if it lies in
// none. It must not be written.
func (t *Tensor) Bytes() []byte { return t.data }

// Row converts row i into dst, which must have Cols elements. It panics if it
// has not, or if there is no such row.
func (t *Tensor) Row(i int, dst []float32) {
	if i < 0 || i >= t.rows || len(dst) != t.cols {
		panic(fmt.Sprintf("weights: tensor %q %v: row %d into %d elements", t.Name, t.Shape, i, len(dst)))
	}
	if t.generate != nil {
		t.generate(i, dst)
		return
	}
	t.decode(dst, t.data[i*t.rowBytes:][:t.rowBytes])
}

func decodeF32(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

func decodeBF16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
	}
}

func decodeF16(dst []float32, src []byte) {
	table := float16Table()
	for i := range dst {
		dst[i] = table[binary.LittleEndian.Uint16(src[2*i:])]
	}
}

// float16Table is the value of every float16: a look-up in 256 KiB beats the
// conversion.
var float16Table = sync.OnceValue(func() *[1 << 16]float32 {
	table := new([1 << 16]float32)
	for i := range table {
		table[i] = float16.Frombits(uint16(i)).Float32()
	}
	return table
})
