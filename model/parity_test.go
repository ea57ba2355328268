package model

import (
	"math"
	"slices"
	"testing"

	"deepprune/kernels"
)

// tolerance is how far a logit may be from the reference's, both in float32.
const tolerance = 1e-4

// parity is how a model compares with the reference implementation.
type parity struct {
	logits             float64 // the largest difference, in float32
	hidden             float64 // the same, as a share of the state's largest number if that is above 1
	greedy             []int32
	bf16Max, bf16Mean  float64 // differences of logits in bfloat16 to the reference's in float32
	reference          reference
	greedyIsReferences bool
}

// measureParity feeds the prompt and its greedy continuation, and decodes the
// continuation anew.
func measureParity(t testing.TB, name string) parity {
	dev := newDevice(t)
	m := loadModel(t, dev, name)
	want := readReference(t, name)
	p := parity{reference: want}
	tokens := slices.Concat(want.Prompt, want.Greedy)
	wanted := func(i int) bool { return slices.Contains(want.Rows, i) }

	p.logits, _ = differences(newSession(t, dev, m, 256).run(tokens, wanted), want.logits)
	for i, row := range want.hidden {
		// A model of the first layers alone has what they compute in its residual stream.
		short := *m
		short.layers = m.layers[:i+1]
		s := newSession(t, dev, &short, 256)
		s.run(tokens, func(int) bool { return true })
		got := make([]float32, len(tokens)*m.Config.HiddenSize)
		for r := 0; r < len(want.Rows); r += hiddenEvery {
			state := got[:m.Config.HiddenSize]
			dev.Read(s.decoder.hidden, want.Rows[r], state)
			worst, _ := differences([][]float32{state}, [][]float32{row[:len(state)]})
			size := float32(1)
			for _, v := range row[:len(state)] {
				size = max(size, v, -v)
			}
			p.hidden, row = max(p.hidden, worst/float64(size)), row[len(state):]
		}
	}

	s := newSession(t, dev, m, 256)
	logits := s.run(want.Prompt, last(len(want.Prompt)))
	for range want.Greedy {
		p.greedy = append(p.greedy, argmax(logits[0]))
		logits = s.run(p.greedy[len(p.greedy)-1:], last(s.length+1))
	}
	p.greedyIsReferences = slices.Equal(p.greedy, want.Greedy)

	half := loadModelIn(t, dev, name, kernels.BF16)
	p.bf16Max, p.bf16Mean = differences(newSession(t, dev, half, 256).run(tokens, wanted), want.logits)
	return p
}

// differences are the largest and the mean absolute difference.
func differences(got, want [][]float32) (most, mean float64) {
	n := 0
	for i, row := range got {
		for j, v := range row {
			d := math.Abs(float64(v - want[i][j]))
			if math.IsNaN(d) {
				d = math.Inf(1)
			}
			most = max(most, d)
			mean += d
			n++
		}
	}
	return most, mean / float64(n)
}

func TestForwardEqualsReference(t *testing.T) {
	for _, name := range checkpointNames {
		t.Run(name, func(t *testing.T) {
			p := measureParity(t, name)
			if p.logits > tolerance || p.hidden > tolerance {
				t.Errorf("logits differ by %v, hidden states by %v; want at most %v", p.logits, p.hidden, tolerance)
			}
			if !p.greedyIsReferences {
				t.Errorf("greedy tokens %v; want %v", p.greedy, p.reference.Greedy)
			}
			if want := p.reference.BF16; want.Max > 0 && (p.bf16Max > want.Max || p.bf16Mean > want.Mean) {
				t.Errorf("logits in bfloat16 differ by up to %v, %v on average; want at most the reference's %v, %v", p.bf16Max, p.bf16Mean, want.Max, want.Mean)
			}
			t.Logf("f32 %.1e, hidden %.1e; bf16 %.2g (%.2g), reference %.2g (%.2g)", p.logits, p.hidden, p.bf16Max, p.bf16Mean, p.reference.BF16.Max, p.reference.BF16.Mean)
		})
	}
}
