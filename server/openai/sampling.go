package openai

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"deepprune/prune"
)

// Limits are what a server lets a request ask for. All are inclusive.
type Limits struct {
	Choices int // n, of each prompt
	Traces  int // of a group with a policy
	Prompts int // of a completion request
	Tokens  int // token ids of a prompt
	Default int // max_tokens of a completion that does not say
}

// What every server bounds.
const (
	maxMessages    = 10_000
	maxStops       = 32
	maxStopTokens  = 1024
	maxBiases      = 1024
	maxTools       = 128
	maxTopLogProbs = 20
	maxStopString  = 1024 // bytes
)

// Sampling is what chat and completion requests have in common. A nil field was
// not given.
type Sampling struct {
	Model     string
	Choices   int // n, at least 1
	MaxTokens *int64

	Temperature, TopP, MinP           *float64
	TopK                              *int64 // at most 0 for all tokens
	FrequencyPenalty, PresencePenalty float64
	RepetitionPenalty                 *float64 // 1 for none
	LogitBias                         map[int32]float32
	Stop                              []string
	StopTokens                        []int32
	IgnoreEOS                         bool
	Seed                              *int64
	Format                            Format
	Stream, IncludeUsage              bool
	Group                             *Group // nil unless the request has "deepprune"
}

// Group is the field "deepprune": k traces under a policy.
type Group struct {
	Policy  string
	Traces  int           // 0 if not given
	Timeout time.Duration // after which the best vote so far is taken; 0 for none
	// Options are those of the policy that were given.
	Options prune.Options
}

// Format is what the text of a choice has to be.
type Format struct {
	Kind FormatKind
	// Schema is the JSON schema of FormatSchema.
	Schema json.RawMessage
}

// FormatKind is a kind of response_format.
type FormatKind uint8

const (
	FormatText   FormatKind = iota
	FormatJSON              // any JSON object
	FormatSchema            // what a JSON schema allows
)

// sampling takes the fields of Sampling.
func (o object) sampling(limits Limits) (s Sampling) {
	s.Model = o.required("model")
	s.Choices = 1
	if n := o.integer("n", 1, int64(limits.Choices)); n != nil {
		s.Choices = int(*n)
	}
	s.Temperature = o.decimal("temperature", 0, 2)
	s.TopP = o.decimal("top_p", 0, 1)
	s.MinP = o.decimal("min_p", 0, 1)
	s.TopK = o.integer("top_k", -1, math.MaxInt32)
	s.FrequencyPenalty = or(o.decimal("frequency_penalty", -2, 2), 0)
	s.PresencePenalty = or(o.decimal("presence_penalty", -2, 2), 0)
	s.RepetitionPenalty = o.decimal("repetition_penalty", 0, 10)
	if p := s.RepetitionPenalty; p != nil && *p == 0 {
		o.invalid("repetition_penalty", "decimal_below_min_value", "it must be above 0.")
	}
	s.LogitBias = o.biases()
	s.Stop = o.texts("stop", maxStops)
	for _, text := range s.Stop {
		if len(text) > maxStopString {
			o.invalid("stop", "string_above_max_length", "a string of %d bytes is longer than %d.", len(text), maxStopString)
		}
	}
	if o.has("stop_token_ids") {
		s.StopTokens = o.ids("stop_token_ids", o.fields["stop_token_ids"], maxStopTokens)
	}
	s.IgnoreEOS = o.flag("ignore_eos")
	s.Seed = o.integer("seed", math.MinInt64, math.MaxInt64)
	s.Format = o.format()
	s.Stream = o.flag("stream")
	if options, ok := o.child("stream_options"); ok {
		if !s.Stream {
			o.invalid("stream_options", "invalid_value", "it is only allowed when stream is true.")
		}
		s.IncludeUsage = options.flag("include_usage")
	}
	s.Group = o.group(limits, s.Choices)
	return s
}

func or[T any](p *T, standard T) T {
	if p == nil {
		return standard
	}
	return *p
}

// biases takes logit_bias: token ids, as the names that JSON wants, and what is
// added to their logits.
func (o object) biases() map[int32]float32 {
	c, ok := o.child("logit_bias")
	if !ok || len(c.fields) == 0 {
		return nil
	}
	if len(c.fields) > maxBiases {
		o.invalid("logit_bias", "object_above_max_size", "%d tokens are more than %d.", len(c.fields), maxBiases)
		return nil
	}
	biases := make(map[int32]float32, len(c.fields))
	for name := range c.fields {
		id, err := strconv.ParseInt(name, 10, 32)
		if err != nil || id < 0 {
			o.invalid("logit_bias", "invalid_token", "%s is not a token id.", quote(name))
			return nil
		}
		if v := c.decimal(name, -100, 100); v != nil {
			biases[int32(id)] = float32(*v)
		}
	}
	return biases
}

// format takes response_format.
func (o object) format() (f Format) {
	c, ok := o.child("response_format")
	if !ok {
		return f
	}
	switch t := c.required("type"); t {
	case "text":
	case "json_object":
		f.Kind = FormatJSON
	case "json_schema":
		f.Kind = FormatSchema
		named, ok := c.child("json_schema")
		if !ok {
			c.missing("json_schema")
			return f
		}
		// A schema without a name is of use to others than OpenAI's clients.
		if named.has("name") {
			named.name()
		}
		if _, ok := named.child("schema"); !ok {
			named.missing("schema")
		}
		f.Schema = named.fields["schema"]
	default:
		c.invalid("type", "invalid_value", "%s. Supported values are: 'text', 'json_object', and 'json_schema'.", quote(t))
	}
	return f
}

// name takes the name of a function or a schema.
func (o object) name() string {
	s := o.required("name")
	if len(s) > 64 {
		o.invalid("name", "string_above_max_length", "string too long. Expected a string with maximum length 64, but got a string with length %d instead.", len(s))
	}
	for _, c := range []byte(s) {
		if !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '-') {
			o.invalid("name", "invalid_value", "string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.")
			break
		}
	}
	return s
}

// group takes "deepprune". A mistake in it is an error, as nobody sends it who
// does not mean it.
func (o object) group(limits Limits, choices int) *Group {
	c, ok := o.child("deepprune")
	if !ok {
		return nil
	}
	g := &Group{Policy: "deepprune"}
	if c.has("policy") {
		g.Policy = c.required("policy")
	}
	if n := c.integer("traces", 1, int64(limits.Traces)); n != nil {
		g.Traces = int(*n)
		if choices > 1 && g.Traces != choices {
			c.invalid("traces", "invalid_value", "%d traces, and n is %d; leave one of them out.", g.Traces, choices)
		}
	}
	if t := c.decimal("timeout", 0, float64(24*time.Hour/time.Second)); t != nil {
		g.Timeout = time.Duration(*t * float64(time.Second))
		if g.Timeout <= 0 {
			c.invalid("timeout", "decimal_below_min_value", "it must be above 0.")
		}
	}
	for _, own := range []string{"policy", "traces", "timeout"} {
		delete(c.fields, own)
	}
	options, err := json.Marshal(c.fields)
	if err != nil {
		panic(err) // values that were parsed
	}
	d := json.NewDecoder(bytes.NewReader(options))
	d.DisallowUnknownFields()
	if err := d.Decode(&g.Options); err != nil {
		o.invalid("deepprune", "invalid_value", "%s.", err)
	}
	return g
}
