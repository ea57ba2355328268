package model

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"deepprune/kernels"
	"deepprune/weights"
)

// defaultContext bounds the positions of a model whose options do not.
const defaultContext = 32768

// DefaultContext is the longest sequence that a model of this config is loaded
// for if its options do not say.
func (c *Config) DefaultContext() int { return min(c.MaxPositions, defaultContext) }

// Options says how to load a model.
type Options struct {
	// MaxContext is the longest sequence to prepare for, in tokens, at most the
	// config's LongestContext; 0 is its DefaultContext.
	MaxContext int
}

// Model is a loaded checkpoint.
type Model struct {
	Name       string // the last part of the name the checkpoint was opened with
	Config     Config
	Tokenizer  Tokenizer
	Generation Generation
	// Chat renders questions. It is nil if the checkpoint has no chat template or
	// one that is not understood; Prompt then says which.
	Chat *Chat
	// Reasoning is how it marks its thoughts, see [SplitReasoning].
	Reasoning Reasoning

	chatErr    error
	device     kernels.Device
	maxContext int
	bytes      int64
	embedding  kernels.Matrix
	layers     []layer
	finalNorm  kernels.Tensor
	head       kernels.Matrix
}

// MaxContext is the longest sequence that a decoder takes, in tokens.
func (m *Model) MaxContext() int { return m.maxContext }

// Bytes is the device memory of the matrices.
func (m *Model) Bytes() int64 { return m.bytes }

// Load reads a model into the memory of a device. The checkpoint may be closed
// afterwards. Errors name the file and the field or tensor.
func Load(dev kernels.Device, c *weights.Checkpoint, opt Options) (*Model, error) {
	m := &Model{Name: path.Base(c.Name()), device: dev}
	err := m.readFiles(c)
	if err == nil {
		err = m.readContext(opt)
	}
	if err == nil {
		err = m.readWeights(c)
	}
	if err != nil {
		return nil, fmt.Errorf("model: %s: %w", c.Name(), err)
	}
	return m, nil
}

// readFiles reads everything but the weights.
func (m *Model) readFiles(c *weights.Checkpoint) error {
	var err error
	if m.Config, err = ReadConfig(c); err != nil {
		return err
	}
	data, err := c.File("tokenizer.json")
	if err != nil {
		return err
	}
	tokenizer, err := openTokenizer(data)
	if err != nil {
		return err
	}
	if n := tokenizer.Size(); n > m.Config.VocabSize {
		return fmt.Errorf("tokenizer.json: token id %d is not below vocab_size %d of config.json", n-1, m.Config.VocabSize)
	}
	m.Tokenizer = tokenizer

	data, err = c.File("generation_config.json")
	switch {
	case err == nil:
		if m.Generation, err = ParseGeneration(data); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	for _, id := range m.Generation.EOS {
		if id < 0 || int(id) >= m.Config.VocabSize {
			return fmt.Errorf("generation_config.json: eos_token_id: %d is not below vocab_size %d of config.json", id, m.Config.VocabSize)
		}
	}
	for _, id := range m.Config.EOS {
		if !slices.Contains(m.Generation.EOS, id) {
			m.Generation.EOS = append(m.Generation.EOS, id)
		}
	}
	m.Chat, m.chatErr = readChat(c)
	m.Reasoning = reasoningOf(tokenizer)
	return nil
}

func (m *Model) readContext(opt Options) error {
	m.maxContext = m.Config.DefaultContext()
	switch {
	case opt.MaxContext < 0 || opt.MaxContext > m.Config.LongestContext():
		return fmt.Errorf("a context of %d is not between 1 and %d, the longest by config.json", opt.MaxContext, m.Config.LongestContext())
	case opt.MaxContext > 0:
		m.maxContext = opt.MaxContext
	}
	return nil
}

// layerTensors is the tensors of one layer; absent biases and norms are nil.
type layerTensors struct {
	inputNorm, mlpNorm, qNorm, kNorm *weights.Tensor
	qkv, qkvBias                     []*weights.Tensor
	output, outputBias               *weights.Tensor
	gateUp, gateUpBias               []*weights.Tensor
	down, downBias                   *weights.Tensor
}

// readWeights first finds and checks every tensor, then copies them to the device.
func (m *Model) readWeights(c *weights.Checkpoint) error {
	cfg := &m.Config
	f := finder{checkpoint: c, config: cfg, used: make(map[string]bool)}
	h, q, kv := cfg.HiddenSize, cfg.Heads*cfg.HeadDim, cfg.KVHeads*cfg.HeadDim

	embedding := f.find(true, "model.embed_tokens.weight", cfg.VocabSize, h)
	finalNorm := f.find(true, "model.norm.weight", h)
	head := f.find(!cfg.TiedHead && cfg.Labels == 0, "lm_head.weight", cfg.VocabSize, h)
	score := f.find(cfg.Labels > 0, "score.weight", cfg.Labels, h)
	all := make([]layerTensors, cfg.Layers)
	for i := range all {
		if f.err != nil {
			break // one message is enough, and layers may be many
		}
		at := func(name string) string { return fmt.Sprintf("model.layers.%d.%s", i, name) }
		t := &all[i]
		t.inputNorm = f.find(true, at("input_layernorm.weight"), h)
		t.mlpNorm = f.find(true, at("post_attention_layernorm.weight"), h)
		t.qNorm = f.find(cfg.QKNorm, at("self_attn.q_norm.weight"), cfg.HeadDim)
		t.kNorm = f.find(cfg.QKNorm, at("self_attn.k_norm.weight"), cfg.HeadDim)
		for _, p := range []struct {
			name string
			out  int
		}{{"q", q}, {"k", kv}, {"v", kv}} {
			t.qkv = append(t.qkv, f.find(true, at("self_attn."+p.name+"_proj.weight"), p.out, h))
			t.qkvBias = append(t.qkvBias, f.find(cfg.QKVBias, at("self_attn."+p.name+"_proj.bias"), p.out))
		}
		t.output = f.find(true, at("self_attn.o_proj.weight"), h, q)
		t.outputBias = f.find(cfg.OutputBias, at("self_attn.o_proj.bias"), h)
		for _, p := range []string{"gate", "up"} {
			t.gateUp = append(t.gateUp, f.find(true, at("mlp."+p+"_proj.weight"), cfg.IntermediateSize, h))
			t.gateUpBias = append(t.gateUpBias, f.find(cfg.MLPBias, at("mlp."+p+"_proj.bias"), cfg.IntermediateSize))
		}
		t.down = f.find(true, at("mlp.down_proj.weight"), h, cfg.IntermediateSize)
		t.downBias = f.find(cfg.MLPBias, at("mlp.down_proj.bias"), h)
	}
	if err := f.leftovers(cfg); err != nil {
		return err
	}

	u := uploader{device: m.device}
	m.embedding = u.matrix(embedding)
	switch {
	case cfg.Labels == 1:
		m.head = u.matrix(weights.Generated("zero", []int{1, h}, func(_ int, dst []float32) { clear(dst) }), score)
	case cfg.Labels == 2:
		m.head = u.matrix(score)
	case cfg.TiedHead:
		m.head = m.embedding
	default:
		m.head = u.matrix(head)
	}
	m.finalNorm = u.vector(finalNorm)
	cos, sin := u.rotaryTables(cfg, m.maxContext)
	m.layers = make([]layer, cfg.Layers)
	for i := range m.layers {
		t := &all[i]
		m.layers[i] = layer{
			inputNorm: u.vector(t.inputNorm),
			qkv:       u.matrix(t.qkv...), qkvBias: u.vector(t.qkvBias...),
			rotary: kernels.RotarySpec{
				AttentionSpec: cfg.attention(), Cos: cos, Sin: sin,
				QNorm: u.vector(t.qNorm), KNorm: u.vector(t.kNorm), Eps: float32(cfg.RMSNormEps),
			},
			output: u.matrix(t.output), outputBias: u.vector(t.outputBias),
			mlpNorm: u.vector(t.mlpNorm),
			gateUp:  u.matrix(t.gateUp...), gateUpBias: u.vector(t.gateUpBias...),
			down: u.matrix(t.down), downBias: u.vector(t.downBias),
		}
		if u.err != nil {
			return u.err
		}
	}
	m.bytes = u.bytes
	return u.err
}

// finder looks tensors up and keeps the first error.
type finder struct {
	checkpoint *weights.Checkpoint
	config     *Config
	used       map[string]bool
	err        error
}

// find returns a tensor of the given shape, nil if it is not wanted.
func (f *finder) find(wanted bool, name string, shape ...int) *weights.Tensor {
	if !wanted || f.err != nil {
		return nil
	}
	f.used[name] = true
	t, err := f.checkpoint.Tensor(name)
	if err == nil && !slices.Equal(t.Shape, shape) {
		err = fmt.Errorf("tensor %q: shape %v; config.json makes it %v", name, t.Shape, shape)
	}
	if err == nil && t.DType == weights.F8E4M3 {
		t, err = f.scale(t)
	}
	if err != nil {
		f.err = err
		return nil
	}
	return t
}

// scale finds the scales of a tensor in FP8.
func (f *finder) scale(t *weights.Tensor) (*weights.Tensor, error) {
	block := f.config.ScaleBlock
	if block[0] == 0 {
		return nil, fmt.Errorf("tensor %q: %s, but no quantization_config in config.json", t.Name, t.DType)
	}
	name := t.Name + "_scale_inv" // what its makers divided by
	f.used[name] = true
	scales, err := f.checkpoint.Tensor(name)
	if err != nil {
		return nil, err
	}
	return weights.Scaled(t, scales, block[0], block[1])
}

// leftovers returns the first error, or names a tensor that was not called for:
// a model that leaves out a bias runs, and is wrong.
func (f *finder) leftovers(cfg *Config) error {
	if f.err != nil {
		return f.err
	}
	for _, name := range f.checkpoint.Names() {
		// Old checkpoints keep the frequencies of the rotation, and some a copy of
		// the embedding as the head, or the head of the model that became a classifier.
		ignored := path.Ext(name) == ".inv_freq" || name == "lm_head.weight" && (cfg.TiedHead || cfg.Labels > 0)
		if !f.used[name] && !ignored {
			return fmt.Errorf("tensor %q: %s with this config.json has none of this name", name, cfg.Architecture)
		}
	}
	return nil
}

// uploader copies tensors to a device and keeps the first error.
type uploader struct {
	device kernels.Device
	bytes  int64
	err    error
}

// matrix stacks the rows of tensors of as many columns.
func (u *uploader) matrix(parts ...*weights.Tensor) kernels.Matrix {
	if u.err != nil {
		return nil
	}
	out := 0
	for _, p := range parts {
		out += p.Rows()
	}
	m, err := u.device.NewMatrix(kernels.F32, out, parts[0].Cols(), func(i int, dst []float32) {
		for _, p := range parts {
			if i < p.Rows() {
				p.Row(i, dst)
				return
			}
			i -= p.Rows()
		}
	})
	if err != nil {
		u.err = fmt.Errorf("tensor %q: %w", parts[0].Name, err)
		return nil
	}
	u.bytes += m.Bytes()
	return m
}

// vector makes a row of tensors of one dimension, nil of nil.
func (u *uploader) vector(parts ...*weights.Tensor) kernels.Tensor {
	if u.err != nil || parts[0] == nil {
		return nil
	}
	var row []float32
	for _, p := range parts {
		n := len(row)
		row = append(row, make([]float32, p.Cols())...)
		p.Row(0, row[n:])
	}
	t, err := u.device.Upload(row, 1, len(row))
	if err != nil {
		u.err = fmt.Errorf("tensor %q: %w", parts[0].Name, err)
		return nil
	}
	return t
}
