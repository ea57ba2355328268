// Package eval measures what pruning saves and what it costs: data sets and
// graders, stored traces, experiments that run many questions under several
// policies, and reports with intervals.
//
// A [Question] is a line of a data set; [Sampled] is a question with the traces
// that were sampled for it, the form in which traces are stored. Everything here
// is deterministic for a seed, the times excepted, and independent of the order in
// which runs end.
package eval
