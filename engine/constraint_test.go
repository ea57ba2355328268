package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"deepprune/engine/constrain"
	"deepprune/prune"
)

// person is a schema with something of everything.
const person = `{
	"type": "object",
	"properties": {
		"name": {"type": "string", "maxLength": 12},
		"age": {"type": "integer", "minimum": 0, "maximum": 130},
		"tags": {"type": "array", "items": {"enum": ["a", "bc", "12"]}, "maxItems": 3},
		"born": {"type": "string", "format": "date"}
	},
	"required": ["name", "age"],
	"additionalProperties": false
}`

func grammar(t testing.TB, schema string) *constrain.Grammar {
	t.Helper()
	g, err := constrain.JSONSchema([]byte(schema))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestConstraint: what a trace writes under a constraint is in the language, or the
// beginning of it if it met its limit, and is the same in any batch.
func TestConstraint(t *testing.T) {
	p := open(t, 2)
	r := Request{Question: questions[1], Traces: 10, Seed: 5, Constraint: grammar(t, person), Params: Params{MaxTokens: 160, Temperature: 1, LogProbs: true}}
	want := ask(t, p.start(t, Options{}), r)
	finished := 0
	for _, tr := range want.Traces {
		if tr.State != prune.Finished {
			continue
		}
		finished++
		var v struct {
			Name *string
			Age  *int
			Tags []string
			Born string
		}
		dec := json.NewDecoder(strings.NewReader(tr.Text))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&v); err != nil || v.Name == nil || v.Age == nil || *v.Age < 0 || *v.Age > 130 || len(v.Tags) > 3 {
			t.Errorf("trace %d: %q: %v", tr.Index, tr.Text, err)
		}
		if tr.End.Kind != EndOfText {
			t.Errorf("trace %d ended by %+v; want the end of text", tr.Index, tr.End)
		}
	}
	if finished < 8 {
		t.Errorf("%d of 10 traces finished", finished)
	}
	preempted := int64(0)
	for _, opt := range []Options{{Slots: 1, TokenBudget: 1}, {Slots: 3, TokenBudget: 7}, {KVBytes: p.blocksOf(24)}} {
		e := p.start(t, opt)
		other, err := e.Submit(context.Background(), Request{Question: questions[0], Traces: 3, Constraint: constrain.JSONObject(), Params: Params{MaxTokens: 50}})
		if err != nil {
			t.Fatal(err)
		}
		got := ask(t, e, r)
		samePrefix(t, got, want)
		for i := range got.Traces {
			sameLogProbs(t, "a trace", got.Traces[i].LogProbs, want.Traces[i].LogProbs)
		}
		if _, err := other.Wait(); err != nil {
			t.Error(err)
		}
		preempted += e.Stats().Preemptions
	}
	if preempted == 0 {
		t.Error("no trace was preempted; the pool was meant to be too small")
	}
}

func TestConstraintAfter(t *testing.T) {
	p := open(t, 2)
	e := p.start(t, Options{})
	free := ask(t, e, Request{Question: questions[0], Seed: 8, Params: Params{MaxTokens: 60}}).Traces[0]
	marker := free.Text[len(free.Text)/2 : len(free.Text)/2+4]
	tr := ask(t, e, Request{
		Question: questions[0], Seed: 8, Constraint: grammar(t, `{"type":"array","items":{"type":"integer"},"maxItems":4}`), ConstraintAfter: marker,
		Params: Params{MaxTokens: 200},
	}).Traces[0]
	before, _, _ := strings.Cut(free.Text, marker)
	if !strings.HasPrefix(tr.Text, before+marker) {
		t.Fatalf("%q; want it to begin as the free text does, %q", tr.Text, before+marker)
	}
	// The token that completes the marker may have more behind it.
	var list []int
	rest := tr.Text[strings.IndexByte(tr.Text[len(before)+len(marker):], '[')+len(before)+len(marker):]
	if err := json.Unmarshal([]byte(rest), &list); tr.State != prune.Finished || err != nil {
		t.Errorf("%v with %q after the marker: %v", tr.State, rest, err)
	}
}

func TestConstraintsThatMakeNoSense(t *testing.T) {
	e := open(t, 1).start(t, Options{})
	for _, r := range []Request{
		{Question: "2 + 2", Constraint: constrain.JSONObject(), Params: Params{IgnoreEOS: true}},
		{Question: "2 + 2", ConstraintAfter: "</think>"},
	} {
		if _, err := e.Submit(context.Background(), r); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v; want %v", r, err, ErrInvalid)
		}
	}
}

// TestConstraintAndOthers: stop strings, biases and limits hold beside a constraint.
func TestConstraintAndOthers(t *testing.T) {
	p := open(t, 2)
	e := p.start(t, Options{})
	schema := grammar(t, `{"type":"array","items":{"enum":[1,2,3]}}`)
	long := ask(t, e, Request{Question: questions[0], Constraint: schema, Params: Params{MaxTokens: 30, LogitBias: map[int32]float32{bracket(t, p): -1000}}}).Traces[0]
	if long.State != prune.Length || !strings.HasPrefix(strings.TrimSpace(long.Text), "[") || strings.Contains(long.Text, "]") {
		t.Errorf("%v with %q; want a list that does not end, to the limit", long.State, long.Text)
	}
	stopped := ask(t, e, Request{Question: questions[0], Constraint: schema, Params: Params{MaxTokens: 30, Stop: []string{"["}}}).Traces[0]
	if stopped.End.Kind != EndStopString || strings.Contains(stopped.Text, "[") {
		t.Errorf("%+v with %q; want the stop string", stopped.End, stopped.Text)
	}
	counted := ask(t, e, Request{Question: questions[0], Constraint: schema, Params: Params{MaxTokens: 60, RepetitionPenalty: 1.3, MinTokens: 9}}).Traces[0]
	var list []int
	if err := json.Unmarshal([]byte(counted.Text), &list); counted.State == prune.Finished && (err != nil || slices.ContainsFunc(list, func(n int) bool { return n < 1 || n > 3 })) {
		t.Errorf("%q: %v", counted.Text, err)
	}
}

// bracket is the token of ].
func bracket(t testing.TB, p testPair) int32 {
	t.Helper()
	id, ok := p.reasoner.Tokenizer.ID("]")
	if !ok {
		t.Fatal("no token for ]")
	}
	return id
}

// TestJournalHasTheConstraint: with the header, a submission says all that its tokens
// depend on.
func TestJournalHasTheConstraint(t *testing.T) {
	var journal bytes.Buffer
	p := open(t, 2)
	e, err := New(p.dev, p.reasoner, nil, Options{Journal: &journal})
	if err != nil {
		t.Fatal(err)
	}
	ask(t, e, Request{Question: questions[0], Constraint: grammar(t, person), ConstraintAfter: "x", Params: Params{MaxTokens: 5, LogitBias: map[int32]float32{7: 1.5}, PresencePenalty: 0.5}})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for line, err := range ReadJournal(&journal) {
		if err != nil {
			t.Fatal(err)
		}
		if s := line.Submission; s != nil {
			got, err := constrain.JSONSchema(s.Constraint)
			if err != nil || got == nil || s.ConstraintAfter != "x" || s.Params.LogitBias[7] != 1.5 || s.Params.PresencePenalty != 0.5 {
				t.Errorf("%s after %q, %+v: %v; want what was asked", s.Constraint, s.ConstraintAfter, s.Params, err)
			}
		}
	}
}
