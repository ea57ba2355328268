package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	"deepprune/engine"
	"deepprune/engine/constrain"
	"deepprune/prune"
	"deepprune/server/openai"
)

// Bounds of a request that are no option.
const (
	maxChoices = 128 // n; as OpenAI's
	maxPrompts = 512 // of a completion request, each a group
)

// defaultTraces is k of a group that does not say.
const defaultTraces = 64

// defaultTokens is max_tokens of a completion that does not say, as OpenAI's.
const defaultTokens = 16

// wireLimits are what requests may ask for.
func (s *Server) wireLimits() openai.Limits {
	standard := defaultTokens
	if most := s.opt.Limits.Tokens; most > 0 {
		standard = min(standard, most)
	}
	return openai.Limits{
		Choices: min(maxChoices, s.opt.Limits.Traces), Traces: s.opt.Limits.Traces,
		Prompts: maxPrompts, Tokens: s.model.MaxContext(), Default: standard,
	}
}

// request makes a request to the engine of what all requests have in common. The
// prompt is left out.
func (s *Server) request(q *openai.Sampling) (engine.Request, error) {
	r := engine.Request{Traces: q.Choices, Params: s.params(q)}
	if q.Model != s.opt.Name {
		return r, openai.ModelNotFound(q.Model)
	}
	if q.Seed != nil {
		r.Seed = uint64(*q.Seed)
	} else {
		var b [8]byte
		rand.Read(b[:])
		r.Seed = binary.LittleEndian.Uint64(b[:]) >> 11 // a number that JSON readers of all kinds keep
	}
	if g := q.Group; g != nil {
		if q.Choices == 1 {
			r.Traces = cmp.Or(g.Traces, min(defaultTraces, s.opt.Limits.Traces))
		}
		var err error
		if r.Policy, err = prune.ByName(g.Policy, over(s.opt.Defaults.For(g.Policy), g.Options)); err != nil {
			return r, openai.Invalid("deepprune", "invalid_value", "Invalid 'deepprune': %s.", err)
		}
	}
	var err error
	switch q.Format.Kind {
	case openai.FormatJSON:
		r.Constraint = constrain.JSONObject()
	case openai.FormatSchema:
		if r.Constraint, err = constrain.JSONSchema(q.Format.Schema); err != nil {
			return r, openai.Invalid("response_format.json_schema.schema", "invalid_json_schema", "Invalid 'response_format.json_schema.schema': %s.", err)
		}
	}
	r.EventBuffer = eventBuffer(r.Traces, s.slots)
	return r, nil
}

// eventBuffer is how many events the follower of a group may be behind before it is
// dropped: some hundred steps, and all that can happen to the traces at once.
func eventBuffer(traces, slots int) int { return 256 + 64*min(traces, slots) + 4*traces }

// params are the parameters of a trace.
func (s *Server) params(q *openai.Sampling) engine.Params {
	p := engine.Params{
		FrequencyPenalty: q.FrequencyPenalty, PresencePenalty: q.PresencePenalty, LogitBias: q.LogitBias,
		Stop: q.Stop, StopTokens: q.StopTokens, IgnoreEOS: q.IgnoreEOS,
	}
	// A value left out is the checkpoint's, or else OpenAI's. The engine takes 0 for
	// a value left out.
	switch {
	case q.Temperature == nil && s.model.Generation.Temperature == 0:
		p.Temperature = 1
	case q.Temperature != nil && *q.Temperature == 0:
		p.Temperature = -1
	case q.Temperature != nil:
		p.Temperature = *q.Temperature
	}
	if q.TopK != nil {
		p.TopK = int(*q.TopK)
		if p.TopK <= 0 {
			p.TopK = s.model.Config.VocabSize // all of them
		}
	}
	if q.TopP != nil {
		p.TopP = *q.TopP
		if p.TopP == 0 {
			p.TopP = math.SmallestNonzeroFloat32 // the likeliest alone
		}
	}
	if q.MinP != nil {
		p.MinP = *q.MinP
		if p.MinP == 0 && s.model.Generation.MinP > 0 {
			p.MinP = math.SmallestNonzeroFloat32 // none is less likely than that
		}
	}
	if q.RepetitionPenalty != nil {
		p.RepetitionPenalty = *q.RepetitionPenalty
	}
	if q.MaxTokens != nil {
		p.MaxTokens = int(*q.MaxTokens)
	}
	return p
}

// over is options in which those that were given replace the server's.
func over(standard, given prune.Options) prune.Options {
	if given.Checkpoint != (prune.Checkpoint{}) {
		standard.Checkpoint = prune.Checkpoint{} // its conditions belong together
	}
	// Their JSON leaves out what is not set.
	text, err := json.Marshal(given)
	if err == nil {
		err = json.Unmarshal(text, &standard)
	}
	if err != nil {
		panic(err) // numbers that were parsed
	}
	return standard
}

// start submits a group for a request whose context is ctx. Errors are those of
// submit.
func (s *Server) start(ctx context.Context, r engine.Request, response string) (*run, *engine.Group, error) {
	created := time.Now()
	g, err := s.submit(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	policy := "none"
	if r.Policy != nil {
		policy = r.Policy.Name()
	}
	run := &run{
		id: g.ID(), group: g, response: response, question: r.Question, policy: policy,
		traces: max(r.Traces, 1), seed: r.Seed, created: created, ended: make(chan struct{}),
		ledger: s.openLedger(ctx, g, created),
	}
	if x := exchangeOf(ctx); x != nil {
		run.key = x.key
	}
	s.runs.add(run)
	return run, g, nil
}

// wireError is an error of the engine in OpenAI's shape.
func wireError(err error) *openai.Error {
	var e *openai.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, engine.ErrTooLarge):
		return openai.Invalid(field(err), "context_length_exceeded", "%s", sentence(err))
	case errors.Is(err, engine.ErrInvalid):
		return openai.Invalid(field(err), "invalid_value", "%s", sentence(err))
	case errors.Is(err, engine.ErrClosed):
		return openai.Unavailable("The server is shutting down.")
	}
	return openai.Internal("%s", sentence(err))
}

// sentence is an error without the words that say where it comes from.
func sentence(err error) string {
	text := strings.TrimPrefix(err.Error(), "engine: ")
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// field is the parameter that an error of the engine begins with, "" for none.
func field(err error) string {
	text := strings.TrimPrefix(err.Error(), "engine: ")
	for _, kind := range []error{engine.ErrInvalid, engine.ErrTooLarge} {
		text = strings.TrimPrefix(text, kind.Error()+": ")
	}
	name, _, ok := strings.Cut(text, ":")
	if !ok || strings.ContainsAny(name, " ") {
		return ""
	}
	return name
}
