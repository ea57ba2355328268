package main

import (
	"encoding/json"
	"strings"
	"testing"

	"deepprune/kernels"
)

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
	if err := d.Set("int4"); err == nil || !strings.Contains(err.Error(), kvDTypes) {
		t.Errorf("Set = %v; want an error that lists the values", err)
	}
}
