package engine

import (
	"deepprune/engine/constrain"
	"deepprune/prune"
)

// Request is a question and how to answer it.
type Request struct {
	// Question is rendered with the reasoner's chat template, unless Prompt is set.
	Question string
	// Prompt is the token ids to continue, as they are.
	Prompt []int32
	// Traces is k, the number of traces; 0 means 1.
	Traces int
	// Policy governs the group; nil means none.
	Policy prune.Policy
	Params Params
	// Judge scores the pairs that the policy asks for, instead of the engine's judge;
	// nil: that one does.
	Judge JudgeFunc
	// Seed is the seed of all random draws of the group.
	Seed uint64
	// Constraint is the language that the text of every trace belongs to; nil for
	// none. A trace ends when its text is complete and cannot go on.
	Constraint *constrain.Grammar
	// ConstraintAfter is the text behind which Constraint begins, "</think>" say:
	// with the token after the one that completes its first occurrence. If it is
	// empty the whole text is constrained.
	ConstraintAfter string
	// PromptLogProbs asks for the log-probabilities of the prompt's own tokens, and
	// the Params.TopLogProbs likeliest beside each: see Group.PromptLogProbs. The
	// prompt is then computed in full, whatever of it is cached.
	PromptLogProbs bool
	// PromptOnly has nothing generated: the group ends once its prompt is computed,
	// each trace with no token and the end EndLength.
	PromptOnly bool
	// EventBuffer is the number of events that a reader of Group.Events may fall
	// behind; 0 means no events.
	EventBuffer int
}
