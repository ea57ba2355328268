package model

// llama is Llama 2 and 3 and what is made of them, such as DeepSeek-R1-Distill-Llama.
// Every linear layer may have biases.
var llama = architecture{read: func(f *configJSON, c *Config) error {
	c.QKVBias = value(f.AttentionBias, false)
	c.OutputBias = c.QKVBias
	c.MLPBias = f.MLPBias
	w, err := f.ownWindows()
	if err != nil {
		return err
	}
	return c.windows(nil, w.LayerTypes, 0)
}}
