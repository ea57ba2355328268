package model

import "maps"

// shape is the config of a published model, so far as it makes work.
type shape struct {
	architecture                 string
	hidden, intermediate, layers int
	heads, kvHeads, headDim      int
	vocab, positions             int
	theta                        float64
	tied                         bool
	scaling                      map[string]any // rope_scaling
	more                         map[string]any // fields of the architecture's own
}

// config is config.json.
func (s *shape) config() map[string]any {
	c := map[string]any{
		"architectures": []string{s.architecture},
		"hidden_size":   s.hidden, "intermediate_size": s.intermediate, "num_hidden_layers": s.layers,
		"num_attention_heads": s.heads, "num_key_value_heads": s.kvHeads, "head_dim": s.headDim,
		"vocab_size": s.vocab, "max_position_embeddings": s.positions, "tie_word_embeddings": s.tied,
		"rms_norm_eps": 1e-6, "rope_theta": s.theta, "rope_scaling": s.scaling,
	}
	maps.Copy(c, s.more)
	return c
}

func qwen3Shape(hidden, intermediate, layers, heads int, tied bool) shape {
	return shape{
		architecture: "Qwen3ForCausalLM", hidden: hidden, intermediate: intermediate, layers: layers,
		heads: heads, kvHeads: 8, headDim: 128, vocab: 151936, positions: 40960, theta: 1e6, tied: tied,
	}
}

// reaching is the shape of a model that was trained on for longer contexts.
func (s shape) reaching(positions int, theta float64, scaling map[string]any) shape {
	s.positions, s.theta, s.scaling = positions, theta, scaling
	return s
}

// llama8B is Llama 3.1, which DeepSeek-R1-Distill-Llama-8B is made of.
var llama8B = shape{
	architecture: "LlamaForCausalLM", hidden: 4096, intermediate: 14336, layers: 32,
	heads: 32, kvHeads: 8, headDim: 128, vocab: 128256, positions: 131072, theta: 5e5,
	scaling: map[string]any{
		"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
		"original_max_position_embeddings": 8192,
	},
}

func gptOssShape(layers, experts int) shape {
	return shape{
		architecture: "GptOssForCausalLM", hidden: 2880, intermediate: 2880, layers: layers,
		heads: 64, kvHeads: 8, headDim: 64, vocab: 201088, positions: 131072, theta: 150000,
		scaling: map[string]any{
			"rope_type": "yarn", "factor": 32, "beta_fast": 32, "beta_slow": 1, "truncate": false,
			"original_max_position_embeddings": 4096,
		},
		more: map[string]any{
			"num_local_experts": experts, "num_experts_per_tok": 4, "sliding_window": 128, "separate_experts": true,
		},
	}
}

// shapes are those of the config.json of the models as published.
var shapes = map[string]shape{
	"qwen3-0.6b": qwen3Shape(1024, 3072, 28, 16, true),
	"qwen3-1.7b": qwen3Shape(2048, 6144, 28, 16, true),
	"qwen3-4b":   qwen3Shape(2560, 9728, 36, 32, true),
	"qwen3-8b":   qwen3Shape(4096, 12288, 36, 32, false),
	"qwen3-14b":  qwen3Shape(5120, 17408, 40, 40, false),
	"qwen3-32b":  qwen3Shape(5120, 25600, 64, 64, false),
	// Those of July 2025, of which the second is the base of DeepPrune-Judge-4B.
	"qwen3-4b-thinking": qwen3Shape(2560, 9728, 36, 32, true).reaching(262144, 5e6, nil),
	"qwen3-4b-instruct": qwen3Shape(2560, 9728, 36, 32, true).reaching(262144, 5e6, nil),
	"qwen3-30b-a3b": {
		architecture: "Qwen3MoeForCausalLM", hidden: 2048, intermediate: 6144, layers: 48,
		heads: 32, kvHeads: 4, headDim: 128, vocab: 151936, positions: 40960, theta: 1e6,
		more: map[string]any{
			"num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768, "norm_topk_prob": true,
		},
	},
	"deepseek-r1-0528-qwen3-8b": qwen3Shape(4096, 12288, 36, 32, false).reaching(131072, 1e6, map[string]any{
		"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 32768, "attn_factor": 0.8782488562869419,
	}),
	"qwq-32b": {
		architecture: "Qwen2ForCausalLM", hidden: 5120, intermediate: 27648, layers: 64,
		heads: 40, kvHeads: 8, headDim: 128, vocab: 152064, positions: 40960, theta: 1e6,
	},
	"llama3-8b":                    llama8B,
	"deepseek-r1-distill-llama-8b": llama8B,
	"gpt-oss-20b":                  gptOssShape(24, 32),
	"gpt-oss-120b":                 gptOssShape(36, 128),
	"glm-4.5-air": {
		architecture: "Glm4MoeForCausalLM", hidden: 4096, intermediate: 10944, layers: 46,
		heads: 96, kvHeads: 8, headDim: 128, vocab: 151552, positions: 131072, theta: 1e6,
		more: map[string]any{
			"n_routed_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 1408, "n_shared_experts": 1,
			"first_k_dense_replace": 1, "attention_bias": true, "use_qk_norm": false, "partial_rotary_factor": 0.5,
		},
	},
	// Of no published model: what loads at once.
	"tiny": {
		architecture: "Qwen3ForCausalLM", hidden: 64, intermediate: 96, layers: 2,
		heads: 4, kvHeads: 2, headDim: 16, vocab: 512, positions: 4096, theta: 1e4, tied: true,
	},
	"tiny-experts": {
		architecture: "Qwen3MoeForCausalLM", hidden: 64, intermediate: 96, layers: 2,
		heads: 4, kvHeads: 2, headDim: 16, vocab: 512, positions: 4096, theta: 1e4, tied: true,
		more: map[string]any{
			"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "norm_topk_prob": true,
		},
	},
}
