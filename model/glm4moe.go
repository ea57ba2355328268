package model

import "fmt"

// glm4MoE is GLM-4.5 and GLM-4.5-Air: half of a head is rotated; the first layers are
// dense; experts have sigmoid scores, a correction for the choice, perhaps groups,
// and beside them a shared one. Its layers that predict several tokens at once, which
// come after the others in the files, are left out.
var glm4MoE = architecture{partialRotary: 0.5, read: readGLM4MoE, experts: separateExperts}

type glm4MoEJSON struct {
	QKNorm           bool     `json:"use_qk_norm"`
	Experts          *int     `json:"n_routed_experts"`
	Chosen           int      `json:"num_experts_per_tok"`
	IntermediateSize int      `json:"moe_intermediate_size"`
	Shared           *int     `json:"n_shared_experts"`
	DenseLayers      *int     `json:"first_k_dense_replace"`
	Normalize        *bool    `json:"norm_topk_prob"`
	Scale            *float64 `json:"routed_scaling_factor"`
	Groups           *int     `json:"n_group"`
	ChosenGroups     *int     `json:"topk_group"`
	PredictingLayers *int     `json:"num_nextn_predict_layers"`
}

func readGLM4MoE(f *configJSON, c *Config) error {
	c.QKVBias = value(f.AttentionBias, false)
	own := glm4MoEJSON{}
	if err := decodeJSON(f.own, &own); err != nil {
		return err
	}
	c.QKNorm = own.QKNorm
	x := &c.Experts
	*x = Experts{
		Count: value(own.Experts, 0), Chosen: own.Chosen, IntermediateSize: own.IntermediateSize,
		Sigmoid: true, Normalize: value(own.Normalize, true), Correction: true, Scale: value(own.Scale, 1),
		Groups: value(own.Groups, 1), ChosenGroups: value(own.ChosenGroups, 1), Layers: make([]bool, c.Layers),
	}
	if err := x.check("n_routed_experts", "num_experts_per_tok", "moe_intermediate_size"); err != nil {
		return err
	}
	shared := value(own.Shared, 1)
	if shared < 0 || shared > maxWidth/x.IntermediateSize {
		return fmt.Errorf("n_shared_experts: %d is not between 0 and %d", shared, maxWidth/x.IntermediateSize)
	}
	x.SharedSize = shared * x.IntermediateSize
	if !(x.Scale > 0 && x.Scale <= maxFactor) {
		return fmt.Errorf("routed_scaling_factor: %v is not between 0 and %d", x.Scale, maxFactor)
	}
	switch {
	case x.Groups < 1 || x.Count%x.Groups != 0 || x.Groups > 1 && x.Count/x.Groups < 2:
		return fmt.Errorf("n_group: %d does not divide n_routed_experts %d into groups of two or more", x.Groups, x.Count)
	case x.ChosenGroups < 1 || x.ChosenGroups > x.Groups:
		return fmt.Errorf("topk_group: %d is not between 1 and n_group %d", x.ChosenGroups, x.Groups)
	case x.ChosenGroups*(x.Count/x.Groups) < x.Chosen:
		return fmt.Errorf("topk_group: %d groups of %d have fewer than num_experts_per_tok %d", x.ChosenGroups, x.Count/x.Groups, x.Chosen)
	}
	for i := range c.Layers {
		x.Layers[i] = i >= value(own.DenseLayers, 1)
	}
	c.IgnoredLayers = value(own.PredictingLayers, 1)
	if c.IgnoredLayers < 0 || c.IgnoredLayers > maxLayers {
		return fmt.Errorf("num_nextn_predict_layers: %d is not between 0 and %d", c.IgnoredLayers, maxLayers)
	}
	return nil
}
