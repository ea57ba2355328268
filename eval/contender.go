package eval

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"deepprune/prune"
)

// EqualTokens is the control that has no policy of its own: as many full traces of
// every question as the tokens of another policy buy, the judge's work included,
// one number for the whole set. They vote like those of none.
const EqualTokens = "equal-tokens"

// ErrContender is returned for a contender that makes no sense.
var ErrContender = errors.New("invalid policy")

// Contender is a policy with its parameters, as an experiment compares them.
type Contender struct {
	Spec string // what was asked for: name[:option=value]...
	Name string // the policy's
	// Reference is the Spec of the contender whose tokens or survivors this one
	// gets, "" for none.
	Reference string

	options prune.Options
}

// ParseContenders reads specs such as
//
//	deepprune
//	deepprune:finishers=1:spares=-1
//	equal-tokens:as=deepprune-paper
//
// Options that are not named are those of defaults or, without one there, the
// policy's own. random and equal-tokens follow the first policy that has a judge,
// unless as names another. The contender none is put first if it is missing: the
// others are measured against it.
func ParseContenders(specs []string, defaults prune.Options) ([]Contender, error) {
	list := []Contender{{Spec: prune.None().Name(), Name: prune.None().Name()}}
	for _, spec := range specs {
		c, err := parseContender(strings.TrimSpace(spec), defaults)
		if err != nil {
			return nil, err
		}
		if c.Name == prune.None().Name() {
			continue
		}
		if slices.ContainsFunc(list, func(o Contender) bool { return o.Spec == c.Spec }) {
			return nil, fmt.Errorf("%w: %s is there twice", ErrContender, c.Spec)
		}
		list = append(list, c)
	}
	judged := ""
	for i := range list {
		if p, err := list[i].Policy(0); err == nil && p.NeedsJudge() {
			judged = cmp.Or(judged, list[i].Spec)
		}
	}
	for i := range list {
		c := &list[i]
		if c.Name != EqualTokens && (c.Name != "random" || c.options.Survivors > 0) {
			continue
		}
		c.Reference = cmp.Or(c.Reference, judged)
		if !slices.ContainsFunc(list, func(o Contender) bool { return o.Spec == c.Reference && o.Reference == "" && o.Name != EqualTokens }) {
			return nil, fmt.Errorf("%w: %s follows another policy, and %q is none of those compared", ErrContender, c.Spec, c.Reference)
		}
	}
	return list, nil
}

func parseContender(spec string, defaults prune.Options) (Contender, error) {
	parts := strings.Split(spec, ":")
	c := Contender{Spec: spec, Name: parts[0], options: defaults.For(parts[0])}
	for _, part := range parts[1:] {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return c, fmt.Errorf("%w: %s: %q is not option=value", ErrContender, spec, part)
		}
		if name == "as" {
			c.Reference = value
			continue
		}
		if err := c.options.Set(name, value); err != nil {
			return c, fmt.Errorf("%w: %s: %w", ErrContender, spec, err)
		}
	}
	if c.Name == EqualTokens {
		return c, nil
	}
	if _, err := c.Policy(0); err != nil {
		return c, fmt.Errorf("%w: %w", ErrContender, err)
	}
	if c.Name == "scripted" {
		return c, fmt.Errorf("%w: scripted measures memory and speed, and its answers mean nothing", ErrContender)
	}
	return c, nil
}

// Policy is the policy for one group. survivors is how many traces the group's
// reference let finish, for a contender that follows it; else 0.
func (c *Contender) Policy(survivors int) (prune.Policy, error) {
	if c.Name == EqualTokens {
		return prune.None(), nil
	}
	o := c.options
	if survivors > 0 {
		o.Survivors = survivors
	}
	return prune.ByName(c.Name, o)
}

// Replayable reports whether stored traces say enough to replay the policy: those
// that hold traces more than once look at what is not stored.
func (c *Contender) Replayable() bool {
	p, err := c.Policy(0)
	return err == nil && len(p.Checkpoints()) <= 1
}

// Affordable is the number of full traces, the same for every question, that a
// budget of tokens buys: the largest n, at least 1, for which the first n traces of
// all records together have no more tokens.
func Affordable(none []*Record, budget float64) int {
	n, spent := 0, 0.0
	for {
		more := 0.0
		for _, r := range none {
			if n < len(r.Traces) {
				more += float64(r.Traces[n].Tokens)
			}
		}
		if more == 0 || n > 0 && spent+more > budget {
			return max(1, n)
		}
		spent += more
		n++
	}
}
