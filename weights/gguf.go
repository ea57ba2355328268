package weights

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// The layout of a GGUF file, versions 2 and 3 (ggml's docs/gguf.md); all numbers
// are little-endian, a string is its length (u64) and its bytes:
//
//	"GGUF" | version u32 | tensors u64 | values u64
//	value  | key string | kind u32 | value                    one for each
//	       |   of a list: kind of its elements u32, their number u64, the elements
//	tensor | name string | dims u32 | dim u64 … | type u32 | offset u64
//	padding to the alignment; offsets count from here
//	data of the tensors, in their order, each padded to the alignment
//
// The first dimension is that of the columns.

const (
	ggufMagic = "GGUF"
	// maxEntries bounds the values and the tensors, maxElements the elements of a
	// list: the largest vocabularies in use have 300,000 tokens.
	maxEntries   = 1 << 16
	maxElements  = 1 << 23
	maxAlignment = 1 << 16
)

// Kinds of values.
const (
	ggufUint8 = iota
	ggufInt8
	ggufUint16
	ggufInt16
	ggufUint32
	ggufInt32
	ggufFloat32
	ggufBool
	ggufString
	ggufArray
	ggufUint64
	ggufInt64
	ggufFloat64
)

// ggufSizes are the bytes of a value of each kind, 0 where they vary.
var ggufSizes = [...]int{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}

// ggufValue is a value, or a list of them, as it lies in the file.
type ggufValue struct {
	kind  uint32 // of the elements, if it is a list
	list  bool
	count int // of elements
	data  []byte
}

// ggufMetadata is the values by their keys.
type ggufMetadata map[string]ggufValue

// ggufReader reads a file from its beginning and keeps the first error.
type ggufReader struct {
	data []byte
	at   int
	err  error
}

var errGGUFShort = errors.New("the file ends here")

// take returns the next n bytes, nil after an error.
func (r *ggufReader) take(n uint64) []byte {
	if r.err == nil && n > uint64(len(r.data)-r.at) {
		r.err = errGGUFShort
	}
	if r.err != nil {
		return nil
	}
	b := r.data[r.at : r.at+int(n)]
	r.at += int(n)
	return b
}

func (r *ggufReader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *ggufReader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *ggufReader) string() []byte { return r.take(r.uint64()) }

// value reads a value and checks that all of it is there.
func (r *ggufReader) value() ggufValue {
	v := ggufValue{kind: r.uint32(), count: 1}
	if v.kind == ggufArray {
		v.list, v.kind = true, r.uint32()
		n := r.uint64()
		if r.err == nil && n > maxElements {
			r.err = fmt.Errorf("a list of %d elements, at most %d are allowed", n, maxElements)
		}
		v.count = int(n)
	}
	if r.err == nil && (v.kind >= uint32(len(ggufSizes)) || v.kind == ggufArray) {
		r.err = fmt.Errorf("values of kind %d are not supported", v.kind)
	}
	if r.err != nil {
		return v
	}
	begin := r.at
	if v.kind == ggufString {
		for range v.count {
			if r.string(); r.err != nil {
				return v
			}
		}
	} else {
		r.take(uint64(v.count) * uint64(ggufSizes[v.kind]))
	}
	v.data = r.data[begin:r.at]
	return v
}

// parseGGUF checks a file and returns its metadata and its tensors, which point
// into it.
func parseGGUF(file []byte) (ggufMetadata, []*Tensor, error) {
	r := &ggufReader{data: file}
	if magic := r.take(4); string(magic) != ggufMagic {
		return nil, nil, errors.New("not a GGUF file")
	}
	if version := r.uint32(); r.err == nil && version != 2 && version != 3 {
		return nil, nil, fmt.Errorf("GGUF version %d is not supported, only 2 and 3 are", version)
	}
	nTensors, nValues := r.uint64(), r.uint64()
	if r.err == nil && (nTensors > maxEntries || nValues > maxEntries) {
		return nil, nil, fmt.Errorf("%d tensors and %d values, at most %d of each are allowed", nTensors, nValues, maxEntries)
	}
	metadata := make(ggufMetadata)
	for i := range nValues {
		key := string(r.string())
		v := r.value()
		if r.err != nil {
			return nil, nil, fmt.Errorf("value %d, %q: %w", i, key, r.err)
		}
		if _, ok := metadata[key]; ok {
			return nil, nil, fmt.Errorf("%s: listed twice", key)
		}
		metadata[key] = v
	}
	var tensors []*Tensor
	var offsets []uint64
	seen := make(map[string]bool)
	for i := range nTensors {
		t, offset, err := r.tensor()
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %d, %q: %w", i, t.Name, err)
		}
		if seen[t.Name] {
			return nil, nil, fmt.Errorf("tensor %q: listed twice", t.Name)
		}
		seen[t.Name] = true
		tensors, offsets = append(tensors, t), append(offsets, offset)
	}
	if r.err != nil {
		return nil, nil, r.err
	}
	return metadata, tensors, r.place(metadata, tensors, offsets)
}

// tensor reads what the file says of a tensor, and gives it its shape.
func (r *ggufReader) tensor() (t *Tensor, offset uint64, err error) {
	t = &Tensor{Name: string(r.string())}
	dims := r.uint32()
	if r.err == nil && (dims < 1 || dims > maxDims) {
		return t, 0, fmt.Errorf("%d dimensions; want 1 to %d", dims, maxDims)
	}
	if r.err != nil {
		return t, 0, r.err
	}
	t.Shape = make([]int, dims)
	for i := range t.Shape {
		n := r.uint64()
		if r.err == nil && (n < 1 || n > math.MaxInt32) {
			return t, 0, fmt.Errorf("dimension %d is not between 1 and %d", n, math.MaxInt32)
		}
		t.Shape[len(t.Shape)-1-i] = int(n)
	}
	kind := r.uint32()
	offset = r.uint64()
	if r.err != nil {
		return t, 0, r.err
	}
	format, ok := ggufFormats[kind]
	if !ok {
		// Without its size nothing after it could be found.
		return t, 0, fmt.Errorf("%w: GGUF type %d", ErrDType, kind)
	}
	t.DType, t.decode = format.dtype, format.decode
	columns := uint64(t.Shape[len(t.Shape)-1])
	if columns%format.numbers != 0 {
		return t, 0, fmt.Errorf("rows of %d numbers; %s takes multiples of %d", columns, t.DType, format.numbers)
	}
	t.rowBytes = int(columns / format.numbers * format.bytes)
	t.rows, t.cols = 1, int(columns)
	for _, n := range t.Shape[:len(t.Shape)-1] {
		hi, rows := bits.Mul64(uint64(t.rows), uint64(n))
		if over, size := bits.Mul64(rows, uint64(t.rowBytes)); hi != 0 || over != 0 || size > math.MaxInt {
			return t, 0, fmt.Errorf("shape %v: too large", t.Shape)
		}
		t.rows = int(rows)
	}
	return t, offset, nil
}

// place gives the tensors their data. They must lie one after the other, each at
// the next multiple of the alignment, as ggml itself demands.
func (r *ggufReader) place(metadata ggufMetadata, tensors []*Tensor, offsets []uint64) error {
	const key = "general.alignment"
	alignment := uint64(32)
	if _, ok := metadata[key]; ok {
		n, err := metadata.integer(key)
		if err != nil || n < 1 || n > maxAlignment || bits.OnesCount64(uint64(n)) != 1 {
			return fmt.Errorf("%s: not a power of two up to %d", key, maxAlignment)
		}
		alignment = uint64(n)
	}
	aligned := func(n uint64) uint64 { return (n + alignment - 1) &^ (alignment - 1) }
	begin := aligned(uint64(r.at))
	if len(tensors) > 0 && begin > uint64(len(r.data)) {
		return fmt.Errorf("tensor %q: %w", tensors[0].Name, errGGUFShort)
	}
	data := r.data[min(begin, uint64(len(r.data))):]
	at := uint64(0)
	for i, t := range tensors {
		size := uint64(t.rows) * uint64(t.rowBytes)
		if offsets[i] != at {
			return fmt.Errorf("tensor %q: begins at offset %d; the tensor before it ends so that it should be %d", t.Name, offsets[i], at)
		}
		if at > uint64(len(data)) || size > uint64(len(data))-at {
			return fmt.Errorf("tensor %q: %s %v takes %d bytes from offset %d on; the file has %d", t.Name, t.DType, t.Shape, size, at, len(data))
		}
		t.data = data[at : at+size : at+size]
		if len(t.Shape) > 2 {
			t.rows, t.cols = t.Shape[0], t.cols*(t.rows/t.Shape[0])
			t.rowBytes = int(size) / t.rows
		}
		at = aligned(at + size)
	}
	if uint64(len(data)) > at {
		return fmt.Errorf("the last %d bytes belong to no tensor", uint64(len(data))-at)
	}
	return nil
}

// integer reads a whole number of any kind.
func (m ggufMetadata) integer(key string) (int64, error) {
	v, err := m.scalar(key)
	if err != nil {
		return 0, err
	}
	b := make([]byte, 8)
	copy(b, v.data)
	x := binary.LittleEndian.Uint64(b)
	switch v.kind {
	case ggufUint8, ggufUint16, ggufUint32:
		return int64(x), nil
	case ggufInt8:
		return int64(int8(x)), nil
	case ggufInt16:
		return int64(int16(x)), nil
	case ggufInt32:
		return int64(int32(x)), nil
	case ggufInt64:
		return int64(x), nil
	case ggufUint64:
		if x <= math.MaxInt64 {
			return int64(x), nil
		}
	}
	return 0, fmt.Errorf("%s: not a whole number", key)
}

// float reads a number of any kind.
func (m ggufMetadata) float(key string) (float64, error) {
	v, err := m.scalar(key)
	if err != nil {
		return 0, err
	}
	switch v.kind {
	case ggufFloat32:
		// The shortest decimal that reads as this float32 is what was meant.
		return shortest(math.Float32frombits(binary.LittleEndian.Uint32(v.data))), nil
	case ggufFloat64:
		return math.Float64frombits(binary.LittleEndian.Uint64(v.data)), nil
	}
	n, err := m.integer(key)
	if err != nil {
		return 0, fmt.Errorf("%s: not a number", key)
	}
	return float64(n), nil
}

// text reads a string.
func (m ggufMetadata) text(key string) (string, error) {
	v, err := m.scalar(key)
	if err != nil {
		return "", err
	}
	if v.kind != ggufString {
		return "", fmt.Errorf("%s: not a text", key)
	}
	return string(v.data[8:]), nil
}

// texts reads a list of strings.
func (m ggufMetadata) texts(key string) ([]string, error) {
	v, ok := m[key]
	if !ok {
		return nil, fmt.Errorf("%s: %w", key, errGGUFMissing)
	}
	if !v.list || v.kind != ggufString {
		return nil, fmt.Errorf("%s: not a list of texts", key)
	}
	r := ggufReader{data: v.data}
	list := make([]string, v.count)
	for i := range list {
		list[i] = string(r.string())
	}
	return list, nil
}

// integers reads a list of int32 or uint32.
func (m ggufMetadata) integers(key string) ([]int32, error) {
	v, ok := m[key]
	if !ok {
		return nil, fmt.Errorf("%s: %w", key, errGGUFMissing)
	}
	if !v.list || v.kind != ggufInt32 && v.kind != ggufUint32 {
		return nil, fmt.Errorf("%s: not a list of whole numbers of 32 bits", key)
	}
	list := make([]int32, v.count)
	for i := range list {
		list[i] = int32(binary.LittleEndian.Uint32(v.data[4*i:]))
	}
	return list, nil
}

var errGGUFMissing = errors.New("missing")

func (m ggufMetadata) scalar(key string) (ggufValue, error) {
	v, ok := m[key]
	switch {
	case !ok:
		return v, fmt.Errorf("%s: %w", key, errGGUFMissing)
	case v.list:
		return v, fmt.Errorf("%s: a list", key)
	}
	return v, nil
}
