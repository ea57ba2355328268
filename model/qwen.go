package model

// qwen2 is Qwen2, Qwen2.5 and QwQ: queries, keys and values have biases.
var qwen2 = architecture{read: func(f *configJSON, c *Config) error {
	c.QKVBias = true
	return qwenWindows(f, c)
}}

// qwen3 is Qwen3 and what is made of it, such as DeepSeek-R1-0528-Qwen3-8B: queries
// and keys are normalised.
var qwen3 = architecture{headDim: 128, read: readQwen3}

func readQwen3(f *configJSON, c *Config) error {
	c.QKNorm = true
	c.QKVBias = value(f.AttentionBias, false)
	c.OutputBias = c.QKVBias
	return qwenWindows(f, c)
}

// qwenWindows reads windows, which all models as published have switched off.
func qwenWindows(f *configJSON, c *Config) error {
	w, err := f.ownWindows()
	if err != nil {
		return err
	}
	if !w.Use {
		w.Window = nil
	}
	return c.windows(w.Window, w.LayerTypes, value(w.MaxLayers, 28))
}
