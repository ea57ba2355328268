package server

import (
	"strconv"
	"testing"

	"deepprune/engine"
)

// TestRunsForget checks that those that run are kept, and of the others the latest.
func TestRunsForget(t *testing.T) {
	s := runs{byID: make(map[int64]*run)}
	const n = 2*maxKept - 1
	for id := int64(1); id <= n; id++ {
		r := &run{id: id, response: "r", done: id%10 != 0}
		s.byID[id] = r
		s.order = append(s.order, r)
	}
	s.order[n-1].done, s.order[n-1].result = true, make([]byte, maxKeptBytes/2)
	s.forget()
	kept, last := 0, int64(n+1)
	for _, r := range s.all() {
		if r.id >= last {
			t.Errorf("run %d comes after %d", r.id, last)
		}
		last = r.id
		if r.done {
			kept++
		}
		if s.byID[r.id] != r {
			t.Errorf("run %d is not found", r.id)
		}
	}
	if kept != maxKept || len(s.byID) != len(s.order) {
		t.Errorf("%d are kept, %d listed, %d found", kept, len(s.order), len(s.byID))
	}
	if s.find("10") == nil || s.find("1") != nil {
		t.Error("the oldest that runs should be kept, the oldest that is done not")
	}
	// One that is too large for all goes first.
	s.order[0].done, s.order[0].result = true, make([]byte, maxKeptBytes)
	s.forget()
	if s.find("10") != nil {
		t.Error("a run beyond the bytes was kept")
	}
	// So does one of a prompt as large.
	s.order[0].done = true
	s.order[0].log.head[1].Submission = &engine.JournalSubmission{Prompt: make([]int32, maxKeptBytes/4)}
	id := strconv.FormatInt(s.order[0].id, 10)
	s.forget()
	if s.find(id) != nil {
		t.Error("a run whose prompt is beyond the bytes was kept")
	}
}
