package weights

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
)

// The layout of a safetensors file:
//
//	0         8                  8+n                          end
//	| n (u64) | header, n bytes  | data of the tensors        |
//	            {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …,
//	             "__metadata__": {"key": "value"}}
//
// Offsets count from the start of the data; all numbers are little-endian.

const (
	headerAt = 8
	// maxHeader bounds the memory that a header can cost. A thousand layers of a
	// mixture of experts fit in a fraction of it.
	maxHeader = 16 << 20
	maxDims   = 8
)

// entry is what the header says of a tensor.
type entry struct {
	name    string
	DType   DType    `json:"dtype"`
	Shape   []uint64 `json:"shape"`
	Offsets []uint64 `json:"data_offsets"`
}

func (e *entry) begin() uint64 { return e.Offsets[0] }
func (e *entry) end() uint64   { return e.Offsets[1] }

// parseSafetensors checks a file of at least 8 bytes and returns its tensors,
// which point into it, in order of their place.
func parseSafetensors(file []byte) ([]*Tensor, error) {
	n := binary.LittleEndian.Uint64(file)
	if n > maxHeader {
		return nil, fmt.Errorf("header of %d bytes, at most %d are allowed", n, maxHeader)
	}
	if n > uint64(len(file)-headerAt) {
		return nil, fmt.Errorf("header ends at byte %d, file has %d", headerAt+n, len(file))
	}
	dataAt := headerAt + int(n)
	entries, err := parseHeader(file[headerAt:dataAt])
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	slices.SortFunc(entries, func(a, b *entry) int {
		for i, v := range a.Offsets {
			if v != b.Offsets[i] {
				if v < b.Offsets[i] {
					return -1
				}
				return 1
			}
		}
		return 0
	})

	data := file[dataAt:]
	tensors := make([]*Tensor, len(entries))
	at, previous := uint64(0), ""
	for i, e := range entries {
		switch {
		case e.end() > uint64(len(data)):
			return nil, fmt.Errorf("tensor %q: ends at byte %d, file has %d", e.name, absolute(dataAt, e.end()), len(file))
		case e.begin() < at:
			return nil, fmt.Errorf("tensor %q: begins at byte %d, inside tensor %q", e.name, absolute(dataAt, e.begin()), previous)
		case e.begin() > at:
			return nil, fmt.Errorf("tensor %q: %d bytes before it belong to no tensor", e.name, e.begin()-at)
		}
		if tensors[i], err = e.tensor(data[e.begin():e.end()]); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", e.name, err)
		}
		at, previous = e.end(), e.name
	}
	if at != uint64(len(data)) {
		return nil, fmt.Errorf("the last %d bytes belong to no tensor", uint64(len(data))-at)
	}
	return tensors, nil
}

// absolute is an offset of the header as a position in the file.
func absolute(dataAt int, offset uint64) uint64 {
	sum, carry := bits.Add64(uint64(dataAt), offset, 0)
	if carry != 0 {
		return math.MaxUint64
	}
	return sum
}

// parseHeader reads the JSON token by token, since a map would hide a name that
// occurs twice.
func parseHeader(header []byte) ([]*entry, error) {
	dec := json.NewDecoder(bytes.NewReader(header))
	if token, err := dec.Token(); err != nil {
		return nil, noEOF(err)
	} else if token != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	var entries []*entry
	seen := make(map[string]bool)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, noEOF(err)
		}
		name := token.(string) // the only token that may stand here
		if seen[name] {
			return nil, fmt.Errorf("tensor %q: listed twice", name)
		}
		seen[name] = true
		if name == "__metadata__" {
			var metadata map[string]string
			if err := dec.Decode(&metadata); err != nil {
				return nil, fmt.Errorf("__metadata__: %w", noEOF(err))
			}
			continue
		}
		e := &entry{name: name}
		if err := dec.Decode(e); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, noEOF(err))
		}
		if len(e.Offsets) != 2 || e.begin() > e.end() {
			return nil, fmt.Errorf("tensor %q: data_offsets: %v is not a begin and an end", name, e.Offsets)
		}
		if e.Shape == nil || len(e.Shape) > maxDims {
			return nil, fmt.Errorf("tensor %q: shape: %d dimensions; want up to %d", name, len(e.Shape), maxDims)
		}
		entries = append(entries, e)
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, noEOF(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("more follows the JSON object")
	}
	return entries, nil
}

// noEOF is for errors in the middle of the header.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// tensor checks the type and shape against the bytes.
func (e *entry) tensor(data []byte) (*Tensor, error) {
	t := &Tensor{Name: e.name, DType: e.DType, Shape: make([]int, len(e.Shape)), rows: 1, cols: 1, data: data}
	for i, n := range e.Shape {
		if n > math.MaxInt32 {
			return nil, fmt.Errorf("shape %v: dimension %d is too large", e.Shape, n)
		}
		t.Shape[i] = int(n)
	}
	size := e.DType.size()
	if size == 0 {
		return t, nil // never read, see Checkpoint.Tensor
	}
	want := uint64(size)
	for _, n := range e.Shape {
		var over uint64
		if over, want = bits.Mul64(want, n); over != 0 {
			return nil, fmt.Errorf("shape %v: too large", e.Shape)
		}
	}
	if want != uint64(len(data)) {
		return nil, fmt.Errorf("%s %v takes %d bytes, has %d", e.DType, e.Shape, want, len(data))
	}
	// The tensor is in memory, so that its products of dimensions are small,
	// unless one of them is 0.
	rest := t.Shape
	if len(rest) > 1 {
		t.rows, rest = rest[0], rest[1:]
	}
	for _, n := range rest {
		if n == 0 || len(data) == 0 {
			t.cols = 0
			break
		}
		t.cols *= n
	}
	t.rowBytes = t.cols * size
	switch t.DType {
	case F32:
		t.decode = decodeF32
	case F16:
		t.decode = decodeF16
	case BF16:
		t.decode = decodeBF16
	case F8E4M3:
		t.decode = decodeF8E4M3
	}
	return t, nil
}
