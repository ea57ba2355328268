package model

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// configOf is the config.json of a checkpoint of testdata.
func configOf(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestExperts reads the mixtures of the three architectures.
func TestExperts(t *testing.T) {
	for _, test := range []struct {
		name    string
		want    Experts
		windows []int
		rotary  int
	}{
		{"qwen3moe-bf16-sharded", Experts{Count: 8, Chosen: 2, IntermediateSize: 16, Layers: []bool{true, true, true}, Normalize: true, Scale: 1}, nil, 16},
		{"qwen3moe-f32-windows", Experts{Count: 5, Chosen: 3, IntermediateSize: 13, Layers: []bool{false, true}, Scale: 1}, []int{50, 50}, 16},
		{"glm4moe-bf16-groups", Experts{
			Count: 8, Chosen: 2, IntermediateSize: 16, SharedSize: 16, Layers: []bool{false, true, true},
			Sigmoid: true, Normalize: true, Correction: true, Groups: 4, ChosenGroups: 2, Scale: 1.5,
		}, nil, 8},
		{"glm4moe-f32-shared", Experts{
			Count: 5, Chosen: 3, IntermediateSize: 13, SharedSize: 26, Layers: []bool{true, true},
			Sigmoid: true, Correction: true, Groups: 1, ChosenGroups: 1, Scale: 1,
		}, nil, 8},
		{"gptoss-bf16-transposed", Experts{
			Count: 4, Chosen: 2, IntermediateSize: 48, Normalize: true, Scale: 1, Biases: true, Alpha: 1.702, Limit: 7,
		}, []int{40, 0, 40}, 16},
		{"gptoss-mxfp4", Experts{
			Count: 4, Chosen: 2, IntermediateSize: 32, Normalize: true, Scale: 1, Biases: true, Alpha: 1.702, Limit: 7, MXFP4: true,
		}, []int{32, 0}, 16},
	} {
		c, err := ParseConfig([]byte(configOf(t, test.name)))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(c.Experts, test.want) || !slices.Equal(c.Windows, test.windows) || c.RotaryDim != test.rotary {
			t.Errorf("%s: %+v, windows %v, %d rotated; want %+v, %v, %d", test.name, c.Experts, c.Windows, c.RotaryDim, test.want, test.windows, test.rotary)
		}
		if active, all := c.ActiveParameters(), c.Parameters(); active >= all || active < all/4 {
			t.Errorf("%s: %d of %d parameters are active", test.name, active, all)
		}
	}
}

func TestExpertsRefuse(t *testing.T) {
	for _, test := range []struct{ checkpoint, field, value, want string }{
		{"qwen3moe-bf16-sharded", "num_local_experts", "", "num_experts: 0 is not between 1 and 4096"},
		{"qwen3moe-bf16-sharded", "num_local_experts", "1000000000", "num_experts: 1000000000"},
		{"qwen3moe-bf16-sharded", "num_local_experts", "-1", "num_experts: -1"},
		{"qwen3moe-bf16-sharded", "num_experts_per_tok", "9", "num_experts_per_tok: 9 is not between 1 and 8"},
		{"qwen3moe-bf16-sharded", "num_experts_per_tok", "0", "num_experts_per_tok: 0"},
		{"qwen3moe-bf16-sharded", "moe_intermediate_size", "99999999", "moe_intermediate_size: 99999999"},
		{"qwen3moe-bf16-sharded", "moe_intermediate_size", `"16"`, "moe_intermediate_size: a string"},
		{"qwen3moe-bf16-sharded", "num_local_experts", "2000000", "num_experts: 2000000"},
		{"qwen3moe-bf16-sharded", "decoder_sparse_step", "0", "decoder_sparse_step: 0"},
		{"qwen3moe-f32-windows", "sliding_window", "0", "sliding_window: 0 is not between 1"},
		{"qwen3moe-f32-windows", "sliding_window", "-5", "sliding_window: -5"},
		{"glm4moe-bf16-groups", "n_routed_experts", "6", "n_group: 4 does not divide n_routed_experts 6"},
		{"glm4moe-bf16-groups", "n_group", "8", "n_group: 8 does not divide"},
		{"glm4moe-bf16-groups", "n_group", "0", "n_group: 0"},
		{"glm4moe-bf16-groups", "topk_group", "5", "topk_group: 5 is not between 1 and n_group 4"},
		{"glm4moe-bf16-groups", "num_experts_per_tok", "5", "topk_group: 2 groups of 2 have fewer than num_experts_per_tok 5"},
		{"glm4moe-bf16-groups", "n_shared_experts", "1000000", "n_shared_experts: 1000000"},
		{"glm4moe-bf16-groups", "routed_scaling_factor", "0", "routed_scaling_factor: 0"},
		{"glm4moe-bf16-groups", "num_nextn_predict_layers", "-1", "num_nextn_predict_layers: -1"},
		{"glm4moe-f32-shared", "partial_rotary_factor", "1.5", "partial_rotary_factor: 1.5"},
		{"glm4moe-f32-shared", "partial_rotary_factor", "0.01", "partial_rotary_factor: 0.01"},
		{"gptoss-mxfp4", "num_local_experts", "1e9", "num_local_experts: "},
		{"gptoss-mxfp4", "sliding_window", "-1", "sliding_window: -1"},
		{"gptoss-mxfp4", "swiglu_limit", "0", "swiglu_limit: 0"},
		{"gptoss-mxfp4", "swiglu_alpha", "-1", "swiglu_alpha: -1"},
		{"gptoss-mxfp4", "rope_parameters", "", "rope_scaling: missing"},
		{"gptoss-mxfp4", "layer_types", `["sliding_attention"]`, "layer_types: 1 of them for 2 layers"},
	} {
		_, err := ParseConfig(edited(t, configOf(t, test.checkpoint), map[string]string{test.field: test.value}))
		if err == nil || !strings.Contains(err.Error(), "config.json: "+test.want) {
			t.Errorf("%s with %s %s: %v; want %s", test.checkpoint, test.field, test.value, err, test.want)
		}
	}
}

func TestExpertsTooWide(t *testing.T) {
	wide := map[string]string{"num_local_experts": "4096", "moe_intermediate_size": "1048576"}
	if _, err := ParseConfig(edited(t, configOf(t, "qwen3moe-bf16-sharded"), wide)); err == nil || !strings.Contains(err.Error(), "4096 experts of 1048576 are wider than") {
		t.Errorf("experts wider than anything: %v", err)
	}
}

// TestLoadRefusesExperts has mixtures whose files do not fit their configs.
func TestLoadRefusesExperts(t *testing.T) {
	config := func(field, value string) func(*testing.T, fstest.MapFS) {
		return func(t *testing.T, fsys fstest.MapFS) {
			fsys["config.json"].Data = edited(t, string(fsys["config.json"].Data), map[string]string{field: value})
		}
	}
	for _, test := range []struct {
		name, checkpoint string
		change           func(*testing.T, fstest.MapFS)
		want             string
	}{
		{"more experts than tensors", "qwen3moe-bf16-sharded", config("num_local_experts", "4096"), `tensor "model.layers.0.mlp.gate.weight": shape [8 32]; config.json makes it [4096 32]`},
		{"a dense layer that is not", "qwen3moe-bf16-sharded", config("mlp_only_layers", "[2]"), `tensor "model.layers.2.mlp.gate_proj.weight": no such tensor`},
		{"no layer to leave out", "glm4moe-bf16-groups", config("num_nextn_predict_layers", "0"), `tensor "model.layers.3.`},
		{"no shared expert", "glm4moe-bf16-groups", config("n_shared_experts", "0"), `tensor "model.layers.1.mlp.shared_experts.`},
		{"blocks without MXFP4", "gptoss-mxfp4", config("quantization_config", ""), `tensor "model.layers.0.mlp.experts.gate_up_proj": no such tensor`},
		{"MXFP4 without blocks", "gptoss-bf16-transposed", config("quantization_config", `{"quant_method":"mxfp4"}`), `tensor "model.layers.0.mlp.experts.gate_up_proj": shape [4 32 96]; config.json makes it [4 96 32]`},
		{"blocks of another type", "gptoss-mxfp4", func(t *testing.T, fsys fstest.MapFS) {
			editHeader(t, fsys, func(header map[string]any) {
				header["model.layers.1.mlp.experts.down_proj_scales"].(map[string]any)["dtype"] = "I8"
			})
		}, `tensor "model.layers.1.mlp.experts.down_proj_scales": unsupported type "I8", want U8`},
	} {
		t.Run(test.name, func(t *testing.T) {
			fsys := files(t, test.checkpoint)
			test.change(t, fsys)
			if _, err := load(t, fsys, Options{}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Load: %v; want %s", err, test.want)
			}
		})
	}
}
