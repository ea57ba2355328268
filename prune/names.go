package prune

import (
	"fmt"
	"slices"
	"strings"
)

// makers make the policies from checked options, by name.
var makers = map[string]func(Options) Policy{
	"adaptive-consistency": newAdaptiveConsistency,
	"deepprune":            newDeepPrune,
	"deepprune-paper":      newPaper,
	"early-vote":           newEarlyVote,
	"none":                 func(Options) Policy { return None() },
	"random":               newRandom,
	"scripted":             newScripted,
}

// Names are the names of all policies, sorted.
func Names() []string {
	names := make([]string, 0, len(makers))
	for name := range makers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ByName makes a policy. The error is ErrOption or names the policies there are.
func ByName(name string, opt Options) (Policy, error) {
	m, ok := makers[name]
	if !ok {
		return nil, fmt.Errorf("%w: policy %q: there are %s", ErrOption, name, strings.Join(Names(), ", "))
	}
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", name, err)
	}
	return m(opt), nil
}
