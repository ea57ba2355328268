package prune

import (
	"fmt"
	"slices"
	"strings"
)

// kind is how a policy is made from checked options, and the defaults in which it
// differs from the others; 0 where it does not.
type kind struct {
	make                  func(Options) Policy
	threshold, confidence float64
}

// kinds are the policies by name.
var kinds = map[string]kind{
	"adaptive-consistency": {make: newAdaptiveConsistency, confidence: 0.95},
	"deepconf":             {make: newDeepConf, confidence: 0.95},
	"deepprune":            {make: newDeepPrune, threshold: 0.6},
	"deepprune-paper":      {make: newPaper},
	"early-vote":           {make: newEarlyVote},
	"none":                 {make: func(Options) Policy { return None() }},
	"random":               {make: newRandom},
	"scripted":             {make: newScripted},
}

// Names are the names of all policies, sorted.
func Names() []string {
	names := make([]string, 0, len(kinds))
	for name := range kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ByName makes a policy. The error is ErrOption or names the policies there are.
func ByName(name string, opt Options) (Policy, error) {
	kind, ok := kinds[name]
	if !ok {
		return nil, fmt.Errorf("%w: policy %q: there are %s", ErrOption, name, strings.Join(Names(), ", "))
	}
	opt, err := kind.complete(opt)
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", name, err)
	}
	p := kind.make(opt)
	if s, ok := p.(interface{ remember(Options) }); ok {
		s.remember(opt)
	}
	return p, nil
}
