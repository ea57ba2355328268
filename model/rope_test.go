package model

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFrequenciesEqualReference compares with what the reference computes in
// float32 for configs of real size.
func TestFrequenciesEqualReference(t *testing.T) {
	const tolerance = 2e-5 // relative; a power in float32 loses as much
	data, err := os.ReadFile(filepath.Join("testdata", "ropes.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Config      json.RawMessage
		Context     int
		Frequencies []float64
		Magnitude   float64
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, test := range cases {
		c, err := ParseConfig(test.Config)
		if err != nil {
			t.Errorf("%s: %v", test.Config, err)
			continue
		}
		got := c.frequencies(test.Context)
		if len(got) != len(test.Frequencies) {
			t.Fatalf("%s: %d frequencies; want %d", test.Config, len(got), len(test.Frequencies))
		}
		for i, want := range test.Frequencies {
			if !(math.Abs(got[i]-want) <= tolerance*want) {
				t.Errorf("%s: frequency %d = %v; want %v", test.Config, i, got[i], want)
				break
			}
		}
		if !(math.Abs(c.Scaling.Magnitude-test.Magnitude) <= 1e-9) {
			t.Errorf("%s: magnitude %v; want %v", test.Config, c.Scaling.Magnitude, test.Magnitude)
		}
	}
}

func TestLongestContext(t *testing.T) {
	for _, test := range []struct {
		scaling string
		want    int
	}{
		{`null`, 40960},
		{`{"type":"linear","factor":1.5}`, 61440},
		{`{"type":"dynamic","factor":4}`, 163840},
		{`{"type":"dynamic","factor":65536}`, maxPositions},
		{`{"type":"yarn","factor":4,"original_max_position_embeddings":32768}`, 131072},
		{`{"type":"yarn","factor":2,"original_max_position_embeddings":8192}`, 40960},
		{`{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":8192}`, 40960},
	} {
		c, err := ParseConfig(edited(t, qwen3JSON, map[string]string{"rope_scaling": test.scaling}))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.LongestContext(); got != test.want {
			t.Errorf("with %s: LongestContext = %d; want %d", test.scaling, got, test.want)
		}
	}
	both := map[string]string{"rope_scaling": `{"type":"linear","factor":2}`, "rope_parameters": `{"rope_type":"linear","rope_theta":5e4,"factor":2}`}
	if c, err := ParseConfig(edited(t, qwen3JSON, both)); err != nil || c.RopeTheta != 5e4 || c.Scaling.Factor != 2 {
		t.Errorf("rope_scaling and rope_parameters that agree: %+v, %v; want them", c.Scaling, err)
	}
	both["rope_scaling"] = `{"type":"linear","factor":3}`
	if _, err := ParseConfig(edited(t, qwen3JSON, both)); err == nil || !strings.Contains(err.Error(), "they differ") {
		t.Errorf("rope_scaling and rope_parameters that differ: %v; want an error", err)
	}
}

// TestMagnitudes reads the scaling of DeepSeek-R1-0528-Qwen3-8B, whose factor
// undoes the magnitude of YaRN, and others.
func TestMagnitudes(t *testing.T) {
	for _, test := range []struct {
		scaling string
		want    float64
	}{
		{`{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":32768,"attn_factor":0.8782488562869419}`, 1},
		{`{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":32768}`, 1 + 0.1*math.Log(4)},
		{`{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":32768,"attention_factor":0.8782488562869419}`, 0.8782488562869419},
		{`{"rope_type":"linear","factor":4.0}`, 1},
	} {
		c, err := ParseConfig(edited(t, qwen3JSON, map[string]string{"rope_scaling": test.scaling}))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Scaling.Magnitude; !(math.Abs(got-test.want) < 1e-12) {
			t.Errorf("with %s: magnitude %v; want %v", test.scaling, got, test.want)
		}
	}
}
