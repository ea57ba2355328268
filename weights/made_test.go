package weights

import (
	"errors"
	"io/fs"
	"slices"
	"testing"
)

func TestNew(t *testing.T) {
	c := New("made", map[string][]byte{"config.json": []byte("{}")},
		Generated("m", []int{2, 3}, func(i int, dst []float32) {
			for j := range dst {
				dst[j] = float32(10*i + j)
			}
		}),
		Generated("v", []int{2}, func(_ int, dst []float32) { copy(dst, []float32{7, 8}) }),
	)
	defer c.Close()
	if got := c.Names(); !slices.Equal(got, []string{"m", "v"}) || c.Name() != "made" || c.FileBytes() != 0 {
		t.Errorf("%q with %q in %d bytes; want made with m and v in 0", c.Name(), got, c.FileBytes())
	}
	for _, test := range []struct {
		name string
		row  int
		want []float32
	}{{"m", 0, []float32{0, 1, 2}}, {"m", 1, []float32{10, 11, 12}}, {"v", 0, []float32{7, 8}}} {
		tensor, err := c.Tensor(test.name)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, tensor.Cols())
		tensor.Row(test.row, got)
		if !slices.Equal(got, test.want) {
			t.Errorf("row %d of %s = %v; want %v", test.row, test.name, got, test.want)
		}
	}
	if data, err := c.File("config.json"); err != nil || string(data) != "{}" {
		t.Errorf("File = %q, %v; want {}", data, err)
	}
	if _, err := c.File("other.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another file: %v; want ErrNotExist", err)
	}
	if _, err := c.Tensor("x"); !errors.Is(err, ErrTensor) {
		t.Errorf("another tensor: %v; want ErrTensor", err)
	}
}
