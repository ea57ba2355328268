package weights

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// readAllRows is the numbers of a tensor, row by row.
func readAllRows(t *Tensor) []float32 {
	all := make([]float32, t.Rows()*t.Cols())
	for i := range t.Rows() {
		t.Row(i, all[i*t.Cols():(i+1)*t.Cols()])
	}
	return all
}

// sequence is a tensor of data that counts from 0.
func sequence(shape ...int) *Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	var data bytes.Buffer
	for i := range n {
		binary.Write(&data, binary.LittleEndian, float32(i))
	}
	t := &Tensor{Name: "s", DType: F32, Shape: shape, rows: shape[0], cols: n / shape[0], rowBytes: 4 * n / shape[0], data: data.Bytes(), decode: decodeF32}
	return t
}

func TestParts(t *testing.T) {
	s := sequence(3, 2, 4)
	for _, test := range []struct {
		name  string
		got   *Tensor
		shape []int
		want  []float32
	}{
		{"part", Part(s, 1), []int{2, 4}, []float32{8, 9, 10, 11, 12, 13, 14, 15}},
		{"part of a part", Part(Part(s, 2), 1), []int{4}, []float32{20, 21, 22, 23}},
		{"transposed", Transposed(Part(s, 0)), []int{4, 2}, []float32{0, 4, 1, 5, 2, 6, 3, 7}},
		{"part of a transposed", Part(Transposed(Part(s, 0)), 3), []int{2}, []float32{3, 7}},
		{"rows", Reordered(Part(s, 0), func(i int) int { return 1 - i }), []int{2, 4}, []float32{4, 5, 6, 7, 0, 1, 2, 3}},
		{"columns", ReorderedColumns(Part(s, 0), func(i int) int { return 3 - i }), []int{2, 4}, []float32{3, 2, 1, 0, 7, 6, 5, 4}},
		{"columns of one row", ReorderedColumns(Part(Part(s, 0), 1), func(i int) int { return i ^ 1 }), []int{4}, []float32{5, 4, 7, 6}},
	} {
		if got := readAllRows(test.got); !slices.Equal(got, test.want) || !slices.Equal(test.got.Shape, test.shape) {
			t.Errorf("%s: %v %v; want %v %v", test.name, test.got.Shape, got, test.shape, test.want)
		}
	}
}

// TestForget gives back what a tensor is made of, whatever was made in between.
func TestForget(t *testing.T) {
	file := make([]byte, 1024)
	at := func(from, n int, dtype DType, decode func([]float32, []byte), shape ...int) *Tensor {
		x := &Tensor{Name: "x", DType: dtype, Shape: shape, rows: shape[0], cols: 1, rowBytes: n / shape[0], data: file[from : from+n], decode: decode}
		for _, d := range shape[1:] {
			x.cols *= d
		}
		return x
	}
	numbers := at(0, 96, F32, decodeF32, 3, 2, 4)
	packed := newMXFP4("w", at(128, 192, "U8", nil, 2, 3, 2, 16), at(320, 12, "U8", nil, 2, 3, 2))
	scaled, err := Scaled(at(512, 32, F8E4M3, decodeF8E4M3, 4, 8), at(544, 8, F32, decodeF32, 2, 1), 2, 8)
	if err != nil {
		t.Fatal(err)
	}
	swap := func(i int) int { return i ^ 1 }
	for _, test := range []struct {
		name   string
		tensor *Tensor
		want   [][2]int
	}{
		{"as it is", numbers, [][2]int{{0, 96}}},
		{"part", Part(numbers, 1), [][2]int{{32, 32}}},
		{"transposed part", Transposed(Part(numbers, 2)), [][2]int{{64, 32}}},
		{"rows and columns of a part", ReorderedColumns(Reordered(Part(numbers, 0), swap), swap), [][2]int{{0, 32}}},
		{"MXFP4", packed, [][2]int{{128, 192}, {320, 12}}},
		{"rows of a part of MXFP4", Reordered(Part(packed, 1), swap), [][2]int{{224, 96}, {326, 6}}},
		{"FP8", scaled, [][2]int{{512, 32}, {544, 8}}},
		{"generated", Generated("g", []int{2}, func(int, []float32) {}), nil},
	} {
		var got [][2]int
		c := &Checkpoint{mapped: []mapping{{data: file, forget: func(at, n int) { got = append(got, [2]int{at, n}) }}}}
		c.Forget(test.tensor)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: bytes %v (from, how many) are given back; want %v", test.name, got, test.want)
		}
	}
}

// mxfp4Checkpoint has the two tensors of bytes of "w".
func mxfp4Checkpoint(t *testing.T, blocks, scales *Tensor) *Checkpoint {
	t.Helper()
	return New("here", nil, blocks, scales)
}

func bytesTensor(name string, dtype DType, data []byte, shape ...int) *Tensor {
	return &Tensor{Name: name, DType: dtype, Shape: shape, rows: shape[0], data: data}
}

// TestMXFP4 compares with the definition, number by number.
func TestMXFP4(t *testing.T) {
	const experts, out, groups = 3, 5, 2
	rng := rand.New(rand.NewPCG(rand.Uint64(), 1))
	blocks, scales := make([]byte, experts*out*groups*16), make([]byte, experts*out*groups)
	for i := range blocks {
		blocks[i] = byte(rng.Uint32())
	}
	for i := range scales {
		scales[i] = byte(rng.IntN(255))
	}
	c := mxfp4Checkpoint(t, bytesTensor("w_blocks", "U8", blocks, experts, out, groups, 16), bytesTensor("w_scales", "U8", scales, experts, out, groups))
	w, err := c.MXFP4("w")
	if err != nil {
		t.Fatal(err)
	}
	if w.DType != MXFP4 || !slices.Equal(w.Shape, []int{experts, out, groups * 32}) {
		t.Fatalf("%s %v", w.DType, w.Shape)
	}
	whole := readAllRows(w)
	for i, got := range whole {
		q := blocks[i/2] >> (i % 2 * 4) & 15
		// A sign, two bits of exponent and one of fraction.
		want := float64(q&1) / 2
		if e := int(q >> 1 & 3); e > 0 {
			want = math.Ldexp(1+want, e-1)
		}
		want = math.Ldexp(want, int(scales[i/32])-127)
		if q&8 != 0 {
			want = -want
		}
		if got != float32(want) {
			t.Fatalf("number %d, %d·2^%d: %v; want %v", i, q, int(scales[i/32])-127, got, want)
		}
	}
	for e := range experts {
		n := out * groups * 32
		if got := readAllRows(Part(w, e)); !slices.Equal(got, whole[e*n:(e+1)*n]) {
			t.Errorf("part %d differs from the whole", e)
		}
	}
}

func TestMXFP4Refuses(t *testing.T) {
	blocks := func(dtype DType, shape ...int) *Tensor { return bytesTensor("w_blocks", dtype, nil, shape...) }
	scales := func(dtype DType, shape ...int) *Tensor { return bytesTensor("w_scales", dtype, nil, shape...) }
	for _, test := range []struct {
		blocks, scales *Tensor
		want           string
	}{
		{blocks("U8", 2, 3, 1, 16), bytesTensor("other", "U8", nil, 2, 3, 1), `tensor "w_scales": no such tensor`},
		{blocks("F32", 2, 3, 1, 16), scales("U8", 2, 3, 1), `tensor "w_blocks": unsupported type "F32", want U8`},
		{blocks("U8", 2, 3, 1, 16), scales("I8", 2, 3, 1), `tensor "w_scales": unsupported type "I8", want U8`},
		{blocks("U8", 2, 3, 1, 8), scales("U8", 2, 3, 1), `tensor "w_blocks": shape [2 3 1 8]; want blocks of 16 bytes`},
		{blocks("U8", 2, 16), scales("U8", 2), `tensor "w_blocks": shape [2 16]`},
		{blocks("U8", 2, 3, 1, 16), scales("U8", 2, 3, 2), `tensor "w_scales": shape [2 3 2]; the blocks make it [2 3 1]`},
	} {
		if _, err := mxfp4Checkpoint(t, test.blocks, test.scales).MXFP4("w"); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, %v: %v; want %s", test.blocks.Shape, test.scales.Shape, err, test.want)
		}
	}
}

// FuzzMXFP4 opens files of any header that keep a tensor in this way, and reads it.
func FuzzMXFP4(f *testing.F) {
	file := func(header string, data int) []byte {
		return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), make([]byte, data)...)
	}
	f.Add(file(`{"w_blocks":{"dtype":"U8","shape":[2,1,1,16],"data_offsets":[0,32]},"w_scales":{"dtype":"U8","shape":[2,1,1],"data_offsets":[32,34]}}`, 34))
	f.Add(file(`{"w_blocks":{"dtype":"U8","shape":[0,9999999,1,16],"data_offsets":[0,0]},"w_scales":{"dtype":"U8","shape":[0,9999999,1],"data_offsets":[0,0]}}`, 0))
	f.Add(file(`{"w_blocks":{"dtype":"U8","shape":[1,2,16],"data_offsets":[0,32]},"w_scales":{"dtype":"U8","shape":[1,2],"data_offsets":[32,34]}}`, 34))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := OpenFS(fstest.MapFS{singleFile: {Data: data}}, "here")
		if err != nil {
			return
		}
		w, err := c.MXFP4("w")
		if err != nil || w.Rows() == 0 {
			return
		}
		if n := w.Rows() * w.Cols(); n/32*17 > len(data) {
			t.Fatalf("%d numbers of a file of %d bytes", n, len(data))
		}
		readAllRows(w)
		for e := range w.Shape[0] {
			readAllRows(Part(w, e))
		}
	})
}
