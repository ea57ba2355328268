package openai

import (
	"encoding/json"
)

// CompletionRequest is a checked body of /v1/completions.
type CompletionRequest struct {
	Sampling
	Prompts []Prompt // at least one
	// Echo wants the prompt in front of what is generated.
	Echo bool
	// LogProbs wants the log-probabilities of the tokens and of that many likeliest
	// ones beside; nil for none.
	LogProbs *int64
}

// Prompt is a text to go on with, or its tokens.
type Prompt struct {
	Text string
	IDs  []int32 // nil for a text
}

// ParseCompletion reads a body of /v1/completions. The error is an [*Error].
// MaxTokens is set unless the request is of a group; 0 wants the echo alone.
func ParseCompletion(body []byte, limits Limits) (*CompletionRequest, error) {
	o, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	r := &CompletionRequest{Sampling: o.sampling(limits), Echo: o.flag("echo")}
	r.MaxTokens = o.integer("max_tokens", 0, 1<<31-1)
	switch {
	case r.MaxTokens == nil && r.Group == nil:
		r.MaxTokens = new(int64)
		*r.MaxTokens = int64(limits.Default)
	case r.MaxTokens != nil && *r.MaxTokens == 0 && (!r.Echo || r.Group != nil):
		o.invalid("max_tokens", "integer_below_min_value", "integer below minimum value. Expected a value >= 1, but got 0 instead; 0 is allowed when echo is true.")
	}
	r.LogProbs = o.integer("logprobs", 0, maxTopLogProbs)
	r.Prompts = o.prompts(limits)
	if o.text("suffix") != "" {
		o.fail(Invalid("suffix", "unsupported_parameter", "Unsupported parameter: 'suffix' is not supported with this model."))
	}
	if best := o.integer("best_of", 1, int64(limits.Choices)); best != nil && *best != int64(r.Choices) {
		o.fail(Invalid("best_of", "unsupported_parameter", "Unsupported parameter: 'best_of' is not supported with this model, unless it is n."))
	}
	if r.Group != nil && len(r.Prompts) > 1 {
		o.invalid("prompt", "invalid_value", "%d prompts; a group has one.", len(r.Prompts))
	}
	if r.Group != nil && r.Echo {
		o.invalid("echo", "invalid_value", "it is not allowed in a group.")
	}
	if *o.err != nil {
		return nil, *o.err
	}
	return r, nil
}

// prompts takes a prompt: a text, a list of texts, tokens, or a list of those.
func (o object) prompts(limits Limits) []Prompt {
	if !o.has("prompt") {
		o.missing("prompt")
		return nil
	}
	const want = "a string, an array of strings, an array of token ids, or an array of such arrays"
	raw := o.fields["prompt"]
	if kind(raw) == "a string" {
		return []Prompt{o.textPrompt(raw)}
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		o.wrong("prompt", want)
		return nil
	}
	if len(list) == 0 {
		o.invalid("prompt", "empty_array", "it is empty.")
		return nil
	}
	first := kind(list[0])
	if first == "a number" {
		return []Prompt{{IDs: o.ids("prompt", raw, limits.Tokens)}}
	}
	if len(list) > limits.Prompts {
		o.invalid("prompt", "array_above_max_length", "array too long. Expected at most %d prompts, but got %d.", limits.Prompts, len(list))
		return nil
	}
	prompts := make([]Prompt, len(list))
	for i, raw := range list {
		switch k := kind(raw); {
		case k != first || k != "a string" && k != "an array":
			o.wrong("prompt", want)
			return nil
		case k == "a string":
			prompts[i] = o.textPrompt(raw)
		default:
			if prompts[i].IDs = o.ids("prompt", raw, limits.Tokens); len(prompts[i].IDs) == 0 {
				o.invalid("prompt", "empty_array", "prompt %d is empty.", i)
			}
		}
	}
	return prompts
}

func (o object) textPrompt(raw []byte) (p Prompt) {
	if json.Unmarshal(raw, &p.Text) != nil {
		panic("a string that was parsed") // parseObject read it before
	}
	if p.Text == "" {
		o.invalid("prompt", "empty_string", "it is empty.")
	}
	return p
}
