package eval

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestBootstrap(t *testing.T) {
	if got := Bootstrap(nil, 1); got.Mean.Known() || got.Low.Known() {
		t.Errorf("of nothing: %+v", got)
	}
	if got := Bootstrap([]float64{2, 2, 2}, 1); got != (Mean{2, 2, 2}) {
		t.Errorf("of one value: %+v", got)
	}
	// Of 400 questions half right, the standard error is 0.025.
	values := make([]float64, 400)
	for i := range values {
		values[i] = float64(i % 2)
	}
	got := Bootstrap(values, 1)
	if got.Mean != 0.5 || math.Abs(float64(got.Low)-0.451) > 0.004 || math.Abs(float64(got.High)-0.549) > 0.004 {
		t.Errorf("got %+v; want 0.5 with about 0.049 on either side", got)
	}
	if again := Bootstrap(values, 1); again != got {
		t.Errorf("the same seed gives %+v, then %+v", got, again)
	}
	if other := Bootstrap(values, 2); other == got {
		t.Errorf("seeds 1 and 2 both give %+v", got)
	}
}

// TestBootstrapCovers: about 95 of 100 intervals hold the true mean.
func TestBootstrapCovers(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	covered := 0
	const runs = 120
	for i := range runs {
		values := make([]float64, 80)
		for j := range values {
			if rng.Float64() < 0.7 {
				values[j] = 1
			}
		}
		if m := Bootstrap(values, uint64(i)); m.Low <= 0.7 && 0.7 <= m.High {
			covered++
		}
	}
	if covered < runs*88/100 {
		t.Errorf("%d of %d intervals hold the mean", covered, runs)
	}
}

func TestQuantile(t *testing.T) {
	for _, c := range []struct{ q, want float64 }{{0, 1}, {0.5, 2.5}, {1, 4}, {0.25, 1.75}} {
		if got := quantile([]float64{1, 2, 3, 4}, c.q); got != c.want {
			t.Errorf("quantile %v = %v; want %v", c.q, got, c.want)
		}
	}
}
