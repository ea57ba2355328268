package weights

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
)

// file is a safetensors file of a header and size bytes of data, 0, 1, 2, ….
func file(header string, size int) string {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	for i := range size {
		b = append(b, byte(i))
	}
	return string(b)
}

func folder(files map[string]string) fs.FS {
	fsys := make(fstest.MapFS)
	for name, data := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(data)}
	}
	return fsys
}

const twoTensors = `{"__metadata__":{"format":"pt"},` +
	`"b":{"dtype":"BF16","shape":[2],"data_offsets":[24,28]},` +
	`"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}   `

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string]string{"model.safetensors": file(twoTensors, 28), "config.json": "{}"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Names(), []string{"a", "b"}; !reflect.DeepEqual(got, want) {
		t.Errorf("Names() = %v; want %v", got, want)
	}
	a, err := c.Tensor("a")
	if err != nil {
		t.Fatal(err)
	}
	if a.DType != F32 || !reflect.DeepEqual(a.Shape, []int{2, 3}) || a.Rows() != 2 || a.Cols() != 3 || a.Bytes()[23] != 23 {
		t.Errorf("tensor a = %v; want 2x3 F32", a)
	}
	if _, err := c.Tensor("c"); !errors.Is(err, ErrTensor) || !strings.Contains(err.Error(), `"c"`) {
		t.Errorf("Tensor(c): %v; want ErrTensor with the name", err)
	}
	if data, err := c.File("config.json"); err != nil || string(data) != "{}" {
		t.Errorf("File(config.json) = %q, %v; want {}", data, err)
	}
	if _, err := c.File("none.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("File(none.json): %v; want fs.ErrNotExist", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestOpenShards(t *testing.T) {
	const (
		index = `{"metadata":{"total_size":8},"weight_map":{"x":"one.safetensors","y":"two.safetensors"}}`
		x     = `{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`
		y     = `{"y":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`
		xy    = `{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`
	)
	for _, test := range []struct {
		name, index, one, two, want string
	}{
		{"good", index, file(x, 4), file(y, 4), ""},
		{"missing shard", index, file(x, 4), "", "weights: here/two.safetensors: file does not exist"},
		{"tensor in no shard", index, file(x, 4), file(`{}`, 0), `here/two.safetensors: tensor "y": listed in model.safetensors.index.json, but not in the file`},
		{"tensor in the wrong shard", `{"weight_map":{"x":"one.safetensors","y":"one.safetensors","z":"two.safetensors"}}`,
			file(x, 4), file(y, 4), `here/one.safetensors: tensor "y": listed in`},
		{"tensor not in the index", index, file(x, 4), file(strings.ReplaceAll(xy, `"x"`, `"z"`), 8), `here/two.safetensors: tensor "z": not listed in model.safetensors.index.json`},
		{"tensor in two shards", index, file(x, 4), file(xy, 8), `here/two.safetensors: tensor "x": also in one.safetensors`},
		{"broken shard", index, file(x, 4), "short", "here/two.safetensors: 5 bytes, too short"},
		{"path in the index", `{"weight_map":{"x":"../one.safetensors"}}`, "", "", `"../one.safetensors" is not the name of a file beside it`},
		{"folder in the index", `{"weight_map":{"x":"sub/one.safetensors"}}`, "", "", "is not the name of a file"},
		{"dot in the index", `{"weight_map":{"x":"."}}`, "", "", "is not the name of a file"},
		{"empty index", `{}`, "", "", "weight_map: names no tensor"},
		{"no JSON", `{"weight_map":`, "", "", "here/model.safetensors.index.json: unexpected end"},
		{"nothing", "", "", "", "here: neither model.safetensors nor model.safetensors.index.json"},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := map[string]string{}
			for name, data := range map[string]string{indexFile: test.index, "one.safetensors": test.one, "two.safetensors": test.two} {
				if data != "" {
					files[name] = data
				}
			}
			c, err := OpenFS(folder(files), "here")
			if test.want == "" {
				if err != nil {
					t.Fatalf("OpenFS: %v", err)
				}
				if got, want := c.Names(), []string{"x", "y"}; !reflect.DeepEqual(got, want) {
					t.Errorf("Names() = %v; want %v", got, want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("OpenFS: %v; want %s", err, test.want)
			}
		})
	}
}

func TestOpenRefusesSpecialFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, singleFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("Open: %v; want not a regular file", err)
	}
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of no folder: %v; want fs.ErrNotExist", err)
	}
}

func TestFileIsBounded(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, singleFile), []byte(file(twoTensors, 28)), 0o600); err != nil {
		t.Fatal(err)
	}
	huge := filepath.Join(dir, "tokenizer.json")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, maxFile+1); err != nil {
		t.Skip("no sparse files here:", err)
	}
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.File("tokenizer.json"); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("File: %v; want a bound on its size", err)
	}
}

// TestOpenCostsTheHeader opens a file that is far larger than what may be spent
// on opening it.
func TestOpenCostsTheHeader(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files are read, not mapped")
	}
	const size = 256 << 20
	dir := t.TempDir()
	name := filepath.Join(dir, singleFile)
	header := file(`{"x":{"dtype":"F32","shape":[67108864],"data_offsets":[0,268435456]}}`, 0)
	if err := os.WriteFile(name, []byte(header), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, int64(len(header))+size); err != nil {
		t.Skip("no sparse files here:", err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("opening %d bytes allocated %d", size, got)
	}
}
