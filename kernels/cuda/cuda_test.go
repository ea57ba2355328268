//go:build cuda

package cuda

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"deepprune/kernels"
	"deepprune/kernels/kerneltest"
)

// open opens the GPU, or skips the test where there is none, unless a driver was named.
func open(t testing.TB) *device {
	t.Helper()
	d, err := Open(Options{})
	if errors.Is(err, ErrNone) && os.Getenv("DEEPPRUNE_LIBCUDA") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d.(*device)
}

func TestDevice(t *testing.T) {
	open(t).Close()
	kerneltest.Run(t, func() kernels.Device { return open(t) })
}

// TestMemory checks that memory that there is not is an error that says so, and that
// the device works on.
func TestMemory(t *testing.T) {
	d := open(t)
	defer d.Close()
	_, total, err := d.Memory()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.NewArena(2 * total); err == nil {
		t.Errorf("an arena of twice the memory: no error")
	} else {
		t.Log(err)
	}
	x, err := d.Upload([]float32{1, 2, 3}, 1, 3)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, 3)
	d.Read(x, 0, got)
	if got[0] != 1 || got[2] != 3 {
		t.Errorf("after that, Read = %v; want 1 2 3", got)
	}
}

// TestStaging copies more than the pinned memory holds.
func TestStaging(t *testing.T) {
	d := open(t)
	defer d.Close()
	const rows, cols = 3, stagingBytes/4 + 1000
	data := make([]float32, rows*cols)
	for i := range data {
		data[i] = float32(i % 9973)
	}
	x, err := d.Upload(data, rows, cols)
	if err != nil {
		t.Fatal(err)
	}
	clear(data[:cols])
	got := make([]float32, cols)
	for r := range rows {
		d.Read(x, r, got)
		for i, v := range got {
			if want := float32((r*cols + i) % 9973); v != want {
				t.Fatalf("row %d, column %d = %v; want %v", r, i, v, want)
			}
		}
	}
}

// TestQueues writes on one queue what the other reads.
func TestQueues(t *testing.T) {
	d := open(t)
	defer d.Close()
	queue, err := d.NewQueue()
	if err != nil {
		t.Fatal(err)
	}
	defer queue.Close()
	src, _ := d.Upload([]float32{1, 2, 3, 4, 5, 6}, 3, 2)
	dst, err := d.NewTensor(3, 2)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, 2)
	for i := range int32(6) {
		queue.Follow(d)
		d.Gather(dst, src, []int32{i % 3, (i + 1) % 3, (i + 2) % 3})
		queue.Follow(d)
		queue.Read(dst, 1, got)
		if want := float32(2*((i+1)%3) + 1); got[0] != want {
			t.Fatalf("turn %d: %v; want %v first", i, got, want)
		}
	}
}

// TestGraphOnOneThread takes a step down while the scheduler moves goroutines from
// thread to thread: a capture has to end on the thread on which it began.
func TestGraphOnOneThread(t *testing.T) {
	d := open(t)
	defer d.Close()
	src, err := d.Upload([]float32{1, 2, 3}, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	dst, err := d.NewTensor(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	run := func(b *kernels.Batch, _ kernels.KV) {
		// Who is woken goes on where the other one runs, on any thread.
		for range 200 {
			woken := make(chan struct{})
			go func() { woken <- struct{}{} }()
			runtime.Gosched()
			<-woken
		}
		d.Gather(dst, src, b.Logits)
	}
	for owner := range 10 {
		for range 3 {
			var b kernels.Batch
			b.Add([]int32{0}, 0, []int32{0}, true)
			b.Plan()
			d.Step(owner, kernels.KV{}, 1, &b, run)
		}
	}
	got := make([]float32, 1)
	d.Read(dst, 0, got)
	if d.graphs.off || got[0] != 1 {
		t.Errorf("graphs are off: %v; row 0 is %v, want 1", d.graphs.off, got[0])
	}
}

// TestFailure checks that a failure is kept and that Read panics with it.
func TestFailure(t *testing.T) {
	d := open(t)
	x, err := d.NewTensor(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	d.ctx.Fail(errors.New("of this test"))
	defer func() {
		if recover() == nil {
			t.Error("Read of a device that has failed did not panic")
		}
		if err := d.Close(); err == nil {
			t.Error("Close of a device that has failed: no error")
		}
	}()
	d.Read(x, 0, make([]float32, 1))
}

func TestMeasureLimits(t *testing.T) {
	d := open(t)
	defer d.Close()
	before, _, err := d.Memory()
	if err != nil {
		t.Fatal(err)
	}
	l, err := MeasureLimits(d)
	if err != nil {
		t.Fatal(err)
	}
	if l.CopyBytes <= 0 {
		t.Errorf("a copy of %v bytes in a second", l.CopyBytes)
	}
	for _, format := range []kernels.Format{kernels.BF16, kernels.Int8, kernels.Int4} {
		if l.Operations[format] <= 0 {
			t.Errorf("%v: %v operations in a second", format, l.Operations[format])
		}
	}
	if after, _, err := d.Memory(); err != nil || after != before {
		t.Errorf("%d bytes free; want %d as before: %v", after, before, err)
	}
}
