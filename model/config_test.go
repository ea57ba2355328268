package model

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// qwen3JSON is the config.json of Qwen3-0.6B in its own spelling.
const qwen3JSON = `{"architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
	"bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024,
	"initializer_range": 0.02, "intermediate_size": 3072, "max_position_embeddings": 40960, "max_window_layers": 28,
	"model_type": "qwen3", "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8,
	"rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000, "sliding_window": null,
	"tie_word_embeddings": true, "torch_dtype": "bfloat16", "use_cache": true, "use_sliding_window": false, "vocab_size": 151936}`

// edited is base with fields replaced, or removed where the value is "".
func edited(t testing.TB, base string, fields map[string]string) []byte {
	t.Helper()
	var config map[string]json.RawMessage
	if err := json.Unmarshal([]byte(base), &config); err != nil {
		t.Fatal(err)
	}
	for name, value := range fields {
		if value == "" {
			delete(config, name)
		} else {
			config[name] = json.RawMessage(value)
		}
	}
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParseConfig(t *testing.T) {
	base := Config{
		Architecture: "Qwen3ForCausalLM", HiddenSize: 1024, IntermediateSize: 3072, Layers: 28, Heads: 16, KVHeads: 8,
		HeadDim: 128, VocabSize: 151936, MaxPositions: 40960, RMSNormEps: 1e-6, RotaryDim: 128, RopeTheta: 1e6, TiedHead: true,
		QKNorm: true, EOS: []int32{151645},
	}
	with := func(change func(c *Config)) Config {
		c := base
		change(&c)
		return c
	}
	for _, test := range []struct {
		name   string
		fields map[string]string
		want   Config
	}{
		{"as it is", nil, base},
		{"Qwen3 without head_dim", map[string]string{"head_dim": ""}, base},
		{"new rope_parameters", map[string]string{"rope_theta": "", "rope_parameters": `{"rope_type":"default","rope_theta":5000.5}`},
			with(func(c *Config) { c.RopeTheta = 5000.5 })},
		{"default rope_scaling", map[string]string{"rope_scaling": `{"type":"default"}`}, base},
		{"no rope_theta", map[string]string{"rope_theta": ""}, with(func(c *Config) { c.RopeTheta = 10000 })},
		{"list of ends", map[string]string{"eos_token_id": "[1, 2]"}, with(func(c *Config) { c.EOS = []int32{1, 2} })},
		{"no end", map[string]string{"eos_token_id": "null"}, with(func(c *Config) { c.EOS = nil })},
		{"untied by default", map[string]string{"tie_word_embeddings": ""}, with(func(c *Config) { c.TiedHead = false })},
		{"attention_bias", map[string]string{"attention_bias": "true"}, with(func(c *Config) { c.QKVBias, c.OutputBias = true, true })},
		{"windows that begin after the last layer", map[string]string{"use_sliding_window": "true", "sliding_window": "4096"}, base},
		{"windows from a layer on", map[string]string{"use_sliding_window": "true", "sliding_window": "4096", "max_window_layers": "26"},
			with(func(c *Config) { c.Windows = append(make([]int, 26), 4096, 4096) })},
		{"layer_types", map[string]string{"layer_types": `["full_attention"]`}, base},
		{"Qwen2", map[string]string{"architectures": `["Qwen2ForCausalLM"]`, "head_dim": ""},
			with(func(c *Config) {
				c.Architecture, c.HeadDim, c.RotaryDim, c.QKNorm, c.QKVBias = "Qwen2ForCausalLM", 64, 64, false, true
			})},
		{"Llama", map[string]string{"architectures": `["LlamaForCausalLM"]`, "head_dim": "null", "num_key_value_heads": "", "mlp_bias": "true", "rms_norm_eps": ""},
			with(func(c *Config) {
				c.Architecture, c.HeadDim, c.RotaryDim, c.QKNorm, c.KVHeads, c.MLPBias = "LlamaForCausalLM", 64, 64, false, 16, true
			})},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseConfig(edited(t, qwen3JSON, test.fields))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("ParseConfig = %+v; want %+v", got, test.want)
			}
		})
	}
}

func TestParseConfigRefuses(t *testing.T) {
	for _, test := range []struct {
		field, value, want string
	}{
		{"architectures", `["GPT2LMHeadModel"]`, `architectures: "GPT2LMHeadModel" is not supported; supported are Glm4MoeForCausalLM, GptOssForCausalLM, LlamaForCausalLM, LlamaForSequenceClassification, Qwen2ForCausalLM, `},
		{"architectures", `[]`, "architectures: []"},
		{"architectures", ``, "architectures: []"},
		{"architectures", `"Qwen3ForCausalLM"`, "architectures: a string"},
		{"hidden_size", ``, "hidden_size: missing"},
		{"hidden_size", `null`, "hidden_size: missing"},
		{"hidden_size", `0`, "hidden_size: 0 is not between 1 and"},
		{"hidden_size", `-1024`, "hidden_size: -1024"},
		{"hidden_size", `1e30`, "hidden_size: a number 1e30"},
		{"hidden_size", `"1024"`, "hidden_size: a string"},
		{"intermediate_size", `4611686018427387904`, "intermediate_size: 4611686018427387904"},
		{"num_hidden_layers", `1000000000`, "num_hidden_layers"},
		{"num_attention_heads", `0`, "num_attention_heads"},
		{"num_key_value_heads", `0`, "num_key_value_heads"},
		{"num_key_value_heads", `3`, "num_key_value_heads: 3 does not divide"},
		{"num_key_value_heads", `32`, "num_key_value_heads: 32 does not divide"},
		{"head_dim", `0`, "head_dim: 0"},
		{"head_dim", `-128`, "head_dim: -128"},
		{"head_dim", `120`, "head_dim: 120 is not a multiple of 16"},
		{"head_dim", `1048576`, "head_dim: 1048576"},
		{"num_attention_heads", `1048576`, "head_dim: 1048576 heads of 128"},
		{"vocab_size", `99999999999`, "vocab_size"},
		{"max_position_embeddings", ``, "max_position_embeddings: missing"},
		{"rms_norm_eps", `-1e-6`, "rms_norm_eps"},
		{"rms_norm_eps", `1e999`, "rms_norm_eps"},
		{"rope_theta", `0`, "rope_theta"},
		{"rope_theta", `1e300`, "rope_theta"},
		{"rope_scaling", `{"rope_type":"llama3","factor":8}`, `rope_scaling: low_freq_factor or high_freq_factor is missing`},
		{"rope_scaling", `{"rope_type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":4}`, `rope_scaling: low_freq_factor 4 and high_freq_factor 4`},
		{"rope_scaling", `{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":0}`, `rope_scaling.original_max_position_embeddings: 0`},
		{"rope_scaling", `{"type":"longrope","factor":4}`, `rope_scaling: rotary positions of type "longrope" are not supported, only default, dynamic,`},
		{"rope_scaling", `{"type":"dynamic"}`, `rope_scaling.factor: missing`},
		{"rope_scaling", `{"type":"yarn","factor":0.5}`, `rope_scaling.factor: 0.5`},
		{"rope_scaling", `{"type":"yarn","factor":4,"beta_fast":0.5}`, `rope_scaling: beta_slow 1 and beta_fast 0.5`},
		{"rope_scaling", `{"type":"yarn","factor":4,"attention_factor":1,"attn_factor":1}`, `rope_scaling: attention_factor and attn_factor`},
		{"rope_scaling", `{"type":"yarn","factor":4,"attention_factor":-1}`, `rope_scaling: an attention_factor of -1`},
		{"rope_scaling", `{"factor":4}`, "rope_scaling: neither"},
		{"rope_parameters", `{"rope_type":"linear","rope_theta":1e4,"factor":1e9}`, `rope_parameters.factor: 1e+09`},
		{"rope_parameters", `{"rope_theta":1e4,"partial_rotary_factor":0.5}`, "partial_rotary_factor: 0.5 of heads of 128 is not supported"},
		{"rope_parameters", `{"full_attention":{"rope_theta":1e4}}`, "rope_parameters: neither"},
		{"max_window_layers", `20`, ""},
		{"use_sliding_window", `true`, ""},
		{"layer_types", `["full_attention","sliding_attention"]`, `layer_types: 2 of them for 28 layers`},
		{"layer_types", `["chunked_attention"]`, `layer_types: "chunked_attention" is not supported`},
		{"quantization_config", `{"quant_method":"mxfp4"}`, `quantization_config: "mxfp4"`},
		{"hidden_act", `"gelu"`, `hidden_act: "gelu"`},
		{"quantization_config", `{"quant_method":"awq"}`, `quantization_config: "awq"`},
		{"quantization_config", `{"quant_method":"fp8","fmt":"e5m2"}`, `quantization_config: "fp8" e5m2`},
		{"quantization_config", `{"quant_method":"fp8"}`, "quantization_config.weight_block_size: []"},
		{"quantization_config", `{"quant_method":"fp8","weight_block_size":[128,0]}`, "quantization_config.weight_block_size: [128 0]"},
		{"eos_token_id", `151936`, "eos_token_id: 151936 is not below vocab_size 151936"},
		{"eos_token_id", `[1,-2]`, "eos_token_id: -2"},
		{"eos_token_id", `"x"`, "eos_token_id"},
	} {
		_, err := ParseConfig(edited(t, qwen3JSON, map[string]string{test.field: test.value}))
		switch {
		case test.want == "" && err != nil:
			t.Errorf("with %s %s: %v", test.field, test.value, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), "config.json: ") || !strings.Contains(err.Error(), test.want)):
			t.Errorf("with %s %s: %v; want config.json: %s", test.field, test.value, err, test.want)
		}
	}
	if _, err := ParseConfig([]byte("{")); err == nil || !strings.Contains(err.Error(), "config.json: unexpected end") {
		t.Errorf("half a file: %v", err)
	}
}

func TestFLOPs(t *testing.T) {
	c := Config{HiddenSize: 10, IntermediateSize: 20, Layers: 3, Heads: 4, KVHeads: 2, HeadDim: 8, VocabSize: 100}
	// By hand, at position 6 (7 keys): a layer has matrices of 32x10 (queries),
	// 16x10 (keys), 16x10 (values), 10x32 (output), 20x10 (gate), 20x10 (up) and
	// 10x20 (down), and 4 heads with 7 products of 8 numbers, twice.
	const (
		inputs  = 2*(320+160+160) + 2*4*7*8 + 2*4*7*8
		outputs = 2 * (320 + 200 + 200 + 200)
		head    = 2 * 1000
	)
	if got, want := c.FLOPs(6, true), float64(3*(inputs+outputs)+head); got != want {
		t.Errorf("FLOPs(6, true) = %v; want %v", got, want)
	}
	if got, want := c.FLOPs(6, false), float64(3*inputs+2*outputs); got != want {
		t.Errorf("FLOPs(6, false) = %v; want %v", got, want)
	}
}

func TestParseGeneration(t *testing.T) {
	got, err := ParseGeneration([]byte(`{"do_sample":true,"eos_token_id":[151645,151643],"temperature":0.6,"top_k":20,"top_p":0.95,"transformers_version":"4.51.0"}`))
	want := Generation{Temperature: 0.6, TopK: 20, TopP: 0.95, EOS: []int32{151645, 151643}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ParseGeneration = %+v, %v; want %+v", got, err, want)
	}
	for _, test := range []struct{ data, want string }{
		{`{"temperature":-1}`, "generation_config.json: temperature: -1"},
		{`{"temperature":"hot"}`, "generation_config.json: temperature: a string"},
		{`{"top_p":1.5}`, "generation_config.json: top_p: 1.5"},
		{`{"top_k":-5}`, "generation_config.json: top_k: -5"},
		{`{"min_p":2}`, "generation_config.json: min_p: 2"},
		{`[]`, "generation_config.json: "},
	} {
		if _, err := ParseGeneration([]byte(test.data)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("ParseGeneration(%s): %v; want %s", test.data, err, test.want)
		}
	}
}

// FuzzParseConfig checks that the sizes of what is accepted can be calculated with.
func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(qwen3JSON))
	for _, name := range []string{"qwen3moe-f32-windows", "glm4moe-bf16-groups", "gptoss-mxfp4"} {
		f.Add([]byte(configOf(f, name)))
	}
	f.Add(edited(f, qwen3JSON, map[string]string{"architectures": `["LlamaForCausalLM"]`, "head_dim": "null", "eos_token_id": "[1]"}))
	f.Add(edited(f, qwen3JSON, map[string]string{"rope_parameters": `{"rope_type":"default","rope_theta":1e6}`}))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseConfig(data)
		if err != nil {
			return
		}
		layout := c.KVLayout()
		sizes := []int{c.Heads / c.KVHeads, layout.HeadDim, int(layout.BlockBytes()), c.VocabSize * c.HiddenSize, int(c.FLOPs(c.MaxPositions, true)), int(c.Parameters()), int(c.ActiveParameters())}
		if slices.Min(sizes) < 1 {
			t.Errorf("%+v has sizes %v", c, sizes)
		}
		if !slices.Contains(slices.Collect(maps.Keys(architectures)), c.Architecture) {
			t.Errorf("architecture %q", c.Architecture)
		}
	})
}
