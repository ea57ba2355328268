package model

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// TestClassifierEqualsReference compares the logits of classifiers with one label,
// where the first logit is always 0, and with two.
func TestClassifierEqualsReference(t *testing.T) {
	const tolerance = 1e-4
	for _, test := range []struct {
		name   string
		labels int
		names  []string
	}{
		{"qwen3-classifier", 1, nil},
		{"llama-classifier", 2, []string{"same", "different"}},
	} {
		dev := newDevice(t)
		want := readReference(t, test.name)
		got, m := logitsOf(t, dev, openCheckpoint(t, test.name), want.Prompt, want.Rows)
		if c := &m.Config; c.Labels != test.labels || !slices.Equal(c.LabelNames, test.names) || c.HeadSize() != 2 {
			t.Errorf("%s: %d labels %q, %d logits; want %d, %q and 2", test.name, c.Labels, c.LabelNames, c.HeadSize(), test.labels, test.names)
		}
		if len(got) != len(want.Rows) {
			t.Fatalf("%s: %d rows of logits; want %d", test.name, len(got), len(want.Rows))
		}
		for i, row := range got {
			reference := want.logits[i]
			if test.labels == 1 {
				reference = []float32{0, reference[0]}
			}
			for j, v := range row {
				if !(math.Abs(float64(v-reference[j])) <= tolerance) {
					t.Errorf("%s: logits %v after token %d; want %v", test.name, row, want.Rows[i], reference)
				}
			}
		}
		parameters := int64(0)
		for _, n := range openCheckpoint(t, test.name).Parameters() {
			parameters += n
		}
		if got := m.Config.Parameters(); got != parameters {
			t.Errorf("%s: %d parameters; want %d", test.name, got, parameters)
		}
	}
}

func TestClassifierLabels(t *testing.T) {
	classifier := map[string]string{"architectures": `["Qwen3ForSequenceClassification"]`}
	for _, test := range []struct {
		names, number string
		want          int
	}{
		{``, ``, 2},
		{`{"0":"LABEL_0"}`, ``, 1},
		{`{"0":"LABEL_0"}`, `2`, 2},
		{`{"0":"a","1":"b"}`, ``, 2},
	} {
		classifier["id2label"], classifier["num_labels"] = test.names, test.number
		c, err := ParseConfig(edited(t, qwen3JSON, classifier))
		if err != nil {
			t.Fatal(err)
		}
		if c.Labels != test.want || c.TiedHead {
			t.Errorf("with labels %s and %s: %d labels, tied %v; want %d, false", test.names, test.number, c.Labels, c.TiedHead, test.want)
		}
	}
	classifier["id2label"], classifier["num_labels"] = `{"0":"a","1":"b","2":"c"}`, ``
	if _, err := ParseConfig(edited(t, qwen3JSON, classifier)); err == nil || !strings.Contains(err.Error(), "config.json: num_labels: 3 is not supported") {
		t.Errorf("with three labels: %v; want an error", err)
	}
}
