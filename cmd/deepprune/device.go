package main

import (
	"errors"
	"fmt"

	"deepprune/kernels"
	"deepprune/kernels/cpu"
	"deepprune/kernels/cuda"
)

// deviceKinds are the devices of this build.
func deviceKinds() []string {
	if cuda.Built {
		return []string{"cpu", "cuda"}
	}
	return []string{"cpu"}
}

// openDevice opens the device that --device names: auto is a GPU if this build and
// this machine have one.
func openDevice(f *engineFlags) (kernels.Device, error) {
	if f.device == "cuda" || f.device == "auto" && cuda.Built {
		device, err := cuda.Open(cuda.Options{})
		switch {
		case err == nil:
			return device, nil
		case f.device == "cuda":
			return nil, named("--device cuda", err)
		case !errors.Is(err, cuda.ErrNone):
			return nil, named("--device auto", fmt.Errorf("%w (--device cpu does without it)", err))
		}
	}
	device, err := cpu.New(cpu.Options{Threads: f.threads, Kernels: f.kernels})
	return device, named("--device", err)
}

// deviceMemory is the memory that models on a device take: its own, or the machine's.
func deviceMemory(device kernels.Device) (total, available int64, err error) {
	if b, ok := device.(kernels.Bounded); ok {
		available, total, err = b.Memory()
		return total, available, err
	}
	total, available = systemMemory()
	return total, available, nil
}

// sizeKV gives the KV most of the memory that a device of its own memory has left,
// loading bytes of models still to come, if --kv-memory was not given. The rest is for
// what a step needs beside it.
func (f *engineFlags) sizeKV(device kernels.Device, loading int64) error {
	b, ok := device.(kernels.Bounded)
	if !ok || f.kvGiven() {
		return nil
	}
	free, total, err := b.Memory()
	if err != nil {
		return err
	}
	rest := max(free-loading, 0)
	if kv := rest - max(rest/10, min(2<<30, rest/2)); kv > 0 {
		f.kvMemory = size(kv)
		return nil
	}
	return fmt.Errorf("the models leave %d bytes of the GPU's %d for KV", rest, total)
}
