package speed

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"deepprune/cmd/deepprune/figures"
)

// Table writes a report for people.
func (r *Report) Table(w io.Writer) error {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	head := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-8s  %s\n", name, fmt.Sprintf(format, args...))
	}
	head("model", "%s, weights %s (%s), KV %s (%s a token), loaded in %s", r.Model, r.DType, figures.Bytes(r.WeightBytes),
		r.KVDType, figures.Bytes(r.KVBytesPerToken), figures.Milliseconds(r.LoadMS))
	head("device", "%s, %s, %s", r.Device.Name, r.Device.Kernels, figures.Plural(r.Device.Threads, "thread", "threads"))
	var peaks []string
	for _, format := range slices.Sorted(maps.Keys(r.Limits.GFLOP)) {
		peaks = append(peaks, fmt.Sprintf("%s %.0f", format, r.Limits.GFLOP[format]))
	}
	head("limits", "read %.1f GB/s; GFLOP/s: %s", r.Limits.ReadGB, strings.Join(peaks, ", "))
	if p := r.Prefill; p.MS > 0 {
		head("prefill", "%d tokens in %s: %.0f tokens/s, %.0f GFLOP/s, %s of the peak; attention %s of the time",
			p.Tokens, figures.Milliseconds(p.MS), p.TokensPerS, p.GFLOPPerS, figures.Percent(p.PeakShare), figures.Percent(p.AttentionShare))
	}
	fmt.Fprintln(w)
	fmt.Fprintf(tab, "k\ttokens/s\ta trace\tstep\tGB/s\tof read\tGFLOP/s\tof peak\tbound by\tlinear\tattention\tother\tengine\tmemory\t\n")
	for _, d := range r.Decode {
		fmt.Fprintf(tab, "%d\t%.1f\t%.2f\t%.1f ms\t%.1f\t%s\t%.0f\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", d.K, d.TokensPerS, d.TokensPerTrace, d.StepMS,
			d.GBPerS, figures.Percent(d.ReadShare), d.GFLOPPerS, figures.Percent(d.PeakShare), d.Bound,
			figures.Percent(d.LinearShare), figures.Percent(d.AttentionShare), figures.Percent(d.OtherShare), figures.Percent(d.EngineShare),
			figures.Bytes(d.PeakMemoryBytes))
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if len(r.Decode) > 2 {
		head("fit", "a step takes %.1f + %.2f k ms, within %s; tokens/s fall at most %s from one k to the next",
			r.Fit.AMS, r.Fit.BMS, figures.Percent(r.Fit.Worst), figures.Percent(r.Fit.Drop))
	}
	if p := r.Pruning; p != nil {
		head("pruning", "%d traces cut to %d: %.2f tokens/s a trace before, %.2f in the second step after, %.1f times as many (then %.2f)",
			p.From, p.To, p.Before, p.Second, p.Gain, p.After)
	}
	if e := r.Engine; e != nil {
		head("engine", "%.0f of %.0f µs of a step of the embedded reasoner with %d traces: %.1f%%", e.OtherUS, e.StepUS, e.K, 100*e.Share)
	}
	_, err := fmt.Fprintf(w, "%-8s  %s at most\n", "memory", figures.Bytes(r.PeakMemoryBytes))
	return err
}
