package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"deepprune/prune"
)

// scriptedPolicy is the name of the policy that stops traces by a schedule.
const scriptedPolicy = "scripted"

// policyFlags choose a policy and its parameters.
type policyFlags struct {
	spec             string // name[:option=value]...
	checkpointTokens int
	checkpointWords  int
	threshold        float64
	confidence       float64
	firstWave        int
	finishers        int
	schedule         string
	pruneAt, keep    int
}

func (f *policyFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.spec, "policy", "deepprune", "`name`[:option=value]... of what decides which traces to stop: "+strings.Join(prune.Names(), ", "))
	flags.IntVar(&f.checkpointTokens, "checkpoint-tokens", 0, "judge a trace after this many tokens (default: what the judge was trained for)")
	flags.IntVar(&f.checkpointWords, "checkpoint-words", 0, "or at this reasoning word, whichever comes first (default: as above)")
	flags.Float64Var(&f.threshold, "threshold", 0, "score above which two traces share an answer (default: the judge's)")
	flags.Float64Var(&f.confidence, "confidence", 0, "how sure the vote must be to stop the rest; 1 for certain (default: the policy's)")
	flags.IntVar(&f.firstWave, "first-wave", 0, "traces that start at once, if that is more than will be needed anyway")
	flags.IntVar(&f.finishers, "finishers", 0, "traces of the leading cluster that finish (default: the policy's)")
	flags.StringVar(&f.schedule, "prune-schedule", "", "`file` that says what scripted stops and when")
	flags.IntVar(&f.pruneAt, "prune-at", 0, "scripted: stop traces at this token")
	flags.IntVar(&f.keep, "keep", 0, "scripted, random: traces that go on (default: a quarter)")
}

// check refuses parameters that make no sense, for groups of k traces. changed
// tells which flags were given.
func (f *policyFlags) check(k int, changed func(name string) bool) error {
	for _, c := range []struct {
		flag string
		bad  bool
		want string
	}{
		{"checkpoint-tokens", f.checkpointTokens < 1, "at least 1"},
		{"checkpoint-words", f.checkpointWords < 1, "at least 1"},
		{"threshold", !(f.threshold > 0 && f.threshold < 1), "between 0 and 1"},
		{"confidence", !(f.confidence > 0.5 && f.confidence <= 1), "above 0.5 and at most 1"},
		{"first-wave", f.firstWave < 0, "a count"},
		{"finishers", f.finishers < 1, "at least 1"},
		{"prune-at", f.pruneAt < 1, "at least 1"},
		{"keep", f.keep < 1 || f.keep > k, fmt.Sprintf("between 1 and the %d traces", k)},
	} {
		if changed(c.flag) && c.bad {
			return usagef("--%s: the value is not %s", c.flag, c.want)
		}
	}
	name, _ := f.parts()
	scripted := name == scriptedPolicy
	for _, flag := range []string{"prune-schedule", "prune-at"} {
		if changed(flag) && !scripted {
			return usagef("--%s is for --policy scripted, not %s", flag, name)
		}
	}
	if scripted && changed("prune-schedule") == changed("prune-at") {
		return usagef("--policy scripted takes one of --prune-schedule and --prune-at")
	}
	return nil
}

// parts are the policy's name and what is set of its options.
func (f *policyFlags) parts() (name string, settings []string) {
	parts := strings.Split(f.spec, ":")
	return parts[0], parts[1:]
}

// options are the parameters of the flags; those without one are defaults, or
// zero, which means the policy's own.
func (f *policyFlags) options(defaults prune.Options) prune.Options {
	name, _ := f.parts()
	opt := defaults.For(name)
	if f.checkpointTokens > 0 || f.checkpointWords > 0 {
		opt.Checkpoint = prune.Checkpoint{Tokens: f.checkpointTokens, Words: f.checkpointWords}
	}
	if f.threshold > 0 {
		opt.Threshold = f.threshold
	}
	opt.Confidence, opt.FirstWave, opt.Finishers, opt.Survivors = f.confidence, f.firstWave, f.finishers, f.keep
	if f.pruneAt > 0 {
		opt.Checkpoint = prune.Checkpoint{Tokens: f.pruneAt}
	}
	return opt
}

// policy makes the policy.
func (f *policyFlags) policy(defaults prune.Options) (prune.Policy, error) {
	opt := f.options(defaults)
	name, settings := f.parts()
	for _, s := range settings {
		option, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, usagef("--policy: %q is not option=value", s)
		}
		if err := opt.Set(option, value); err != nil {
			return nil, usageError{named("--policy", err)}
		}
	}
	if f.schedule != "" {
		file, err := os.Open(f.schedule)
		if err != nil {
			return nil, named("--prune-schedule", err)
		}
		defer file.Close()
		if opt.Schedule, err = prune.ParseSchedule(file); err != nil {
			return nil, fmt.Errorf("--prune-schedule: %s: %w", f.schedule, err)
		}
	}
	p, err := prune.ByName(name, opt)
	if errors.Is(err, prune.ErrOption) {
		return nil, usageError{named("--policy", err)}
	}
	return p, err
}
