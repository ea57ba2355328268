package model

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"deepprune/kernels"
	"deepprune/weights"
)

var checkpointNames = []string{
	"qwen3-bf16-tied", "qwen2-f16-sharded", "llama-f32-biases", "llama-bf16-plain",
	"llama-bf16-llama3", "qwen2-bf16-yarn", "qwen3-bf16-dynamic", "qwen3-fp8",
	"qwen3moe-bf16-sharded", "qwen3moe-f32-windows", "glm4moe-bf16-groups", "glm4moe-f32-shared",
	"gptoss-bf16-transposed", "gptoss-mxfp4",
}

func openCheckpoint(t testing.TB, name string) *weights.Checkpoint {
	t.Helper()
	c, err := weights.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func loadModel(t testing.TB, dev kernels.Device, name string) *Model {
	t.Helper()
	return loadModelIn(t, dev, name, kernels.F32)
}

func loadModelIn(t testing.TB, dev kernels.Device, name string, format kernels.Format) *Model {
	t.Helper()
	m, err := Load(dev, openCheckpoint(t, name), Options{MaxContext: readReference(t, name).Context, Format: format})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// reference is what the reference implementation makes of a checkpoint.
type reference struct {
	Prompt, Greedy []int32
	Rows           []int // the positions of the rows of logits
	Context        int   // the length it was computed for, if that matters
	// BF16 is how far its logits in bfloat16 are from those in float32.
	BF16   struct{ Max, Mean float64 }
	logits [][]float32
	hidden [][]float32 // after each layer, those of every hiddenEvery-th of Rows side by side
}

const hiddenEvery = 6

func readReference(t testing.TB, name string) reference {
	t.Helper()
	var r reference
	data, err := openCheckpoint(t, name).File("golden.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name, "golden.safetensors")
	r.logits = readRows(t, file, "logits")
	if r.BF16.Max > 0 {
		r.hidden = readRows(t, file, "hidden")
	}
	return r
}

// readRows reads a tensor of a safetensors file.
func readRows(t testing.TB, file, name string) [][]float32 {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := weights.OpenFS(fstest.MapFS{"model.safetensors": {Data: data}}, file)
	if err != nil {
		t.Fatal(err)
	}
	tensor, err := c.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	rows := make([][]float32, tensor.Rows())
	for i := range rows {
		rows[i] = make([]float32, tensor.Cols())
		tensor.Row(i, rows[i])
	}
	return rows
}

// session runs one sequence whose blocks lie scattered in an arena.
type session struct {
	dev     kernels.Device
	decoder *Decoder
	kv      kernels.KV
	batch   kernels.Batch
	blocks  []int32
	length  int
}

func newSession(t testing.TB, dev kernels.Device, m *Model, maxRows int) *session {
	t.Helper()
	layout := m.Config.KVLayout()
	blocks := (m.MaxContext() + kernels.BlockSize - 1) / kernels.BlockSize
	arena, err := dev.NewArena(layout.BlockBytes() * int64(blocks))
	if err != nil {
		t.Fatal(err)
	}
	s := &session{dev: dev, kv: kernels.KV{Arena: arena, KVLayout: layout, PageBytes: layout.BlockBytes()}}
	if s.decoder, err = m.NewDecoder(maxRows, maxRows); err != nil {
		t.Fatal(err)
	}
	for i := range blocks {
		s.blocks = append(s.blocks, int32((i*7+3)%blocks))
	}
	return s
}

// run feeds tokens and returns the logits of those that want(i) says of, i
// counting from the beginning of the sequence.
func (s *session) run(tokens []int32, want func(i int) bool) [][]float32 {
	s.batch.Reset()
	s.batch.Add(tokens, s.length, s.blocks, false)
	for i := range tokens {
		if want(s.length + i) {
			s.batch.Logits = append(s.batch.Logits, int32(i))
		}
	}
	s.batch.Plan()
	s.length += len(tokens)
	logits := s.decoder.Forward(&s.batch, s.kv)
	var rows [][]float32
	for i := range s.batch.Logits {
		row := make([]float32, logits.Cols())
		s.dev.Read(logits, i, row)
		rows = append(rows, row)
	}
	return rows
}

func last(n int) func(int) bool { return func(i int) bool { return i == n-1 } }

func argmax(row []float32) int32 {
	best := 0
	for i, v := range row {
		if v > row[best] {
			best = i
		}
	}
	return int32(best)
}

// TestForwardInPieces checks that a prompt has the same bits in one piece, in
// chunks of any size, token by token, with all logits wanted or few, and beside
// other sequences, one of which shares its beginning.
func TestForwardInPieces(t *testing.T) {
	for _, name := range checkpointNames {
		t.Run(name, func(t *testing.T) {
			dev := newDevice(t)
			m := loadModel(t, dev, name)
			prompt := readReference(t, name).Prompt
			all := func(int) bool { return true }
			want := newSession(t, dev, m, 256).run(prompt, all)

			compare := func(how string, position int, got []float32) {
				t.Helper()
				for i, v := range got {
					if math.Float32bits(v) != math.Float32bits(want[position][i]) {
						t.Fatalf("%s: position %d, logit %d = %v; want %v, bit by bit", how, position, i, v, want[position][i])
					}
				}
			}
			for _, chunk := range []int{1, 7, 16, 64, 100} {
				s := newSession(t, dev, m, 256)
				for at := 0; at < len(prompt); {
					piece := prompt[at:min(at+chunk, len(prompt))]
					for i, row := range s.run(piece, all) {
						compare(fmt.Sprintf("chunks of %d", chunk), at+i, row)
					}
					at += len(piece)
				}
			}
			// Two sequences that share their first 64 tokens, and a stranger.
			s := newSession(t, dev, m, 512)
			s.run(prompt[:64], func(int) bool { return false })
			n := len(prompt)
			other := slices.Concat(s.blocks[:4], s.blocks[20:])
			s.batch.Reset()
			s.batch.Add(prompt[3:90], 0, s.blocks[10:], true)
			first := s.batch.Add(prompt[64:], 64, s.blocks[:10], true)
			second := s.batch.Add(prompt[64:n-1], 64, other, true)
			s.batch.Plan()
			logits := s.decoder.Forward(&s.batch, s.kv)
			for i, position := range map[int]int{first: n - 1, second: n - 2} {
				row := make([]float32, logits.Cols())
				dev.Read(logits, i, row)
				compare("beside others", position, row)
			}
			for _, every := range []int{2, 50, 1000} {
				s := newSession(t, dev, m, 256)
				s.run(prompt[:70], func(i int) bool { return false })
				wanted := func(i int) bool { return i%every == 0 || i == len(prompt)-1 }
				rows := s.run(prompt[70:], wanted)
				for i := 70; i < len(prompt); i++ {
					if wanted(i) {
						compare(fmt.Sprintf("one row in %d", every), i, rows[0])
						rows = rows[1:]
					}
				}
			}
		})
	}
}

func TestForwardAllocatesNothing(t *testing.T) {
	dev := newDevice(t)
	m := loadModel(t, dev, "qwen3-bf16-tied")
	s := newSession(t, dev, m, 8)
	s.run([]int32{1, 2, 3, 4, 5}, last(5))
	tokens := []int32{6}
	step := func() {
		s.batch.Reset()
		s.batch.Add(tokens, 5, s.blocks, true)
		s.batch.Plan()
		s.decoder.Forward(&s.batch, s.kv)
	}
	step()
	if got := testing.AllocsPerRun(20, step); got != 0 {
		t.Errorf("a step allocates %v times; want 0", got)
	}
}

func TestForwardPanicsOnWideBatch(t *testing.T) {
	dev := newDevice(t)
	s := newSession(t, dev, loadModel(t, dev, "llama-bf16-plain"), 4)
	defer func() {
		if recover() == nil {
			t.Error("a batch wider than the decoder did not panic")
		}
	}()
	s.run([]int32{1, 2, 3, 4, 5}, last(5))
}
