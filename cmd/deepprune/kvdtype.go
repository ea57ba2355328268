package main

import (
	"fmt"
	"slices"

	"deepprune/kernels"
	"deepprune/model"
)

// kvDType is the value of a flag that says how a model's keys and values are kept.
type kvDType struct {
	given  bool // else auto
	format kernels.Format
}

// kvDTypes lists the values.
const kvDTypes = "auto, f32, bf16 or int8"

func (d *kvDType) Set(text string) error {
	if text == "auto" {
		*d = kvDType{}
		return nil
	}
	format, err := kernels.ParseFormat(text)
	if err != nil || !slices.Contains(kernels.KVFormats(), format) {
		return fmt.Errorf("%q is not %s", text, kvDTypes)
	}
	*d = kvDType{true, format}
	return nil
}

func (d *kvDType) Type() string { return "dtype" }

func (d *kvDType) String() string {
	if !d.given {
		return "auto"
	}
	return d.format.String()
}

// of is how a model of this config keeps keys and values: in float32 if small.
func (d kvDType) of(c *model.Config) kernels.Format {
	if d.given {
		return d.format
	}
	return c.DefaultFormat()
}
