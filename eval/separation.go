package eval

import (
	"encoding/json"
	"math"
	"slices"
)

// Figure is a number that is null in JSON when it is not known (NaN).
type Figure float64

// Unknown is the Figure that is not known.
func Unknown() Figure { return Figure(math.NaN()) }

// Known reports whether it is.
func (f Figure) Known() bool { return !math.IsNaN(float64(f)) }

// MarshalJSON implements json.Marshaler.
func (f Figure) MarshalJSON() ([]byte, error) {
	if !f.Known() || math.IsInf(float64(f), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(f))
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *Figure) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*f = Unknown()
		return nil
	}
	return json.Unmarshal(data, (*float64)(f))
}

// Score is what a judge said of a pair, and the truth.
type Score struct {
	Question int
	Score    float64 // higher: more likely the same
	Same     bool
}

// Point is a point of an ROC curve: of the pairs with the same answer the share
// that is missed, and of those with different answers the share that is
// recognised, when a pair counts as the same if its score is above Threshold.
type Point struct {
	FNR       float64 `json:"fnr"`
	TNR       float64 `json:"tnr"`
	Threshold Figure  `json:"threshold"` // unknown for the first point: below all scores
}

// ROC gives the curve from (0, 0) to (1, 1), a point for every different score;
// nil unless there are pairs of both kinds. It sorts scores.
func ROC(scores []Score) []Point {
	slices.SortFunc(scores, func(a, b Score) int {
		switch {
		case a.Score < b.Score:
			return -1
		case a.Score > b.Score:
			return 1
		}
		return 0
	})
	same := 0
	for _, s := range scores {
		if s.Same {
			same++
		}
	}
	different := len(scores) - same
	if same == 0 || different == 0 {
		return nil
	}
	curve := []Point{{Threshold: Unknown()}}
	missed, recognised := 0, 0
	for i, s := range scores {
		if s.Same {
			missed++
		} else {
			recognised++
		}
		if i+1 == len(scores) || scores[i+1].Score != s.Score {
			curve = append(curve, Point{float64(missed) / float64(same), float64(recognised) / float64(different), Figure(s.Score)})
		}
	}
	return curve
}

// AUROC is the probability that a pair with the same answer has a higher score
// than one with different answers, ties counting half: the area under the curve.
func AUROC(curve []Point) Figure {
	if curve == nil {
		return Unknown()
	}
	area := 0.0
	for i := 1; i < len(curve); i++ {
		area += (curve[i].FNR - curve[i-1].FNR) * (curve[i].TNR + curve[i-1].TNR) / 2
	}
	return Figure(area)
}

// TNRAt is the share of the pairs with different answers that is recognised when
// that share fnr of the pairs with the same answer is missed. Between two points
// of the curve it is interpolated, which is what tossing a coin on ties gives.
func TNRAt(curve []Point, fnr float64) (tnr, threshold Figure) {
	i := 0
	for ; i < len(curve) && curve[i].FNR <= fnr; i++ {
	}
	if i == 0 {
		return Unknown(), Unknown()
	}
	a := curve[i-1] // the last, so the best, that misses no more
	if a.FNR == fnr || i == len(curve) {
		return Figure(a.TNR), a.Threshold
	}
	b := curve[i]
	return Figure(a.TNR + (b.TNR-a.TNR)*(fnr-a.FNR)/(b.FNR-a.FNR)), a.Threshold
}

// Bin is the pairs whose scores lie in a tenth of the scale.
type Bin struct {
	Pairs int     `json:"pairs"`
	Mean  Figure  `json:"mean_score"`
	Same  Figure  `json:"same_share"`
	From  float64 `json:"from"`
}

// bins is the number of bins of a calibration.
const bins = 10

// Calibration compares scores with the share of pairs that are the same, in ten
// bins of equal width; ece is the expected calibration error, the mean over all
// pairs of the difference within their bin (arXiv 1706.04599).
func Calibration(scores []Score) (table []Bin, ece Figure) {
	var n, same [bins]int
	var sum [bins]float64
	for _, s := range scores {
		b := min(max(int(s.Score*bins), 0), bins-1)
		n[b]++
		sum[b] += s.Score
		if s.Same {
			same[b]++
		}
	}
	ece = Unknown()
	if len(scores) > 0 {
		ece = 0
	}
	for b := range bins {
		bin := Bin{Pairs: n[b], Mean: Unknown(), Same: Unknown(), From: float64(b) / bins}
		if n[b] > 0 {
			bin.Mean, bin.Same = Figure(sum[b]/float64(n[b])), Figure(float64(same[b])/float64(n[b]))
			ece += Figure(math.Abs(sum[b]-float64(same[b])) / float64(len(scores)))
		}
		table = append(table, bin)
	}
	return table, ece
}

// Separation says how well scores tell pairs with the same answer from others.
type Separation struct {
	Pairs     int    `json:"pairs"`
	Same      Figure `json:"same_share"`
	AUROC     Figure `json:"auroc"`
	TNR       Figure `json:"tnr_at_fnr_0.2"`
	Threshold Figure `json:"threshold_at_fnr_0.2"`
	// Within is the mean over the questions that have pairs of both kinds.
	Within struct {
		Questions int    `json:"questions"`
		AUROC     Mean   `json:"auroc"`
		TNR       Mean   `json:"tnr_at_fnr_0.2"`
		Pairs     int    `json:"pairs"`
		Same      Figure `json:"same_share"`
	} `json:"within_question"`
	// At is the point of the threshold in use.
	At  Point  `json:"at_threshold"`
	ECE Figure `json:"ece"`
	// Calibration and Curve are left out where scores are no probabilities.
	Calibration []Bin   `json:"calibration,omitempty"`
	Curve       []Point `json:"roc,omitempty"` // thinned
}

// maxCurve is about the number of points of a curve in a report.
const maxCurve = 200

// Separate measures scores. threshold is the one in use; seed is that of the
// intervals. It sorts scores.
func Separate(scores []Score, threshold float64, seed uint64) Separation {
	var s Separation
	s.Pairs = len(scores)
	byQuestion := make(map[int][]Score)
	var questions []int
	same := 0
	for _, x := range scores {
		if _, ok := byQuestion[x.Question]; !ok {
			questions = append(questions, x.Question)
		}
		byQuestion[x.Question] = append(byQuestion[x.Question], x)
		if x.Same {
			same++
		}
	}
	s.Same = ratio(same, len(scores))
	curve := ROC(scores)
	s.AUROC = AUROC(curve)
	s.TNR, s.Threshold = TNRAt(curve, 0.2)
	s.At = Point{Threshold: Figure(threshold)}
	for _, p := range curve {
		if float64(p.Threshold) <= threshold {
			s.At.FNR, s.At.TNR = p.FNR, p.TNR
		}
	}
	s.Calibration, s.ECE = Calibration(scores)
	s.Curve = thin(curve, maxCurve)
	slices.Sort(questions)
	var aurocs, tnrs []float64
	withinSame := 0
	for _, q := range questions {
		own := ROC(byQuestion[q])
		if own == nil {
			continue
		}
		aurocs = append(aurocs, float64(AUROC(own)))
		tnr, _ := TNRAt(own, 0.2)
		tnrs = append(tnrs, float64(tnr))
		s.Within.Pairs += len(byQuestion[q])
		for _, x := range byQuestion[q] {
			if x.Same {
				withinSame++
			}
		}
	}
	s.Within.Questions = len(aurocs)
	s.Within.Same = ratio(withinSame, s.Within.Pairs)
	s.Within.AUROC, s.Within.TNR = Bootstrap(aurocs, seed), Bootstrap(tnrs, seed)
	return s
}

// thin keeps about n points of a curve, evenly spaced along it.
func thin(curve []Point, n int) []Point {
	if len(curve) <= n {
		return curve
	}
	kept := curve[:1:1]
	for _, p := range curve[1 : len(curve)-1] {
		last := kept[len(kept)-1]
		if p.FNR-last.FNR+p.TNR-last.TNR >= 2/float64(n) {
			kept = append(kept, p)
		}
	}
	return append(kept, curve[len(curve)-1])
}

func ratio(n, of int) Figure {
	if of == 0 {
		return Unknown()
	}
	return Figure(float64(n) / float64(of))
}
