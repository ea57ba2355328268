package engine

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// TestJudgePrompts checks that a pair is asked in the tokens that the recipe in
// training/ trains on: it is tested with the same file.
func TestJudgePrompts(t *testing.T) {
	data, err := os.ReadFile("../training/testdata/judge_prompts.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Spec            JudgeSpec
		Same, Different int32
		Pairs           []struct {
			A, B   string
			Tokens []int32
		}
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	j, err := NewJudgeWith(open(t, 1).judge.Model, want.Spec)
	if err != nil {
		t.Fatal(err)
	}
	if j.same != want.Same || j.different != want.Different {
		t.Errorf("the words are tokens %d and %d; want %d and %d", j.same, j.different, want.Same, want.Different)
	}
	if len(want.Pairs) == 0 {
		t.Error("no pairs")
	}
	for _, p := range want.Pairs {
		if got := append(j.keeperTokens(p.A), j.traceTokens(p.B)...); !slices.Equal(got, p.Tokens) {
			t.Errorf("prompt of %q and %q = %v; want %v", p.A, p.B, got, p.Tokens)
		}
	}
}
