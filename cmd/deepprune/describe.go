package main

import (
	"errors"
	"io/fs"

	"deepprune/weights/embedded"
)

// describe tells about the device and the models that the flags name. It opens
// the models' files and loads none.
func describe(f *engineFlags) (d description, err error) {
	device, err := openDevice(f)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, device.Close()) }()
	d.Device = device.Info()
	if d.Total, d.Available, err = deviceMemory(device); err != nil {
		return d, err
	}
	if err := d.Reasoner.open(f.model, "embedded-reasoner", embedded.Reasoner(), f.dtype); err != nil {
		return d, named("--model", err)
	}
	loading := d.Reasoner.LoadedBytes
	if f.judge != "none" {
		d.Judge = new(modelDescription)
		if err := d.Judge.open(f.judge, "embedded-judge", embedded.Judge(), f.judgeDType); err != nil {
			return d, named("--judge", err)
		}
		loading += d.Judge.LoadedBytes
	}
	return d, f.sizeKV(device, loading)
}

// open describes the checkpoint that a flag names.
func (d *modelDescription) open(name, embeddedName string, embedded fs.FS, kept dtype) error {
	c, err := openCheckpoint(name, embeddedName, embedded)
	if err != nil {
		return err
	}
	defer c.Close()
	return d.read(c, kept)
}
