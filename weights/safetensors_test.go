package weights

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct {
		name, file, want string
	}{
		{"header past the end", "\x64\x00\x00\x00\x00\x00\x00\x00{}", "header ends at byte 108, file has 10"},
		{"header of 2^64-1 bytes", "\xff\xff\xff\xff\xff\xff\xff\xff{}", "header of 18446744073709551615 bytes"},
		{"header of 4 GB", "\x00\x00\x00\x00\x01\x00\x00\x00{}", "header of 4294967296 bytes"},
		{"empty header", file("", 0), "header: unexpected EOF"},
		{"not an object", file("[]", 0), "not a JSON object"},
		{"cut short", file(`{"a":{"dtype":"F32"`, 0), `tensor "a": unexpected EOF`},
		{"two objects", file(`{}{}`, 0), "more follows"},
		{"twice", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), `tensor "a": listed twice`},
		{"metadata of numbers", file(`{"__metadata__":{"a":1}}`, 0), "__metadata__"},
		{"negative dimension", file(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4), `tensor "a"`},
		{"fractional dimension", file(`{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,6]}}`, 6), `tensor "a"`},
		{"no shape", file(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, 4), `tensor "a": shape`},
		{"nine dimensions", file(`{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}`, 4), `tensor "a": shape: 9 dimensions`},
		{"huge dimension", file(`{"a":{"dtype":"F32","shape":[4294967296],"data_offsets":[0,4]}}`, 4), `tensor "a": shape [4294967296]`},
		{"product overflows", file(`{"a":{"dtype":"F32","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,4]}}`, 4), `too large`},
		{"product wraps to the size", file(`{"a":{"dtype":"F32","shape":[1073741824,1073741824,16],"data_offsets":[0,0]}}`, 0), `too large`},
		{"one offset", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}`, 4), `data_offsets`},
		{"three offsets", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}`, 4), `data_offsets`},
		{"backwards", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, 4), `data_offsets`},
		{"past the end", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 4), `tensor "a": ends at byte 70, file has 66`},
		{"far past the end", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]}}`, 4), `tensor "a": ends at byte 18446744073709551615`},
		{"too few bytes", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), `tensor "a": F32 [2] takes 8 bytes, has 4`},
		{"wrong type", file(`{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,4]}}`, 4), `tensor "a": F64 [1] takes 8 bytes, has 4`},
		{"overlap", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), `tensor "b": begins at byte 119, inside tensor "a"`},
		{"hole", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}`, 12), `tensor "b": 4 bytes before it belong to no tensor`},
		{"hole at the front", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), `tensor "a": 4 bytes before it belong to no tensor`},
		{"hole at the end", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 9), `the last 5 bytes belong to no tensor`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := parseSafetensors([]byte(test.file)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("parseSafetensors: %v; want %s", err, test.want)
			}
		})
	}
}

func TestParseAccepts(t *testing.T) {
	for _, test := range []struct {
		name, file string
		rows, cols int
	}{
		{"scalar", file(`{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`, 4), 1, 1},
		{"vector", file(`{"a":{"dtype":"F16","shape":[3],"data_offsets":[0,6]}}`, 6), 1, 3},
		{"three dimensions", file(`{"a":{"dtype":"I8","shape":[2,3,4],"data_offsets":[0,24]}}`, 24), 2, 12},
		{"no rows", file(`{"a":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]}}`, 0), 0, 0},
		{"no columns", file(`{"a":{"dtype":"F32","shape":[3,2147483647,0],"data_offsets":[0,0]}}`, 0), 3, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			tensors, err := parseSafetensors([]byte(test.file))
			if err != nil {
				t.Fatal(err)
			}
			if got := tensors[0]; len(tensors) != 1 || got.Rows() != test.rows || got.Cols() != test.cols {
				t.Errorf("%d tensors, the first %dx%d; want 1, %dx%d", len(tensors), got.Rows(), got.Cols(), test.rows, test.cols)
			}
		})
	}
}

func TestParseRefusesManyDimensions(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"x":{"dtype":"I8","shape":[`)
	for b.Len() < 1<<20 {
		b.WriteString(`1,`)
	}
	b.WriteString(`1],"data_offsets":[0,1]}}`)
	if _, err := parseSafetensors([]byte(file(b.String(), 1))); err == nil || !strings.Contains(err.Error(), "dimensions") {
		t.Errorf("parseSafetensors: %v; want a bound on the dimensions", err)
	}
}

func TestUnknownDTypeIsListedAndRefusedWhenUsed(t *testing.T) {
	c, err := OpenFS(folder(map[string]string{singleFile: file(`{"a":{"dtype":"Q3_K","shape":[7],"data_offsets":[0,4]}}`, 4)}), "here")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Names(); len(got) != 1 || got[0] != "a" {
		t.Errorf("Names() = %v; want [a]", got)
	}
	want := `weights: here/model.safetensors: tensor "a": unsupported type "Q3_K"`
	if _, err := c.Tensor("a"); err == nil || err.Error() != want {
		t.Errorf("Tensor(a): %v; want %s", err, want)
	}
}

func TestRow(t *testing.T) {
	values := []float32{0, 1, -2.5, float32(math.Inf(1)), 0.333251953125, -65504, 5.9604645e-08, 2}
	var f32, bf16 []byte
	for _, v := range values {
		f32 = binary.LittleEndian.AppendUint32(f32, math.Float32bits(v))
		bf16 = binary.LittleEndian.AppendUint16(bf16, uint16(math.Float32bits(v)>>16))
	}
	f16 := []byte{0, 0, 0, 0x3c, 0, 0xc1, 0, 0x7c, 0x55, 0x35, 0xff, 0xfb, 1, 0, 0, 0x40}
	for _, test := range []struct {
		dtype DType
		data  []byte
	}{{F32, f32}, {F16, f16}, {BF16, bf16}} {
		tensor, err := (&entry{name: "x", DType: test.dtype, Shape: []uint64{2, 4}}).tensor(test.data)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, 4)
		for row := range 2 {
			tensor.Row(row, got)
			for i, g := range got {
				want := values[row*4+i]
				if test.dtype == BF16 {
					want = math.Float32frombits(math.Float32bits(want) &^ 0xffff)
				}
				if g != want {
					t.Errorf("%s row %d column %d = %v; want %v", test.dtype, row, i, g, want)
				}
			}
		}
		for _, bad := range []struct{ row, cols int }{{-1, 4}, {2, 4}, {0, 3}, {0, 5}} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: Row(%d) into %d elements did not panic", test.dtype, bad.row, bad.cols)
					}
				}()
				tensor.Row(bad.row, make([]float32, bad.cols))
			}()
		}
	}
}

// FuzzParse checks that whatever is accepted can be read to its last number.
func FuzzParse(f *testing.F) {
	f.Add([]byte(file(twoTensors, 28)))
	f.Add([]byte(file(`{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"b":{"dtype":"F16","shape":[1,1],"data_offsets":[0,2]}}`, 2)))
	f.Add([]byte(file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8)))
	f.Add([]byte(file(`{"a":{"dtype":"F32","shape":[2147483647,2147483647,0],"data_offsets":[0,0]}}`, 0)))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < headerAt {
			return
		}
		tensors, err := parseSafetensors(data)
		if err != nil {
			return
		}
		total := 0
		for _, tensor := range tensors {
			total += len(tensor.Bytes())
			if !tensor.readable() {
				continue
			}
			if got, want := tensor.Rows()*tensor.Cols()*tensor.DType.size(), len(tensor.Bytes()); got != want {
				t.Fatalf("tensor %q: rows and columns hold %d bytes, data %d", tensor.Name, got, want)
			}
			dst := make([]float32, tensor.Cols())
			for i := range min(tensor.Rows(), 1000) {
				tensor.Row(i, dst)
			}
		}
		if want := len(data) - headerAt - int(binary.LittleEndian.Uint64(data)); total != want {
			t.Fatalf("tensors hold %d bytes of %d", total, want)
		}
	})
}

func BenchmarkRow(b *testing.B) {
	for _, dtype := range []DType{F32, F16, BF16} {
		b.Run(string(dtype), func(b *testing.B) {
			tensor := Tensor{DType: dtype, rows: 64, cols: 4096, data: make([]byte, 64*4096*dtype.size())}
			dst := make([]float32, tensor.cols)
			b.SetBytes(int64(len(tensor.data)))
			for b.Loop() {
				for i := range tensor.rows {
					tensor.Row(i, dst)
				}
			}
		})
	}
}
