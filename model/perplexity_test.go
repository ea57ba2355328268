package model

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"testing"

	"deepprune/kernels"
	"deepprune/weights"
	"deepprune/weights/embedded"
)

// perplexity is that of a model on the traces in testdata/traces.jsonl: questions of
// kinds that training never saw, and how its teacher works them out.
func perplexity(t *testing.T, dev kernels.Device, m *Model) float64 {
	t.Helper()
	file, err := os.Open("testdata/traces.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const most = 1024
	decoder, err := m.NewDecoder(most, most)
	if err != nil {
		t.Fatal(err)
	}
	layout := m.Config.KVLayout()
	blocks := make([]int32, most/kernels.BlockSize)
	for i := range blocks {
		blocks[i] = int32(i)
	}
	arena, err := dev.NewArena(layout.BlockBytes() * int64(len(blocks)))
	if err != nil {
		t.Fatal(err)
	}
	kv := kernels.KV{Arena: arena, KVLayout: layout, PageBytes: layout.BlockBytes()}
	var b kernels.Batch
	sum, count := 0.0, 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var row struct{ Question, Trace string }
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		prompt, err := m.Prompt(row.Question)
		if err != nil {
			t.Fatal(err)
		}
		tokens := m.Tokenizer.EncodeParts(prompt, Part{Text: row.Trace})
		b.Reset()
		b.Add(tokens[:len(tokens)-1], 0, blocks, false)
		var params []kernels.SampleParams
		for i := len(prompt); i < len(tokens); i++ {
			b.Logits = append(b.Logits, int32(i-1))
			params = append(params, kernels.SampleParams{Forced: 1 + tokens[i]})
		}
		b.Plan()
		scored := make([]kernels.Sampled, len(params))
		dev.Sample(decoder.Forward(&b, kv), params, scored)
		for _, s := range scored {
			sum -= float64(s.LogProb)
		}
		count += len(scored)
	}
	return math.Exp(sum / float64(count))
}

// TestPerplexity bounds what a format of weights, or of keys and values, costs the
// embedded reasoner. The teacher's own choices between ways to say a thing are in the
// figure, so that no model of it comes to 1.
func TestPerplexity(t *testing.T) {
	if testing.Short() {
		t.Skip("a pass over 16,000 tokens for every format")
	}
	dev := newDevice(t)
	var exact float64
	for _, c := range []struct {
		format, kv kernels.Format
		loss       float64 // at most, over float32
	}{
		{kernels.F32, kernels.F32, 0}, {kernels.BF16, kernels.F32, 0.002}, {kernels.Int8, kernels.F32, 0.005}, {kernels.Int4, kernels.F32, 0.01},
		{kernels.F32, kernels.BF16, 0.002}, {kernels.F32, kernels.Int8, 0.005},
	} {
		checkpoint, err := weights.OpenFS(embedded.Reasoner(), "embedded-reasoner")
		if err != nil {
			t.Fatal(err)
		}
		m, err := Load(dev, checkpoint, Options{Format: c.format, KVFormat: c.kv})
		if err != nil {
			t.Fatal(err)
		}
		checkpoint.Close()
		got := perplexity(t, dev, m)
		if exact == 0 {
			exact = got
		}
		t.Logf("%v, KV %v: perplexity %.5f, %+.3f%%, %d bytes", c.format, c.kv, got, 100*(got/exact-1), m.Bytes())
		if !(got > 1 && got < 1.5) || math.Abs(got/exact-1) > c.loss {
			t.Errorf("%v, KV %v: perplexity %v; want %v, %v more at most", c.format, c.kv, got, exact, c.loss)
		}
	}
}
