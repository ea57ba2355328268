package model

import (
	"errors"
	"fmt"

	"deepprune/weights"
)

// gptOss is gpt-oss: every other layer has a sliding window, every head a sink, every
// linear layer biases. The logits of the experts chosen are normalised among
// themselves, which is the softmax over all, normalised; the experts' activation is
// a SwiGLU of its own. Experts are kept in MXFP4, or as their makers multiply them:
// transposed, and gate and up taking turns.
var gptOss = architecture{headDim: 64, mxfp4: true, read: readGptOss, experts: packedExperts}

type gptOssJSON struct {
	Experts      *int     `json:"num_experts"`
	LocalExperts *int     `json:"num_local_experts"`
	Chosen       *int     `json:"num_experts_per_tok"`
	Alpha        *float64 `json:"swiglu_alpha"`
	Limit        *float64 `json:"swiglu_limit"`
	Separate     bool     `json:"separate_experts"` // of GGUF files
}

func readGptOss(f *configJSON, c *Config) error {
	c.QKVBias = value(f.AttentionBias, true)
	c.OutputBias = c.QKVBias
	c.Sinks = true
	if c.Scaling.Kind == "" {
		return errors.New("rope_scaling: missing")
	}
	w, err := f.ownWindows()
	if err != nil {
		return err
	}
	if w.LayerTypes == nil {
		for i := range c.Layers {
			w.LayerTypes = append(w.LayerTypes, []string{"sliding_attention", "full_attention"}[i%2])
		}
	}
	window := value(w.Window, 128)
	if err := c.windows(&window, w.LayerTypes, 0); err != nil {
		return err
	}
	var own gptOssJSON
	if err := decodeJSON(f.own, &own); err != nil {
		return err
	}
	c.Experts = Experts{
		Count: value(or(own.LocalExperts, own.Experts), 0), Chosen: value(own.Chosen, 4), IntermediateSize: c.IntermediateSize,
		Normalize: true, Scale: 1, Biases: true, Separate: own.Separate, Alpha: value(own.Alpha, 1.702), Limit: value(own.Limit, 7),
	}
	x := &c.Experts
	if err := x.check("num_local_experts", "num_experts_per_tok", "intermediate_size"); err != nil {
		return err
	}
	if !(x.Alpha > 0 && x.Alpha <= maxFactor) {
		return fmt.Errorf("swiglu_alpha: %v is not between 0 and %d", x.Alpha, maxFactor)
	}
	if !(x.Limit > 0 && x.Limit <= maxFactor) {
		return fmt.Errorf("swiglu_limit: %v is not between 0 and %d", x.Limit, maxFactor)
	}
	return nil
}

// packedExperts are the experts of a layer in one tensor each.
func packedExperts(c *Config, layer string, find finding) *expertTensors {
	if c.Experts.Separate {
		return separateExperts(c, layer, find)
	}
	n, h, inner := c.Experts.Count, c.HiddenSize, c.Experts.IntermediateSize
	t := &expertTensors{router: find(layer+"mlp.router.weight", n, h), routerBias: find(layer+"mlp.router.bias", n)}
	// packed finds the weights out by in, or the other way round, and the biases.
	packed := func(name string, out, in int) (weight, bias *weights.Tensor) {
		name = layer + "mlp.experts." + name
		if c.Experts.MXFP4 {
			weight = find(name, n, out, in)
		} else {
			weight = find(name, n, in, out)
		}
		return weight, find(name+"_bias", n, out)
	}
	gateUp, gateUpBias := packed("gate_up_proj", 2*inner, h)
	down, downBias := packed("down_proj", h, inner)
	if gateUp == nil || gateUpBias == nil || down == nil || downBias == nil {
		return t
	}
	of := func(weight *weights.Tensor, expert int) *weights.Tensor {
		one := weights.Part(weight, expert)
		if !c.Experts.MXFP4 {
			one = weights.Transposed(one)
		}
		return one
	}
	// All of the gate, then all of up.
	apart := func(i int) int { return i%inner*2 + i/inner }
	for e := range n {
		t.gateUp.add(weights.Reordered(of(gateUp, e), apart))
		t.gateUpBias.add(weights.ReorderedColumns(weights.Part(gateUpBias, e), apart))
		t.down.add(of(down, e))
		t.downBias.add(weights.Part(downBias, e))
	}
	return t
}
