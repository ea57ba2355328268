package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestRealSynthetic measures a reasoner and a judge with random weights.
func TestRealSynthetic(t *testing.T) {
	code, stdout, stderr := runReal(t, "bench", "--json", "--model", "random:tiny", "--judge", "random:tiny",
		"--question", "2 + 2", "-k", "4", "--max-tokens", "40", "--policy", "scripted", "--prune-at", "20", "--keep", "1")
	if code != 0 {
		t.Fatalf("code %d, stderr %q", code, stderr)
	}
	var r benchReport
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	if !r.SurvivorsIdentical || r.Off.GeneratedTokens != 4*40 || r.On.GeneratedTokens != 40+3*20 {
		t.Errorf("identical %v, %d tokens off, %d on; want true, 160 and 100", r.SurvivorsIdentical, r.Off.GeneratedTokens, r.On.GeneratedTokens)
	}
}

func TestRealRefusesSynthetic(t *testing.T) {
	for _, test := range []struct {
		flag, name string
		want       []string
	}{
		{"--model", "random:qwen3-9b", []string{`"qwen3-9b"`, "qwen3-0.6b", "qwen3-8b"}},
		{"--judge", "random:", []string{`""`, "qwen3-0.6b"}},
	} {
		code, _, stderr := runReal(t, "solve", test.flag, test.name, "1 + 1")
		if code != 1 {
			t.Errorf("%s %s: code %d; want 1", test.flag, test.name, code)
		}
		for _, want := range append(test.want, test.flag) {
			if !strings.Contains(stderr, want) {
				t.Errorf("%s %s: stderr %q lacks %q", test.flag, test.name, stderr, want)
			}
		}
	}
	if _, available := systemMemory(); available > 0 {
		code, _, stderr := runReal(t, "solve", "--kv-memory", "900TiB", "1 + 1")
		if want := "and the KV 900.0 TiB; "; code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("900 TiB of KV: code %d, stderr %q; want 1 and %q", code, stderr, want)
		}
	}
}

// TestRealInfo describes what it does not load: a model larger than any machine
// that runs this.
func TestRealInfo(t *testing.T) {
	code, stdout, stderr := runReal(t, "info", "--json", "--model", "random:qwen3-32b", "--judge", "none", "--context", "1000")
	if code != 0 {
		t.Fatalf("code %d, stderr %q", code, stderr)
	}
	var got info
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	m := got.Model
	if m.Architecture != "Qwen3ForCausalLM" || m.Parameters != 32_762_123_264 || m.DTypes["F32"] != m.Parameters ||
		m.Context != 40960 || m.LoadedContext != 32768 || m.KVBytesPerToken != 2*8*128*64*2 || got.Judge != nil {
		t.Errorf("info = %+v", m)
	}
	if want := 2*m.Parameters + 4*32768*128; m.LoadedDType != "bf16" || m.LoadedBytes != want || got.Memory.Models != want {
		t.Errorf("%d bytes loaded, %d for all models; want %d", m.LoadedBytes, got.Memory.Models, want)
	}
	// 1000 tokens take 63 blocks of 16.
	if want := got.Memory.KV / (1008 * m.KVBytesPerToken); got.Fits.Context != 1000 || got.Fits.KVMemory != want {
		t.Errorf("fits %+v; want %d traces of 1000 tokens in the KV memory", got.Fits, want)
	}
}
