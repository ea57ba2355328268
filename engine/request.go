package engine

import "deepprune/prune"

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
	// Seed is the seed of all random draws of the group.
	Seed uint64
	// EventBuffer is the number of events that a reader of Group.Events may fall
	// behind; 0 means no events.
	EventBuffer int
}

// Params says how a trace is decoded. The zero value of a field means the
// default of the checkpoint (generation_config.json), where it has one.
type Params struct {
	// Temperature divides the logits; negative means greedy.
	Temperature float64 `json:"temperature"`
	TopK        int     `json:"top_k"`
	TopP        float64 `json:"top_p"`
	MinP        float64 `json:"min_p"`
	// MaxTokens bounds the generated tokens of a trace; 0 means all that the
	// context length allows.
	MaxTokens int `json:"max_tokens"`
	// Stop ends a trace at the first of these strings.
	Stop []string `json:"stop,omitempty"`
	// StopTokens end a trace, beside the end-of-text ids of the checkpoint.
	StopTokens []int32 `json:"stop_tokens,omitempty"`
	// IgnoreEOS lets traces run to MaxTokens whatever they say.
	IgnoreEOS bool `json:"ignore_eos,omitempty"`
}
