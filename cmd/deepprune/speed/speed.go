package speed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"deepprune/engine"
	"deepprune/kernels"
	"deepprune/model"
	"deepprune/prune"
)

// Config says what to measure.
type Config struct {
	Model    *model.Model // loaded on the clock
	Embedded *model.Model // the embedded reasoner, on the clock, or nil
	Question string       // for Embedded
	Format   kernels.Format
	K        []int // groups of so many traces
	Prompt   int   // tokens that they share, at least 2
	New      int   // tokens of each, at least 4
	Repeat   int
	// Probe measures the limits of the machine.
	Probe func() (Probed, error)
	// Progress is told what is being measured.
	Progress func(what string)
}

// Probed is the result of a probe: bytes read, and operations by format, in a second.
type Probed struct {
	Read       float64
	Operations map[kernels.Format]float64
}

// A group of manyTraces is cut to the survivors, and the engine's own work measured,
// if groups of so many traces are measured anyway.
const manyTraces, survivors = 64, 8

// runner carries a measurement out.
type runner struct {
	Config
	clock  *Clock
	probes []Probed
	prompt []int32
	linear float64 // FLOPs of the linear layers, for a token with a head
	report Report
}

// Run measures. The clock's device must have nothing else to do.
func Run(ctx context.Context, clock *Clock, c Config) (*Report, error) {
	m := c.Model
	switch {
	case len(c.K) == 0:
		return nil, errors.New("speed: no number of traces")
	case c.Prompt < 2 || c.New < 4 || c.Repeat < 1:
		return nil, fmt.Errorf("speed: a prompt of %d tokens, %d new ones, %d repeats: want at least 2, 4, 1", c.Prompt, c.New, c.Repeat)
	case c.Prompt+c.New > m.MaxContext():
		return nil, fmt.Errorf("speed: %d and %d tokens are more than the %d that %s takes", c.Prompt, c.New, m.MaxContext(), m.Name)
	}
	layout := m.Config.KVLayout()
	r := &runner{Config: c, clock: clock, linear: m.Config.FLOPs(-1, true), report: Report{
		Schema: 1, Model: m.Name, DType: c.Format.String(), KVDType: layout.Format.String(), Device: clock.Info(),
		Prompt: c.Prompt, New: c.New, Repeat: c.Repeat,
		WeightBytes: m.Bytes(), KVBytesPerToken: layout.BlockBytes() / kernels.BlockSize,
	}}
	if !m.Config.TiedHead { // a row or so of the embedding is read
		r.report.WeightBytes -= c.Format.Bytes(int64(m.Config.VocabSize) * int64(m.Config.HiddenSize))
	}
	for i := range c.Prompt {
		r.prompt = append(r.prompt, int32(i*7919%m.Config.VocabSize))
	}
	if err := r.measure(ctx); err != nil {
		return nil, err
	}
	return &r.report, nil
}

func (r *runner) measure(ctx context.Context) error {
	k := slices.Clone(r.K)
	slices.Sort(k)
	k = slices.Compact(k)
	runs := make([][]run, len(k))
	for repeat := range r.Repeat {
		for i, k := range k {
			r.progress("%d traces, %d of %d", k, repeat+1, r.Repeat)
			run, err := r.decode(ctx, k)
			if err != nil {
				return err
			}
			runs[i] = append(runs[i], run)
		}
	}
	for i, k := range k {
		r.report.Decode = append(r.report.Decode, r.row(k, runs[i]))
	}
	r.report.Prefill = r.prefill(slices.Concat(runs...))
	r.report.Fit = fit(r.report.Decode)
	if k[len(k)-1] >= manyTraces {
		r.progress("%d traces cut to %d", manyTraces, survivors)
		if err := r.pruning(ctx); err != nil {
			return err
		}
		r.progress("the engine around the embedded reasoner")
		if err := r.overhead(ctx); err != nil {
			return err
		}
	}
	if err := r.probe(); err != nil {
		return err
	}
	r.report.Limits = limits(r.probes)
	r.report.PeakMemoryBytes = peakMemory()
	return nil
}

func (r *runner) progress(format string, args ...any) {
	if r.Progress != nil {
		r.Progress(fmt.Sprintf(format, args...))
	}
}

func (r *runner) probe() error {
	p, err := r.Probe()
	if err != nil {
		return fmt.Errorf("speed: limits of the machine: %w", err)
	}
	r.probes = append(r.probes, p)
	return nil
}

// run is the steps of a group, and what was probed before it and after it.
type run struct {
	steps  []step
	probes []Probed
	peak   int64 // memory of the process afterwards
}

// decode runs a group of k traces between two probes.
func (r *runner) decode(ctx context.Context, k int) (run, error) {
	first := len(r.probes)
	if err := r.probe(); err != nil {
		return run{}, err
	}
	steps, err := r.group(ctx, r.Model, k, engine.Request{Prompt: r.prompt, Params: engine.Params{MaxTokens: r.New, IgnoreEOS: true}})
	if err != nil {
		return run{}, err
	}
	peak := peakMemory()
	if err := r.probe(); err != nil {
		return run{}, err
	}
	return run{steps, r.probes[first:len(r.probes):len(r.probes)], peak}, nil
}

// KVBytes is the KV memory of k traces of so many new tokens behind one prompt.
func KVBytes(c *model.Config, k, prompt, tokens int) int64 {
	blocks := func(tokens int) int64 { return int64(tokens/kernels.BlockSize + 2) }
	return c.KVLayout().BlockBytes() * (blocks(prompt) + int64(k)*blocks(tokens))
}

// group has an engine of its own answer a request with k traces.
func (r *runner) group(ctx context.Context, m *model.Model, k int, req engine.Request) ([]step, error) {
	debug.FreeOSMemory() // the last engine's
	prompt, most := len(req.Prompt), req.Params.MaxTokens
	if req.Question != "" {
		prompt, most = m.MaxContext()/2, m.MaxContext()/2
	}
	e, err := engine.New(r.clock, m, nil, engine.Options{
		Slots: k, TokenBudget: max(k, prompt),
		KVBytes: KVBytes(&m.Config, k, prompt, most),
	})
	if err != nil {
		return nil, fmt.Errorf("speed: %w", err)
	}
	r.clock.reset()
	req.Traces, req.Seed, req.Params.Temperature = k, 1, 1
	g, err := e.Submit(ctx, req)
	if err == nil {
		_, err = g.Wait()
	}
	if err := errors.Join(err, e.Close(), ctx.Err()); err != nil {
		return nil, fmt.Errorf("speed: %d traces: %w", k, err)
	}
	return slices.Clone(r.clock.steps), nil
}

// timed is a step and how long it took until the next began.
type timed struct {
	step
	took time.Duration
}

// decoding is the steps in which k traces decoded and nothing else was done, but
// for the last of all: when it ended is not known.
func decoding(steps []step, k int) []timed {
	var all []timed
	for i, s := range steps[:len(steps)-1] {
		if s.rows == k && s.sampled == k {
			all = append(all, timed{s, steps[i+1].at.Sub(s.at)})
		}
	}
	return all
}

// row is what k traces came to.
func (r *runner) row(k int, runs []run) Decode {
	d := Decode{K: k, Bound: "memory"}
	var steps []timed
	var probes []Probed
	for _, run := range runs {
		steps = append(steps, decoding(run.steps, k)...)
		probes = append(probes, run.probes...)
		d.PeakMemoryBytes = max(d.PeakMemoryBytes, run.peak)
	}
	if len(steps) == 0 {
		return d
	}
	d.Steps = len(steps)
	took := seconds(steps, func(s *timed) time.Duration { return s.took })
	d.StepMS, d.TokensPerS, d.TokensPerTrace = 1e3*took, float64(k)/took, 1/took
	for _, s := range steps {
		d.MeanStepMS += 1e3 * s.took.Seconds() / float64(len(steps))
	}
	d.LinearShare = share(steps, func(s *timed) time.Duration { return s.linear })
	d.AttentionShare = share(steps, func(s *timed) time.Duration { return s.attention })
	d.OtherShare = share(steps, func(s *timed) time.Duration { return s.rest })
	d.EngineShare = share(steps, func(s *timed) time.Duration { return s.took - s.kernels() })

	// The traces share the whole blocks of the prompt less its last token, and are
	// half-way on average.
	shared := (r.Prompt - 1) / kernels.BlockSize * kernels.BlockSize
	keys := r.Prompt + r.New/2
	d.KVBytes = int64(shared+k*(keys-shared)) * r.report.KVBytesPerToken
	d.AttentionGFLOP = 1e-9 * float64(k) * (r.Model.Config.FLOPs(keys-1, true) - r.linear)
	limits := limits(probes)
	d.GFLOPPerS = 1e-9 * float64(k) * r.linear / took
	d.PeakShare = over(d.GFLOPPerS, limits.GFLOP[r.Format.String()])
	if r.Model.Config.Experts.Count == 0 {
		d.GBPerS = 1e-9 * float64(r.report.WeightBytes+d.KVBytes) / took
		d.ReadShare = over(d.GBPerS, limits.ReadGB)
	}
	d.Share = d.ReadShare
	if d.PeakShare > d.ReadShare {
		d.Bound, d.Share = "arithmetic", d.PeakShare
	}
	return d
}

// prefill is the step of the prompt, of all runs.
func (r *runner) prefill(runs []run) Prefill {
	p := Prefill{Tokens: r.Prompt - 1}
	var steps []timed
	var probes []Probed
	for _, run := range runs {
		probes = append(probes, run.probes...)
		for i, s := range run.steps[:len(run.steps)-1] {
			if s.rows == p.Tokens && s.sampled == 0 {
				steps = append(steps, timed{s, run.steps[i+1].at.Sub(s.at)})
			}
		}
	}
	if len(steps) == 0 {
		return p
	}
	took := seconds(steps, func(s *timed) time.Duration { return s.took })
	p.MS, p.TokensPerS = 1e3*took, float64(p.Tokens)/took
	p.GFLOPPerS = 1e-9 * float64(p.Tokens) * r.Model.Config.FLOPs(-1, false) / took
	p.PeakShare = over(p.GFLOPPerS, limits(probes).GFLOP[r.Format.String()])
	p.AttentionShare = share(steps, func(s *timed) time.Duration { return s.attention })
	return p
}

// pruning cuts a group down at half its length.
func (r *runner) pruning(ctx context.Context) error {
	policy, err := prune.ByName("scripted", prune.Options{Checkpoint: prune.Checkpoint{Tokens: r.New / 2}, Survivors: survivors})
	if err != nil {
		return fmt.Errorf("speed: %w", err)
	}
	steps, err := r.group(ctx, r.Model, manyTraces, engine.Request{Prompt: r.prompt, Policy: policy, Params: engine.Params{MaxTokens: r.New}})
	if err != nil {
		return err
	}
	rate := func(steps []timed) float64 {
		return over(1, seconds(steps, func(s *timed) time.Duration { return s.took }))
	}
	before, after := decoding(steps, manyTraces), decoding(steps, survivors)
	if len(before) == 0 || len(after) < 2 {
		return fmt.Errorf("speed: %d steps before the cut and %d after it", len(before), len(after))
	}
	p := &Pruning{From: manyTraces, To: survivors, Before: rate(before), Second: rate(after[1:2]), After: rate(after[1:])}
	p.Gain = p.Second / p.Before
	r.report.Pruning = p
	return nil
}

// overhead measures the engine around the embedded reasoner.
func (r *runner) overhead(ctx context.Context) error {
	const k = manyTraces
	var steps []timed
	for range max(3, r.Repeat) {
		all, err := r.group(ctx, r.Embedded, k, engine.Request{Question: r.Question})
		if err != nil {
			return err
		}
		steps = append(steps, decoding(all, k)...)
	}
	if len(steps) == 0 {
		return errors.New("speed: no step of the embedded reasoner had all traces")
	}
	took := seconds(steps, func(s *timed) time.Duration { return s.took })
	other := seconds(steps, func(s *timed) time.Duration { return s.took - s.kernels() })
	r.report.Engine = &Engine{K: k, StepUS: 1e6 * took, OtherUS: 1e6 * other, Share: other / took}
	return nil
}

// seconds is the median of something over steps.
func seconds(steps []timed, of func(s *timed) time.Duration) float64 {
	all := make([]float64, len(steps))
	for i := range steps {
		all[i] = of(&steps[i]).Seconds()
	}
	return median(all)
}

// share is what something takes in the time of all steps.
func share(steps []timed, of func(s *timed) time.Duration) float64 {
	var part, all time.Duration
	for i := range steps {
		part, all = part+of(&steps[i]), all+steps[i].took
	}
	return over(part.Seconds(), all.Seconds())
}

// median sorts x. It is 0 for none.
func median[T cmp.Ordered](x []T) T {
	if len(x) == 0 {
		return *new(T)
	}
	slices.Sort(x)
	return x[len(x)/2]
}

// limits is the medians of probes.
func limits(probes []Probed) Limits {
	l := Limits{GFLOP: make(map[string]float64)}
	read, operations := []float64{}, make(map[kernels.Format][]float64)
	for _, p := range probes {
		read = append(read, p.Read)
		for format, n := range p.Operations {
			operations[format] = append(operations[format], n)
		}
	}
	l.ReadGB = 1e-9 * median(read)
	for format, all := range operations {
		l.GFLOP[format.String()] = 1e-9 * median(all)
	}
	return l
}

func over(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// peakMemory is the most that the process has had in memory, as Linux tells it.
func peakMemory() int64 {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}
