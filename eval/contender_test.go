package eval

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"deepprune/prune"
)

func TestParseContenders(t *testing.T) {
	defaults := prune.Options{Checkpoint: prune.Checkpoint{Tokens: 40}, Threshold: 0.7}
	_, err := ParseContenders([]string{"random", " deepprune-paper", "deepprune:finishers=1:spares=-1:checkpoint-tokens=20", "equal-tokens", "random:as=deepprune:survivors=0",
		"equal-tokens:as=deepprune-paper", "random:survivors=5", "none"}, defaults)
	if err == nil || !strings.Contains(err.Error(), `"deepprune" is none of those`) {
		t.Errorf("a reference that is not there: %v", err)
	}
	list, err := ParseContenders([]string{"random", " deepprune-paper", "deepprune:finishers=1:spares=-1:checkpoint-tokens=20", "equal-tokens", "random:survivors=5", "none"}, defaults)
	if err != nil {
		t.Fatal(err)
	}
	var specs, references []string
	for _, c := range list {
		specs = append(specs, c.Spec)
		references = append(references, c.Reference)
	}
	if want := []string{"none", "random", "deepprune-paper", "deepprune:finishers=1:spares=-1:checkpoint-tokens=20", "equal-tokens", "random:survivors=5"}; !slices.Equal(specs, want) {
		t.Errorf("specs %q; want %q", specs, want)
	}
	if want := []string{"", "deepprune-paper", "", "", "deepprune-paper", ""}; !slices.Equal(references, want) {
		t.Errorf("references %q; want %q", references, want)
	}
	p, err := list[3].Policy(0)
	if err != nil || p.Checkpoints()[0].Tokens != 20 {
		t.Errorf("%v, %v; want a checkpoint at 20", p.Checkpoints(), err)
	}
	if c, err := parseContender("deepconf:window=40:keep=0.9:warmup=8", defaults); err != nil || c.Replayable() || !list[2].Replayable() {
		t.Errorf("deepconf: %+v, %v", c, err)
	}
	if p, _ = list[2].Policy(0); p.Checkpoints()[0].Tokens != 40 {
		t.Errorf("checkpoint %v; want the default, 40", p.Checkpoints())
	}
}

func TestParseContendersRefuses(t *testing.T) {
	for spec, want := range map[string]string{
		"perhaps":                    `policy "perhaps"`,
		"deepprune:finishers":        `"finishers" is not option=value`,
		"deepprune:colour=1":         `no option "colour"`,
		"deepprune:finishers=x":      `"x"`,
		"deepprune:threshold=2":      "threshold: 2",
		"scripted":                   "mean nothing",
		"equal-tokens":               `follows another policy, and "" is none`,
		"random":                     "follows another policy",
		"early-vote,early-vote":      "there twice",
		"deepprune,random:as=random": `"random" is none`,
	} {
		if _, err := ParseContenders(strings.Split(spec, ","), prune.Options{}); !errors.Is(err, ErrContender) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want ErrContender with %q", spec, err, want)
		}
	}
}

func TestAffordable(t *testing.T) {
	record := func(tokens ...int) *Record {
		r := &Record{}
		for _, n := range tokens {
			r.Traces = append(r.Traces, Fate{Tokens: n})
		}
		return r
	}
	none := []*Record{record(10, 20, 30), record(5, 5, 5)} // 15, 40, 75 together
	for budget, want := range map[float64]int{0: 1, 15: 1, 39.9: 1, 40: 2, 74: 2, 75: 3, 1000: 3} {
		if got := Affordable(none, budget); got != want {
			t.Errorf("a budget of %v buys %d traces; want %d", budget, got, want)
		}
	}
}
