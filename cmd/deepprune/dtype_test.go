package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"deepprune/kernels"
)

func TestDType(t *testing.T) {
	for _, c := range []struct {
		args        []string
		model, kept string
	}{
		{nil, "auto", "auto"},
		{[]string{"--dtype", "bf16"}, "bf16", "auto"},
		{[]string{"--quant", "int4"}, "int4", "auto"},
		{[]string{"--dtype=int8", "--judge-dtype=f32"}, "int8", "f32"},
		{[]string{"--judge-quant", "int8", "--dtype", "f32", "--dtype", "auto"}, "auto", "int8"},
	} {
		var f engineFlags
		flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
		f.add(flags)
		if err := flags.Parse(c.args); err != nil {
			t.Errorf("%q: %v", c.args, err)
		}
		if got, judge := f.dtype.String(), f.judgeDType.String(); got != c.model || judge != c.kept {
			t.Errorf("%q: %s and %s; want %s and %s", c.args, got, judge, c.model, c.kept)
		}
	}
	var d dtype
	if err := d.Set("q8"); err == nil || !strings.Contains(err.Error(), "auto, f32, bf16, int8 or int4") {
		t.Errorf("Set = %v; want an error that lists the values", err)
	}
}

// TestRealDTypes has the embedded pair answer a question in every format.
func TestRealDTypes(t *testing.T) {
	for _, format := range kernels.Formats() {
		code, stdout, stderr := runReal(t, "solve", "--json", "-k", "8", "--dtype", format.String(), "--judge-dtype", format.String(),
			"Mia makes 12 cookies a day for 4 days. She loses 30 of them. How many cookies does Mia have now?")
		var got struct{ Answer string }
		if err := json.Unmarshal([]byte(stdout), &got); code != 0 || err != nil || got.Answer != "18" {
			t.Errorf("%v: code %d, answer %q, %v, stderr %q; want 18", format, code, got.Answer, err, stderr)
		}
	}
}

// TestLoadingIsForTerminals: nothing is shown where nobody looks.
func TestLoadingIsForTerminals(t *testing.T) {
	if f := (&app{stderr: new(bytes.Buffer)}).loading("reasoner"); f != nil {
		t.Error("progress is shown in a file")
	}
}

// TestRealKVDTypes has the embedded pair answer a question with keys and values in
// every format, and count the memory that they take.
func TestRealKVDTypes(t *testing.T) {
	whole := 0
	for _, format := range kernels.KVFormats() {
		code, stdout, stderr := runReal(t, "solve", "--json", "-k", "8", "--kv-dtype", format.String(), "--judge-kv-dtype", "bf16",
			"Mia makes 12 cookies a day for 4 days. She loses 30 of them. How many cookies does Mia have now?")
		var got struct {
			Answer string
			KV     struct {
				Reasoner struct {
					BlockBytes int `json:"block_bytes"`
				}
			}
		}
		if err := json.Unmarshal([]byte(stdout), &got); code != 0 || err != nil || got.Answer != "18" {
			t.Errorf("%v: code %d, answer %q, %v, stderr %q; want 18", format, code, got.Answer, err, stderr)
		}
		if format == kernels.F32 {
			whole = got.KV.Reasoner.BlockBytes
		} else if format == kernels.BF16 && 2*got.KV.Reasoner.BlockBytes != whole {
			t.Errorf("%v: blocks of %d bytes; want half of %d", format, got.KV.Reasoner.BlockBytes, whole)
		}
	}
	var d kvDType
	if err := d.Set("int4"); err == nil || !strings.Contains(err.Error(), "auto, f32, bf16 or int8") {
		t.Errorf("Set = %v; want an error that lists the values", err)
	}
}
