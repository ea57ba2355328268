package engine

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

// TestScorer checks that pairs get the score they get alone, which is that of a run
// (see TestJudge), and the same bits in chunks and steps of any size.
func TestScorer(t *testing.T) {
	p := open(t, 2)
	var pairs []Pair
	for i := range 5 {
		keeper := strings.Repeat(fmt.Sprintf("So %d + %d = %d. ", i, i+3, 2*i+3), 1+i%3)
		for j := range 4 {
			pairs = append(pairs, Pair{keeper, strings.Repeat(fmt.Sprintf("Tom has %d apples. ", j+i), 1+j)})
		}
	}
	pairs = append(pairs, Pair{"", "so"}, pairs[0], Pair{"wait", ""})
	var want []float64
	block := p.judge.Model.Config.KVLayout().BlockBytes()
	for _, rows := range []int{1, 13, 70, scorerRows} {
		for _, blocks := range []int64{14, 40, 4000} {
			s, err := NewScorer(p.dev, p.judge, blocks*block)
			if err != nil {
				t.Fatal(err)
			}
			s.rows = rows
			got := make([]float64, len(pairs))
			if err := s.Score(got, pairs); err != nil {
				t.Fatalf("%d rows, %d blocks: %v", rows, blocks, err)
			}
			if want == nil {
				want = got
				for i, q := range pairs {
					if alone := p.score(t, q.Keeper, q.Trace); math.Abs(got[i]-alone) > 1e-12 {
						t.Fatalf("score of pair %d = %v; want %v", i, got[i], alone)
					}
				}
			}
			for i := range got {
				if got[i] != want[i] {
					t.Errorf("%d rows, %d blocks: score of pair %d = %v; want %v", rows, blocks, i, got[i], want[i])
				}
			}
			if used := s.pool.Used(); used != 0 {
				t.Errorf("%d rows, %d blocks: %d blocks are still held", rows, blocks, used)
			}
		}
	}
}

func TestScorerRefuses(t *testing.T) {
	p := open(t, 1)
	block := p.judge.Model.Config.KVLayout().BlockBytes()
	if _, err := NewScorer(p.dev, p.judge, block); !errors.Is(err, ErrInvalid) {
		t.Errorf("one block: %v; want ErrInvalid", err)
	}
	s, err := NewScorer(p.dev, p.judge, 4*block)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("so it is 12345 ", 10)
	if err := s.Score(make([]float64, 1), []Pair{{long, long}}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a pair that never fits: %v; want ErrTooLarge", err)
	}
}
