package speed

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"deepprune/kernels"
	"deepprune/kernels/cpu"
	"deepprune/model"
)

// TestRun measures a model that is quick, between probes that say what they like.
func TestRun(t *testing.T) {
	device, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	clock := NewClock(device)
	load := func() *model.Model {
		c, err := model.Synthetic("tiny")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		m, err := model.Load(clock, c, model.Options{MaxContext: 64})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	probes := 0
	report, err := Run(context.Background(), clock, Config{
		Model: load(), Embedded: load(), Question: "1 + 1", Format: kernels.F32,
		K: []int{64, 1, 3, 3}, Prompt: 40, New: 12, Repeat: 2,
		Probe: func() (Probed, error) {
			probes++
			return Probed{Read: 1e9, Operations: map[kernels.Format]float64{kernels.F32: 1e12}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := 2*2*3 + 1; probes != want || report.Limits.ReadGB != 1 || math.Round(report.Limits.GFLOP["f32"]) != 1000 {
		t.Errorf("%d probes, %+v; want %d of 1 GB/s and 1000 GFLOP/s", probes, report.Limits, want)
	}
	if p := report.Prefill; p.Tokens != 39 || p.TokensPerS <= 0 || p.PeakShare <= 0 {
		t.Errorf("prefill is %+v; want 39 tokens at some speed", p)
	}
	for i, k := range []int{1, 3, 64} {
		d := report.Decode[i]
		// When the last step ended is not known.
		if d.K != k || d.Steps != 2*(12-1) || d.StepMS <= 0 || d.MeanStepMS <= 0 || d.ReadShare <= 0 || d.PeakShare <= 0 {
			t.Errorf("row %d is %+v; want %d traces in 22 steps", i, d, k)
		}
		if sum := d.LinearShare + d.AttentionShare + d.OtherShare + d.EngineShare; math.Abs(sum-1) > 1e-6 {
			t.Errorf("%d traces: the shares of a step add up to %v", k, sum)
		}
		// 32 keys are shared, the others are half-way between 40 and 52.
		if want := int64(32+k*(46-32)) * report.KVBytesPerToken; d.KVBytes != want {
			t.Errorf("%d traces read %d bytes of KV; want %d", k, d.KVBytes, want)
		}
	}
	if p := report.Pruning; p == nil || p.From != 64 || p.To != 8 || p.Gain <= 0 {
		t.Errorf("pruning is %+v; want 64 cut to 8", p)
	}
	if e := report.Engine; e == nil || e.StepUS <= 0 || e.Share <= 0 || e.Share >= 1 {
		t.Errorf("the engine's share is %+v; want some of a step", e)
	}
	var table bytes.Buffer
	if err := report.Table(&table); err != nil || strings.Count(table.String(), "\n") < 10 {
		t.Errorf("Table: %v\n%s", err, table.String())
	}
	if _, err := json.Marshal(report); err != nil {
		t.Error(err)
	}
}

func TestFit(t *testing.T) {
	row := func(k int, ms float64) Decode {
		return Decode{K: k, StepMS: ms, TokensPerS: float64(k) / ms}
	}
	if f := fit([]Decode{row(1, 12), row(4, 18), row(10, 30)}); math.Abs(f.AMS-10) > 1e-9 || math.Abs(f.BMS-2) > 1e-9 || f.Worst > 1e-9 || f.Drop > 0 {
		t.Errorf("fit = %+v; want 10 + 2k", f)
	}
	if f := fit([]Decode{row(1, 10), row(2, 40), row(3, 30)}); f.Worst < 0.1 || math.Abs(f.Drop-0.5) > 1e-9 {
		t.Errorf("fit = %+v; want a bad one, and half the speed lost", f)
	}
}

func TestRefusals(t *testing.T) {
	device, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	c, err := model.Synthetic("tiny")
	if err != nil {
		t.Fatal(err)
	}
	clock := NewClock(device)
	m, err := model.Load(clock, c, model.Options{MaxContext: 32})
	if err != nil {
		t.Fatal(err)
	}
	for _, config := range []Config{
		{Model: m, Prompt: 8, New: 8, Repeat: 1},
		{Model: m, K: []int{1}, Prompt: 1, New: 8, Repeat: 1},
		{Model: m, K: []int{1}, Prompt: 8, New: 3, Repeat: 1},
		{Model: m, K: []int{1}, Prompt: 20, New: 13, Repeat: 1},
	} {
		if _, err := Run(context.Background(), clock, config); err == nil {
			t.Errorf("%+v was measured", config)
		}
	}
}
