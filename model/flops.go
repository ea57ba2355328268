package model

// FLOPs is the floating-point operations that the decoder spends on one token at
// a position (the number of tokens before it), an addition and a multiplication
// counted as two. With H hidden, I intermediate size, A = heads·head_dim, K =
// kv_heads·head_dim, V vocabulary, E experts of which C are chosen, and n =
// position+1 keys, or the layer's window if that is less:
//
//	a layer:   2·H·(A+2K)    queries, keys and values
//	         + 4·A·n         scores and weighted values
//	         + 2·A·H         output
//	         + 6·H·I         gate, up and down
//	    or   + 2·H·E + C·6·H·I    router and experts, I of an expert, and of the shared one
//	the head:  2·H·V         V is 2 for a classifier
//
// A token whose logits are not wanted (head false) leaves the last layer after
// the attention, see Decoder. Norms, rotations and activations, linear in the
// widths, are not counted, nor is the look-up of the embedding.
func (c *Config) FLOPs(position int, head bool) float64 {
	h := float64(c.HiddenSize)
	a, k := float64(c.Heads*c.HeadDim), float64(c.KVHeads*c.HeadDim)
	total := 0.0
	for i := range c.Layers {
		n := position + 1
		if w := c.window(i); w > 0 {
			n = min(n, w)
		}
		total += 2*h*(a+2*k) + 4*a*float64(n)
		if i == c.Layers-1 && !head {
			return total
		}
		total += 2*a*h + c.feedForwardFLOPs(i)
	}
	return total + 2*h*float64(c.HeadSize())
}

func (c *Config) feedForwardFLOPs(layer int) float64 {
	h, x := float64(c.HiddenSize), &c.Experts
	if !x.in(layer) {
		return 6 * h * float64(c.IntermediateSize)
	}
	return 2*h*float64(x.Count) + 6*h*float64(x.Chosen*x.IntermediateSize+x.SharedSize)
}
