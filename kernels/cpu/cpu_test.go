package cpu

import (
	"testing"

	"deepprune/kernels"
	"deepprune/kernels/kerneltest"
)

func newDevice(t testing.TB, opts Options) kernels.Device {
	t.Helper()
	d, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestConformance(t *testing.T) {
	for _, name := range KernelSets() {
		t.Run(name, func(t *testing.T) {
			kerneltest.Run(t, func() kernels.Device { return newDevice(t, Options{Kernels: name, Threads: 3}) })
		})
	}
}
