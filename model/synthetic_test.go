package model

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"deepprune/kernels"
)

// TestSyntheticShapes counts the parameters of the published models.
func TestSyntheticShapes(t *testing.T) {
	for name, want := range map[string]int64{
		"qwen3-0.6b": 596_049_920, "qwen3-1.7b": 1_720_574_976, "qwen3-4b": 4_022_468_096,
		"qwen3-8b": 8_190_735_360, "qwen3-14b": 14_768_307_200, "qwen3-32b": 32_762_123_264,
		"llama3-8b": 8_030_261_248, "qwq-32b": 32_763_876_352,
		"qwen3-30b-a3b": 30_532_122_624, "gpt-oss-20b": 20_914_757_184, "gpt-oss-120b": 116_829_156_672,
	} {
		c, err := Synthetic(name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := c.File("config.json")
		if err != nil {
			t.Fatal(err)
		}
		config, err := ParseConfig(data)
		if err != nil {
			t.Fatal(err)
		}
		listed := int64(0)
		for _, tensor := range c.Names() {
			x, err := c.Tensor(tensor)
			if err != nil {
				t.Fatal(err)
			}
			listed += int64(x.Rows()) * int64(x.Cols())
		}
		if got := config.Parameters(); got != want || listed != want {
			t.Errorf("%s: %d parameters, %d in its tensors; want %d", name, got, listed, want)
		}
	}
	if _, err := Synthetic("qwen3-9b"); !errors.Is(err, ErrSynthetic) || !strings.Contains(err.Error(), "llama3-8b, qwen3-0.6b, qwen3-1.7b") {
		t.Errorf("an unknown name: %v; want ErrSynthetic with the names", err)
	}
}

// TestSyntheticRuns loads the smallest one, twice, and runs it.
func TestSyntheticRuns(t *testing.T) {
	dev := newDevice(t)
	var logits [2][]float32
	for i := range logits {
		c, err := Synthetic("tiny")
		if err != nil {
			t.Fatal(err)
		}
		m, err := Load(dev, c, Options{MaxContext: 256})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := m.Tokenizer.Size(), m.Config.VocabSize; got != want {
			t.Errorf("%d tokens; want %d", got, want)
		}
		if len(m.Generation.EOS) != 0 {
			t.Errorf("tokens %v end a text; want none", m.Generation.EOS)
		}
		prompt, err := m.Prompt("2+2 é")
		if err != nil {
			t.Fatal(err)
		}
		if len(prompt) != len("2+2 é") || m.Tokenizer.Decode(prompt) != "2+2 é" {
			t.Errorf("prompt %v is %q; want the question, byte by byte", prompt, m.Tokenizer.Decode(prompt))
		}
		if text := m.Tokenizer.Decode([]int32{300, 511}); text != " lo tr" {
			t.Errorf("tokens 300 and 511 are %q; want a word each", text)
		}
		tokens := make([]int32, 100)
		for i := range tokens {
			tokens[i] = int32(i * 5)
		}
		logits[i] = newSession(t, dev, m, 128).run(tokens, last(100))[0]
	}
	if !slices.Equal(logits[0], logits[1]) {
		t.Error("two loads compute different logits")
	}
	squares := 0.0
	for _, x := range logits[0] {
		squares += float64(x) * float64(x)
	}
	if rms := math.Sqrt(squares / float64(len(logits[0]))); !(rms > 0.3 && rms < 3) {
		t.Errorf("logits have the size %v; want about 1", rms)
	}
}

// TestRandomRows checks that rows differ from each other and from tensor to
// tensor, have the variance that they should, and do not depend on their order.
func TestRandomRows(t *testing.T) {
	const cols = 999
	row := func(tensor uint64, i int) []float32 {
		dst := make([]float32, cols)
		randomRows("w", tensor, []int{10, cols})(i, dst)
		return dst
	}
	if !slices.Equal(row(3, 5), row(3, 5)) {
		t.Error("a row differs from itself")
	}
	seen := map[float32]bool{}
	sum, squares, n := 0.0, 0.0, 0.0
	for tensor := range uint64(4) {
		for i := range 10 {
			r := row(tensor, i)
			if seen[r[0]] || seen[r[cols-1]] {
				t.Errorf("tensor %d row %d begins or ends as another", tensor, i)
			}
			seen[r[0]], seen[r[cols-1]] = true, true
			for _, x := range r {
				sum, squares, n = sum+float64(x), squares+float64(x)*float64(x), n+1
			}
		}
	}
	// Of 40,000 numbers, six standard errors.
	if mean := sum / n * math.Sqrt(cols); math.Abs(mean) > 0.03 {
		t.Errorf("mean %v of the deviation; want 0", mean)
	}
	if variance := squares / n * cols; math.Abs(variance-1) > 0.03 {
		t.Errorf("variance %v/columns; want 1", variance)
	}
}

func TestLoadedBytes(t *testing.T) {
	dev := newDevice(t)
	for _, name := range checkpointNames {
		m := loadModel(t, dev, name)
		parameters := int64(0)
		c := openCheckpoint(t, name)
		for _, tensor := range c.Names() {
			packed, isPacked := strings.CutSuffix(tensor, "_blocks")
			if m.Config.ignores(tensor) || strings.HasSuffix(tensor, "_scale_inv") || strings.HasSuffix(tensor, "_scales") {
				continue
			}
			x, err := c.Tensor(tensor)
			if isPacked {
				x, err = c.MXFP4(packed)
			}
			if err != nil {
				t.Fatal(err)
			}
			parameters += int64(x.Rows()) * int64(x.Cols())
		}
		if got := m.Config.Parameters(); got != parameters {
			t.Errorf("%s: %d parameters; want %d", name, got, parameters)
		}
		if got, want := m.Config.LoadedBytes(10, kernels.F32), 4*(parameters+10*int64(m.Config.HeadDim)); got != want {
			t.Errorf("%s: LoadedBytes(10) = %d; want %d", name, got, want)
		}
	}
}
