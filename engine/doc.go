// Package engine decodes groups of reasoning traces and stops the redundant ones
// while they run.
//
// An [Engine] owns a reasoner, perhaps a [Judge], and one arena of KV memory for
// both. [Engine.Submit] takes a [Request], one question with k traces, and
// returns a [Group]; [Group.Wait] returns its [Result].
//
// # The step
//
// One goroutine, the step loop, owns all state: groups, traces, block pools,
// policies. Others reach it through a channel of commands, so nothing here is
// locked. A step
//
//  1. takes commands: new groups, cancels, deadlines;
//  2. gives free slots to traces that wait for one, fewest-slots group first;
//  3. reserves KV blocks: decode rows first, then prefill chunks up to the token
//     budget, oldest group first, then judge pairs up to the judge's; when blocks
//     run out the policies are asked, then held traces are evicted, judge pairs of
//     a later turn dropped and the youngest traces preempted;
//  4. runs the reasoner, then the judge;
//  5. samples, appends, detects ends and checkpoints;
//  6. lets the policies decide. What they stop is released here, before the next
//     step is planned, so its blocks and slot serve that step.
//
// # How a group runs
//
// The prompt, less its last token, is prefilled once into the group's root
// sequence. A trace is a fork of the root that begins with the last prompt token
// as its first decode row, so a trace may start at any time and needs nothing
// kept from the prefill but its blocks. A preempted or evicted trace forks the
// root again and recomputes its own tokens.
//
// # Determinism
//
// A trace's tokens depend on the model, the prompt, its parameters, the seed and
// its index. Random draws are keyed by (seed, trace, position), every row's
// arithmetic has a fixed order (see package kernels), and policies decide in the
// order of trace indices, not of arrival (see package prune).
package engine
