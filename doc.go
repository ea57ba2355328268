// Package deepprune names the parts of the engine; it holds no code itself.
//
// deepprune decodes k reasoning traces of one question in one batch over a shared
// KV cache, has a small judge predict from the unfinished traces which will end in
// the same answer, and stops the redundant ones while they run.
//
//   - cmd/deepprune: the one binary
//   - server: OpenAI's API, groups and metrics over HTTP; server/openai is the wire
//     format, server/dashboard the page, server/spans sends spans
//   - eval: policies compared on data sets, live and by replay
//   - engine: groups of traces, the step loop, the judge beside it, the journal;
//     engine/constrain keeps what is decoded within a JSON Schema
//   - prune: policies, votes and answers; pure functions. prune/prunetest replays
//     stored traces through them
//   - model: decoder, tokenizer, chat template
//   - weights: checkpoint files; weights/embedded is the pair in the binary
//   - kvcache: the books of KV memory
//   - kernels: the Device interface, its CPU, and the suite that devices pass
//   - training: the recipe of the pair in the binary, in Python
//   - deploy: a container, Kubernetes manifests, a proxy
//   - bench: the same work on llama.cpp
//
// To embed the engine in a program begin with package engine.
package deepprune
