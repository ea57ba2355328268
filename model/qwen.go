package model

// qwen2 is Qwen2, Qwen2.5 and QwQ: queries, keys and values have biases.
var qwen2 = architecture{read: func(f *configJSON, c *Config) error {
	c.QKVBias = true
	return qwenWindows(f, c, false)
}}

// qwen3 is Qwen3 and what is made of it, such as DeepSeek-R1-0528-Qwen3-8B: queries
// and keys are normalised.
var qwen3 = architecture{headDim: 128, read: readQwen3}

func readQwen3(f *configJSON, c *Config) error {
	readQwen3Attention(f, c)
	return qwenWindows(f, c, false)
}

func readQwen3Attention(f *configJSON, c *Config) {
	c.QKNorm = true
	c.QKVBias = value(f.AttentionBias, false)
	c.OutputBias = c.QKVBias
}

// qwenWindows reads windows, which all models as published have switched off. They
// begin with layer max_window_layers, and in a mixture with the first.
func qwenWindows(f *configJSON, c *Config, mixture bool) error {
	w, err := f.ownWindows()
	if err != nil {
		return err
	}
	if !w.Use {
		w.Window = nil
	}
	from := value(w.MaxLayers, 28)
	if mixture {
		from = 0
	}
	return c.windows(w.Window, w.LayerTypes, from)
}
