package model

import (
	"io/fs"
	"testing"

	"deepprune/weights"
	"deepprune/weights/embedded"
)

// embeddedParity is how far the logits of one of the embedded pair are from those
// of the reference implementation, which loads its folder like any other.
func embeddedParity(t testing.TB, name string, files fs.FS) float64 {
	t.Helper()
	const golden = "testdata/embedded.safetensors"
	c, err := weights.OpenFS(files, name)
	if err != nil {
		t.Fatal(err)
	}
	dev := newDevice(t)
	m, err := Load(dev, c, Options{MaxContext: 256})
	if err != nil {
		t.Fatal(err)
	}
	want := readRows(t, golden, name)
	var tokens []int32
	for _, id := range readRows(t, golden, name+".tokens")[0] {
		tokens = append(tokens, int32(id))
	}
	got := newSession(t, dev, m, 256).run(tokens, func(i int) bool { return i%40 == 0 })
	if len(got) != len(want) {
		t.Fatalf("%d rows of logits; want %d", len(got), len(want))
	}
	worst, _ := differences(got, want)
	return worst
}

func TestEmbeddedEqualsReference(t *testing.T) {
	for name, files := range map[string]fs.FS{"reasoner": embedded.Reasoner(), "judge": embedded.Judge()} {
		worst := embeddedParity(t, name, files)
		if !(worst <= tolerance) {
			t.Errorf("%s: logits differ by %v; want at most %v", name, worst, tolerance)
		}
		t.Logf("%s: %.1e", name, worst)
	}
}
