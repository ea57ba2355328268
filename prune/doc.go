// Package prune decides which traces of a question to stop.
//
// Everything here is pure: a [Policy] sees an [Event] and a [Snapshot] of its
// group and returns [Action]s. No device, no goroutine, no clock. The engine
// carries the actions out; replay and tests call the same code on stored traces.
//
// [ByName] makes the policies there are. deepprune is the default;
// deepprune-paper is the published method; none, random, scripted, early-vote,
// adaptive-consistency and deepconf are what they are compared with. [Extract] finds the answer
// in a trace's text, [Tally] counts the votes, [WordCounter] finds the checkpoint
// that is given in reasoning words. Package prunetest replays stored traces.
//
// # Determinism
//
// Events may reach a policy in any order, since traces reach their checkpoints
// at different times for different numbers of slots. What a policy decides must
// not depend on that order: traces are clustered in the order of their index,
// and random draws are keyed by (seed, trace, cluster, draw). So the pruned set,
// the votes and the answer are the same for any number of slots, any batch and
// any preemption.
package prune
