package cpu

import (
	"math"
	"strings"
	"testing"

	"deepprune/kernels"
	"deepprune/kernels/kerneltest"
)

func newDevice(t testing.TB, opts Options) kernels.Device {
	t.Helper()
	d, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestConformance(t *testing.T) {
	for _, name := range KernelSets() {
		t.Run(name, func(t *testing.T) {
			test := kerneltest.Run
			if name == "avx512vnni" { // avx512 but for linear layers
				test = kerneltest.RunLinear
			}
			test(t, func() kernels.Device { return newDevice(t, Options{Kernels: name, Threads: 3}) })
		})
	}
}

// sameBits fails if two devices do not compute the same.
func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d results; want %d", what, len(got), len(want))
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: result %d of %d = %v; want %v", what, i, len(got), got[i], want[i])
		}
	}
}

func TestThreads(t *testing.T) {
	for _, name := range KernelSets() {
		want := kerneltest.Bits(t, newDevice(t, Options{Kernels: name, Threads: 1}), 7)
		for _, threads := range []int{2, 3, 7} {
			got := kerneltest.Bits(t, newDevice(t, Options{Kernels: name, Threads: threads}), 7)
			sameBits(t, name, got, want)
		}
	}
}

// TestFewSlots lets attention have memory for few rows at a time.
func TestFewSlots(t *testing.T) {
	want := kerneltest.Bits(t, newDevice(t, Options{}), 8)
	for _, floats := range []int{1, 5000, 100_000} {
		d := newDevice(t, Options{})
		d.(*device).attention.memory = floats
		sameBits(t, "with few slots", kerneltest.Bits(t, d, 8), want)
	}
}

func TestUnknownKernels(t *testing.T) {
	_, err := New(Options{Kernels: "mmx"})
	if err == nil || !strings.Contains(err.Error(), `"mmx"`) || !strings.Contains(err.Error(), "go") {
		t.Errorf("New = %v; want an error that names the set and lists those there are", err)
	}
	t.Setenv("DEEPPRUNE_CPU", "sse9")
	if _, err := New(Options{}); err == nil || !strings.Contains(err.Error(), `"sse9"`) {
		t.Errorf("New = %v; want an error that names the set", err)
	}
	t.Setenv("DEEPPRUNE_CPU", "go")
	if k := newDevice(t, Options{}).Info().Kernels; k != "go" {
		t.Errorf("kernels are %q; want go", k)
	}
}

func TestInfo(t *testing.T) {
	t.Setenv("DEEPPRUNE_CPU", "")
	info := newDevice(t, Options{Threads: 2}).Info()
	if info.Kind != "cpu" || info.Name == "" || info.Kernels != KernelSets()[0] || info.Threads != 2 {
		t.Errorf("Info = %+v", info)
	}
}

// TestShapes: a mistake in shapes panics before it can do harm.
func TestShapes(t *testing.T) {
	d := newDevice(t, Options{Threads: 1})
	tensor := func(rows, cols int) kernels.Tensor { return must[kernels.Tensor](t)(d.NewTensor(rows, cols)) }
	m := must[kernels.Matrix](t)(d.NewMatrix(kernels.F32, 4, 8, func(int, []float32) {}))
	for name, f := range map[string]func(){
		"linear columns": func() { d.Linear(tensor(1, 4), tensor(1, 7), m, nil, 1) },
		"linear rows":    func() { d.Linear(tensor(1, 4), tensor(3, 8), m, nil, 2) },
		"linear bias":    func() { d.Linear(tensor(1, 4), tensor(1, 8), m, tensor(1, 3), 1) },
		"embed token":    func() { d.Embed(tensor(1, 8), m, []int32{4}) },
		"embed columns":  func() { d.Embed(tensor(1, 7), m, []int32{0}) },
		"norm weight":    func() { d.RMSNorm(tensor(1, 8), tensor(1, 8), tensor(1, 7), 1, 0) },
		"swiglu":         func() { d.SwiGLU(tensor(1, 8), tensor(1, 15), 1) },
		"sample":         func() { d.Sample(tensor(1, 8), make([]kernels.SampleParams, 2), make([]kernels.Sampled, 2)) },
		"read":           func() { d.Read(tensor(1, 8), 0, make([]float32, 9)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
	for name, err := range map[string]error{
		"tensor": second(d.NewTensor(0, 3)), "upload": second(d.Upload(make([]float32, 5), 2, 3)),
		"matrix": second(d.NewMatrix(kernels.F32, 0, 1, nil)), "arena": second(d.NewArena(-1)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestAllocations: an operation allocates nothing once its memory has grown.
func TestAllocations(t *testing.T) {
	const rows, cols, heads, kvHeads, dim = 40, 192, 6, 2, 32
	for _, threads := range []int{1, 3} {
		d := newDevice(t, Options{Threads: threads})
		tensor := func(cols int) kernels.Tensor {
			return must[kernels.Tensor](t)(d.Upload(randomFloats(rows*cols), rows, cols))
		}
		x, y, weight, qkv, gateUp, gated, logits := tensor(cols), tensor(cols), tensor(cols), tensor((heads+2*kvHeads)*dim), tensor(1024), tensor(512), tensor(1000)
		w := must[kernels.Matrix](t)(d.NewMatrix(kernels.F32, 1000, cols, func(_ int, row []float32) { copy(row, randomFloats(cols)) }))
		layout := kernels.KVLayout{Layers: 1, KVHeads: kvHeads, HeadDim: dim}
		arena := must[kernels.Arena](t)(d.NewArena(layout.BlockBytes() * rows))
		kv := kernels.KV{Arena: arena, KVLayout: layout, PageBytes: layout.BlockBytes()}
		spec := kernels.RotarySpec{AttentionSpec: kernels.AttentionSpec{Heads: heads, KVHeads: kvHeads, HeadDim: dim, Scale: 0.2},
			Cos: tensor(dim / 2), Sin: tensor(dim / 2), QNorm: tensor(dim), KNorm: tensor(dim)}
		var batch kernels.Batch
		for r := range int32(rows) {
			batch.Add([]int32{r}, int(r%16), []int32{r}, true)
		}
		batch.Plan()
		var products []kernels.Matrix
		var caches []kernels.KV
		for _, format := range kernels.Formats()[1:] {
			products = append(products, must[kernels.Matrix](t)(d.NewMatrix(format, 1000, cols, func(_ int, row []float32) { copy(row, randomFloats(cols)) })))
		}
		for _, format := range kernels.KVFormats()[1:] {
			layout := kernels.KVLayout{Layers: 1, KVHeads: kvHeads, HeadDim: dim, Format: format}
			arena := must[kernels.Arena](t)(d.NewArena(layout.BlockBytes() * rows))
			caches = append(caches, kernels.KV{Arena: arena, KVLayout: layout, PageBytes: layout.BlockBytes()})
		}
		const count, chosen = 4, 1
		var matrices []kernels.Matrix
		for range count {
			matrices = append(matrices, must[kernels.Matrix](t)(d.NewMatrix(kernels.Int8, 512, cols, func(_ int, row []float32) { copy(row, randomFloats(cols)) })))
		}
		experts := must[kernels.Experts](t)(d.NewExperts(matrices))
		routing := must[kernels.Routing](t)(d.NewRouting(rows, count, chosen))
		router := kernels.RouterSpec{Chosen: chosen, Scale: 1}
		routes, entries, mixed := tensor(count), tensor(cols), tensor(512)
		params, out, row := make([]kernels.SampleParams, rows), make([]kernels.Sampled, rows), make([]float32, cols)
		for i := range params {
			params[i] = kernels.SampleParams{Temperature: float32(i%3) * 0.7, TopK: int32(i % 40), TopP: 0.9, MinP: 0.01, Trace: uint32(i)}
		}
		step := func() {
			d.Embed(x, w, batch.Tokens)
			d.RMSNorm(y, x, weight, rows, 1e-6)
			d.RotaryWriteKV(qkv, &spec, kv, 0, &batch)
			d.Attention(y, qkv, &spec.AttentionSpec, kv, 0, &batch)
			d.AddRMSNorm(y, x, y, weight, rows, 1e-6)
			d.SwiGLU(gated, gateUp, rows)
			d.Gather(y, x, batch.Logits)
			d.Linear(logits, y, w, nil, rows)
			d.Sample(logits, params, out)
			d.Read(y, 3, row)
			d.CopyBlock(kv, 1, 2)
			for _, m := range products {
				d.Linear(logits, y, m, nil, rows)
			}
			for _, kv := range caches {
				d.RotaryWriteKV(qkv, &spec, kv, 0, &batch)
				d.Attention(y, qkv, &spec.AttentionSpec, kv, 0, &batch)
			}
			d.Route(routing, routes, &router, rows)
			d.Dispatch(entries, x, routing)
			d.ExpertLinear(gated, entries, experts, nil, routing)
			d.Combine(mixed, gated, routing, false)
			d.ClampedSwiGLU(gated, gateUp, rows, 1.7, 7)
		}
		for range 20 {
			step() // every worker's memory grows
		}
		if n := testing.AllocsPerRun(100, step); n != 0 {
			t.Errorf("%d threads: a step allocates %v times; want 0", threads, n)
		}
	}
}

// TestMemoryBeyondTheMachine asks for what no machine has.
func TestMemoryBeyondTheMachine(t *testing.T) {
	if physicalMemory() == math.MaxInt64 {
		t.Skip("the size of the memory is not known on this platform")
	}
	d, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	const huge = 1 << 24
	if _, err := d.NewArena(4 * huge * huge); err == nil {
		t.Error("an arena of a pebibyte was granted")
	}
	if _, err := d.NewTensor(huge, huge); err == nil {
		t.Error("a tensor of a pebibyte was granted")
	}
	if _, err := d.NewMatrix(kernels.F32, huge, huge, nil); err == nil {
		t.Error("a matrix of a pebibyte was granted")
	}
}
