package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"deepprune/cmd/deepprune/figures"
	"deepprune/kernels"
	"deepprune/kernels/cpu"
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
	Model    modelDescription  `json:"model"`
	Judge    *modelDescription `json:"judge"`
	Memory   memoryInfo        `json:"memory"`
}

// memoryInfo is in bytes; Total and Available are 0 where the system does not say.
type memoryInfo struct {
	Total     int64 `json:"total"`
	Available int64 `json:"available"`
	Heap      int64 `json:"heap"` // obtained by this process, models loaded
	KV        int64 `json:"kv"`   // that an engine of these flags would take
}

func (a *app) infoCommand() *cobra.Command {
	var f engineFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "info [flags]",
		Short: "Show the version, the device and the models",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := f.check(); err != nil {
				return err
			}
			i, err := a.info(&f)
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
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func (a *app) info(f *engineFlags) (_ *info, err error) {
	p, err := a.open(f)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	d := p.Describe()
	var heap runtime.MemStats
	runtime.ReadMemStats(&heap)
	i := &info{
		Version: version(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Device: d.Device, Cores: runtime.NumCPU(), Kernels: cpu.KernelSets(), Devices: deviceKinds,
		Model: d.Reasoner, Judge: d.Judge,
		Memory: memoryInfo{Heap: int64(heap.HeapSys), KV: int64(f.kvMemory)},
	}
	i.Memory.Total, i.Memory.Available = systemMemory()
	return i, nil
}

func (i *info) write(w io.Writer) error {
	var b strings.Builder
	row := func(label, text string) { fmt.Fprintf(&b, "%-10s%s\n", label, text) }
	row("version", fmt.Sprintf("%s, %s, %s", i.Version, i.Go, i.Platform))
	row("device", strings.TrimSpace(i.Device.Kind+"  "+figures.Line(i.Device.Name)))
	row("", fmt.Sprintf("%s of %s; kernels %s (of %s)", figures.Plural(i.Device.Threads, "thread", "threads"),
		figures.Plural(i.Cores, "core", "cores"), i.Device.Kernels, strings.Join(i.Kernels, ", ")))
	row("devices", strings.Join(i.Devices, ", ")+" in this build")
	describe := func(label string, m *modelDescription) {
		if m == nil {
			row(label, "none")
			return
		}
		row(label, figures.Line(m.Name)+"  "+figures.Line(m.Architecture))
		row("", fmt.Sprintf("%s parameters, %s, context %s", figures.Count(m.Parameters),
			figures.Plural(m.Layers, "layer", "layers"), figures.Count(m.Context)))
		row("", fmt.Sprintf("%s of weights, %s of KV per token", figures.Bytes(m.FileBytes), figures.Bytes(m.KVBytesPerToken)))
	}
	describe("model", &i.Model)
	describe("judge", i.Judge)
	if i.Memory.Total > 0 {
		row("memory", fmt.Sprintf("%s, %s available", figures.Bytes(i.Memory.Total), figures.Bytes(i.Memory.Available)))
	} else {
		row("memory", "the system does not say")
	}
	row("", fmt.Sprintf("%s taken with the models loaded, %s for KV on top", figures.Bytes(i.Memory.Heap), figures.Bytes(i.Memory.KV)))
	_, err := io.WriteString(w, b.String())
	return err
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

// systemMemory is the machine's memory in bytes as Linux tells it, else zeros.
func systemMemory() (total, available int64) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, 0
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		kib, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "MemTotal:":
			total = kib << 10
		case "MemAvailable:":
			available = kib << 10
		}
	}
	return total, available
}
