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
		{"deepconf", Options{Window: 1<<30 + 1}, "window: 1073741825 is more than"},
		{"random", Options{Survivors: -1}, "survivors: -1 is negative"},
		{"scripted", Options{Checkpoint: Checkpoint{Tokens: -1}}, "checkpoint tokens: -1 is negative"},
	} {
		_, err := ByName(c.name, c.opt)
		if !errors.Is(err, ErrOption) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("ByName(%q, %+v): got %v; want %q", c.name, c.opt, err, c.want)
		}
	}
}

// What depends on another parameter follows it.
func TestDefaultsThatFollow(t *testing.T) {
	for _, c := range []struct{ opt, want Options }{
		{Options{}, Options{Members: 20, Singles: 20, Window: 500}},
		{Options{Members: 5}, Options{Members: 5, Singles: 5, Window: 500}},
		{Options{Members: 30}, Options{Members: 30, Singles: 30, Window: 500}},
		{Options{Members: 5, Singles: 9, Checkpoint: Checkpoint{Words: 3}}, Options{Members: 5, Singles: 9, Window: 2048}},
		{Options{Checkpoint: Checkpoint{Tokens: 40}}, Options{Members: 20, Singles: 20, Window: 40}},
	} {
		got, err := kind{}.complete(c.opt)
		if err != nil || got.Members != c.want.Members || got.Singles != c.want.Singles || got.Window != c.want.Window {
			t.Errorf("%+v: members %d, singles %d, window %d, %v; want %d, %d, %d", c.opt,
				got.Members, got.Singles, got.Window, err, c.want.Members, c.want.Singles, c.want.Window)
		}
	}
}
