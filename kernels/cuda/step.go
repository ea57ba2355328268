//go:build cuda

package cuda

import "deepprune/kernels"

// stepTables are what a step's batch says, on the device. Operations get them by put,
// which copies nothing while staged is set: then stageStep has filled them.
type stepTables struct {
	staged bool

	tokens    buffer // int32 for each row
	positions buffer // int32 for each row
	slots     buffer // int32 for each row; -1: a row of padding, whose key and value go nowhere
	rows      buffer // int32: of Gather
}

// stageStep fills every table of a batch.
func (d *device) stageStep(b *kernels.Batch) {
	put(d, &d.step.tokens, b.Tokens)
	put(d, &d.step.positions, b.Positions)
	put(d, &d.step.slots, b.Slots)
	put(d, &d.step.rows, b.Logits)
	d.stageAttention(b)
}
