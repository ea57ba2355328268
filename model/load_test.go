package model

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"deepprune/weights"
)

// files is a checkpoint of testdata to change and load.
func files(t *testing.T, name string) fstest.MapFS {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	fsys := make(fstest.MapFS)
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join("testdata", name, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		fsys[e.Name()] = &fstest.MapFile{Data: data}
	}
	return fsys
}

func load(t *testing.T, fsys fs.FS, opt Options) (*Model, error) {
	t.Helper()
	c, err := weights.OpenFS(fsys, "here")
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return Load(newDevice(t), c, opt)
}

// editHeader changes the header of model.safetensors and leaves the data.
func editHeader(t *testing.T, fsys fstest.MapFS, change func(header map[string]any)) {
	t.Helper()
	file := fsys["model.safetensors"].Data
	n := binary.LittleEndian.Uint64(file)
	var header map[string]any
	if err := json.Unmarshal(file[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	change(header)
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	edited := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	fsys["model.safetensors"].Data = append(append(edited, text...), file[8+n:]...)
}

func TestLoad(t *testing.T) {
	m, err := load(t, files(t, "qwen3-bf16-tied"), Options{MaxContext: 100})
	if err != nil {
		t.Fatal(err)
	}
	if m.Name != "here" || m.MaxContext() != 100 || m.Bytes() <= 0 || m.Tokenizer.Size() > m.Config.VocabSize {
		t.Errorf("loaded %q with a context of %d, %d bytes, %d tokens", m.Name, m.MaxContext(), m.Bytes(), m.Tokenizer.Size())
	}
	if len(m.Generation.EOS) != 1 || m.Generation.EOS[0] != 0 {
		t.Errorf("EOS = %v; want [0], from both files", m.Generation.EOS)
	}
	if _, err := m.Prompt("x"); !errors.Is(err, ErrChat) || !strings.Contains(err.Error(), "here: no chat template") {
		t.Errorf("Prompt: %v; want ErrChat, no chat template", err)
	}
	if _, err := m.NewDecoder(0, 1); err == nil {
		t.Error("a decoder for 0 rows was made")
	}
}

func TestLoadRefuses(t *testing.T) {
	rename := func(from, to string) func(*testing.T, fstest.MapFS) {
		return func(t *testing.T, fsys fstest.MapFS) {
			editHeader(t, fsys, func(header map[string]any) {
				header[to] = header[from]
				delete(header, from)
			})
		}
	}
	config := func(field, value string) func(*testing.T, fstest.MapFS) {
		return func(t *testing.T, fsys fstest.MapFS) {
			fsys["config.json"].Data = edited(t, string(fsys["config.json"].Data), map[string]string{field: value})
		}
	}
	remove := func(name string) func(*testing.T, fstest.MapFS) {
		return func(_ *testing.T, fsys fstest.MapFS) { delete(fsys, name) }
	}
	write := func(name, data string) func(*testing.T, fstest.MapFS) {
		return func(_ *testing.T, fsys fstest.MapFS) { fsys[name] = &fstest.MapFile{Data: []byte(data)} }
	}
	const (
		qwen3 = "qwen3-bf16-tied"
		llama = "llama-f32-biases"
	)
	for _, test := range []struct {
		name, checkpoint string
		change           func(*testing.T, fstest.MapFS)
		want             string
	}{
		{"no config", qwen3, remove("config.json"), "here/config.json: file does not exist"},
		{"no tokenizer", qwen3, remove("tokenizer.json"), "here/tokenizer.json: file does not exist"},
		{"bad config", qwen3, config("hidden_size", "0"), "model: here: config.json: hidden_size: 0"},
		{"bad tokenizer", qwen3, write("tokenizer.json", "{}"), "model: here: tokenizer.json: pre_tokenizer"},
		{"bad generation config", qwen3, write("generation_config.json", `{"top_p":7}`), "generation_config.json: top_p: 7"},
		{"end beyond the vocabulary", qwen3, write("generation_config.json", `{"eos_token_id":288}`), "generation_config.json: eos_token_id: 288"},
		{"a tokenizer of another vocabulary", qwen3, config("vocab_size", "200"), "tokenizer.json: token id 279 is not below vocab_size 200"},
		{"missing tensor", qwen3, rename("model.layers.2.mlp.up_proj.weight", "other"), `here: tensor "model.layers.2.mlp.up_proj.weight": no such tensor`},
		{"more layers than tensors", qwen3, config("num_hidden_layers", "4"), `tensor "model.layers.3.input_layernorm.weight": no such tensor`},
		{"more tensors than layers", qwen3, config("num_hidden_layers", "2"), `tensor "model.layers.2.input_layernorm.weight": Qwen3ForCausalLM with this config.json has none of this name`},
		{"another hidden size", qwen3, config("hidden_size", "64"), `tensor "model.embed_tokens.weight": shape [288 32]; config.json makes it [288 64]`},
		{"another head_dim", qwen3, config("head_dim", "32"), `tensor "model.layers.0.self_attn.q_proj.weight": shape [64 32]; config.json makes it [128 32]`},
		{"another vocab_size", qwen3, config("vocab_size", "300"), `tensor "model.embed_tokens.weight": shape [288 32]; config.json makes it [300 32]`},
		{"untied without a head", qwen3, config("tie_word_embeddings", "false"), `tensor "lm_head.weight": no such tensor`},
		{"norms of no use", qwen3, config("architectures", `["LlamaForCausalLM"]`), `tensor "model.layers.0.self_attn.k_norm.weight": LlamaForCausalLM`},
		{"biases of no use", llama, config("mlp_bias", "false"), `tensor "model.layers.0.mlp.down_proj.bias": LlamaForCausalLM`},
		{"transposed tensor", llama, func(t *testing.T, fsys fstest.MapFS) {
			editHeader(t, fsys, func(header map[string]any) {
				header["model.layers.1.mlp.down_proj.weight"].(map[string]any)["shape"] = []int{37, 30}
			})
		}, `tensor "model.layers.1.mlp.down_proj.weight": shape [37 30]; config.json makes it [30 37]`},
		{"FP8 without blocks", "qwen3-fp8", config("quantization_config", ""),
			`q_proj.weight": F8_E4M3, but no quantization_config`},
		{"FP8 without scales", "qwen3-fp8", rename("model.layers.1.mlp.up_proj.weight_scale_inv", "x"),
			`tensor "model.layers.1.mlp.up_proj.weight_scale_inv": no such tensor`},
		{"FP8 in other blocks", "qwen3-fp8", config("quantization_config", `{"quant_method":"fp8","weight_block_size":[16,16]}`),
			`q_proj.weight_scale_inv": shape [2 1]; blocks of 16 by 16 make it [2 2]`},
		{"tensor of integers", llama, func(t *testing.T, fsys fstest.MapFS) {
			editHeader(t, fsys, func(header map[string]any) {
				header["model.norm.weight"].(map[string]any)["dtype"] = "I32"
			})
		}, `here/model.safetensors: tensor "model.norm.weight": unsupported type "I32"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			fsys := files(t, test.checkpoint)
			test.change(t, fsys)
			if _, err := load(t, fsys, Options{}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Load: %v; want %s", err, test.want)
			}
		})
	}
	for _, context := range []int{-1, 513} {
		if _, err := load(t, files(t, qwen3), Options{MaxContext: context}); err == nil || !strings.Contains(err.Error(), "not between 1 and 512") {
			t.Errorf("Load with a context of %d: %v; want a bound", context, err)
		}
	}
}

// TestLoadIgnores has tensors that old checkpoints carry without a use.
func TestLoadIgnores(t *testing.T) {
	fsys := files(t, "qwen3-bf16-tied")
	editHeader(t, fsys, func(header map[string]any) {
		end := 0.0
		for name, e := range header {
			if name != "__metadata__" {
				end = max(end, e.(map[string]any)["data_offsets"].([]any)[1].(float64))
			}
		}
		for i, name := range []string{"lm_head.weight", "model.layers.0.self_attn.rotary_emb.inv_freq"} {
			at := end + float64(4*i)
			header[name] = map[string]any{"dtype": "F32", "shape": []int{1}, "data_offsets": []float64{at, at + 4}}
		}
	})
	fsys["model.safetensors"].Data = append(fsys["model.safetensors"].Data, make([]byte, 8)...)
	if _, err := load(t, fsys, Options{}); err != nil {
		t.Errorf("Load: %v", err)
	}
}
