package weights

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// A GGUF file is read as the checkpoint of Hugging Face's layout that it was made
// of: config.json, tokenizer.json and tokenizer_config.json are written from its
// metadata, its tensors get back their names, and the rows of queries and keys
// their order.

// ggufArchitectures are the names of the architectures.
var ggufArchitectures = map[string]string{
	"glm4moe":  "Glm4MoeForCausalLM",
	"gpt-oss":  "GptOssForCausalLM",
	"llama":    "LlamaForCausalLM",
	"qwen2":    "Qwen2ForCausalLM",
	"qwen3":    "Qwen3ForCausalLM",
	"qwen3moe": "Qwen3MoeForCausalLM",
}

// ggufNames and ggufLayerNames are the parts of tensors' names, which the
// architectures share.
var ggufNames = map[string]string{
	"token_embd":  "model.embed_tokens",
	"output_norm": "model.norm",
	"output":      "lm_head",
}

var ggufLayerNames = map[string]string{
	"attn_norm":   "input_layernorm",
	"attn_q":      "self_attn.q_proj",
	"attn_k":      "self_attn.k_proj",
	"attn_v":      "self_attn.v_proj",
	"attn_output": "self_attn.o_proj",
	"attn_q_norm": "self_attn.q_norm",
	"attn_k_norm": "self_attn.k_norm",
	"ffn_norm":    "post_attention_layernorm",
	"ffn_gate":    "mlp.gate_proj",
	"ffn_up":      "mlp.up_proj",
	"ffn_down":    "mlp.down_proj",

	"post_attention_norm": "post_attention_layernorm",
	"ffn_gate_inp":        "mlp.gate",
	"ffn_gate_shexp":      "mlp.shared_experts.gate_proj",
	"ffn_up_shexp":        "mlp.shared_experts.up_proj",
	"ffn_down_shexp":      "mlp.shared_experts.down_proj",
}

// ggufRopeFactors is the tensor that the frequencies are divided by: how files
// keep the scaling of Llama 3.1.
const ggufRopeFactors = "rope_freqs.weight"

// ggufRefused are settings of an architecture that change what it computes and
// have no place in the config.json of these.
var ggufRefused = []string{
	"attention.scale", "attention.max_alibi_bias", "attention.clamp_kqv",
	"attn_logit_softcapping", "final_logit_softcapping", "logit_scale", "embedding_scale", "residual_scale", "rope.scale_linear",
}

// ggufFile is a parsed file on its way to a checkpoint.
type ggufFile struct {
	metadata ggufMetadata
	tensors  map[string]*Tensor // by their names in the file
	arch     string

	expertTensors int // made so far
}

// checkpoint returns the files and the tensors of the checkpoint.
func (metadata ggufMetadata) checkpoint(tensors []*Tensor) (files map[string][]byte, renamed []*Tensor, err error) {
	g := &ggufFile{metadata: metadata, tensors: make(map[string]*Tensor, len(tensors))}
	for _, t := range tensors {
		g.tensors[t.Name] = t
	}
	if g.arch, err = metadata.text("general.architecture"); err != nil {
		return nil, nil, err
	}
	architecture, ok := ggufArchitectures[g.arch]
	if !ok {
		return nil, nil, fmt.Errorf("general.architecture: %q is not supported; supported are %s", g.arch, strings.Join(slices.Sorted(maps.Keys(ggufArchitectures)), ", "))
	}
	config, err := g.config(architecture)
	if err != nil {
		return nil, nil, err
	}
	vocabulary, err := g.vocabulary()
	if err != nil {
		return nil, nil, err
	}
	config["eos_token_id"] = vocabulary.ends
	tokenizer, err := vocabulary.tokenizer()
	if err != nil {
		return nil, nil, err
	}
	files = make(map[string][]byte)
	for name, content := range map[string]any{
		"config.json": config, "tokenizer.json": tokenizer, "tokenizer_config.json": vocabulary.config,
	} {
		if files[name], err = json.Marshal(content); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	heads := config["num_attention_heads"].(int64)
	kvHeads := config["num_key_value_heads"].(int64)
	for _, t := range tensors {
		if t.Name == ggufRopeFactors {
			continue // in the config
		}
		if g.arch == "llama" {
			switch _, part, _ := cutLayer(t.Name); part {
			case "attn_q":
				t.unpair(heads)
			case "attn_k":
				t.unpair(kvHeads)
			}
		}
		if experts := g.experts(t); experts != nil {
			renamed = append(renamed, experts...)
			continue
		}
		t.Name = originalName(t.Name)
		renamed = append(renamed, t)
	}
	return files, renamed, nil
}

// originalName is the name of a tensor in the checkpoint; one that is not known
// keeps the name it has, by which it will be refused.
func originalName(name string) string {
	layer, part, suffix := cutLayer(name)
	if layer == "" {
		if to, ok := ggufNames[part]; ok {
			return to + suffix
		}
	} else if part == "attn_sinks" && suffix == ".weight" {
		return "model.layers." + layer + ".self_attn.sinks"
	} else if part == "exp_probs_b" && suffix == ".bias" {
		return "model.layers." + layer + ".mlp.gate.e_score_correction_bias"
	} else if strings.HasPrefix(part, "nextn.") {
		return "model.layers." + layer + "." + part + suffix
	} else if to, ok := ggufLayerNames[part]; ok {
		return "model.layers." + layer + "." + to + suffix
	}
	return name
}

// cutLayer takes "blk.3.attn_q.weight" apart to 3, attn_q and .weight; the layer
// of other names is empty.
func cutLayer(name string) (layer, part, suffix string) {
	part = name
	if i := strings.LastIndexByte(part, '.'); i >= 0 {
		part, suffix = part[:i], part[i:]
	}
	if rest, ok := strings.CutPrefix(part, "blk."); ok {
		layer, part, _ = strings.Cut(rest, ".")
	}
	return layer, part, suffix
}

// unpair gives the rows of a llama's queries or keys the order of Hugging Face.
// There, row i of a head is turned with row i+d/2; in the file the two are rows 2i
// and 2i+1. A number of heads that does not fit leaves the tensor alone: its shape
// will be refused.
func (t *Tensor) unpair(heads int64) {
	rows := t.rows
	if len(t.Shape) == 1 {
		rows = t.cols
	}
	if heads < 1 || int64(rows)%(2*heads) != 0 {
		return
	}
	dim := rows / int(heads)
	half := dim / 2
	from := func(i int) int {
		head, i := i/dim, i%dim
		return head*dim + i%half*2 + i/half
	}
	stored := *t
	if len(t.Shape) > 1 {
		*t = *Reordered(&stored, from)
	} else {
		*t = *ReorderedColumns(&stored, from)
	}
}

// config writes config.json.
func (g *ggufFile) config(architecture string) (map[string]any, error) {
	key := func(name string) string { return g.arch + "." + name }
	for _, name := range ggufRefused {
		v, err := g.metadata.float(key(name))
		if err == nil && v == 0 || errors.Is(err, errGGUFMissing) {
			continue
		}
		return nil, fmt.Errorf("%s: not supported", key(name))
	}
	embedding, ok := g.tensors["token_embd.weight"]
	if !ok {
		return nil, errors.New(`tensor "token_embd.weight": missing`)
	}
	c := map[string]any{
		"architectures":       []string{architecture},
		"vocab_size":          embedding.rows,
		"tie_word_embeddings": g.tensors["output.weight"] == nil,
		"attention_bias":      g.tensors["blk.0.attn_q.bias"] != nil,
		"mlp_bias":            g.tensors["blk.0.ffn_gate.bias"] != nil,
	}
	for _, field := range []struct{ to, from string }{
		{"max_position_embeddings", "context_length"},
		{"hidden_size", "embedding_length"},
		{"num_hidden_layers", "block_count"},
		{"intermediate_size", "feed_forward_length"},
		{"num_attention_heads", "attention.head_count"},
	} {
		n, err := g.metadata.integer(key(field.from))
		if err != nil {
			return nil, err
		}
		c[field.to] = n
	}
	heads := c["num_attention_heads"].(int64)
	if heads < 1 {
		return nil, fmt.Errorf("%s: %d", key("attention.head_count"), heads)
	}
	dim := c["hidden_size"].(int64) / heads
	for _, field := range []struct {
		to, from  string
		otherwise int64
	}{
		{"num_key_value_heads", "attention.head_count_kv", heads},
		{"head_dim", "attention.key_length", dim},
	} {
		n, err := g.metadata.integer(key(field.from))
		if errors.Is(err, errGGUFMissing) {
			n, err = field.otherwise, nil
		}
		if err != nil {
			return nil, err
		}
		c[field.to] = n
	}
	for _, name := range []string{"attention.value_length", "rope.dimension_count"} {
		switch n, err := g.metadata.integer(key(name)); {
		case errors.Is(err, errGGUFMissing):
		case err != nil:
			return nil, err
		case name == "rope.dimension_count" && g.arch == "glm4moe" && n > 0 && c["head_dim"].(int64) > 0:
			c["partial_rotary_factor"] = float64(n) / float64(c["head_dim"].(int64))
		case n != c["head_dim"]:
			return nil, fmt.Errorf("%s: %d, but heads have %d; not supported", key(name), n, c["head_dim"])
		}
	}
	eps, err := g.metadata.float(key("attention.layer_norm_rms_epsilon"))
	if err != nil {
		return nil, err
	}
	rope, err := g.rope(key)
	if err != nil {
		return nil, err
	}
	c["rms_norm_eps"], c["rope_parameters"] = finite(eps), rope
	return c, g.mixture(c, key)
}

// rope writes rope_parameters.
func (g *ggufFile) rope(key func(string) string) (map[string]any, error) {
	theta, err := g.metadata.float(key("rope.freq_base"))
	if errors.Is(err, errGGUFMissing) {
		theta, err = 10000, nil
	}
	if err != nil {
		return nil, err
	}
	kind, err := g.metadata.text(key("rope.scaling.type"))
	if errors.Is(err, errGGUFMissing) {
		kind, err = "none", nil
	}
	if err != nil {
		return nil, err
	}
	rope := map[string]any{"rope_theta": finite(theta), "rope_type": "default"}
	if t := g.tensors[ggufRopeFactors]; t != nil {
		if kind != "none" || t.rows != 1 || !t.readable() {
			return nil, fmt.Errorf("tensor %q: %s %v beside a scaling of type %q is not supported", ggufRopeFactors, t.DType, t.Shape, kind)
		}
		row := make([]float32, t.cols)
		t.Row(0, row)
		factors := make([]any, len(row))
		for i, f := range row {
			factors[i] = finite(shortest(f))
		}
		rope["rope_type"], rope["factors"] = "factors", factors
		return rope, nil
	}
	switch kind {
	case "none":
		return rope, nil
	case "linear", "yarn":
	default:
		return nil, fmt.Errorf("%s: %q is not supported", key("rope.scaling.type"), kind)
	}
	rope["rope_type"] = kind
	if g.arch == "gpt-oss" {
		rope["truncate"] = false // as its makers have it; there is no place for it in the file
	}
	for _, field := range []struct{ to, from string }{
		{"factor", "rope.scaling.factor"},
		{"original_max_position_embeddings", "rope.scaling.original_context_length"},
		{"beta_fast", "rope.scaling.yarn_beta_fast"},
		{"beta_slow", "rope.scaling.yarn_beta_slow"},
		{"attn_factor", "rope.scaling.attn_factor"},
		{"attn_factor", "rope.scaling.yarn_attn_factor"},
	} {
		v, err := g.metadata.float(key(field.from))
		if errors.Is(err, errGGUFMissing) {
			continue
		}
		if err != nil {
			return nil, err
		}
		rope[field.to] = finite(v)
	}
	return rope, nil
}

// finite is v, or nil where JSON could not write it.
func finite(v float64) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return v
}
