// Package model makes a decoder of a checkpoint.
//
// [Load] reads a checkpoint, a folder or a GGUF file, into a [Model]: its [Config],
// its [Tokenizer], its [Chat] template, the [Generation] defaults, and its weights in
// the memory of a device. A [Decoder] runs forward passes over batches. It is written
// once, against kernels.Device, and does not know which device it runs on; what an
// architecture does differently stands in a file of its own (llama.go, qwen.go,
// qwen3moe.go, glm4moe.go, gptoss.go). [Synthetic] makes checkpoints of known shapes
// with random weights. [SplitReasoning] tells the thoughts in what a model wrote from
// the rest.
//
// # Invariants
//
// A checkpoint is checked as a whole when it is loaded: every tensor that the
// config calls for is there in the shape that the config gives it, none is left
// over, and every token id has an embedding. What would change the result and is
// not implemented is refused by name, never ignored.
//
// A Model is immutable and may be used by several goroutines, except that its
// decoders use the device, which one goroutine may do at a time.
package model
