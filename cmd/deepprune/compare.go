package main

import (
	"fmt"

	"deepprune/engine"
	"deepprune/prune"
)

// comparison is how the traces of pruned runs relate to those of unpruned ones.
type comparison struct {
	Traces int `json:"traces"` // with tokens in both runs
	Tokens int `json:"tokens"` // compared: the common prefixes
	pruned int
	first  string // the first difference, "" for none
}

// identical reports whether every trace, stopped ones included, said the same as
// in the unpruned run as long as it ran. It is false if nothing was pruned: then
// nothing was shown.
func (c *comparison) identical() bool { return c.first == "" && c.pruned > 0 && c.Tokens > 0 }

// add compares two runs of one question, the first without pruning. where names
// them for a difference.
func (c *comparison) add(where string, off, on *engine.Result) {
	for i := range min(len(off.Traces), len(on.Traces)) {
		a, b := &off.Traces[i], &on.Traces[i]
		if b.State == prune.Pruned {
			c.pruned++
		}
		common := min(len(a.TokenIDs), len(b.TokenIDs))
		if common > 0 {
			c.Traces++
			c.Tokens += common
		}
		if c.first != "" {
			continue
		}
		for p := range common {
			if a.TokenIDs[p] != b.TokenIDs[p] {
				c.first = fmt.Sprintf("%s: trace %d differs at token %d: %d without pruning, %d with", where, i, p, a.TokenIDs[p], b.TokenIDs[p])
				break
			}
		}
		// A survivor is the whole trace, and nothing a policy does makes one longer.
		complete := b.State == prune.Finished || b.State == prune.Length
		if n, m := len(a.TokenIDs), len(b.TokenIDs); c.first == "" && (complete && m < n || m > n) {
			c.first = fmt.Sprintf("%s: trace %d has %d tokens without pruning, %d with", where, i, n, m)
		}
	}
}
