package model

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

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
	// Format is how the matrices are kept, see Config.DefaultFormat.
	Format kernels.Format
	// KVFormat is how keys and values are kept.
	KVFormat kernels.Format
	// Progress, if there is one, is told how many of the model's numbers are loaded,
	// now and then, by the goroutine that called Load.
	Progress func(done, all int64)
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

// Device is where the model is, and what runs it.
func (m *Model) Device() kernels.Device { return m.device }

// Bytes is the device memory of the matrices.
func (m *Model) Bytes() int64 { return m.bytes }

// Load reads a model into the memory of a device. The checkpoint may be closed
// afterwards. Errors name the file and the field or tensor.
func Load(dev kernels.Device, c *weights.Checkpoint, opt Options) (*Model, error) {
	m := &Model{Name: path.Base(c.Name()), device: dev}
	err := m.readFiles(c)
	if err == nil {
		m.Config.KVFormat = opt.KVFormat
		err = m.readContext(opt)
	}
	if err == nil {
		err = m.readWeights(c, opt)
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

// readWeights first finds and checks every tensor, then copies them to the device.
func (m *Model) readWeights(c *weights.Checkpoint, opt Options) error {
	cfg := &m.Config
	f := finder{checkpoint: c, config: cfg, used: make(map[string]bool)}
	t := cfg.globals(f.find)
	for i := range cfg.Layers {
		if f.err != nil {
			break // one message is enough, and layers may be many
		}
		t.layers = append(t.layers, cfg.layer(i, f.find))
	}
	if err := f.leftovers(cfg); err != nil {
		return err
	}

	u := uploader{device: m.device, checkpoint: c, format: opt.Format, progress: opt.Progress, all: cfg.Parameters()}
	m.embedding = u.matrix(t.embedding)
	switch {
	case cfg.Labels == 1:
		m.head = u.matrixIn(kernels.F32, weights.Generated("zero", []int{1, cfg.HiddenSize}, func(_ int, dst []float32) { clear(dst) }), t.score)
	case cfg.Labels == 2:
		m.head = u.matrixIn(kernels.F32, t.score)
	case cfg.TiedHead:
		m.head = m.embedding
	default:
		m.head = u.matrix(t.head)
	}
	m.finalNorm = u.vector(t.finalNorm)
	cos, sin := u.rotaryTables(cfg, m.maxContext)
	m.layers = make([]layer, cfg.Layers)
	for i := range m.layers {
		m.layers[i] = u.layer(cfg, i, &t.layers[i])
		m.layers[i].rotary.Cos, m.layers[i].rotary.Sin = cos, sin
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

// find returns a tensor of the given shape, nil after an error.
func (f *finder) find(name string, shape ...int) *weights.Tensor {
	if f.err != nil {
		return nil
	}
	t, err := f.tensor(name)
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

// tensor looks a tensor up, of which experts in MXFP4 have two of their names.
func (f *finder) tensor(name string) (*weights.Tensor, error) {
	f.used[name] = true
	t, err := f.checkpoint.Tensor(name)
	if errors.Is(err, weights.ErrTensor) && f.config.Experts.MXFP4 {
		if packed, errPacked := f.checkpoint.MXFP4(name); !errors.Is(errPacked, weights.ErrTensor) {
			f.used[name+"_blocks"], f.used[name+"_scales"] = true, true
			return packed, errPacked
		}
	}
	return t, err
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
		ignored := path.Ext(name) == ".inv_freq" || name == "lm_head.weight" && (cfg.TiedHead || cfg.Labels > 0) || cfg.ignores(name)
		if !f.used[name] && !ignored {
			return fmt.Errorf("tensor %q: %s with this config.json has none of this name", name, cfg.Architecture)
		}
	}
	return nil
}

// ignores reports whether a tensor belongs to a layer after the last that is used.
func (c *Config) ignores(name string) bool {
	rest, ok := strings.CutPrefix(name, "model.layers.")
	number, _, _ := strings.Cut(rest, ".")
	i, err := strconv.Atoi(number)
	return ok && err == nil && i >= c.Layers && i < c.Layers+c.IgnoredLayers
}
