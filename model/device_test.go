package model

import (
	"fmt"
	"math"
	"os"
	"testing"

	"deepprune/kernels"
	"deepprune/kernels/cpu"
	"deepprune/kernels/cuda"
)

// newDevice opens the device that the tests run on: that of the environment variable
// DEEPPRUNE_TEST_DEVICE, cpu or cuda.
func newDevice(t testing.TB) kernels.Device {
	t.Helper()
	var dev kernels.Device
	var err error
	switch name := os.Getenv("DEEPPRUNE_TEST_DEVICE"); name {
	case "", "cpu":
		dev, err = cpu.New(cpu.Options{})
	case "cuda":
		dev, err = cuda.Open(cuda.Options{})
	default:
		err = fmt.Errorf("DEEPPRUNE_TEST_DEVICE: %q is not cpu or cuda", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dev.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return dev
}

// TestForwardInCrowds checks that the rows of decode steps have the same bits as in a
// prompt, for any number of sequences that decode together, step after step: on a
// device that runs steps again, in the first, in the second and in those after.
func TestForwardInCrowds(t *testing.T) {
	const shared, steps = 37, 5
	for _, name := range []string{"qwen3-bf16-tied", "gptoss-bf16-transposed"} {
		t.Run(name, func(t *testing.T) {
			dev := newDevice(t)
			m := loadModel(t, dev, name)
			tokens := readReference(t, name).Prompt[:shared+steps]
			want := newSession(t, dev, m, 256).run(tokens, func(int) bool { return true })
			for p, row := range want {
				if row[0] == row[1] && row[1] == row[2] {
					t.Fatalf("position %d: the first logits are all %v: the device does nothing", p, row[0])
				}
			}
			for _, crowd := range []int{1, 2, 3, 7, 9} {
				layout := m.Config.KVLayout()
				const own = (shared+steps)/kernels.BlockSize + 1 - shared/kernels.BlockSize
				arena, err := dev.NewArena(layout.BlockBytes() * int64(shared/kernels.BlockSize+crowd*own))
				if err != nil {
					t.Fatal(err)
				}
				kv := kernels.KV{Arena: arena, KVLayout: layout, PageBytes: layout.BlockBytes()}
				decoder, err := m.NewDecoder(64, 12)
				if err != nil {
					t.Fatal(err)
				}
				var b kernels.Batch
				tables := make([][]int32, crowd)
				for i := range tables {
					for j := range shared / kernels.BlockSize {
						tables[i] = append(tables[i], int32(j))
					}
					for j := range own {
						tables[i] = append(tables[i], int32(shared/kernels.BlockSize+i*own+j))
					}
					b.Reset()
					b.Add(tokens[:shared], 0, tables[i], false)
					b.Plan()
					decoder.Forward(&b, kv)
				}
				row := make([]float32, len(want[0]))
				for p := shared; p < len(tokens); p++ {
					b.Reset()
					for i := range crowd {
						b.Add(tokens[p:p+1], p, tables[i], true)
					}
					b.Plan()
					logits := decoder.Forward(&b, kv)
					for i := range crowd {
						dev.Read(logits, i, row)
						for j, v := range row {
							if math.Float32bits(v) != math.Float32bits(want[p][j]) {
								t.Fatalf("%d together, position %d, row %d, logit %d = %v; want %v, bit by bit", crowd, p, i, j, v, want[p][j])
							}
						}
					}
				}
			}
		})
	}
}
