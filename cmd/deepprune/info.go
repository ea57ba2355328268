package main

import (
	"fmt"
	"io"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"deepprune/cmd/deepprune/figures"
	"deepprune/kernels"
	"deepprune/kernels/cpu"
	"deepprune/kernels/cuda"
)

// info is what the program runs on and with. Its JSON form is part of the command
// line's interface.
type info struct {
	Version  string            `json:"version"`
	Go       string            `json:"go"`
	Platform string            `json:"platform"`
	Device   kernels.Info      `json:"device"`
	Cores    int               `json:"cores"`
	Kernels  []string          `json:"kernels"` // sets this machine can run, best first
	Devices  []string          `json:"devices"` // kinds this build has
	CUDA     string            `json:"cuda"`    // the driver and the GPU, or why there is none
	Model    modelDescription  `json:"model"`
	Judge    *modelDescription `json:"judge"`
	Memory   memoryInfo        `json:"memory"`
	Fits     fitsInfo          `json:"fits"`
}

// memoryInfo is in bytes; Total and Available are 0 where the system does not say.
type memoryInfo struct {
	Total     int64 `json:"total"`
	Available int64 `json:"available"`
	Models    int64 `json:"models"` // that the models take, once loaded
	KV        int64 `json:"kv"`     // that an engine of these flags would take
}

// fitsInfo is how many traces of a length have their KV in memory at once, if they
// share nothing.
type fitsInfo struct {
	Context  int   `json:"context"`   // tokens of a trace, its question included
	KVMemory int64 `json:"kv_memory"` // traces in what --kv-memory gives
	Memory   int64 `json:"memory"`    // traces in what the models leave of the available memory
}

// maxContext bounds the length of a trace to ask about.
const maxContext = 1 << 30

func (a *app) infoCommand() *cobra.Command {
	var f engineFlags
	var context int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "info [flags]",
		Short: "Show the version, the device, and what is in the models' files",
		Long: `info shows the version, the device, and what is in the models' files: architecture,
parameters, the memory they would take, and how many traces would fit. It loads nothing.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if context < 0 || context > maxContext {
				return usagef("--context: %d is not between 0 and %d", context, maxContext)
			}
			i, err := a.info(&f, context)
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(i)
			}
			return i.write(a.stdout)
		},
	}
	f.add(cmd.Flags())
	cmd.Flags().IntVar(&context, "context", 0, "length of the traces that should fit, in tokens; 0 for the longest the model is loaded for")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func (a *app) info(f *engineFlags, context int) (*info, error) {
	d, err := a.describe(f)
	if err != nil {
		return nil, err
	}
	i := &info{
		Version: version(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Device: d.Device, Cores: runtime.NumCPU(), Kernels: cpu.KernelSets(), Devices: deviceKinds(), CUDA: cuda.State(),
		Model: d.Reasoner, Judge: d.Judge,
		Memory: memoryInfo{Total: d.Total, Available: d.Available, KV: int64(f.kvMemory), Models: d.Reasoner.LoadedBytes},
		Fits:   fitsInfo{Context: context},
	}
	if d.Judge != nil {
		i.Memory.Models += d.Judge.LoadedBytes
	}
	if context == 0 {
		i.Fits.Context = d.Reasoner.LoadedContext
	}
	blocks := (int64(i.Fits.Context) + kernels.BlockSize - 1) / kernels.BlockSize
	trace := blocks * kernels.BlockSize * d.Reasoner.KVBytesPerToken
	i.Fits.KVMemory = i.Memory.KV / trace
	i.Fits.Memory = max(i.Memory.Available-i.Memory.Models, 0) / trace
	return i, nil
}

func (i *info) write(w io.Writer) error {
	var b strings.Builder
	row := func(label, text string) { fmt.Fprintf(&b, "%-10s%s\n", label, text) }
	row("version", fmt.Sprintf("%s, %s, %s", i.Version, i.Go, i.Platform))
	row("device", strings.TrimSpace(i.Device.Kind+"  "+figures.Line(i.Device.Name)))
	if i.Device.Threads == 0 {
		row("", "kernels "+i.Device.Kernels)
	} else {
		row("", fmt.Sprintf("%s of %s; kernels %s (of %s)", figures.Plural(i.Device.Threads, "thread", "threads"),
			figures.Plural(i.Cores, "core", "cores"), i.Device.Kernels, strings.Join(i.Kernels, ", ")))
	}
	row("devices", strings.Join(i.Devices, ", ")+" in this build")
	row("cuda", figures.Line(i.CUDA))
	describe := func(label string, m *modelDescription) {
		if m == nil {
			row(label, "none")
			return
		}
		row(label, figures.Line(m.Name)+"  "+figures.Line(m.Architecture))
		row("", fmt.Sprintf("%s parameters%s (%s), %s%s, context %s", figures.Count(m.Parameters), m.active(), figures.Line(m.dtypes()),
			figures.Plural(m.Layers, "layer", "layers"), m.windows(), figures.Count(m.Context)))
		row("", "takes "+m.bytesAs())
		row("", fmt.Sprintf("%s in files, %s loaded as %s, %s of KV per token",
			figures.Bytes(m.FileBytes), figures.Bytes(m.LoadedBytes), m.LoadedDType, figures.Bytes(m.KVBytesPerToken)))
	}
	describe("model", &i.Model)
	describe("judge", i.Judge)
	if i.Memory.Total > 0 {
		row("memory", fmt.Sprintf("%s, %s available", figures.Bytes(i.Memory.Total), figures.Bytes(i.Memory.Available)))
	} else {
		row("memory", "the system does not say")
	}
	row("", fmt.Sprintf("%s for the models, %s for KV on top", figures.Bytes(i.Memory.Models), figures.Bytes(i.Memory.KV)))
	traces := fmt.Sprintf("traces of %s tokens", figures.Count(i.Fits.Context))
	row("fits", fmt.Sprintf("%s %s in the %s of --kv-memory", figures.Count(i.Fits.KVMemory), traces, figures.Bytes(i.Memory.KV)))
	switch {
	case i.Memory.Total == 0:
	case i.Memory.Models > i.Memory.Available:
		row("", "the models do not fit in the available memory")
	default:
		row("", fmt.Sprintf("%s in what the models leave of the available memory", figures.Count(i.Fits.Memory)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// active tells how many of the parameters a token is computed with, if not all.
func (m *modelDescription) active() string {
	if m.Active == m.Parameters {
		return ""
	}
	return fmt.Sprintf(", %s active,", figures.Count(m.Active))
}

// windows tells which layers attend to a window.
func (m *modelDescription) windows() string {
	if m.WindowedLayers == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d with a window of %s)", m.WindowedLayers, figures.Count(int64(m.Window)))
}

// bytesAs tells what the weights take in each format.
func (m *modelDescription) bytesAs() string {
	var all []string
	for _, f := range kernels.Formats() {
		all = append(all, figures.Bytes(m.BytesAs[f.String()])+" as "+f.String())
	}
	return strings.Join(all, ", ")
}

// dtypes writes the types of a checkpoint, or its one type.
func (m *modelDescription) dtypes() string {
	names := slices.Sorted(maps.Keys(m.DTypes))
	if len(names) == 1 {
		return names[0]
	}
	for i, name := range names {
		names[i] = figures.Count(m.DTypes[name]) + " " + name
	}
	return strings.Join(names, ", ")
}

// version is the module's version, or the commit the program was built from.
func version() string {
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := b.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	commit, modified := "", ""
	for _, s := range b.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				modified = "+changes"
			}
		}
	}
	if commit == "" {
		return "devel"
	}
	return "devel-" + commit + modified
}
