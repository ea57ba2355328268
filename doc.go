// Package deepprune names the parts of the engine; it holds no code itself.
//
// deepprune decodes k reasoning traces of one question in one batch over a shared
// KV cache, has a small judge predict from the unfinished traces which will end in
// the same answer, and stops the redundant ones while they run.
//
//   - cmd/deepprune: the one binary
//   - engine: groups of traces, the step loop, the judge beside it, the journal
//   - prune: policies, votes and answers; pure functions
//   - model: decoder, tokenizer, chat template
//   - weights: checkpoint files; weights/embedded is the pair in the binary
//   - kvcache: the books of KV memory
//   - kernels: the Device interface, its CPU, and the suite that devices pass
//
// To embed the engine in a program begin with package engine.
package deepprune
