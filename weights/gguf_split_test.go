package weights

import (
	"strings"
	"testing"
	"testing/fstest"
)

// splitGGUF is a model in three parts, a tensor in each.
func splitGGUF(change map[string]any) fstest.MapFS {
	part := func(i int) map[string]any {
		return map[string]any{"split.no": uint32(i), "split.count": uint32(3), "split.tensors.count": int32(3)}
	}
	first := part(0)
	for key, value := range change {
		first[key] = value
	}
	other := func(i int, name string) []byte {
		w := &ggufWriter{}
		for key, value := range part(i) {
			w.set(key, value)
		}
		return w.add(name, 0, 128, 32).bytes()
	}
	return fstest.MapFS{
		"m-00001-of-00003.gguf": {Data: smallGGUF("qwen2", first).bytes()},
		"m-00002-of-00003.gguf": {Data: other(1, "output_norm.weight")},
		"m-00003-of-00003.gguf": {Data: other(2, "blk.0.attn_norm.weight")},
	}
}

func TestGGUFSplit(t *testing.T) {
	c, err := OpenFS(splitGGUF(nil), "here")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"model.embed_tokens.weight", "model.norm.weight", "model.layers.0.input_layernorm.weight"} {
		if _, err := c.Tensor(name); err != nil {
			t.Error(err)
		}
	}
	if c.FileBytes() <= 0 {
		t.Errorf("FileBytes = %d", c.FileBytes())
	}
}

func TestGGUFSplitRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		first  map[string]any
		change func(fsys fstest.MapFS)
		want   string
	}{
		{"a part is missing", nil, func(fsys fstest.MapFS) { fsys["m-00002-of-00003.gguf"] = fsys["m-00003-of-00003.gguf"] },
			"m-00002-of-00003.gguf: split.no: not part 2 of 3"},
		{"a part of another count", nil, func(fsys fstest.MapFS) {
			fsys["m-00003-of-00003.gguf"].Data = smallGGUF("qwen2", map[string]any{"split.no": uint32(2), "split.count": uint32(4)}).bytes()
		}, "m-00003-of-00003.gguf: split.no: not part 3 of 3"},
		{"a tensor twice", nil, func(fsys fstest.MapFS) {
			w := &ggufWriter{}
			w.set("split.no", uint32(2)).set("split.count", uint32(3))
			fsys["m-00003-of-00003.gguf"].Data = w.add("output_norm.weight", 0, 128, 32).bytes()
		}, `m-00003-of-00003.gguf: tensor "output_norm.weight": also in m-00002-of-00003.gguf`},
		{"another number of tensors", map[string]any{"split.tensors.count": int32(4)}, func(fstest.MapFS) {},
			"m-00001-of-00003.gguf: split.tensors.count: 4, but the parts hold 3"},
		{"absurdly many parts", map[string]any{"split.count": uint32(1 << 31)}, func(fstest.MapFS) {}, "at most 4096 are allowed"},
		{"a name of another count", map[string]any{"split.count": uint32(2)}, func(fstest.MapFS) {}, "2 parts, which the name of the file does not say"},
		{"a part that is damaged", nil, func(fsys fstest.MapFS) { fsys["m-00002-of-00003.gguf"].Data = []byte("GGUF and no more") },
			"m-00002-of-00003.gguf: GGUF version"},
	} {
		fsys := splitGGUF(test.first)
		test.change(fsys)
		if _, err := OpenFS(fsys, "here"); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v; want %s", test.name, err, test.want)
		}
	}
	fsys := splitGGUF(nil)
	delete(fsys, "m-00003-of-00003.gguf")
	if _, err := OpenFS(fsys, "here"); err == nil {
		t.Error("two parts of three were opened")
	}
	if _, err := openFS(splitGGUF(map[string]any{"split.no": uint32(0)}), "here", "m-00002-of-00003.gguf"); err == nil || !strings.Contains(err.Error(), "open m-00001-of-00003.gguf") {
		t.Errorf("the second part: %v; want the name of the first", err)
	}
}

// FuzzGGUFSplit opens any second part beside a first.
func FuzzGGUFSplit(f *testing.F) {
	parts := splitGGUF(nil)
	f.Add(parts["m-00002-of-00003.gguf"].Data)
	f.Add(parts["m-00001-of-00003.gguf"].Data)
	f.Fuzz(func(t *testing.T, data []byte) {
		parts["m-00002-of-00003.gguf"] = &fstest.MapFile{Data: data}
		c, err := OpenFS(parts, "here")
		if err != nil {
			return
		}
		for _, name := range c.Names() {
			if tensor, err := c.Tensor(name); err == nil {
				readAllRows(tensor)
			}
		}
	})
}

func TestSplitName(t *testing.T) {
	for _, name := range []string{"m-00001-of-00003.gguf", "a-b-00003-of-00003.gguf"} {
		stem, part, parts, ok := splitName(name)
		if !ok || partName(stem, part, parts) != name {
			t.Errorf("%s: %q, %d, %d, %v", name, stem, part, parts, ok)
		}
	}
	for _, name := range []string{"m.gguf", "m-00004-of-00003.gguf", "m-00000-of-00003.gguf", "-00001-of-00003.gguf", "m-0001-of-00003.gguf", "m-00001-of-0000x.gguf", "m-00001-of-00003"} {
		if _, _, _, ok := splitName(name); ok {
			t.Errorf("%s is taken for a part", name)
		}
	}
}
