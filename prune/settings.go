package prune

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Set gives the option of that name, as in "finishers", the value. Values are
// checked by ByName, as a whole.
func (o *Options) Set(name, value string) error {
	for _, f := range []struct {
		name string
		to   *float64
	}{{"threshold", &o.Threshold}, {"confidence", &o.Confidence}, {"keep", &o.Keep}} {
		if f.name == name {
			x, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return fmt.Errorf("%w: %s: %q is not a number", ErrOption, name, value)
			}
			*f.to = x
			return nil
		}
	}
	for _, f := range []struct {
		name string
		to   *int
	}{
		{"checkpoint-tokens", &o.Checkpoint.Tokens}, {"checkpoint-words", &o.Checkpoint.Words},
		{"first-wave", &o.FirstWave}, {"finishers", &o.Finishers}, {"spares", &o.Spares},
		{"max-keepers", &o.MaxKeepers}, {"eager", &o.Eager}, {"max-clusters", &o.MaxClusters},
		{"comparisons", &o.Comparisons}, {"members", &o.Members}, {"singles", &o.Singles},
		{"survivors", &o.Survivors}, {"window", &o.Window}, {"warmup", &o.Warmup},
	} {
		if f.name == name {
			n, err := strconv.Atoi(value)
			if err != nil {
				return fmt.Errorf("%w: %s: %q is not a whole number", ErrOption, name, value)
			}
			*f.to = n
			return nil
		}
	}
	return fmt.Errorf("%w: there is no option %q", ErrOption, name)
}

// For are the options of the policy of that name, when o are a judge's: the
// published method keeps its own threshold, whatever the judge's makers say.
func (o Options) For(policy string) Options {
	if policy == "deepprune-paper" {
		o.Threshold = 0
	}
	return o
}

// settings are the options that a policy was made with.
type settings struct{ made Options }

func (s *settings) remember(o Options) { s.made = o }

// MarshalJSON gives the options, defaults filled in: what a journal keeps of a
// policy beside its name.
func (s *settings) MarshalJSON() ([]byte, error) { return json.Marshal(s.made) }
