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
	if runtime.GOOS != "linux" {
		t.Skip("weights are on the heap here, among what is counted")
	}
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
		if beside := int64(after.TotalAlloc - before.TotalAlloc); beside > u.bytes/10 {
			t.Errorf("%v: %d bytes allocated beside %d of weights", format, beside, u.bytes)
		}
	}
}

// TestExpertsAreDropped loads experts that are transposed, which have all their
// numbers in float32 on the heap once they are read: of one at a time.
func TestExpertsAreDropped(t *testing.T) {
	const out, in, count = 256, 128, 16
	u := uploader{device: newDevice(t), checkpoint: weights.New("made", nil), format: kernels.Int8}
	expert := weights.Generated("w", []int{in, out}, func(_ int, dst []float32) { clear(dst) })
	u.matrix(expert) // what the device takes for the first of many
	var all perExpert
	for range count {
		all.add(weights.Transposed(expert))
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	experts := u.experts(all)
	if grown := heap() - before; u.err != nil || grown > count*out*in*4/4 {
		t.Errorf("%d bytes are held after loading %d experts of %d, %v", grown, count, out*in*4, u.err)
	}
	runtime.KeepAlive(all)
	runtime.KeepAlive(experts)
}

// TestProgressEnds: what is told comes to all of the model's numbers, and not before.
func TestProgressEnds(t *testing.T) {
	for _, name := range checkpointNames {
		var last, most int64
		progress := func(done, all int64) {
			if done < last || last == all {
				t.Errorf("%s: %d of %d are loaded after %d", name, done, all, last)
			}
			last, most = done, all
		}
		m, err := Load(newDevice(t), openCheckpoint(t, name), Options{Progress: progress})
		if err != nil {
			t.Fatal(err)
		}
		if last != most || most != m.Config.Parameters() {
			t.Errorf("%s: %d of %d are loaded in the end; want %d", name, last, most, m.Config.Parameters())
		}
	}
}
