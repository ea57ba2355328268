package engine

import (
	"fmt"
	"math"
)

// MaxTopLogProbs bounds Params.TopLogProbs, as OpenAI's API does.
const MaxTopLogProbs = 20

// Params says how a trace is decoded. The zero value of a field means the
// default of the checkpoint (generation_config.json), where it has one.
//
// Before a token is drawn its logits are adjusted, in this order: the repetition
// penalty, the presence and frequency penalties, LogitBias, then what MinTokens
// and Request.Constraint forbid. All of it follows from the prompt and the trace's
// own tokens, so it is the same in any batch. Log-probabilities are those of the
// model, before all of it.
type Params struct {
	// Temperature divides the logits; negative means greedy.
	Temperature float64 `json:"temperature"`
	TopK        int     `json:"top_k"`
	TopP        float64 `json:"top_p"`
	MinP        float64 `json:"min_p"`
	// FrequencyPenalty and PresencePenalty are subtracted from the logit of a token
	// that the trace has generated c > 0 times: c·FrequencyPenalty + PresencePenalty
	// (OpenAI's API reference, "Frequency and presence penalties").
	FrequencyPenalty float64 `json:"frequency_penalty,omitempty"`
	PresencePenalty  float64 `json:"presence_penalty,omitempty"`
	// RepetitionPenalty divides the logit of a token that is in the prompt or the
	// trace, or multiplies it if it is negative (Keskar et al., "CTRL", arXiv
	// 1909.05858, section 4.1, as Hugging Face's RepetitionPenaltyLogitsProcessor
	// has it). 1 means none, and so does 0 where the checkpoint has no default.
	RepetitionPenalty float64 `json:"repetition_penalty,omitempty"`
	// LogitBias is added to the logits of these tokens.
	LogitBias map[int32]float32 `json:"logit_bias,omitempty"`
	// MaxTokens bounds the generated tokens of a trace; 0 means all that the
	// context length allows.
	MaxTokens int `json:"max_tokens"`
	// MinTokens is the number of tokens before which a trace cannot end by an
	// end-of-text id or one of StopTokens: these are not drawn until then.
	MinTokens int `json:"min_tokens,omitempty"`
	// Stop ends a trace at the first of these strings.
	Stop []string `json:"stop,omitempty"`
	// StopTokens end a trace, beside the end-of-text ids of the checkpoint.
	StopTokens []int32 `json:"stop_tokens,omitempty"`
	// IgnoreEOS lets traces run on past the end-of-text ids of the checkpoint.
	IgnoreEOS bool `json:"ignore_eos,omitempty"`
	// LogProbs keeps the log-probability of every generated token. TopLogProbs is how
	// many of the likeliest tokens are kept beside it, and beside those of
	// Request.PromptLogProbs: up to MaxTopLogProbs.
	LogProbs    bool `json:"logprobs,omitempty"`
	TopLogProbs int  `json:"top_logprobs,omitempty"`
}

// completeParams fills in defaults and refuses what makes no sense after a prompt of
// so many tokens, or for it alone if nothing is to be generated.
func (e *Engine) completeParams(p Params, prompt int, promptOnly bool) (Params, error) {
	gen := e.reasoner.Generation
	if p.Temperature == 0 {
		p.Temperature = gen.Temperature
	}
	if p.TopK == 0 {
		p.TopK = gen.TopK
	}
	if p.TopP == 0 {
		p.TopP = gen.TopP
	}
	if p.MinP == 0 {
		p.MinP = gen.MinP
	}
	if p.RepetitionPenalty == 0 {
		p.RepetitionPenalty = gen.RepetitionPenalty
	}
	switch {
	case p.Temperature != p.Temperature || p.Temperature > 100:
		return p, fmt.Errorf("%w: temperature: %v is not a number up to 100", ErrInvalid, p.Temperature)
	case p.TopK < 0:
		return p, fmt.Errorf("%w: top_k: %d is negative", ErrInvalid, p.TopK)
	case !(p.TopP >= 0 && p.TopP <= 1):
		return p, fmt.Errorf("%w: top_p: %v is not between 0 and 1", ErrInvalid, p.TopP)
	case !(p.MinP >= 0 && p.MinP <= 1):
		return p, fmt.Errorf("%w: min_p: %v is not between 0 and 1", ErrInvalid, p.MinP)
	case !(math.Abs(p.FrequencyPenalty) <= 100):
		return p, fmt.Errorf("%w: frequency_penalty: %v is not between -100 and 100", ErrInvalid, p.FrequencyPenalty)
	case !(math.Abs(p.PresencePenalty) <= 100):
		return p, fmt.Errorf("%w: presence_penalty: %v is not between -100 and 100", ErrInvalid, p.PresencePenalty)
	case !(p.RepetitionPenalty >= 0 && p.RepetitionPenalty <= 100):
		return p, fmt.Errorf("%w: repetition_penalty: %v is not between 0 and 100", ErrInvalid, p.RepetitionPenalty)
	case p.MaxTokens < 0:
		return p, fmt.Errorf("%w: max_tokens: %d is negative", ErrInvalid, p.MaxTokens)
	case p.MinTokens < 0:
		return p, fmt.Errorf("%w: min_tokens: %d is negative", ErrInvalid, p.MinTokens)
	case p.TopLogProbs < 0 || p.TopLogProbs > MaxTopLogProbs:
		return p, fmt.Errorf("%w: top_logprobs: %d is not between 0 and %d", ErrInvalid, p.TopLogProbs, MaxTopLogProbs)
	}
	for _, s := range p.Stop {
		if s == "" {
			return p, fmt.Errorf("%w: stop: a stop string is empty", ErrInvalid)
		}
	}
	vocabulary := e.reasoner.Config.VocabSize
	for id, bias := range p.LogitBias {
		if id < 0 || int(id) >= vocabulary {
			return p, fmt.Errorf("%w: logit_bias: token %d is not in the vocabulary of %d", ErrInvalid, id, vocabulary)
		}
		if !(math.Abs(float64(bias)) <= math.MaxFloat32) {
			return p, fmt.Errorf("%w: logit_bias: %v for token %d is not a number", ErrInvalid, bias, id)
		}
	}
	room := e.reasoner.MaxContext() - prompt
	if room < 0 || room == 0 && !promptOnly {
		return p, fmt.Errorf("%w: the prompt has %d tokens, the context of %s %d", ErrTooLarge, prompt, e.reasoner.Name, e.reasoner.MaxContext())
	}
	if promptOnly {
		return p, nil
	}
	if p.MaxTokens > room {
		return p, fmt.Errorf("%w: max_tokens: %d after a prompt of %d exceed the context of %d", ErrTooLarge, p.MaxTokens, prompt, e.reasoner.MaxContext())
	}
	if p.MaxTokens == 0 {
		p.MaxTokens = room
	}
	if p.MinTokens > p.MaxTokens {
		return p, fmt.Errorf("%w: min_tokens: %d is more than max_tokens, %d", ErrInvalid, p.MinTokens, p.MaxTokens)
	}
	return p, nil
}

// alternatives is the number of them that are kept of a generated token.
func (p *Params) alternatives() int32 {
	if !p.LogProbs {
		return 0
	}
	return int32(p.TopLogProbs)
}
