package weights

import (
	"errors"
	"fmt"
)

// ggufExpertNames are the tensors that hold a linear layer of all experts.
var ggufExpertNames = map[string]string{
	"ffn_gate_exps": "gate_proj",
	"ffn_up_exps":   "up_proj",
	"ffn_down_exps": "down_proj",
}

// These are far above the experts of any layer in use, and the tensors of all
// experts of any model.
const (
	maxExperts       = 1 << 12
	maxExpertTensors = 1 << 19
)

// experts are the tensors of the single experts that t holds side by side; nil if
// it holds none, or another number than the file says, and will be refused.
func (g *ggufFile) experts(t *Tensor) []*Tensor {
	layer, part, suffix := cutLayer(t.Name)
	name, ok := ggufExpertNames[part]
	count, err := g.metadata.integer(g.arch + ".expert_count")
	if layer == "" || !ok || err != nil || len(t.Shape) < 2 || int64(t.Shape[0]) != count || count > maxExperts || g.expertTensors+int(count) > maxExpertTensors {
		return nil
	}
	g.expertTensors += int(count)
	all := make([]*Tensor, count)
	for e := range all {
		all[e] = Part(t, e)
		all[e].Name = fmt.Sprintf("model.layers.%s.mlp.experts.%d.%s%s", layer, e, name, suffix)
	}
	return all
}

// mixture writes the fields of config.json about experts and windows.
func (g *ggufFile) mixture(c map[string]any, key func(string) string) error {
	fields := []ggufField{{"num_experts_per_tok", "expert_used_count", true}, {"moe_intermediate_size", "expert_feed_forward_length", true}}
	switch g.arch {
	case "qwen3moe":
		c["norm_topk_prob"] = true
		return g.integers(c, key, append(fields, ggufField{"num_experts", "expert_count", true}))
	case "gpt-oss":
		c["separate_experts"] = true
		return g.integers(c, key, append(fields, ggufField{"num_local_experts", "expert_count", true},
			ggufField{"sliding_window", "attention.sliding_window", true}, ggufField{"intermediate_size", "expert_feed_forward_length", true}))
	case "glm4moe":
		return g.glm(c, key, fields)
	}
	for _, name := range []string{"expert_count", "attention.sliding_window"} {
		if n, err := g.metadata.float(key(name)); !errors.Is(err, errGGUFMissing) && (err != nil || n != 0) {
			return fmt.Errorf("%s: not supported", key(name))
		}
	}
	return nil
}

// ggufField is a field of config.json and the value it is made of.
type ggufField struct {
	to, from string
	needed   bool
}

// glm writes those of GLM-4.5. Its files count the layers that predict several
// tokens among all.
func (g *ggufFile) glm(c map[string]any, key func(string) string, fields []ggufField) error {
	c["num_nextn_predict_layers"] = int64(0)
	err := g.integers(c, key, append(fields,
		ggufField{"n_routed_experts", "expert_count", true}, ggufField{"n_shared_experts", "expert_shared_count", true},
		ggufField{"first_k_dense_replace", "leading_dense_block_count", true},
		ggufField{"num_nextn_predict_layers", "nextn_predict_layers", false},
		ggufField{"n_group", "expert_group_count", false}, ggufField{"topk_group", "expert_group_used_count", false}))
	if err != nil {
		return err
	}
	if predicting := c["num_nextn_predict_layers"].(int64); predicting >= 0 {
		c["num_hidden_layers"] = c["num_hidden_layers"].(int64) - predicting
	}
	c["use_qk_norm"] = g.tensors["blk.0.attn_q_norm.weight"] != nil
	scale, err := g.metadata.float(key("expert_weights_scale"))
	if err == nil {
		c["routed_scaling_factor"] = finite(scale)
	} else if !errors.Is(err, errGGUFMissing) {
		return err
	}
	const sigmoid = 2
	if gate, err := g.metadata.integer(key("expert_gating_func")); err == nil && gate != sigmoid {
		return fmt.Errorf("%s: %d is not supported, only %d, the sigmoid, is", key("expert_gating_func"), gate, sigmoid)
	}
	if norm, ok := g.metadata[key("expert_weights_norm")]; ok {
		if norm.list || norm.kind != ggufBool {
			return fmt.Errorf("%s: not a truth value", key("expert_weights_norm"))
		}
		c["norm_topk_prob"] = norm.data[0] != 0
	}
	return nil
}

// integers copies whole numbers into the config.
func (g *ggufFile) integers(c map[string]any, key func(string) string, fields []ggufField) error {
	for _, f := range fields {
		n, err := g.metadata.integer(key(f.from))
		if errors.Is(err, errGGUFMissing) && !f.needed {
			continue
		}
		if err != nil {
			return err
		}
		c[f.to] = n
	}
	return nil
}
