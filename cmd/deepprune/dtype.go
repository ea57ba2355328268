package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"deepprune/kernels"
	"deepprune/model"
)

// dtype is the value of a flag that says how a model's weights are kept in memory.
type dtype struct {
	storage
	kv kvDType // and its keys and values
}

func (d *dtype) Set(text string) error { return d.set(text, kernels.Formats()) }

// kvDType is the value of a flag that says how a model's keys and values are kept.
type kvDType struct{ storage }

func (d *kvDType) Set(text string) error { return d.set(text, kernels.KVFormats()) }

// storage is the format of numbers in memory.
type storage struct {
	given  bool // else auto
	format kernels.Format
}

// set reads one of the formats, or auto.
func (s *storage) set(text string, formats []kernels.Format) error {
	if text == "auto" {
		*s = storage{}
		return nil
	}
	format, err := kernels.ParseFormat(text)
	if err != nil || !slices.Contains(formats, format) {
		return fmt.Errorf("%q is not %s", text, autoOr(formats))
	}
	*s = storage{true, format}
	return nil
}

func (s *storage) Type() string { return "dtype" }

func (s *storage) String() string {
	if !s.given {
		return "auto"
	}
	return s.format.String()
}

// of is the format for a model of this config.
func (s storage) of(c *model.Config) kernels.Format {
	if s.given {
		return s.format
	}
	return c.DefaultFormat()
}

// autoOr lists what set reads.
func autoOr(formats []kernels.Format) string {
	names := []string{"auto"}
	for _, f := range formats {
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
