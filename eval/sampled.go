package eval

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"deepprune/prune"
)

// Sampled is a question and traces that were sampled for it: a line of a file of
// stored traces,
//
//	{"id", "question", "answer", "seed", …, "traces": [{"index", "prefix", "prefix_tokens", "answer", "tokens", "state", "text"}]}
//
// where … are the other fields of the question's line.
type Sampled struct {
	Question
	Seed   uint64 // of the group
	Traces []SampledTrace
}

// SampledTrace is one of them.
type SampledTrace struct {
	Index        int       `json:"index"`
	Prefix       string    `json:"prefix"` // what it wrote up to the checkpoint, or all of it if it ended before
	PrefixTokens int       `json:"prefix_tokens"`
	Answer       JSONText  `json:"answer"` // normalised; null for none
	Tokens       int       `json:"tokens"` // generated, the end of text included
	State        StateName `json:"state"`
	Text         string    `json:"text,omitempty"` // all it wrote; "" if that was not stored
}

// JSONText is a string that is null in JSON when it is empty.
type JSONText string

// MarshalJSON implements json.Marshaler.
func (s JSONText) MarshalJSON() ([]byte, error) {
	if s == "" {
		return []byte("null"), nil
	}
	return marshal(string(s))
}

// StateName is a prune.State that can be read from JSON as well.
type StateName struct{ prune.State }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *StateName) UnmarshalText(text []byte) error {
	for state := prune.NotStarted; state <= prune.Failed; state++ {
		if state.String() == string(text) {
			s.State = state
			return nil
		}
	}
	return fmt.Errorf("%q is not a state of a trace", text)
}

// marshal is json.Marshal that leaves <, > and & as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// MarshalJSON writes the fields in a fixed order, the question's own others by
// name.
func (s *Sampled) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	field := func(name string, v any) error {
		value, err := marshal(v)
		if err != nil {
			return fmt.Errorf("field %s: %w", name, err)
		}
		key, err := marshal(name)
		if err != nil {
			return err
		}
		open := byte(',')
		if b.Len() == 0 {
			open = '{'
		}
		b.WriteByte(open)
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
		return nil
	}
	names := make([]string, 0, len(s.Extra))
	for name := range s.Extra {
		names = append(names, name)
	}
	slices.Sort(names)
	err := field("id", s.ID)
	for _, f := range []struct {
		name  string
		value any
	}{{"question", s.Text}, {"answer", s.Answer}, {"seed", s.Seed}} {
		if err == nil {
			err = field(f.name, f.value)
		}
	}
	for _, name := range names {
		if err == nil {
			err = field(name, s.Extra[name])
		}
	}
	if err == nil {
		err = field("traces", s.Traces)
	}
	if err != nil {
		return nil, err
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads what MarshalJSON writes. The seed may be left out.
func (s *Sampled) UnmarshalJSON(line []byte) error {
	q, err := parseQuestion(line)
	if err != nil {
		return err
	}
	traces, ok := q.Extra["traces"]
	if !ok {
		return fmt.Errorf("field traces is missing")
	}
	delete(q.Extra, "traces")
	*s = Sampled{Question: q}
	if seed, ok := q.Extra["seed"]; ok {
		delete(q.Extra, "seed")
		if err := json.Unmarshal(seed, &s.Seed); err != nil {
			return fmt.Errorf("field seed: %w", err)
		}
	}
	if err := json.Unmarshal(traces, &s.Traces); err != nil {
		return fmt.Errorf("field traces: %w", err)
	}
	return nil
}

// WriteSampled writes one line.
func WriteSampled(w io.Writer, s *Sampled) error {
	line, err := s.MarshalJSON()
	if err != nil {
		return fmt.Errorf("question %s: %w", s.ID, err)
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// ReadSampled calls f with every line of a file of stored traces, up to the first
// error. name is the file's, for errors.
func ReadSampled(r io.Reader, name string, f func(*Sampled) error) error {
	return eachLine(r, name, func(_ int, line []byte) error {
		var s Sampled
		if err := s.UnmarshalJSON(line); err != nil {
			return err
		}
		return f(&s)
	})
}
