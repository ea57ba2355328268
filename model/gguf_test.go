package model

import (
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"deepprune/kernels"
	"deepprune/weights"
)

// openGGUF opens a file that testdata/gguf.py made.
func openGGUF(t testing.TB, name string) *weights.Checkpoint {
	t.Helper()
	c, err := weights.Open(filepath.Join("testdata", name+".gguf"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// logitsOf runs a model over tokens and returns the logits at rows.
func logitsOf(t *testing.T, dev kernels.Device, c *weights.Checkpoint, tokens []int32, rows []int) ([][]float32, *Model) {
	t.Helper()
	m, err := Load(dev, c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return newSession(t, dev, m, 256).run(tokens, func(i int) bool { return slices.Contains(rows, i) }), m
}

func largestDifference(a, b [][]float32) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	worst := 0.0
	for i, row := range a {
		for j, v := range row {
			worst = max(worst, math.Abs(float64(v-b[i][j])))
		}
	}
	return worst
}

// TestGGUFEqualsSafetensors reads the same weights from both, and computes the
// same bits: with the rows of a llama's queries and keys in another order in the
// file, with biases, with queries and keys normalised, with scaled positions, with
// experts side by side, and split over several files.
func TestGGUFEqualsSafetensors(t *testing.T) {
	for _, test := range []struct {
		name      string
		tolerance float64
	}{
		{"llama-f32-biases", 0}, {"qwen3-bf16-tied", 0}, {"qwen2-bf16-yarn", 0},
		{"qwen3moe-bf16-sharded-00001-of-00003", 0}, {"glm4moe-bf16-groups", 0}, {"gptoss-mxfp4", 0},
		{"llama-bf16-llama3", 1e-4}, // its factors are rounded to float32 in the file
	} {
		t.Run(test.name, func(t *testing.T) {
			dev := newDevice(t)
			name := strings.TrimSuffix(test.name, "-00001-of-00003")
			reference := readReference(t, name)
			rows := slices.DeleteFunc(reference.Rows, func(r int) bool { return r >= len(reference.Prompt) })
			want, original := logitsOf(t, dev, openCheckpoint(t, name), reference.Prompt, rows)
			got, m := logitsOf(t, dev, openGGUF(t, test.name), reference.Prompt, rows)
			if d := largestDifference(got, want); !(d <= test.tolerance) {
				t.Errorf("logits differ by %v from those of the safetensors; want at most %v", d, test.tolerance)
			}
			configs := []Config{m.Config, original.Config}
			for i := range configs {
				configs[i].Experts.MXFP4, configs[i].Experts.Separate = false, false // how the files keep them
				if configs[i].Scaling.Kind != "yarn" {
					configs[i].Scaling = Scaling{} // llama3 becomes factors
				}
			}
			if !reflect.DeepEqual(configs[0], configs[1]) {
				t.Errorf("config %+v; want %+v", configs[0], configs[1])
			}
			text := "Anna has 12 apples;\n\n  how many are left? naïve €5 <|endoftext|>"
			if got, want := m.Tokenizer.Encode(nil, text), original.Tokenizer.Encode(nil, text); !slices.Equal(got, want) {
				t.Errorf("tokens %v; want %v", got, want)
			}
			if got, want := m.Tokenizer.EncodeParts(nil, Part{text, true}), original.Tokenizer.EncodeParts(nil, Part{text, true}); !slices.Equal(got, want) {
				t.Errorf("verbatim tokens %v; want %v", got, want)
			}
			if m.Name != test.name+".gguf" || !slices.Equal(m.Generation.EOS, []int32{0}) {
				t.Errorf("%q ends at %v; want the file's name and [0]", m.Name, m.Generation.EOS)
			}
			if prompt, err := m.Prompt(text); err != nil || !slices.Equal(prompt, m.Tokenizer.EncodeParts(nil, Part{text, true})) {
				t.Errorf("Prompt = %v, %v; want the question, as the template in the file is", prompt, err)
			}
		})
	}
}

// TestGGUFQuantised compares with what the reference computes from the numbers
// that the package gguf reads out of the same blocks.
func TestGGUFQuantised(t *testing.T) {
	const tolerance = 1e-4
	c := openGGUF(t, "quantised")
	kinds := make(map[weights.DType]bool)
	for _, name := range c.Names() {
		tensor, err := c.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		kinds[tensor.DType] = true
	}
	if !kinds["Q8_0"] || !kinds["Q4_0"] {
		t.Fatalf("tensors of types %v; want some of Q8_0 and Q4_0", kinds)
	}
	reference := readReference(t, "qwen2-f16-sharded")
	rows := slices.DeleteFunc(reference.Rows, func(r int) bool { return r >= len(reference.Prompt) })
	got, _ := logitsOf(t, newDevice(t), c, reference.Prompt, rows)
	want := readRows(t, filepath.Join("testdata", "quantised.safetensors"), "logits")
	if d := largestDifference(got, want); !(d <= tolerance) {
		t.Errorf("logits differ by %v; want at most %v", d, tolerance)
	}
	if d := largestDifference(got, reference.logits[:len(rows)]); !(d > 0.01) {
		t.Errorf("logits differ by %v from those of the weights in full; want a loss, or nothing was quantised", d)
	}
}

// TestGGUFTokenizers encodes as the tokenizer.json does that the file was made of,
// but for added tokens, of which the file does not keep what they do to the spaces
// beside them.
func TestGGUFTokenizers(t *testing.T) {
	for _, name := range []string{"qwen2", "llama3", "glm4", "o200k", "deepseek3"} {
		c := openGGUF(t, name+"-vocabulary")
		data, err := c.File("tokenizer.json")
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseTokenizer(data)
		if err != nil {
			t.Fatal(err)
		}
		want := readTokenizer(t, name)
		texts, wrong := 0, 0
		for _, g := range readCases(t, name) {
			text := Part{g.text, true}
			a, b := got.EncodeParts(nil, text), want.EncodeParts(nil, text)
			if texts++; !slices.Equal(a, b) || got.Decode(a) != want.Decode(b) {
				if wrong++; wrong <= 3 {
					t.Errorf("%s: tokens of %q = %v; want %v", name, g.text, a, b)
				}
			}
		}
		if texts < 1000 {
			t.Errorf("%s: %d texts; want a thousand", name, texts)
		}
		if a, b := got.Encode(nil, "x<|im_end|>y<think>"), want.Encode(nil, "x<|im_end|>y<think>"); !slices.Equal(a, b) {
			t.Errorf("%s: tokens of text with added tokens = %v; want %v", name, a, b)
		}
	}
}
