package model

import "fmt"

// qwen3MoE is Qwen3 with experts, such as Qwen3-30B-A3B: a softmax over all experts,
// whose shares are the weights of those chosen.
var qwen3MoE = architecture{headDim: 128, read: readQwen3MoE, experts: separateExperts}

type qwen3MoEJSON struct {
	Experts          *int  `json:"num_experts"`
	LocalExperts     *int  `json:"num_local_experts"` // as newer files call it
	Chosen           int   `json:"num_experts_per_tok"`
	IntermediateSize int   `json:"moe_intermediate_size"`
	Normalize        bool  `json:"norm_topk_prob"`
	SparseStep       *int  `json:"decoder_sparse_step"`
	DenseLayers      []int `json:"mlp_only_layers"`
}

func readQwen3MoE(f *configJSON, c *Config) error {
	readQwen3Attention(f, c)
	if err := qwenWindows(f, c, true); err != nil {
		return err
	}
	var own qwen3MoEJSON
	if err := decodeJSON(f.own, &own); err != nil {
		return err
	}
	c.Experts = Experts{
		Count: value(or(own.Experts, own.LocalExperts), 0), Chosen: own.Chosen, IntermediateSize: own.IntermediateSize,
		Normalize: own.Normalize, Scale: 1, Layers: make([]bool, c.Layers),
	}
	if err := c.Experts.check("num_experts", "num_experts_per_tok", "moe_intermediate_size"); err != nil {
		return err
	}
	step := value(own.SparseStep, 1)
	if step < 1 {
		return fmt.Errorf("decoder_sparse_step: %d is less than 1", step)
	}
	for i := range c.Layers {
		c.Experts.Layers[i] = (i+1)%step == 0
	}
	for _, i := range own.DenseLayers {
		if i >= 0 && i < c.Layers {
			c.Experts.Layers[i] = false
		}
	}
	return nil
}
