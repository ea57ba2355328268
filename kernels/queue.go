package kernels

// What a device may offer beside [Device]. A caller asks by a type assertion and does
// without otherwise.

// Stepper is a Device that is told of a whole step before its operations, and can
// therefore run those of an earlier step again.
type Stepper interface {
	Device
	// Step runs one forward step over b, which is planned: it calls run, or does what
	// run did in an earlier step of the same owner, kv and number of rows. run is given
	// b, or a batch that begins with the rows of b and goes on, up to most rows, with
	// rows of padding that are in no run and want logits; what it makes of those is
	// for nothing. Between steps the owner calls the same operations on the same
	// tensors, for a batch as large and as many logits wanted.
	Step(owner any, kv KV, most int, b *Batch, run func(b *Batch, kv KV))
}

// Queuer is a Device that can work on several queues at once.
type Queuer interface {
	Device
	// NewQueue returns a device over the same memory with a queue of its own. Either
	// may use what the other has made; their operations are in no order but that of
	// Follow. It is closed before the device it was made of.
	NewQueue() (Queue, error)
}

// Queue is a device that shares memory with another.
type Queue interface {
	Device
	// Follow has what is queued from now on begin after what other has queued so far,
	// and the other way around.
	Follow(other Device)
}

// Bounded is a Device with memory of its own.
type Bounded interface {
	Device
	// Memory is how much of it could be allocated now and how much there is, in bytes.
	Memory() (free, total int64, err error)
}
