package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"

	"deepprune/model"
	"deepprune/weights"
)

// JudgeSpec says how a judge is asked. It is read from judge.json in the judge's
// checkpoint folder.
//
// The prompt of a pair is Head, the keeper's prefix, Mid, the other prefix, Tail.
// The parts are tokenised one by one, so all up to Mid depends on the keeper alone
// and its KV serves every pair against that keeper.
type JudgeSpec struct {
	Head string `json:"head"`
	Mid  string `json:"mid"`
	Tail string `json:"tail"`
	// Same and Different are the words it answers with, one token each. The score
	// is the probability of Same against Different. Of a judge that classifies,
	// they are the names of its two labels; if its labels have no names, or it has
	// a single label, the last label is the one that means the same.
	Same      string `json:"same"`
	Different string `json:"different"`
	// Chat puts the prompt into the judge's own chat template, as what a user says;
	// the words are then the first of the answer.
	Chat bool `json:"chat,omitempty"`
	// Checkpoint is where the judge was trained to see prefixes cut.
	Checkpoint JudgeCheckpoint `json:"checkpoint"`
	// Threshold is the score above which two traces count as the same.
	Threshold float64 `json:"threshold"`
}

// JudgeCheckpoint is after how many tokens, or reasoning words, a prefix is cut.
type JudgeCheckpoint struct {
	Tokens int `json:"tokens"`
	Words  int `json:"words"`
}

// DefaultJudgeSpec asks in plain words. It is used for a checkpoint without a
// judge.json, unless there is a preset of its name.
func DefaultJudgeSpec() JudgeSpec {
	s := JudgeSpec{
		Head:      "Two unfinished solutions of the same problem follow. Will they end in the same answer?\n\nSolution 1:\n",
		Mid:       "\n\nSolution 2:\n",
		Tail:      "\n\nSame answer (yes or no):",
		Same:      " yes",
		Different: " no",
		Threshold: 0.5,
	}
	s.Checkpoint.Words = 25 // as in the paper
	return s
}

// Judge is a small model that scores pairs of prefixes.
type Judge struct {
	Model *model.Model
	Spec  JudgeSpec

	same, different int32
	head, mid, tail []int32
	longest         int // tokens of a prefix
}

// NewJudge makes a judge of a model and of judge.json in its checkpoint.
func NewJudge(m *model.Model, c *weights.Checkpoint) (*Judge, error) {
	spec := presetFor(c.Name())
	data, err := c.File("judge.json")
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("engine: judge: %w", err)
	default:
		if spec, err = ParseJudgeSpec(data); err != nil {
			return nil, err
		}
	}
	return NewJudgeWith(m, spec)
}

// NewJudgeWith makes a judge of a model that is asked as spec says.
func NewJudgeWith(m *model.Model, spec JudgeSpec) (*Judge, error) {
	j := &Judge{Model: m, Spec: spec}
	var err error
	if m.Config.Labels > 0 {
		err = j.findLabels()
	} else {
		err = j.findWords()
	}
	if err != nil {
		return nil, fmt.Errorf("engine: judge.json: %w", err)
	}
	if !(spec.Threshold >= 0 && spec.Threshold <= 1) {
		return nil, fmt.Errorf("engine: judge.json: threshold: %v is not between 0 and 1", spec.Threshold)
	}
	if spec.Checkpoint.Tokens < 0 || spec.Checkpoint.Words < 0 {
		return nil, fmt.Errorf("engine: judge.json: checkpoint: negative")
	}
	if spec.Chat {
		if spec, err = spec.inChat(m.Chat); err != nil {
			return nil, fmt.Errorf("engine: judge.json: %w", err)
		}
	}
	j.head, j.mid, j.tail = m.Tokenizer.Encode(nil, spec.Head), m.Tokenizer.Encode(nil, spec.Mid), m.Tokenizer.Encode(nil, spec.Tail)
	if len(j.head)+len(j.mid) == 0 || len(j.tail) == 0 {
		return nil, fmt.Errorf("engine: judge.json: head or mid, and tail, must not be empty")
	}
	if j.longest = (m.MaxContext() - len(j.head) - len(j.mid) - len(j.tail)) / 2; j.longest < 1 {
		return nil, fmt.Errorf("engine: judge.json: head, mid and tail leave no room in the context of %s, %d", m.Name, m.MaxContext())
	}
	return j, nil
}

// findWords finds the tokens of the two words.
func (j *Judge) findWords() error {
	for _, w := range []struct {
		field, text string
		id          *int32
	}{{"same", j.Spec.Same, &j.same}, {"different", j.Spec.Different, &j.different}} {
		ids := j.Model.Tokenizer.Encode(nil, w.text)
		if len(ids) != 1 {
			return fmt.Errorf("%s: %q is %d tokens of %s, not one", w.field, w.text, len(ids), j.Model.Name)
		}
		*w.id = ids[0]
	}
	if j.same == j.different {
		return fmt.Errorf("same and different are the same word %q", j.Spec.Same)
	}
	return nil
}

// findLabels finds the label that means the same, by its name if it has one that
// is more than a number.
func (j *Judge) findLabels() error {
	j.different, j.same = 0, 1
	names := j.Model.Config.LabelNames
	if names == nil || slices.Equal(names, []string{"LABEL_0", "LABEL_1"}) {
		return nil
	}
	is := func(name, word string) bool {
		return strings.EqualFold(strings.TrimSpace(name), strings.TrimSpace(word))
	}
	switch {
	case is(names[1], j.Spec.Same) || is(names[0], j.Spec.Different):
	case is(names[0], j.Spec.Same) || is(names[1], j.Spec.Different):
		j.same, j.different = 0, 1
	default:
		return fmt.Errorf("same: %q is not a label of %s, which has %q", j.Spec.Same, j.Model.Name, names)
	}
	return nil
}

// probability is the score that logits mean: the softmax over the two words or
// labels.
func (j *Judge) probability(logits []float32) float64 {
	return 1 / (1 + math.Exp(float64(logits[j.different])-float64(logits[j.same])))
}

// keeperTokens are the tokens that all pairs against a keeper begin with.
func (j *Judge) keeperTokens(prefix string) []int32 {
	return append(j.quote(slices.Clone(j.head), prefix), j.mid...)
}

// traceTokens are the tokens of a pair after those of the keeper.
func (j *Judge) traceTokens(prefix string) []int32 {
	return append(j.quote(nil, prefix), j.tail...)
}

// quote appends the tokens of what a trace wrote, as many as let two prefixes fit
// the judge's context. It is text: special tokens written in it are spelled out.
func (j *Judge) quote(dst []int32, prefix string) []int32 {
	n := len(dst)
	dst = j.Model.Tokenizer.EncodeParts(dst, model.Part{Text: prefix, Verbatim: true})
	return dst[:min(len(dst), n+j.longest)]
}
