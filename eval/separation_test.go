package eval

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
)

// randomScores draws pairs whose scores say something, with ties.
func randomScores(rng *rand.Rand, n int) []Score {
	scores := make([]Score, n)
	steps := float64(1 + rng.IntN(30))
	for i := range scores {
		same := rng.IntN(3) > 0
		x := rng.Float64()
		if same {
			x = math.Sqrt(x)
		}
		scores[i] = Score{Question: rng.IntN(5), Score: math.Round(x*steps) / steps, Same: same}
	}
	return scores
}

// TestROC compares the areas with the probability that they stand for, and the
// points with counts.
func TestROC(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		scores := randomScores(rng, 1+rng.IntN(60))
		wins, pairs, same := 0.0, 0, 0
		for _, a := range scores {
			if a.Same {
				same++
			}
			for _, b := range scores {
				if a.Same && !b.Same {
					pairs++
					switch {
					case a.Score > b.Score:
						wins++
					case a.Score == b.Score:
						wins += 0.5
					}
				}
			}
		}
		curve := ROC(scores)
		if pairs == 0 {
			if curve != nil || AUROC(curve).Known() {
				t.Fatalf("a curve of one kind of pairs: %v", curve)
			}
			continue
		}
		if got, want := float64(AUROC(curve)), wins/float64(pairs); math.Abs(got-want) > 1e-9 {
			t.Fatalf("AUROC = %v; want %v", got, want)
		}
		for _, p := range curve[1:] {
			missed, recognised := 0, 0
			for _, s := range scores {
				if s.Score <= float64(p.Threshold) && s.Same {
					missed++
				} else if s.Score <= float64(p.Threshold) {
					recognised++
				}
			}
			if p.FNR != float64(missed)/float64(same) || p.TNR != float64(recognised)/float64(len(scores)-same) {
				t.Fatalf("point %+v; want %d of %d missed, %d recognised", p, missed, same, recognised)
			}
		}
		if last := curve[len(curve)-1]; curve[0].FNR != 0 || curve[0].TNR != 0 || last.FNR != 1 || last.TNR != 1 {
			t.Fatalf("the curve goes from %+v to %+v", curve[0], last)
		}
		if thin := thin(curve, 7); len(thin) > 11 || thin[len(thin)-1] != curve[len(curve)-1] || thin[0].FNR != 0 {
			t.Fatalf("%d points thinned to %d: %v", len(curve), len(thin), thin)
		}
	}
}

func TestTNRAt(t *testing.T) {
	of := func(same, different []float64) []Point {
		var scores []Score
		for _, s := range same {
			scores = append(scores, Score{Score: s, Same: true})
		}
		for _, s := range different {
			scores = append(scores, Score{Score: s})
		}
		return ROC(scores)
	}
	for _, c := range []struct {
		name            string
		same, different []float64
		fnr, want       float64
	}{
		{"perfect", []float64{.9, .8}, []float64{.1, .2, .3}, 0, 1},
		{"perfect, some missed", []float64{.9, .8, .7, .6, .5}, []float64{.1, .2}, 0.2, 1},
		{"all wrong", []float64{.1, .2, .3, .4, .5}, []float64{.8, .9}, 0.2, 0},
		{"between two same pairs", []float64{.2, .4, .6, .8, 1}, []float64{.1, .3, .5, .7}, 0.2, 0.5},
		{"ties are a coin", []float64{.5, .5}, []float64{.5, .5}, 0.2, 0.2},
		{"no text is equal", []float64{0, 0, 0, 0}, []float64{0, 0}, 0.25, 0.25},
		{"half of the same are equal", []float64{1, 1, 0, 0}, []float64{0, 0}, 0.25, 0.5},
		{"everything missed", []float64{.3}, []float64{.6}, 1, 1},
	} {
		if got, _ := TNRAt(of(c.same, c.different), c.fnr); math.Abs(float64(got)-c.want) > 1e-9 {
			t.Errorf("%s: %v; want %v", c.name, got, c.want)
		}
	}
	if got, threshold := TNRAt(nil, 0.2); got.Known() || threshold.Known() {
		t.Errorf("without pairs: %v at %v", got, threshold)
	}
}

func TestCalibration(t *testing.T) {
	var scores []Score
	for i := range 1000 {
		// In bin b the share of the same is b/10: off by the half bin of the mean.
		b := i % 10
		scores = append(scores, Score{Score: float64(b)/10 + 0.05, Same: i/10%10 < b})
	}
	table, ece := Calibration(scores)
	if math.Abs(float64(ece)-0.05) > 1e-9 {
		t.Errorf("ECE = %v; want 0.05", ece)
	}
	for b, bin := range table {
		if bin.Pairs != 100 || math.Abs(float64(bin.Same)-float64(b)/10) > 1e-9 || math.Abs(float64(bin.Mean)-float64(b)/10-0.05) > 1e-9 {
			t.Errorf("bin %d = %+v", b, bin)
		}
	}
	table, _ = Calibration([]Score{{Score: 1}, {Score: 0}})
	if table[0].Pairs != 1 || table[9].Pairs != 1 || table[5].Mean.Known() {
		t.Errorf("the ends of the scale: %+v", table)
	}
}

// TestWithin: scores that tell questions apart and nothing within one look good
// pooled and are worth nothing.
func TestWithin(t *testing.T) {
	var scores []Score
	for q := range 10 {
		for i := range 10 {
			scores = append(scores, Score{Question: q, Score: float64(q) / 10, Same: i < q})
		}
	}
	s := Separate(scores, 0.5, 1)
	if s.AUROC < 0.75 || s.Within.AUROC.Mean != 0.5 || s.Within.Questions != 9 || s.Within.Pairs != 90 {
		t.Errorf("pooled %v, within %+v; want above 0.75 and 0.5 of 9 questions", s.AUROC, s.Within)
	}
	// At a threshold of 0.5 the questions 0 to 5 are called different.
	if math.Abs(s.At.FNR-15./45) > 1e-9 || math.Abs(s.At.TNR-45./55) > 1e-9 {
		t.Errorf("at the threshold %+v", s.At)
	}
}

func TestFigureJSON(t *testing.T) {
	text, err := json.Marshal([]Figure{1.5, Unknown(), Figure(math.Inf(1))})
	if err != nil || string(text) != "[1.5,null,null]" {
		t.Errorf("%s, %v", text, err)
	}
	var back []Figure
	if err := json.Unmarshal(text, &back); err != nil || back[0] != 1.5 || back[1].Known() {
		t.Errorf("read back as %v, %v", back, err)
	}
}
