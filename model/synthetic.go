package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"deepprune/weights"
)

// ErrSynthetic is returned for the name of no synthetic checkpoint.
var ErrSynthetic = errors.New("no such synthetic checkpoint")

// shape is the config of a published model, so far as it makes work.
type shape struct {
	architecture                 string
	hidden, intermediate, layers int
	heads, kvHeads, headDim      int
	vocab, positions             int
	theta                        float64
	tied                         bool
	scaling                      map[string]any // rope_scaling
}

func qwen3Shape(hidden, intermediate, layers, heads int, tied bool) shape {
	return shape{
		architecture: "Qwen3ForCausalLM", hidden: hidden, intermediate: intermediate, layers: layers,
		heads: heads, kvHeads: 8, headDim: 128, vocab: 151936, positions: 40960, theta: 1e6, tied: tied,
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
	// Llama 3.1, which DeepSeek-R1-Distill-Llama-8B is made of.
	"llama3-8b": {
		architecture: "LlamaForCausalLM", hidden: 4096, intermediate: 14336, layers: 32,
		heads: 32, kvHeads: 8, headDim: 128, vocab: 128256, positions: 131072, theta: 5e5,
		scaling: map[string]any{
			"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
			"original_max_position_embeddings": 8192,
		},
	},
	// Of no published model: what loads at once.
	"tiny": {
		architecture: "Qwen3ForCausalLM", hidden: 64, intermediate: 96, layers: 2,
		heads: 4, kvHeads: 2, headDim: 16, vocab: 512, positions: 4096, theta: 1e4, tied: true,
	},
}

// SyntheticNames lists the names that [Synthetic] knows.
func SyntheticNames() []string { return slices.Sorted(maps.Keys(shapes)) }

// Synthetic returns a checkpoint of the shape of a published model with random
// weights, for measurements of speed and memory where the model itself is not at
// hand. The weights are the same every time and are made as they are read.
//
// They keep activations at the size of their inputs, so that nothing overflows,
// and every token about equally likely. There is no end of text: every trace has
// the length that was asked for. The tokenizer takes a byte for a token and writes
// a word for each other id; the prompt is the question alone. Asked as a judge,
// the model answers at random.
//
// The error wraps [ErrSynthetic] and lists the names, if there is none of this name.
func Synthetic(name string) (*weights.Checkpoint, error) {
	s, ok := shapes[name]
	if !ok {
		return nil, fmt.Errorf("model: %w: %q; there are %s", ErrSynthetic, name, strings.Join(SyntheticNames(), ", "))
	}
	config, err := json.Marshal(map[string]any{
		"architectures": []string{s.architecture},
		"hidden_size":   s.hidden, "intermediate_size": s.intermediate, "num_hidden_layers": s.layers,
		"num_attention_heads": s.heads, "num_key_value_heads": s.kvHeads, "head_dim": s.headDim,
		"vocab_size": s.vocab, "max_position_embeddings": s.positions, "tie_word_embeddings": s.tied,
		"rms_norm_eps": 1e-6, "rope_theta": s.theta, "rope_scaling": s.scaling,
	})
	if err != nil {
		return nil, fmt.Errorf("model: synthetic checkpoint %q: %w", name, err)
	}
	c, err := ParseConfig(config)
	if err != nil {
		return nil, fmt.Errorf("model: synthetic checkpoint %q: %w", name, err)
	}
	var tensors []*weights.Tensor
	generate := func(tensor string, shape ...int) *weights.Tensor {
		tensors = append(tensors, weights.Generated(tensor, shape, randomRows(uint64(len(tensors)), shape)))
		return nil
	}
	c.globals(generate)
	for i := range c.Layers {
		c.layer(i, generate)
	}
	return weights.New("random:"+name, map[string][]byte{
		"config.json":         config,
		"tokenizer.json":      syntheticTokenizer(s.vocab),
		"chat_template.jinja": []byte("{% for message in messages %}{{ message['content'] }}{% endfor %}"),
		"judge.json":          []byte(syntheticJudge),
	}, tensors...), nil
}

// syntheticJudge asks with bytes, which the tokenizer has, and cuts as the paper does.
const syntheticJudge = `{"head": "1: ", "mid": "\n2: ", "tail": "\nsame: ", "same": "y", "different": "n",
	"checkpoint": {"tokens": 500, "words": 25}, "threshold": 0.5}`

// randomRows makes the rows of a weight: ones for a norm, and for a matrix numbers
// of variance 1/columns, which keeps the size of what it is multiplied with.
//
// Number j of row i is a hash of (tensor, i, j), that of SplitMix64 (Steele, Lea
// and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014), so
// rows can be made in any order and in parallel.
func randomRows(tensor uint64, shape []int) func(i int, dst []float32) {
	if len(shape) == 1 {
		return func(_ int, dst []float32) {
			for j := range dst {
				dst[j] = 1
			}
		}
	}
	// A uniform number in [-a, a) has the variance a²/3.
	scale := float32(math.Sqrt(3/float64(shape[1]))) / (1 << 31)
	return func(i int, dst []float32) {
		counter := mix64(mix64(tensor) + uint64(i))
		for len(dst) >= 2 {
			counter += 0x9E3779B97F4A7C15
			x := mix64(counter)
			dst[0], dst[1] = scale*float32(int32(x)), scale*float32(int32(x>>32))
			dst = dst[2:]
		}
		if len(dst) == 1 {
			dst[0] = scale * float32(int32(mix64(counter+0x9E3779B97F4A7C15)))
		}
	}
}

// mix64 is the output function of SplitMix64.
func mix64(x uint64) uint64 {
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// syntheticTokenizer is a tokenizer.json without merges: the bytes have the first
// ids, and each id after them has a word that no text is ever encoded to.
func syntheticTokenizer(vocab int) []byte {
	var b strings.Builder
	b.WriteString(`{"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","merges":[],"vocab":{`)
	id := 0
	for r, spelled := range byteOf {
		if spelled >= 0 {
			fmt.Fprintf(&b, "%s%q:%d", separator(id), string(rune(r)), id)
			id++
		}
	}
	var word [8]byte
	for ; id < vocab; id++ {
		at := len(word)
		for n := id; n > 0; n /= 26 {
			at--
			word[at] = 'a' + byte(n%26)
		}
		fmt.Fprintf(&b, `,"Ġ%s":%d`, word[at:], id)
	}
	b.WriteString("}}}")
	return []byte(b.String())
}

func separator(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}
