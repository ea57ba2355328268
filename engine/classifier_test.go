package engine

import (
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"deepprune/kernels"
	"deepprune/kernels/cpu"
	"deepprune/model"
	"deepprune/weights"
)

// classifier loads a tiny classifier that package model has for its tests.
func classifier(t *testing.T, dev kernels.Device, name string) *model.Model {
	t.Helper()
	c, err := weights.Open(filepath.Join("..", "model", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m, err := model.Load(dev, c, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestClassifierJudges scores pairs with classifiers of one label and of two. The
// score of a pair is that of its tokens in one piece.
func TestClassifierJudges(t *testing.T) {
	dev, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	for _, test := range []struct {
		name, same string
		label      int
	}{
		{"qwen3-classifier", "yes", 1},  // one label, which means the same
		{"llama-classifier", "same", 0}, // "same" is label 0, "different" 1
		{"llama-classifier", " Same", 0},
		{"llama-classifier", "different", 1},
	} {
		spec := JudgeSpec{Head: "a", Mid: "b", Tail: "c", Same: test.same, Threshold: 0.5}
		j, err := NewJudgeWith(classifier(t, dev, test.name), spec)
		if err != nil {
			t.Fatal(err)
		}
		s, err := NewScorer(dev, j, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		pairs := []Pair{{"the apples", "two boxes"}, {"the apples", "six of them"}, {"", "x"}}
		scores := make([]float64, len(pairs))
		if err := s.Score(scores, pairs); err != nil {
			t.Fatal(err)
		}
		for i, p := range pairs {
			tokens := append(j.keeperTokens(p.Keeper), j.traceTokens(p.Trace)...)
			logits := forward(t, dev, j.Model, tokens)
			x, y := math.Exp(float64(logits[test.label])), math.Exp(float64(logits[1-test.label]))
			if want := x / (x + y); !(math.Abs(scores[i]-want) < 1e-9) {
				t.Errorf("%s with same %q: score %v of %v; want %v", test.name, test.same, scores[i], p, want)
			}
		}
	}
	_, err = NewJudgeWith(classifier(t, dev, "llama-classifier"), DefaultJudgeSpec())
	if err == nil || !strings.Contains(err.Error(), `same: " yes" is not a label of llama-classifier, which has ["same" "different"]`) {
		t.Errorf("a word that is no label: %v; want an error with the labels", err)
	}
	if _, err := New(dev, classifier(t, dev, "qwen3-classifier"), nil, Options{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("a classifier as a reasoner: %v; want ErrInvalid", err)
	}
}

// forward is the logits after tokens, computed in one piece.
func forward(t *testing.T, dev kernels.Device, m *model.Model, tokens []int32) []float32 {
	t.Helper()
	layout := m.Config.KVLayout()
	blocks := make([]int32, blocksFor(len(tokens)))
	for i := range blocks {
		blocks[i] = int32(i)
	}
	memory, err := dev.NewArena(int64(len(blocks)) * layout.BlockBytes())
	if err != nil {
		t.Fatal(err)
	}
	d, err := m.NewDecoder(len(tokens), 1)
	if err != nil {
		t.Fatal(err)
	}
	var b kernels.Batch
	b.Add(tokens, 0, blocks, true)
	b.Plan()
	logits := make([]float32, m.Config.HeadSize())
	dev.Read(d.Forward(&b, kernels.KV{Arena: memory, KVLayout: layout, PageBytes: layout.BlockBytes()}), 0, logits)
	return logits
}
