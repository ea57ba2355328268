package model

import (
	"errors"
	"fmt"
	"slices"
)

// architecture is what the models of one name in config.json do differently from
// the others. Each has a file of its own.
type architecture struct {
	classifies bool // sequences, instead of predicting tokens
	// headDim is used where the config gives none; 0 is hidden_size/heads.
	headDim int
	// partialRotary is used where the config gives none; 0 is 1, the whole head.
	partialRotary float64
	mxfp4         bool // the experts may be in MXFP4
	// read completes a config, whose common fields are checked, with what only this
	// architecture has.
	read func(f *configJSON, c *Config) error
	// experts says how a checkpoint keeps the experts of a layer; nil if there are none.
	experts func(c *Config, layer string, find finding) *expertTensors
}

var architectures = map[string]architecture{
	"LlamaForCausalLM": llama, "LlamaForSequenceClassification": llama.classifier(),
	"Qwen2ForCausalLM": qwen2, "Qwen2ForSequenceClassification": qwen2.classifier(),
	"Qwen3ForCausalLM": qwen3, "Qwen3ForSequenceClassification": qwen3.classifier(),
	"Qwen3MoeForCausalLM": qwen3MoE,
	"Glm4MoeForCausalLM":  glm4MoE,
	"GptOssForCausalLM":   gptOss,
}

// classifier is the architecture with a head that classifies sequences.
func (a architecture) classifier() architecture {
	a.classifies = true
	return a
}

// Experts is the shape of a mixture of experts and how a token chooses among them.
type Experts struct {
	Count            int // of a layer
	Chosen           int // by a token
	IntermediateSize int // of an expert
	// SharedSize is the intermediate size of the expert that every token goes
	// through, 0 if there is none.
	SharedSize int
	// Layers says of each layer whether it has experts; nil if all have.
	Layers []bool

	// A token's score of an expert is its share of the softmax, or its sigmoid. See
	// kernels.RouterSpec.
	Sigmoid, Normalize   bool
	Correction           bool // a bias is added to the scores for the choice alone
	Groups, ChosenGroups int
	Scale                float64

	Biases bool // of the router and the experts
	// MXFP4 says that the checkpoint has the experts in this format, Separate that each
	// has tensors of its own where others of this architecture share them.
	MXFP4, Separate bool
	// Alpha and Limit are those of the clamped SwiGLU; a Limit of 0 stands for the
	// ordinary one.
	Alpha, Limit float64
}

// in reports whether a layer has experts.
func (x *Experts) in(layer int) bool {
	return x.Count > 0 && (x.Layers == nil || x.Layers[layer])
}

// check checks the sizes. The names are those of config.json.
func (x *Experts) check(count, chosen, size string) error {
	for _, field := range []struct {
		name         string
		value, limit int
	}{{count, x.Count, maxExperts}, {chosen, x.Chosen, x.Count}, {size, x.IntermediateSize, maxWidth}} {
		if field.value < 1 || field.value > field.limit {
			return fmt.Errorf("%s: %d is not between 1 and %d", field.name, field.value, field.limit)
		}
	}
	if wide := x.Count * x.IntermediateSize; wide > maxExpertsWidth {
		return fmt.Errorf("%s: %d experts of %d are wider than %d", size, x.Count, x.IntermediateSize, maxExpertsWidth)
	}
	return nil
}

// windowsJSON is the fields of config.json about sliding windows.
type windowsJSON struct {
	Use        bool     `json:"use_sliding_window"`
	Window     *int     `json:"sliding_window"`
	MaxLayers  *int     `json:"max_window_layers"`
	LayerTypes []string `json:"layer_types"`
}

// ownWindows reads them.
func (f *configJSON) ownWindows() (w windowsJSON, err error) { return w, decodeJSON(f.own, &w) }

// windows reads the layers that have a sliding window: those that layer_types names,
// or else those from the given one on, if window is not nil.
func (c *Config) windows(window *int, layerTypes []string, from int) error {
	windowed := make([]bool, c.Layers)
	switch {
	case layerTypes != nil:
		for i, kind := range layerTypes {
			switch {
			case kind == "full_attention":
			case kind == "sliding_attention" && len(layerTypes) == c.Layers:
				windowed[i] = true
			case kind == "sliding_attention":
				return fmt.Errorf("layer_types: %d of them for %d layers", len(layerTypes), c.Layers)
			default:
				return fmt.Errorf("layer_types: %q is not supported, only full_attention and sliding_attention are", kind)
			}
		}
	case window != nil:
		for i := max(from, 0); i < c.Layers; i++ {
			windowed[i] = true
		}
	}
	if !slices.Contains(windowed, true) {
		return nil
	}
	switch {
	case window == nil:
		return errors.New("sliding_window: missing")
	case *window < 1 || *window > maxPositions:
		return fmt.Errorf("sliding_window: %d is not between 1 and %d", *window, maxPositions)
	}
	c.Windows = make([]int, c.Layers)
	for i, w := range windowed {
		if w {
			c.Windows[i] = *window
		}
	}
	return nil
}
