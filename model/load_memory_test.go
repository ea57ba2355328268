package model

import (
	"runtime"
	"testing"

	"deepprune/kernels"
	"deepprune/weights"
)

// TestLoadAllocates counts what loading allocates: the weights as they are kept, and
// no more than a tenth of that beside them, rows on their way included.
func TestLoadAllocates(t *testing.T) {
	const out, in, count = 4096, 1024, 4
	rows := func(_ int, dst []float32) {
		for j := range dst {
			dst[j] = float32(j%17) - 8
		}
	}
	for _, format := range kernels.Formats() {
		u := uploader{device: newDevice(t), checkpoint: weights.New("made", nil), format: format, all: out * in * count}
		calls := 0
		u.progress = func(done, all int64) {
			if calls++; done != int64(calls)*out*in || all != u.all {
				t.Errorf("%v: %d of %d are loaded after %d matrices", format, done, all, calls)
			}
		}
		tensor := weights.Generated("w", []int{out, in}, rows)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range count {
			u.matrix(tensor)
		}
		runtime.ReadMemStats(&after)
		if u.err != nil {
			t.Fatal(u.err)
		}
		if want := format.Bytes(out * in * count); u.bytes != want {
			t.Errorf("%v: %d bytes are kept; want %d", format, u.bytes, want)
		}
		// Where weights are on the heap they are counted too.
		beside := int64(after.TotalAlloc - before.TotalAlloc)
		if beside >= u.bytes {
			beside -= u.bytes
		}
		if beside > u.bytes/10 {
			t.Errorf("%v: %d bytes allocated beside %d of weights", format, beside, u.bytes)
		}
	}
}
