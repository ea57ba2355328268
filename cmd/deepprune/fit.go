package main

import (
	"fmt"

	"deepprune/cmd/deepprune/figures"
	"deepprune/kernels"
	"deepprune/model"
	"deepprune/weights"
)

// fits refuses a checkpoint that the device has no memory for in a dtype, beside
// kv bytes of KV: a program that takes more than there is gets killed without a word.
func fits(device kernels.Device, c *weights.Checkpoint, d dtype, kv int64) error {
	config, err := model.ReadConfig(c)
	if err != nil {
		return err
	}
	total, available, err := deviceMemory(device)
	if err != nil {
		return err
	}
	need := config.LoadedBytes(config.DefaultContext(), d.of(&config))
	if total > 0 && need+kv > available {
		return fmt.Errorf("%s takes %s of memory and the KV %s; %s are available", c.Name(),
			figures.Bytes(need), figures.Bytes(kv), figures.Bytes(available))
	}
	return nil
}
