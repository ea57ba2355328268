package eval

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"sort"
	"time"

	"deepprune/engine"
	"deepprune/prune"
)

// Record is what a contender made of one question with one seed: a line of a file
// of records.
type Record struct {
	Contender string   `json:"contender"` // its Spec
	Question  string   `json:"question"`  // its ID
	Run       uint64   `json:"run"`       // the seed of the run, from which the question's was made
	Replayed  bool     `json:"replayed,omitempty"`
	Answer    JSONText `json:"answer"`
	Right     bool     `json:"right"`
	Traces    []Fate   `json:"traces"`

	JudgePairs  int     `json:"judge_pairs"`
	JudgeTokens int     `json:"judge_tokens"`
	JudgeCost   float64 `json:"judge_relative_cost"` // in tokens of the reasoner

	// Live runs only.
	Began     int64   `json:"began_us,omitempty"` // by the wall clock, in microseconds
	TotalMS   float64 `json:"total_ms,omitempty"`
	PeakBytes int64   `json:"peak_bytes,omitempty"`
	ByteSteps int64   `json:"byte_steps,omitempty"`

	// Memory is that of the contender's first question, run alone. It has a record of
	// its own, which has no question.
	Memory []Moment `json:"memory,omitempty"`
}

// Fate is what became of a trace.
type Fate struct {
	State  StateName `json:"state"`
	Tokens int       `json:"tokens"`
	Prefix int       `json:"prefix"` // tokens up to the checkpoint of the contender, 0 without one
	Answer JSONText  `json:"answer"`
	Right  bool      `json:"right,omitempty"`
	Text   string    `json:"text,omitempty"` // up to the checkpoint; of none alone
}

// NewRecord draws up the record of a live group. checkpoint is where the
// contender's prefixes end, the zero value if it cuts nowhere; text decodes tokens.
func NewRecord(contender string, q *Question, run uint64, r *engine.Result, checkpoint prune.Checkpoint, text func([]int32) string) *Record {
	rec := &Record{
		Contender: contender, Question: q.ID, Run: run,
		Answer: JSONText(r.Answer), Right: Grade(r.Answer, q.Answer), Traces: make([]Fate, len(r.Traces)),
		JudgePairs: r.Usage.JudgePairs, JudgeTokens: r.Usage.JudgeTokens, JudgeCost: r.Usage.JudgeRelativeCost,
		TotalMS: r.Time.TotalMS, PeakBytes: r.KV.PeakBytes, ByteSteps: r.KV.ByteSteps,
	}
	rec.Began = time.Now().UnixMicro() - int64(r.Time.TotalMS*1e3)
	for i := range r.Traces {
		t := &r.Traces[i]
		f := Fate{State: StateName{t.State}, Tokens: t.Tokens, Answer: JSONText(t.Answer), Right: t.Answer != "" && Grade(t.Answer, q.Answer)}
		if checkpoint != (prune.Checkpoint{}) {
			f.Prefix = PrefixLength(t.TokenIDs, checkpoint, text)
		}
		rec.Traces[i] = f
	}
	return rec
}

// keepPrefixes adds the texts of the traces up to a checkpoint.
func (r *Record) keepPrefixes(res *engine.Result, c prune.Checkpoint, text func([]int32) string) {
	for i := range r.Traces {
		ids := res.Traces[i].TokenIDs
		r.Traces[i].Text = text(ids[:PrefixLength(ids, c, text)])
	}
}

// PrefixLength is the number of tokens of a trace up to a checkpoint, or of all of
// it if it ended before.
func PrefixLength(ids []int32, c prune.Checkpoint, text func([]int32) string) int {
	n := len(ids)
	if c.Tokens > 0 {
		n = min(n, c.Tokens)
	}
	if c.Words > 0 {
		n = min(n, 1+sort.Search(n, func(i int) bool {
			var words prune.WordCounter
			return words.Add([]byte(text(ids[:i+1]))) >= c.Words
		}))
	}
	return n
}

// Started is the number of traces that generated anything.
func (r *Record) Started() int {
	n := 0
	for i := range r.Traces {
		if r.Traces[i].Tokens > 0 {
			n++
		}
	}
	return n
}

// Survivors is the number of traces that ended by themselves.
func (r *Record) Survivors() int {
	n := 0
	for i := range r.Traces {
		if s := r.Traces[i].State.State; s == prune.Finished || s == prune.Length {
			n++
		}
	}
	return n
}

// tokens are the generated tokens up to the checkpoint and after it.
func (r *Record) tokens() (prefixes, finishers int) {
	for i := range r.Traces {
		t := &r.Traces[i]
		prefixes += min(t.Prefix, t.Tokens)
		finishers += t.Tokens - min(t.Prefix, t.Tokens)
	}
	return prefixes, finishers
}

// Cost is all that the record's group spent, in tokens of the reasoner.
func (r *Record) Cost() float64 {
	prefixes, finishers := r.tokens()
	return float64(prefixes+finishers) + r.JudgeCost
}

// agrees compares a replay with a live run: the answer, every trace and the work of
// the judge.
func (r *Record) agrees(live *Record) error {
	switch {
	case r.Answer != live.Answer:
		return fmt.Errorf("answer %q, live %q", r.Answer, live.Answer)
	case len(r.Traces) != len(live.Traces):
		return fmt.Errorf("%d traces, live %d", len(r.Traces), len(live.Traces))
	case r.JudgePairs != live.JudgePairs:
		return fmt.Errorf("%d judged pairs, live %d", r.JudgePairs, live.JudgePairs)
	case r.JudgeTokens != live.JudgeTokens:
		return fmt.Errorf("%d tokens of the judge, live %d", r.JudgeTokens, live.JudgeTokens)
	}
	if math.Abs(r.JudgeCost-live.JudgeCost) > 1e-6*live.JudgeCost {
		return fmt.Errorf("cost of the judge %v, live %v", r.JudgeCost, live.JudgeCost)
	}
	for i := range r.Traces {
		a, b := r.Traces[i], live.Traces[i]
		a.Text, b.Text = "", ""
		if a != b {
			return fmt.Errorf("trace %d is %+v, live %+v", i, a, b)
		}
	}
	return nil
}

// Header is the first line of a file of records: what all of them have in common.
type Header struct {
	Schema      int           `json:"schema"`
	Dataset     string        `json:"dataset"`
	K           int           `json:"k"`
	Params      engine.Params `json:"params"`
	Model       string        `json:"model"`
	Judge       string        `json:"judge"`
	Concurrency int           `json:"concurrency"`
	Slots       int           `json:"slots"`
}

// ReadRecords reads a file of records; the header must be the one wanted. name is
// the file's, for errors.
func ReadRecords(r io.Reader, name string, want Header) ([]*Record, error) {
	var records []*Record
	first := true
	err := eachLine(r, name, func(_ int, line []byte) error {
		if first {
			first = false
			var h Header
			if err := json.Unmarshal(line, &h); err != nil {
				return err
			}
			a, _ := marshal(h)
			if b, _ := marshal(want); string(a) != string(b) {
				return fmt.Errorf("the records are of another experiment: %s, not %s", a, b)
			}
			return nil
		}
		var rec Record
		if err := json.Unmarshal(line, &rec); err != nil {
			return err
		}
		records = append(records, &rec)
		return nil
	})
	return records, err
}
