package weights

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// ggufWriter writes files, right or wrong.
type ggufWriter struct {
	values, infos, data bytes.Buffer
	nValues, nTensors   uint64
	version             uint32
}

func (w *ggufWriter) put(b *bytes.Buffer, parts ...any) {
	for _, p := range parts {
		if s, ok := p.(string); ok {
			binary.Write(b, binary.LittleEndian, uint64(len(s)))
			b.WriteString(s)
			continue
		}
		binary.Write(b, binary.LittleEndian, p)
	}
}

// set writes a value: of a basic type, []string or []int32.
func (w *ggufWriter) set(key string, value any) *ggufWriter {
	w.nValues++
	w.put(&w.values, key)
	switch v := value.(type) {
	case string:
		w.put(&w.values, uint32(ggufString), v)
	case uint32:
		w.put(&w.values, uint32(ggufUint32), v)
	case int32:
		w.put(&w.values, uint32(ggufInt32), v)
	case uint64:
		w.put(&w.values, uint32(ggufUint64), v)
	case float32:
		w.put(&w.values, uint32(ggufFloat32), v)
	case float64:
		w.put(&w.values, uint32(ggufFloat64), v)
	case bool:
		w.put(&w.values, uint32(ggufBool), v)
	case []int32:
		w.put(&w.values, uint32(ggufArray), uint32(ggufInt32), uint64(len(v)), v)
	case []string:
		w.put(&w.values, uint32(ggufArray), uint32(ggufString), uint64(len(v)))
		for _, s := range v {
			w.put(&w.values, s)
		}
	case []byte: // kind and all
		w.values.Write(v)
	}
	return w
}

// add writes a tensor of size bytes at the next offset. Dimensions are in the
// order of the file, columns first.
func (w *ggufWriter) add(name string, kind uint32, size int, dims ...uint64) *ggufWriter {
	return w.addAt(name, kind, uint64(w.data.Len()), size, dims...)
}

func (w *ggufWriter) addAt(name string, kind uint32, offset uint64, size int, dims ...uint64) *ggufWriter {
	w.nTensors++
	w.put(&w.infos, name, uint32(len(dims)), dims, kind, offset)
	for i := range size {
		w.data.WriteByte(byte(i))
	}
	w.data.Write(make([]byte, -w.data.Len()&31))
	return w
}

func (w *ggufWriter) bytes() []byte {
	var b bytes.Buffer
	b.WriteString(ggufMagic)
	w.put(&b, max(w.version, 3), w.nTensors, w.nValues)
	b.Write(w.values.Bytes())
	b.Write(w.infos.Bytes())
	b.Write(make([]byte, -b.Len()&31))
	b.Write(w.data.Bytes())
	return b.Bytes()
}

// smallGGUF is metadata of a model, without its tensors but for the embedding.
func smallGGUF(arch string, change map[string]any) *ggufWriter {
	w := &ggufWriter{}
	values := map[string]any{
		"general.architecture":   arch,
		arch + ".context_length": uint32(64), arch + ".embedding_length": uint32(32), arch + ".block_count": uint32(1),
		arch + ".feed_forward_length": uint32(8), arch + ".attention.head_count": uint32(2),
		arch + ".attention.layer_norm_rms_epsilon": float32(1e-5),
		"tokenizer.ggml.model":                     "gpt2", "tokenizer.ggml.pre": "qwen2",
		"tokenizer.ggml.tokens": []string{"a", "b", "ab", "<x>", "[PAD4]", "<think>"}, "tokenizer.ggml.merges": []string{"a b"},
		"tokenizer.ggml.token_type":   []int32{1, 1, 1, 3, 5, 4},
		"tokenizer.ggml.eos_token_id": uint32(3),
	}
	for key, value := range change {
		values[key] = value
	}
	for key, value := range values {
		if value != nil {
			w.set(key, value)
		}
	}
	return w.add("token_embd.weight", 0, 4*32*6, 32, 6)
}

// TestGGUFBlocks reads rows of every type that can be read and compares them with
// what the package gguf made of them.
func TestGGUFBlocks(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "blocks.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	_, tensors, err := parseGGUF(data)
	if err != nil {
		t.Fatal(err)
	}
	numbers, err := os.ReadFile(filepath.Join("testdata", "blocks.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := OpenFS(fstest.MapFS{singleFile: {Data: numbers}}, "blocks")
	if err != nil {
		t.Fatal(err)
	}
	readable := 0
	for _, format := range ggufFormats {
		if format.decode != nil {
			readable++
		}
	}
	if len(tensors) != readable {
		t.Errorf("%d tensors; want one of each of %d types", len(tensors), readable)
	}
	for _, tensor := range tensors {
		want, err := c.Tensor(tensor.Name)
		if err != nil {
			t.Fatal(err)
		}
		if string(tensor.DType) != tensor.Name || !slices.Equal(tensor.Shape, want.Shape) {
			t.Fatalf("tensor %s is %s %v; want %v", tensor.Name, tensor.DType, tensor.Shape, want.Shape)
		}
		got, reference := make([]float32, tensor.Cols()), make([]float32, tensor.Cols())
		for row := range tensor.Rows() {
			tensor.Row(row, got)
			want.Row(row, reference)
			for i := range got {
				if got[i] != reference[i] {
					t.Fatalf("%s row %d column %d = %v; want %v", tensor.Name, row, i, got[i], reference[i])
				}
			}
		}
	}
}

func TestGGUFRefuses(t *testing.T) {
	list := func(kind uint32, count uint64) []byte {
		b := binary.LittleEndian.AppendUint32(nil, ggufArray)
		return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(b, kind), count)
	}
	ok := func() *ggufWriter { return (&ggufWriter{}).add("a", 0, 16, 4) }
	whole := ok().bytes()
	for _, test := range []struct {
		name string
		file []byte
		want string
	}{
		{"another file", []byte("GGML....................."), "not a GGUF file"},
		{"cut in the numbers", whole[:20], "ends here"},
		{"cut in a tensor", whole[:40], `tensor 0`},
		{"no data", whole[:60], `tensor "a": the file ends here`},
		{"data too short", whole[:len(whole)-17], `tensor "a": F32 [4] takes 16 bytes from offset 0 on; the file has 15`},
		{"more behind", append(bytes.Clone(whole), make([]byte, 40)...), "the last 40 bytes belong to no tensor"},
		{"many tensors", func() []byte { w := ok(); w.nTensors = 1 << 40; return w.bytes() }(), "1099511627776 tensors"},
		{"many values", func() []byte { w := ok(); w.nValues = 1 << 60; return w.bytes() }(), "1152921504606846976 values"},
		{"long key", (&ggufWriter{nValues: 1}).bytes(), "value 0"},
		{"a list of lists", ok().set("k", list(ggufArray, 1)).bytes(), `value 0, "k": values of kind 9`},
		{"an unknown kind", ok().set("k", list(13, 1)).bytes(), `value 0, "k": values of kind 13`},
		{"a huge list", ok().set("k", list(ggufUint64, 1<<61)).bytes(), `"k": a list of 2305843009213693952 elements`},
		{"a list past the end", ok().set("k", list(ggufUint64, 1<<20)).bytes(), `"k": the file ends here`},
		{"texts past the end", ok().set("k", list(ggufString, 1<<20)).bytes(), `"k"`},
		{"a value twice", ok().set("k", uint32(1)).set("k", uint32(1)).bytes(), "k: listed twice"},
		{"a tensor twice", ok().add("a", 0, 16, 4).bytes(), `tensor "a": listed twice`},
		{"no dimensions", (&ggufWriter{}).add("a", 0, 4).bytes(), "0 dimensions"},
		{"nine dimensions", (&ggufWriter{}).add("a", 0, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1).bytes(), "9 dimensions"},
		{"a dimension of nothing", (&ggufWriter{}).add("a", 0, 0, 0).bytes(), "dimension 0"},
		{"a huge dimension", (&ggufWriter{}).add("a", 0, 4, 1<<32).bytes(), "dimension 4294967296"},
		{"a huge product", (&ggufWriter{}).add("a", 0, 4, 1<<30, 1<<30, 1<<30).bytes(), "too large"},
		{"a product that wraps", (&ggufWriter{}).add("a", 0, 0, 1<<30, 1<<30, 1<<2).bytes(), "too large"},
		{"an unknown type", (&ggufWriter{}).add("a", 99, 4, 1).bytes(), "unsupported type: GGUF type 99"},
		{"half a block", (&ggufWriter{}).add("a", 8, 34, 48).bytes(), "rows of 48 numbers; Q8_0 takes multiples of 32"},
		{"an overlap", ok().addAt("b", 0, 0, 16, 4).bytes(), `tensor "b": begins at offset 0`},
		{"a hole", ok().addAt("b", 0, 64, 48, 4).bytes(), `tensor "b": begins at offset 64`},
		{"far away", (&ggufWriter{}).addAt("a", 0, math.MaxUint64, 16, 4).bytes(), `tensor "a": begins at offset 18446744073709551615`},
		{"alignment of 0", ok().set("general.alignment", uint32(0)).bytes(), "general.alignment"},
		{"alignment of 33", ok().set("general.alignment", uint32(33)).bytes(), "general.alignment"},
		{"alignment of a text", ok().set("general.alignment", "32").bytes(), "general.alignment"},
		{"an old version", func() []byte { b := bytes.Clone(whole); b[4] = 1; return b }(), "GGUF version 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, _, err := parseGGUF(test.file); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("parseGGUF: %v; want %s", err, test.want)
			}
		})
	}
}

// TestGGUFCheckpoint looks at the files that are made of the metadata.
func TestGGUFCheckpoint(t *testing.T) {
	w := smallGGUF("llama", map[string]any{
		"llama.attention.head_count_kv": uint32(1), "tokenizer.ggml.bos_token_id": uint32(0), "tokenizer.ggml.pre": "llama-bpe",
		"tokenizer.chat_template": "T", "tokenizer.ggml.eot_token_id": uint32(5),
	}).add("blk.12.attn_k.weight", 0, 4*2*16, 2, 16).add("rope_freqs.weight", 0, 32, 8).add("x", 11, 110, 256)
	dir := t.TempDir()
	file := filepath.Join(dir, "m.gguf")
	if err := os.WriteFile(file, w.bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "judge.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, dir} {
		c, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got, want := c.Names(), []string{"model.embed_tokens.weight", "model.layers.12.self_attn.k_proj.weight", "x"}; !slices.Equal(got, want) {
			t.Errorf("tensors %q; want %q", got, want)
		}
		if got := c.FileBytes(); got != int64(len(w.bytes())) {
			t.Errorf("FileBytes = %d; want %d", got, len(w.bytes()))
		}
		if n := c.Parameters(); n[F32] != 32*6+32 || n["Q3_K"] != 256 {
			t.Errorf("Parameters = %v; want 224 of F32 and 256 of Q3_K", n)
		}
		if _, err := c.Tensor("x"); err == nil || !strings.Contains(err.Error(), `m.gguf: tensor "x": unsupported type "Q3_K"`) {
			t.Errorf("a tensor of Q3_K: %v; want an error that names it", err)
		}
		// One head of 16 rows: row i of the first half is row 2i of the file.
		k, err := c.Tensor("model.layers.12.self_attn.k_proj.weight")
		if err != nil {
			t.Fatal(err)
		}
		for i, from := range []int{0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15} {
			row := make([]float32, 2)
			k.Row(i, row)
			var b [4]byte
			for j := range b {
				b[j] = byte(8*from + j)
			}
			if got, want := math.Float32bits(row[0]), binary.LittleEndian.Uint32(b[:]); got != want {
				t.Errorf("row %d begins with %#x; want %#x, row %d of the file", i, got, want, from)
			}
		}
		var config struct {
			Architectures []string
			Vocab         int     `json:"vocab_size"`
			KVHeads       int     `json:"num_key_value_heads"`
			HeadDim       int     `json:"head_dim"`
			Tied          bool    `json:"tie_word_embeddings"`
			EOS           []int   `json:"eos_token_id"`
			Eps           float64 `json:"rms_norm_eps"`
			Rope          struct {
				Type    string    `json:"rope_type"`
				Factors []float64 `json:"factors"`
			} `json:"rope_parameters"`
		}
		readJSON(t, c, "config.json", &config)
		if config.Architectures[0] != "LlamaForCausalLM" || config.Vocab != 6 || config.KVHeads != 1 || config.HeadDim != 16 || !config.Tied ||
			!slices.Equal(config.EOS, []int{3, 5}) || config.Eps != 1e-5 || config.Rope.Type != "factors" || len(config.Rope.Factors) != 8 {
			t.Errorf("config.json = %+v", config)
		}
		var tokenizer struct {
			Added []struct {
				ID      int
				Content string
				Special bool
			} `json:"added_tokens"`
			Model struct {
				Vocab  map[string]int
				Merges []string
				Ignore bool `json:"ignore_merges"`
			}
		}
		readJSON(t, c, "tokenizer.json", &tokenizer)
		if len(tokenizer.Added) != 2 || !tokenizer.Added[0].Special || tokenizer.Added[0].Content != "<x>" || tokenizer.Added[1].ID != 5 || tokenizer.Added[1].Special {
			t.Errorf("added tokens %+v; want <x> as special, and <think>", tokenizer.Added)
		}
		if len(tokenizer.Model.Vocab) != 3 || tokenizer.Model.Vocab["ab"] != 2 || !slices.Equal(tokenizer.Model.Merges, []string{"a b"}) || !tokenizer.Model.Ignore {
			t.Errorf("tokenizer model %+v; want a, b and ab, and what a merge does not make", tokenizer.Model)
		}
		var more map[string]string
		readJSON(t, c, "tokenizer_config.json", &more)
		if more["bos_token"] != "a" || more["eos_token"] != "<x>" || more["chat_template"] != "T" {
			t.Errorf("tokenizer_config.json = %v", more)
		}
		if _, err := c.File("judge.json"); err != nil {
			t.Errorf("a file beside it: %v", err)
		}
	}
}

func readJSON(t *testing.T, c *Checkpoint, name string, into any) {
	t.Helper()
	data, err := c.File(name)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestGGUFRefusesModel(t *testing.T) {
	for _, test := range []struct {
		arch   string
		change map[string]any
		want   string
	}{
		{"gemma", nil, `general.architecture: "gemma" is not supported; supported are glm4moe, gpt-oss, llama, qwen2, qwen3, qwen3moe`},
		{"llama", map[string]any{"general.architecture": nil}, "general.architecture: missing"},
		{"llama", map[string]any{"general.architecture": uint32(1)}, "general.architecture: not a text"},
		{"llama", map[string]any{"llama.block_count": nil}, "llama.block_count: missing"},
		{"llama", map[string]any{"llama.feed_forward_length": []int32{8}}, "llama.feed_forward_length: a list"},
		{"llama", map[string]any{"llama.context_length": uint64(math.MaxUint64)}, "llama.context_length: not a whole number"},
		{"llama", map[string]any{"llama.attention.head_count": int32(0)}, "llama.attention.head_count: 0"},
		{"llama", map[string]any{"llama.rope.dimension_count": uint32(8)}, "llama.rope.dimension_count: 8"},
		{"llama", map[string]any{"llama.attention.value_length": uint32(8)}, "llama.attention.value_length: 8"},
		{"llama", map[string]any{"llama.expert_count": uint32(8)}, "llama.expert_count: not supported"},
		{"llama", map[string]any{"llama.attention.sliding_window": uint32(8)}, "llama.attention.sliding_window: not supported"},
		{"llama", map[string]any{"llama.rope.scaling.type": "longrope"}, `llama.rope.scaling.type: "longrope"`},
		{"llama", map[string]any{"split.count": uint32(3)}, "split.count: 3 parts, which the name of the file does not say"},
		{"qwen2", map[string]any{"tokenizer.ggml.model": "llama"}, `tokenizer.ggml.model: "llama" is not supported`},
		{"qwen2", map[string]any{"tokenizer.ggml.pre": "smaug-bpe"}, `tokenizer.ggml.pre: "smaug-bpe" is not supported`},
		{"qwen2", map[string]any{"tokenizer.ggml.tokens": []string{"a", "b", "a", "c", "d", "e"}}, `tokenizer.ggml.tokens: 0 and 2 are both "a"`},
		{"qwen2", map[string]any{"tokenizer.ggml.tokens": nil}, "tokenizer.ggml.tokens: missing"},
		{"qwen2", map[string]any{"tokenizer.ggml.merges": "a b"}, "tokenizer.ggml.merges: not a list of texts"},
		{"qwen2", map[string]any{"tokenizer.ggml.token_type": []int32{1}}, "tokenizer.ggml.token_type: 1 kinds of 6 tokens"},
		{"qwen2", map[string]any{"tokenizer.ggml.eos_token_id": uint32(6)}, "tokenizer.ggml.eos_token_id: 6 is not below the 6 tokens"},
	} {
		fsys := fstest.MapFS{"m.gguf": {Data: smallGGUF(test.arch, test.change).bytes()}}
		if _, err := OpenFS(fsys, "here"); err == nil || !strings.Contains(err.Error(), "weights: here/m.gguf: "+test.want) {
			t.Errorf("%s with %v: %v; want %s", test.arch, test.change, err, test.want)
		}
	}
	two := fstest.MapFS{"a.gguf": {Data: smallGGUF("llama", nil).bytes()}, "b.gguf": {}}
	if _, err := OpenFS(two, "here"); err == nil || !strings.Contains(err.Error(), "neither") {
		t.Errorf("a folder of two GGUF files: %v; want an error", err)
	}
}

// FuzzGGUF checks that whatever is accepted can be read to its last number.
func FuzzGGUF(f *testing.F) {
	f.Add(smallGGUF("llama", nil).add("blk.0.attn_q.weight", 8, 34*8, 32, 8).add("blk.0.attn_k.bias", 0, 32, 8).bytes())
	f.Add(smallGGUF("qwen3", map[string]any{"qwen3.rope.scaling.type": "yarn", "qwen3.rope.scaling.factor": float32(4)}).add("q", 14, 210*2, 256, 2).bytes())
	f.Add(smallGGUF("qwen2", nil).add("q", 12, 144*6, 256, 2, 3).add("r", 2, 18, 32).add("s", 13, 176, 256).add("t", 7, 24, 32).bytes())
	mixture := map[string]any{"qwen3moe.expert_count": uint32(3), "qwen3moe.expert_used_count": uint32(2), "qwen3moe.expert_feed_forward_length": uint32(4)}
	f.Add(smallGGUF("qwen3moe", mixture).add("blk.0.ffn_gate_exps.weight", 39, 17*12, 32, 4, 3).add("blk.0.ffn_up_exps.bias", 0, 48, 4, 3).bytes())
	f.Add((&ggufWriter{}).add("a", 0, 4, 1<<30, 1<<30, 1<<30).bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		metadata, tensors, err := parseGGUF(data)
		if err != nil {
			return
		}
		if _, renamed, err := metadata.checkpoint(tensors); err == nil {
			tensors = renamed
		}
		total := 0
		for _, tensor := range tensors {
			total += tensor.Rows() * tensor.rowBytes
			if !tensor.readable() {
				continue
			}
			row := make([]float32, tensor.Cols())
			for i := range tensor.Rows() {
				tensor.Row(i, row)
			}
		}
		if total > len(data) {
			t.Errorf("tensors of %d bytes in a file of %d", total, len(data))
		}
	})
}
