package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"deepprune/cmd/deepprune/speed"
	"deepprune/kernels"
	"deepprune/kernels/cpu"
	"deepprune/kernels/cuda"
	"deepprune/model"
	"deepprune/weights"
	"deepprune/weights/embedded"
)

// speedFlags are the flags of bench speed.
type speedFlags struct {
	engineFlags
	traces              []int
	prompt, new, repeat int
	json                bool
}

func (a *app) speedCommand() *cobra.Command {
	var f speedFlags
	cmd := &cobra.Command{
		Use:   "speed [flags]",
		Short: "Measure tokens/s against what the machine could do",
		Long: `Decode groups of one prompt, from one trace to many, and compare each with the
limits of this machine, which are probed before and after it: how fast memory is
read, and how many multiplications and additions the instructions do that linear
layers are made of.

A share of the peak is the work of the linear layers over the time of the whole
step; what attention, the other operations and the engine take is told apart.
Times are medians over the steps. The texts mean nothing.`,
		Example: `  deepprune bench speed --model random:qwen3-0.6b --dtype bf16 -k 1,8,64 --prompt 512 --new 128
  deepprune bench speed --model random:qwen3-0.6b --dtype int8 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.speed(&f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.model, "model", "random:qwen3-0.6b", "a checkpoint `folder` or .gguf file, embedded, or random:NAME for the shape of a known model with random weights")
	flags.SetNormalizeFunc(quantIsDType)
	flags.Var(&f.dtype, "dtype", "how weights are kept: "+autoOr(kernels.Formats()))
	flags.Var(&f.dtype.kv, "kv-dtype", "how keys and values are kept: "+autoOr(kernels.KVFormats()))
	flags.IntSliceVarP(&f.traces, "traces", "k", []int{1, 2, 4, 8, 16, 32, 64}, "groups of so many traces")
	flags.IntVar(&f.prompt, "prompt", 512, "tokens of the prompt")
	flags.IntVar(&f.new, "new", 128, "tokens of each trace")
	flags.IntVar(&f.repeat, "repeat", 1, "run all groups so many times")
	f.addDevice(flags)
	flags.BoolVar(&f.json, "json", false, "print one JSON object instead of the table")
	return cmd
}

func (f *speedFlags) check() error {
	f.judge, f.slots = "none", 1
	if err := f.engineFlags.check(); err != nil {
		return err
	}
	switch {
	case len(f.traces) == 0:
		return usagef("--traces: none are given")
	case f.prompt < 2 || f.prompt > maxContext:
		return usagef("--prompt: %d is not between 2 and %d", f.prompt, maxContext)
	case f.new < 4 || f.new > maxContext:
		return usagef("--new: %d is not between 4 and %d", f.new, maxContext)
	case f.repeat < 1 || f.repeat > 1000:
		return usagef("--repeat: %d is not between 1 and 1000", f.repeat)
	}
	for _, k := range f.traces {
		if k < 1 || k > maxTraces {
			return usagef("--traces: %d is not between 1 and %d", k, maxTraces)
		}
	}
	return nil
}

func (a *app) speed(f *speedFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	f.loading = a.loading
	device, err := openDevice(&f.engineFlags)
	if err != nil {
		return err
	}
	report, err := a.measureSpeed(f, speed.NewClock(device))
	if err := errors.Join(err, device.Close()); err != nil {
		return err
	}
	if f.json {
		return json.NewEncoder(a.stdout).Encode(report)
	}
	return report.Table(a.stdout)
}

func (a *app) measureSpeed(f *speedFlags, clock *speed.Clock) (*speed.Report, error) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	signals, ignore := a.interrupts()
	defer ignore()
	go func() {
		select {
		case <-signals:
			stop()
		case <-ctx.Done():
		}
	}()
	config := speed.Config{
		K: f.traces, Prompt: f.prompt, New: f.new, Repeat: f.repeat,
		Question: "Nina has 3 bags of 29 beads each. Ann gives her 25 more beads. Then the number of beads doubles. How many beads does Nina have?",
		Probe:    func() (speed.Probed, error) { return probe(clock.Device, &f.engineFlags) },
		Progress: func(what string) { fmt.Fprintf(a.stderr, "%s %s\n", time.Now().Format(time.TimeOnly), what) },
	}
	start := time.Now()
	var d modelDescription
	err := open(f.model, "embedded-reasoner", embedded.Reasoner(), f.dtype, func(c *weights.Checkpoint) (err error) {
		shape, err := model.ReadConfig(c)
		if err != nil {
			return err
		}
		shape.KVFormat = f.dtype.kv.of(&shape)
		// Beside the model there must be room for the largest group.
		f.kvMemory = size(speed.KVBytes(&shape, slices.Max(f.traces), f.prompt, f.new))
		config.Model, err = f.load(clock, c, "model", f.dtype)
		return err
	}, &d)
	if err != nil {
		return nil, named("--model", err)
	}
	took := time.Since(start)
	if config.Format, err = kernels.ParseFormat(d.LoadedDType); err != nil {
		return nil, err
	}
	small, err := openCheckpoint("embedded", "embedded-reasoner", embedded.Reasoner())
	if err != nil {
		return nil, err
	}
	defer small.Close()
	if config.Embedded, err = model.Load(clock, small, model.Options{}); err != nil {
		return nil, err
	}
	report, err := speed.Run(ctx, clock, config)
	if err != nil {
		return nil, err
	}
	report.LoadMS = milliseconds(took)
	return report, nil
}

// probe measures the limits of a device: of the CPU with the threads and kernels of
// the flags, of a GPU what a copy reads and writes and what its mma instructions do.
func probe(device kernels.Device, f *engineFlags) (speed.Probed, error) {
	if device.Info().Kind == "cuda" {
		limits, err := cuda.MeasureLimits(device)
		return speed.Probed{Read: limits.CopyBytes, Operations: limits.Operations}, err
	}
	limits, err := cpu.MeasureLimits(cpu.Options{Threads: f.threads, Kernels: f.kernels})
	p := speed.Probed{Read: limits.ReadBytes, Operations: make(map[kernels.Format]float64)}
	for format, n := range limits.Operations {
		if n > 0 {
			p.Operations[kernels.Format(format)] = n
		}
	}
	return p, err
}
