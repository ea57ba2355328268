package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"deepprune/kernels"
	"deepprune/model"
)

// dtype is the value of a flag that says how a model's weights are kept in memory.
type dtype struct {
	given  bool // else auto
	format kernels.Format
	kv     kvDType // and its keys and values
}

func (d *dtype) Set(text string) error {
	if text == "auto" {
		d.given = false
		return nil
	}
	format, err := kernels.ParseFormat(text)
	if err != nil {
		return fmt.Errorf("%q is not %s", text, dtypes())
	}
	d.given, d.format = true, format
	return nil
}

func (d *dtype) Type() string { return "dtype" }

func (d *dtype) String() string {
	if !d.given {
		return "auto"
	}
	return d.format.String()
}

// of is how a model of this config is kept.
func (d dtype) of(c *model.Config) kernels.Format {
	if d.given {
		return d.format
	}
	return c.DefaultFormat()
}

// dtypes lists the values.
func dtypes() string {
	names := []string{"auto"}
	for _, f := range kernels.Formats() {
		names = append(names, f.String())
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// quantIsDType makes --quant, as other engines have it, another name of --dtype.
func quantIsDType(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	switch name {
	case "quant":
		name = "dtype"
	case "judge-quant":
		name = "judge-dtype"
	}
	return pflag.NormalizedName(name)
}
