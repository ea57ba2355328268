package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"deepprune/kernels"
	"deepprune/weights"
)

// Config is the shape of a decoder, read from config.json.
type Config struct {
	Architecture string // as config.json names it, "Qwen3ForCausalLM"

	HiddenSize       int
	IntermediateSize int // of the feed-forward layers
	Layers           int
	Heads, KVHeads   int // query head h reads key and value head h/(Heads/KVHeads)
	HeadDim          int // a multiple of 16
	VocabSize        int // rows of the embedding
	MaxPositions     int // the longest sequence the model was made for

	RMSNormEps float64
	RotaryDim  int     // the numbers of a head that are rotated, from its first on
	RopeTheta  float64 // the base of the rotary positions
	Scaling    Scaling // of the rotary positions

	// Windows is how many keys a layer's attention sees, the token's own included,
	// 0 for all; nil if they all see all.
	Windows []int
	// Experts is the mixture in some or all layers; its Count is 0 if there is none.
	Experts Experts

	// Labels is how many labels a sequence classifier tells apart, 1 or 2; 0 for a
	// model of language. With one label the head says how much it holds.
	Labels     int
	LabelNames []string // of two labels, or nil

	TiedHead   bool // the embedding is the head, too
	QKNorm     bool // queries and keys are normalised head by head
	QKVBias    bool
	OutputBias bool // of the attention's output
	MLPBias    bool
	Sinks      bool // every head has a logit beside those of its keys

	// ScaleBlock is the rows and columns of a block of numbers that share a scale, of
	// weights in FP8; zeros if there are none.
	ScaleBlock [2]int

	// IgnoredLayers is how many layers after the others the files may hold that
	// are not used.
	IgnoredLayers int

	// KVFormat is how keys and values are kept in memory, which is for whoever loads
	// the model to say.
	KVFormat kernels.Format

	// EOS are the tokens that end a text, so far as config.json says.
	EOS []int32
}

// What a config may ask for. The limits are far above any model in use, and so
// low that no product of two of them overflows.
const (
	maxWidth     = 1 << 20
	maxLayers    = 1 << 12
	maxHeadDim   = 1 << 12
	maxVocab     = 1 << 24
	maxPositions = 1 << 30

	// headDimStep divides the width of a head, so that devices read it in whole vectors.
	headDimStep = 16

	maxExperts      = 1 << 12
	maxExpertsWidth = 1 << 24 // of all experts of a layer
)

// configJSON is config.json, so far as it is understood.
type configJSON struct {
	Architectures []string `json:"architectures"`

	HiddenSize       *int  `json:"hidden_size"`
	IntermediateSize *int  `json:"intermediate_size"`
	Layers           *int  `json:"num_hidden_layers"`
	Heads            *int  `json:"num_attention_heads"`
	KVHeads          *int  `json:"num_key_value_heads"`
	HeadDim          *int  `json:"head_dim"`
	VocabSize        *int  `json:"vocab_size"`
	MaxPositions     *int  `json:"max_position_embeddings"`
	TieWord          bool  `json:"tie_word_embeddings"`
	AttentionBias    *bool `json:"attention_bias"`
	MLPBias          bool  `json:"mlp_bias"`

	RMSNormEps        *float64          `json:"rms_norm_eps"`
	RopeTheta         *float64          `json:"rope_theta"`
	RopeParameters    *ropeJSON         `json:"rope_parameters"`
	RopeScaling       *ropeJSON         `json:"rope_scaling"`
	OriginalPositions *int              `json:"original_max_position_embeddings"`
	HiddenAct         string            `json:"hidden_act"`
	EOS               tokenIDs          `json:"eos_token_id"`
	Quantization      *quantizationJSON `json:"quantization_config"`

	NumLabels  *int              `json:"num_labels"`
	LabelNames map[string]string `json:"id2label"`

	PartialRotary *float64 `json:"partial_rotary_factor"`

	own json.RawMessage // the whole file, for the fields of one architecture
}

type quantizationJSON struct {
	Method    string `json:"quant_method"`
	Format    string `json:"fmt"`
	BlockSize []int  `json:"weight_block_size"`
}

// tokenIDs is a token id or a list of them.
type tokenIDs []int32

func (t *tokenIDs) UnmarshalJSON(data []byte) error {
	*t = nil
	if string(data) == "null" {
		return nil
	}
	if len(data) > 0 && data[0] == '[' {
		return json.Unmarshal(data, (*[]int32)(t))
	}
	*t = tokenIDs{0}
	return json.Unmarshal(data, &(*t)[0])
}

// ParseConfig reads a config.json of a supported architecture. Errors name the field.
func ParseConfig(data []byte) (Config, error) {
	file := configJSON{own: data}
	if err := decodeJSON(data, &file); err != nil {
		return Config{}, fmt.Errorf("config.json: %w", err)
	}
	c, err := file.config()
	if err != nil {
		return Config{}, fmt.Errorf("config.json: %w", err)
	}
	return c, nil
}

// ReadConfig reads the config.json of a checkpoint.
func ReadConfig(c *weights.Checkpoint) (Config, error) {
	data, err := c.File("config.json")
	if err != nil {
		return Config{}, err
	}
	return ParseConfig(data)
}

// decodeJSON is json.Unmarshal with errors that name the field as the file does.
func decodeJSON(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	if typeErr := (*json.UnmarshalTypeError)(nil); errors.As(err, &typeErr) && typeErr.Field != "" {
		return fmt.Errorf("%s: a %s is not what belongs here", typeErr.Field, typeErr.Value)
	}
	return err
}

func (f *configJSON) config() (Config, error) {
	if len(f.Architectures) != 1 {
		return Config{}, fmt.Errorf("architectures: %q; want one", f.Architectures)
	}
	arch, ok := architectures[f.Architectures[0]]
	if !ok {
		return Config{}, fmt.Errorf("architectures: %q is not supported; supported are %s", f.Architectures[0], strings.Join(slices.Sorted(maps.Keys(architectures)), ", "))
	}
	c := Config{Architecture: f.Architectures[0], TiedHead: f.TieWord && !arch.classifies, EOS: f.EOS}

	for _, field := range []struct {
		name  string
		value *int
		limit int
		into  *int
	}{
		{"hidden_size", f.HiddenSize, maxWidth, &c.HiddenSize},
		{"intermediate_size", f.IntermediateSize, maxWidth, &c.IntermediateSize},
		{"num_hidden_layers", f.Layers, maxLayers, &c.Layers},
		{"num_attention_heads", f.Heads, maxWidth, &c.Heads},
		{"num_key_value_heads", or(f.KVHeads, f.Heads), maxWidth, &c.KVHeads},
		{"vocab_size", f.VocabSize, maxVocab, &c.VocabSize},
		{"max_position_embeddings", f.MaxPositions, maxPositions, &c.MaxPositions},
	} {
		switch {
		case field.value == nil:
			return c, fmt.Errorf("%s: missing", field.name)
		case *field.value < 1 || *field.value > field.limit:
			return c, fmt.Errorf("%s: %d is not between 1 and %d", field.name, *field.value, field.limit)
		}
		*field.into = *field.value
	}
	if c.Heads%c.KVHeads != 0 {
		return c, fmt.Errorf("num_key_value_heads: %d does not divide num_attention_heads %d", c.KVHeads, c.Heads)
	}
	switch {
	case f.HeadDim != nil:
		c.HeadDim = *f.HeadDim
	case arch.headDim != 0:
		c.HeadDim = arch.headDim
	default:
		c.HeadDim = c.HiddenSize / c.Heads
	}
	if c.HeadDim < 1 || c.HeadDim > maxHeadDim || c.HeadDim%headDimStep != 0 {
		return c, fmt.Errorf("head_dim: %d is not a multiple of %d up to %d", c.HeadDim, headDimStep, maxHeadDim)
	}
	if c.Heads*c.HeadDim > maxWidth {
		return c, fmt.Errorf("head_dim: %d heads of %d are wider than %d", c.Heads, c.HeadDim, maxWidth)
	}
	c.RMSNormEps = value(f.RMSNormEps, 1e-6)
	if !(c.RMSNormEps >= 0 && c.RMSNormEps < 1) {
		return c, fmt.Errorf("rms_norm_eps: %v is not between 0 and 1", c.RMSNormEps)
	}
	for _, id := range c.EOS {
		if id < 0 || int(id) >= c.VocabSize {
			return c, fmt.Errorf("eos_token_id: %d is not below vocab_size %d", id, c.VocabSize)
		}
	}
	if f.HiddenAct != "" && f.HiddenAct != "silu" {
		return c, fmt.Errorf("hidden_act: %q is not supported, only silu is", f.HiddenAct)
	}
	if arch.classifies {
		if err := f.labels(&c); err != nil {
			return c, err
		}
	}
	if err := f.rope(&c, arch.partialRotary); err != nil {
		return c, err
	}
	if err := arch.read(f, &c); err != nil {
		return c, err
	}
	return c, f.quantization(&c, arch.mxfp4)
}

// labels reads what a classifier tells apart: two labels if the config does not say.
func (f *configJSON) labels(c *Config) error {
	c.Labels = 2
	if len(f.LabelNames) > 0 {
		c.Labels = len(f.LabelNames)
	}
	c.Labels = value(f.NumLabels, c.Labels)
	if c.Labels != 1 && c.Labels != 2 {
		return fmt.Errorf("num_labels: %d is not supported, only 1 and 2 are", c.Labels)
	}
	if zero, one := f.LabelNames["0"], f.LabelNames["1"]; c.Labels == 2 && zero != "" && one != "" {
		c.LabelNames = []string{zero, one}
	}
	return nil
}

// quantization reads which weights are quantised: experts in MXFP4, or the blocks of
// FP8. What the reference does with activations then, namely to round them to FP8 as
// well, is not done: it is for speed.
func (f *configJSON) quantization(c *Config, mxfp4 bool) error {
	q := f.Quantization
	switch {
	case q == nil:
		return nil
	case q.Method == "mxfp4" && mxfp4:
		c.Experts.MXFP4 = true
		return nil
	case q.Method != "fp8" || q.Format != "" && q.Format != "e4m3":
		return fmt.Errorf("quantization_config: %q %s is not supported, only fp8 e4m3 is", q.Method, q.Format)
	case len(q.BlockSize) != 2 || min(q.BlockSize[0], q.BlockSize[1]) < 1 || max(q.BlockSize[0], q.BlockSize[1]) > maxWidth:
		return fmt.Errorf("quantization_config.weight_block_size: %v is not supported, only the rows and columns of a block are", q.BlockSize)
	}
	c.ScaleBlock = [2]int(q.BlockSize)
	return nil
}

// or is a, or b where a is not given.
func or(a, b *int) *int {
	if a != nil {
		return a
	}
	return b
}

// HeadSize is the number of logits: the vocabulary, or two of a classifier. Of one
// with a single label the first is 0 and the second is the label's, so that the
// softmax of the two is its probability.
func (c *Config) HeadSize() int {
	if c.Labels > 0 {
		return 2
	}
	return c.VocabSize
}

// KVLayout is the geometry of the model's KV blocks.
func (c *Config) KVLayout() kernels.KVLayout {
	return kernels.KVLayout{Layers: c.Layers, KVHeads: c.KVHeads, HeadDim: c.HeadDim, Format: c.KVFormat}
}

// attention is the shape of a layer's attention, but for the sinks.
func (c *Config) attention(layer int) kernels.AttentionSpec {
	return kernels.AttentionSpec{
		Heads: c.Heads, KVHeads: c.KVHeads, HeadDim: c.HeadDim, Window: c.window(layer),
		Scale: float32(1 / math.Sqrt(float64(c.HeadDim))),
	}
}

// window is how many keys a layer sees, 0 for all.
func (c *Config) window(layer int) int {
	if c.Windows == nil {
		return 0
	}
	return c.Windows[layer]
}
