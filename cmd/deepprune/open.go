package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"deepprune/engine"
	"deepprune/kernels"
	"deepprune/model"
	"deepprune/prune"
	"deepprune/weights"
	"deepprune/weights/embedded"
)

// pair is a reasoner and perhaps a judge on a device.
type pair interface {
	// Engine makes an engine of the pair; one at a time.
	Engine(journal io.Writer) (runner, error)
	// Text decodes generated tokens, the end of text left out. It may be called
	// while an engine runs.
	Text(ids []int32) string
	Describe() description
	// Scorer is the judge alone, nil without one. No engine may run meanwhile.
	Scorer() (scorer, error)
	// TraceFLOPs is the reasoner's work for the first n tokens of a trace.
	TraceFLOPs(question string, n int) (float64, error)
	Close() error
}

// runner is an engine, as the commands use it.
type runner interface {
	Submit(ctx context.Context, r engine.Request) (group, error)
	Stats() engine.Stats
	Close() error
}

// group is an *engine.Group, as the commands use it.
type group interface {
	Events() <-chan engine.Event
	Wait() (*engine.Result, error)
	Cancel()
}

// description is what there is to say about a pair.
type description struct {
	Device           kernels.Info
	Reasoner         modelDescription
	Judge            *modelDescription // nil for none
	Total, Available int64             // the device's memory, or the machine's; 0 where the system does not say
	// Defaults are the parameters of policies that this judge was trained for.
	Defaults prune.Options
}

// modelDescription is what there is to say about a model.
type modelDescription struct {
	Name            string           `json:"name"`
	Architecture    string           `json:"architecture"`
	Parameters      int64            `json:"parameters"`
	Active          int64            `json:"active_parameters"` // that a token is computed with
	DTypes          map[string]int64 `json:"dtypes"`            // numbers of each type in the files
	Layers          int              `json:"layers"`
	Context         int              `json:"context"`
	LoadedContext   int              `json:"loaded_context"` // the longest sequence that the device has it for
	FileBytes       int64            `json:"file_bytes"`     // of the weights
	LoadedDType     string           `json:"loaded_dtype"`   // how it keeps the weights
	LoadedBytes     int64            `json:"loaded_bytes"`   // that they take
	BytesAs         map[string]int64 `json:"bytes_as"`       // that they would take in each format
	KVBytesPerToken int64            `json:"kv_bytes_per_token"`
	// WindowedLayers attend to the last Window tokens alone. Their KV is kept all the same.
	WindowedLayers int `json:"windowed_layers"`
	Window         int `json:"window"`
}

// models is the pair that the flags name.
type models struct {
	flags    *engineFlags
	device   kernels.Device
	queue    kernels.Queue // of the device, for the judge; nil if it has one queue
	reasoner *model.Model
	judge    *engine.Judge
	description
}

// openPair is openModels as the commands that run groups see it.
func (a *app) openPair(f *engineFlags) (pair, error) {
	f.loading = a.loading
	m, err := openModels(f)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// openModels loads the models that the flags name onto the device they name.
func openModels(f *engineFlags) (*models, error) {
	device, err := openDevice(f)
	if err != nil {
		return nil, err
	}
	m := &models{flags: f, device: device}
	m.Device = device.Info()
	if err := m.load(); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (m *models) load() error {
	f := m.flags
	err := open(f.model, "embedded-reasoner", embedded.Reasoner(), f.dtype, func(c *weights.Checkpoint) (err error) {
		m.reasoner, err = f.load(m.device, c, "reasoner", f.dtype)
		return err
	}, &m.Reasoner)
	if err != nil {
		return named("--model", err)
	}
	if f.judge != "none" {
		if err := m.loadJudge(); err != nil {
			return named("--judge", err)
		}
	}
	return f.sizeKV(m.device, 0)
}

// loadJudge loads the judge on a queue of its own, where the device has several.
func (m *models) loadJudge() (err error) {
	f, device := m.flags, m.device
	if q, ok := device.(kernels.Queuer); ok {
		if m.queue, err = q.NewQueue(); err != nil {
			return err
		}
		device = m.queue
	}
	m.Judge = new(modelDescription)
	err = open(f.judge, "embedded-judge", embedded.Judge(), f.judgeDType, func(c *weights.Checkpoint) error {
		judge, err := f.load(device, c, "judge", f.judgeDType)
		if err != nil {
			return err
		}
		m.judge, err = f.newJudge(judge, c)
		return err
	}, m.Judge)
	if err != nil {
		return err
	}
	m.Defaults.Checkpoint = prune.Checkpoint{Tokens: m.judge.Spec.Checkpoint.Tokens, Words: m.judge.Spec.Checkpoint.Words}
	m.Defaults.Threshold = m.judge.Spec.Threshold
	return nil
}

// load loads a checkpoint if there is memory for it and for the KV.
func (f *engineFlags) load(device kernels.Device, c *weights.Checkpoint, what string, d dtype) (*model.Model, error) {
	if err := fits(device, c, d, int64(f.kvMemory)); err != nil {
		return nil, err
	}
	config, err := model.ReadConfig(c)
	if err != nil {
		return nil, err
	}
	opt := model.Options{Format: d.of(&config), KVFormat: d.kv.of(&config)}
	if f.loading != nil {
		opt.Progress = f.loading(what)
	}
	return model.Load(device, c, opt)
}

// open opens the checkpoint that a flag names, has it loaded and describes it.
func open(name, embeddedName string, embedded fs.FS, kept dtype, load func(*weights.Checkpoint) error, d *modelDescription) error {
	c, err := openCheckpoint(name, embeddedName, embedded)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := load(c); err != nil {
		return err
	}
	return d.read(c, kept)
}

// openCheckpoint opens a folder, the embedded checkpoint or a synthetic one.
func openCheckpoint(name, embeddedName string, embedded fs.FS) (*weights.Checkpoint, error) {
	if name == "embedded" {
		return weights.OpenFS(embedded, embeddedName)
	}
	if shape, ok := strings.CutPrefix(name, "random:"); ok {
		return model.Synthetic(shape)
	}
	return weights.Open(name)
}

// read describes a checkpoint of a supported architecture.
func (d *modelDescription) read(c *weights.Checkpoint, kept dtype) error {
	config, err := model.ReadConfig(c)
	if err != nil {
		return err
	}
	config.KVFormat = kept.kv.of(&config)
	*d = modelDescription{
		Name: path.Base(c.Name()), Architecture: config.Architecture,
		Layers: config.Layers, Context: config.MaxPositions,
		Parameters: config.Parameters(), Active: config.ActiveParameters(),
		BytesAs:         make(map[string]int64),
		DTypes:          make(map[string]int64),
		FileBytes:       c.FileBytes(),
		LoadedContext:   config.DefaultContext(),
		LoadedDType:     kept.of(&config).String(),
		LoadedBytes:     config.LoadedBytes(config.DefaultContext(), kept.of(&config)),
		KVBytesPerToken: config.KVLayout().BlockBytes() / kernels.BlockSize,
	}
	for dtype, n := range c.Parameters() {
		d.DTypes[string(dtype)] = n
	}
	for _, f := range kernels.Formats() {
		d.BytesAs[f.String()] = config.LoadedBytes(config.DefaultContext(), f)
	}
	for _, w := range config.Windows {
		if w > 0 {
			d.WindowedLayers++
			d.Window = w
		}
	}
	return nil
}

func (m *models) Describe() description { return m.description }

func (m *models) Text(ids []int32) string {
	for len(ids) > 0 && slices.Contains(m.reasoner.Generation.EOS, ids[len(ids)-1]) {
		ids = ids[:len(ids)-1]
	}
	return m.reasoner.Tokenizer.Decode(ids)
}

func (m *models) Close() error {
	var err error
	if m.queue != nil {
		err = m.queue.Close()
	}
	return errors.Join(err, m.device.Close())
}

// newEngine makes an engine of the size that the flags ask for.
func (m *models) newEngine(opt engine.Options) (*engine.Engine, error) {
	opt.Slots, opt.KVBytes = m.flags.slots, int64(m.flags.kvMemory)
	return engine.New(m.device, m.reasoner, m.judge, opt)
}

func (m *models) Engine(journal io.Writer) (runner, error) {
	e, err := m.newEngine(engine.Options{Journal: journal})
	if err != nil {
		return nil, err
	}
	return engineRunner{e, m.flags.model == "embedded"}, nil
}

// engineRunner is an engine as a runner.
type engineRunner struct {
	*engine.Engine
	embedded bool // the reasoner is the embedded one
}

func (e engineRunner) Submit(ctx context.Context, r engine.Request) (group, error) {
	g, err := e.Engine.Submit(ctx, r)
	if err != nil {
		return nil, err
	}
	if unknown := embedded.Unknown(r.Question); e.embedded && len(unknown) > 0 {
		return outsideGroup{g, unknown}, nil
	}
	return g, nil
}

// outsideGroup is a group whose question the embedded reasoner cannot know.
type outsideGroup struct {
	group
	unknown []string // words that it has never seen
}

func (g outsideGroup) Wait() (*engine.Result, error) {
	res, err := g.group.Wait()
	if res != nil {
		const most = 5
		words := make([]string, min(len(g.unknown), most))
		for i := range words {
			words[i] = strconv.Quote(g.unknown[i])
		}
		more := ""
		if n := len(g.unknown) - most; n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		outside := fmt.Sprintf("the question is outside of what the embedded reasoner knows (it never saw %s%s)", strings.Join(words, ", "), more)
		if res.Warning != "" {
			outside += "; " + res.Warning
		}
		res.Warning = outside
	}
	return res, err
}
