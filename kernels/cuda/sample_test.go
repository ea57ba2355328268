//go:build cuda

package cuda

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"deepprune/kernels"
	"deepprune/kernels/cpu"
)

// TestSampleAsCPU draws the same tokens as the CPU: all but the few whose uniform number
// lies on the border of two, as the devices round it.
func TestSampleAsCPU(t *testing.T) {
	gpu := open(t)
	defer gpu.Close()
	host, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	drawn, different := 0, 0
	for _, c := range []struct{ cols, rows int }{{1, 5}, {31, 400}, {700, 300}, {5003, 200}, {151_936, 4}} {
		row := make([]float32, c.cols)
		for i := range row {
			row[i] = float32(rng.NormFloat64() * 2)
		}
		for _, p := range []kernels.SampleParams{
			{}, {Temperature: 1}, {Temperature: 0.6, TopK: 20, TopP: 0.95}, {Temperature: 1.3, TopP: 0.9},
			{Temperature: 0.8, MinP: 0.05}, {Temperature: 1, TopK: 300}, {Temperature: 2, TopP: 0.999, MinP: 1e-4},
		} {
			params := make([]kernels.SampleParams, c.rows)
			for i := range params {
				params[i] = p
				params[i].Seed, params[i].Trace, params[i].Position = 7, uint32(i), uint32(c.cols)
				params[i].Confidence = int32(i % 3 * 20)
			}
			var outs [2][]kernels.Sampled
			for i, d := range []kernels.Device{gpu, host} {
				x, err := d.Upload(slices.Repeat(row, c.rows), c.rows, c.cols)
				if err != nil {
					t.Fatal(err)
				}
				outs[i] = make([]kernels.Sampled, c.rows)
				d.Sample(x, params, outs[i])
			}
			for i, got := range outs[0] {
				want := outs[1][i]
				drawn++
				if got.Token != want.Token {
					different++
					continue
				}
				if math.Abs(float64(got.LogProb-want.LogProb)) > 1e-5 || math.Abs(float64(got.Confidence-want.Confidence)) > 1e-5 {
					t.Errorf("%d logits, %+v: %+v; want %+v", c.cols, params[i], got, want)
				}
			}
		}
	}
	if t.Logf("%d of %d tokens are others than on the CPU", different, drawn); different*1000 > drawn {
		t.Errorf("%d of %d tokens are others than on the CPU", different, drawn)
	}
}

// TestSampleTies draws by filters that end among hundreds of equal logits, more than the
// kernel keeps at hand: in the order of tokens.
func TestSampleTies(t *testing.T) {
	d := open(t)
	defer d.Close()
	const cols, equal = 20_000, 4
	row := make([]float32, cols)
	for i := range row {
		row[i] = float32(i % equal)
	}
	x, err := d.Upload(row, 1, cols)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []int32{1, 2, 300, 4000, cols/equal + 1} {
		last := map[int32]bool{}
		for trace := range uint32(20) {
			out := make([]kernels.Sampled, 1)
			d.Sample(x, []kernels.SampleParams{{Temperature: 0.5, TopK: k, Trace: trace}}, out)
			last[out[0].Token] = true
			if n := out[0].Token; row[n] == equal-1 && n/equal >= k || row[n] < equal-1 && n != equal-2 {
				t.Fatalf("token %d of logit %v is drawn from the first %d", n, row[n], k)
			}
		}
		if k > 1 && len(last) < 2 {
			t.Errorf("one token in all draws from %d", k)
		}
	}
}

// TestSampleLists asks for more likeliest tokens than the kernel orders at once.
func TestSampleLists(t *testing.T) {
	d := open(t)
	defer d.Close()
	const cols = 3000
	rng := rand.New(rand.NewPCG(3, 4))
	row, order := make([]float32, cols), make([]int32, cols)
	for i := range row {
		row[i], order[i] = float32(math.Round(rng.NormFloat64()*8)), int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(row[b], row[a]) })
	x, err := d.Upload(row, 1, cols)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{255, 256, 257, 600, cols} {
		out := []kernels.Sampled{{Top: make([]kernels.TokenLogProb, n)}}
		d.Sample(x, make([]kernels.SampleParams, 1), out)
		for i, got := range out[0].Top {
			if got.Token != order[i] {
				t.Fatalf("token %d of %d is %d; want %d", i, n, got.Token, order[i])
			}
		}
	}
}

// TestSampleRuns cuts rows into runs of few enough, and few enough adjusted.
func TestSampleRuns(t *testing.T) {
	params := make([]kernels.SampleParams, 2*sampleMostRows)
	for i := range 40 {
		params[3*i].Adjust = &kernels.Adjustment{Repetition: 1}
	}
	var s sampleState
	s.fill(sampleMostCols, params, make([]kernels.Sampled, len(params)))
	row, adjusted := 0, 0
	for _, run := range s.runs {
		if run.row != row || run.adjustment != adjusted || run.rows < 1 || run.rows > sampleMostRows || 4*run.adjusted*sampleMostCols > sampleAdjustedBytes {
			t.Errorf("run %+v after %d rows, %d adjusted", run, row, adjusted)
		}
		for i := range run.adjusted {
			own := row + int(s.adjustments[adjusted+i].row)
			if params[own].Adjust == nil || int(s.rows[own].adjusted) != i {
				t.Errorf("adjustment %d of run %+v is of row %d", i, run, own)
			}
		}
		row, adjusted = row+run.rows, adjusted+run.adjusted
	}
	if row != len(params) || adjusted != 40 {
		t.Errorf("runs of %d rows, %d adjusted; want %d, 40", row, adjusted, len(params))
	}
}
