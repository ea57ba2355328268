package prune

import (
	"errors"
	"reflect"
	"testing"
)

// TestSet sets every option by its name, so that none is left out of Set.
func TestSet(t *testing.T) {
	var o Options
	for name, value := range map[string]string{
		"threshold": "0.25", "confidence": "0.75", "keep": "0.5",
		"checkpoint-tokens": "1", "checkpoint-words": "2", "first-wave": "3", "finishers": "4", "spares": "-1",
		"max-keepers": "6", "eager": "7", "max-clusters": "8", "comparisons": "9", "members": "10", "singles": "11",
		"survivors": "12", "window": "13", "warmup": "14",
	} {
		if err := o.Set(name, value); err != nil {
			t.Error(err)
		}
	}
	v := reflect.ValueOf(o)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; name != "Schedule" && v.Field(i).IsZero() {
			t.Errorf("option %s cannot be set", name)
		}
	}
	for _, bad := range [][2]string{{"finishers", "x"}, {"threshold", ""}, {"tau", "1"}, {"", ""}} {
		if err := o.Set(bad[0], bad[1]); !errors.Is(err, ErrOption) {
			t.Errorf("Set(%q, %q) = %v; want ErrOption", bad[0], bad[1], err)
		}
	}
}

func TestPublishedMethodKeepsItsThreshold(t *testing.T) {
	judge := Options{Threshold: 0.8, Checkpoint: Checkpoint{Tokens: 36}}
	if o := judge.For("deepprune"); o.Threshold != 0.8 {
		t.Errorf("deepprune gets threshold %v; want the judge's", o.Threshold)
	}
	if o := judge.For("deepprune-paper"); o.Threshold != 0 || o.Checkpoint.Tokens != 36 {
		t.Errorf("deepprune-paper gets %+v; want the judge's checkpoint alone", o)
	}
}
