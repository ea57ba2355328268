package prune

import (
	"errors"
	"strings"
	"testing"
)

func TestByName(t *testing.T) {
	for _, name := range Names() {
		p, err := ByName(name, Options{})
		if err != nil {
			t.Errorf("ByName(%q): %v", name, err)
			continue
		}
		if p.Name() != name {
			t.Errorf("ByName(%q) has the name %q", name, p.Name())
		}
		if judged := strings.HasPrefix(name, "deepprune"); p.NeedsJudge() != judged {
			t.Errorf("%s: NeedsJudge is %v; want %v", name, p.NeedsJudge(), judged)
		}
		for _, c := range p.Checkpoints() {
			if c == (Checkpoint{}) {
				t.Errorf("%s has a checkpoint without a condition", name)
			}
		}
	}
}

func TestByNameErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		opt  Options
		want string
	}{
		{"deep", Options{}, `policy "deep": there are adaptive-consistency, deepconf, deepprune, `},
		{"", Options{}, `policy ""`},
		{"deepprune", Options{Threshold: 1}, "policy deepprune: invalid option: threshold: 1 "},
		{"deepprune", Options{Threshold: -0.1}, "threshold: -0.1"},
		{"deepprune", Options{Confidence: 0.5}, "confidence: 0.5"},
		{"deepprune", Options{Confidence: 1.1}, "confidence: 1.1"},
		{"deepprune", Options{Finishers: -1}, "finishers: -1 is negative"},
		{"random", Options{Survivors: -1}, "survivors: -1 is negative"},
		{"scripted", Options{Checkpoint: Checkpoint{Tokens: -1}}, "checkpoint tokens: -1 is negative"},
	} {
		_, err := ByName(c.name, c.opt)
		if !errors.Is(err, ErrOption) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("ByName(%q, %+v): got %v; want %q", c.name, c.opt, err, c.want)
		}
	}
}
