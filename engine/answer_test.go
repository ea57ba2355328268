package engine

import (
	"testing"

	"deepprune/model"
	"deepprune/prune"
)

// TestAnswerBehindThoughts checks that what a trace says counts for more than what
// it thinks, in the format of its model.
func TestAnswerBehindThoughts(t *testing.T) {
	tokenizer := open(t, 1).reasoner.Tokenizer
	for _, test := range []struct {
		format       model.Reasoning
		prompt, text string
		state        prune.State
		want         string
	}{
		{model.NoReasoning, "", `The answer is 7. No, \boxed{5}`, prune.Finished, "5"},
		{model.ReasoningTags, "", `<think>perhaps \boxed{5}</think>The answer is 7.`, prune.Finished, "7"},
		{model.ReasoningTags, "", `<think>perhaps \boxed{5}`, prune.Length, "5"},
		{model.ReasoningTags, "", "<think>The answer is 5", prune.Length, ""},
		{model.ReasoningChannels, "", `<|channel|>analysis<|message|>\boxed{5}?<|end|><|start|>assistant<|channel|>final<|message|>**7**`, prune.Finished, "7"},
		{model.ReasoningChannels, "", `<|channel|>analysis<|message|>\boxed{5}?<|end|><|start|>assistant<|channel|>final<|message|>\boxed{7}`, prune.Finished, "7"},
	} {
		g := &Group{engine: &Engine{reasoner: &model.Model{Tokenizer: tokenizer, Reasoning: test.format}}, prompt: tokenizer.Encode(nil, test.prompt)}
		g.snapshot.Traces = make([]prune.Trace, 1)
		tr := trace{group: g, state: test.state, text: []byte(test.text)}
		tr.settle()
		if tr.answer != test.want || g.snapshot.Traces[0].Answer != test.want {
			t.Errorf("%q: answer %q; want %q", test.text, tr.answer, test.want)
		}
	}
}
