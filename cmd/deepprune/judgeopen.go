package main

import (
	"errors"
	"fmt"
	"os"

	"deepprune/engine"
	"deepprune/eval"
	"deepprune/kernels"
	"deepprune/model"
	"deepprune/weights"
	"deepprune/weights/embedded"
)

// scorer is a judge that is asked without an engine.
type scorer interface {
	// Score writes the score of pairs[i] into scores[i].
	Score(scores []float64, pairs []engine.Pair) error
	// Work is the judge's tokens and FLOPs for a pair: those for the keeper's part,
	// which pairs against it share, and the rest.
	Work(p engine.Pair) (shared, own eval.Work)
	// Cut is the text of the first tokens of a text, in tokens of the judge.
	Cut(text string, tokens int) string
	Name() string
	Threshold() float64
	Close() error
}

// judgeScorer is the judge that the flags name.
type judgeScorer struct {
	*engine.Scorer
	judge  *engine.Judge
	name   string
	device kernels.Device
}

// openScorer loads the judge that the flags name, and no reasoner.
func openScorer(f *engineFlags) (scorer, error) {
	device, err := openDevice(f)
	if err != nil {
		return nil, err
	}
	s := &judgeScorer{device: device}
	var d modelDescription
	err = open(f.judge, "embedded-judge", embedded.Judge(), f.judgeDType, func(c *weights.Checkpoint) error {
		m, err := f.load(device, c, "judge", f.judgeDType)
		if err != nil {
			return err
		}
		s.judge, err = f.newJudge(m, c)
		return err
	}, &d)
	if err != nil {
		return nil, errors.Join(named("--judge", err), device.Close())
	}
	s.name = d.Name
	if s.Scorer, err = engine.NewScorer(device, s.judge, int64(f.kvMemory)); err != nil {
		return nil, errors.Join(err, device.Close())
	}
	return s, nil
}

// newJudge makes a judge that is asked as the flags say, or else its checkpoint.
func (f *engineFlags) newJudge(m *model.Model, c *weights.Checkpoint) (*engine.Judge, error) {
	if f.judgeSpec == "" {
		return engine.NewJudge(m, c)
	}
	spec, ok := engine.JudgePreset(f.judgeSpec)
	if !ok {
		data, err := os.ReadFile(f.judgeSpec)
		if err == nil {
			spec, err = engine.ParseJudgeSpec(data)
		}
		if err != nil {
			return nil, fmt.Errorf("--judge-spec: %w", err)
		}
	}
	return engine.NewJudgeWith(m, spec)
}

func (s *judgeScorer) Name() string       { return s.name }
func (s *judgeScorer) Threshold() float64 { return s.judge.Spec.Threshold }
func (s *judgeScorer) Close() error       { return s.device.Close() }

func (s *judgeScorer) Work(p engine.Pair) (shared, own eval.Work) {
	shared.Tokens, own.Tokens, shared.FLOPs, own.FLOPs = s.PairWork(p)
	return shared, own
}

func (s *judgeScorer) Cut(text string, tokens int) string {
	t := s.judge.Model.Tokenizer
	ids := t.EncodeParts(nil, model.Part{Text: text, Verbatim: true})
	if len(ids) <= tokens {
		return text
	}
	return t.Decode(ids[:tokens])
}

// Scorer is the judge of a pair, as judge eval asks it; nil without one. It has the
// device to itself: no engine of the pair may run meanwhile.
func (m *models) Scorer() (scorer, error) {
	if m.judge == nil {
		return nil, nil
	}
	s, err := engine.NewScorer(m.device, m.judge, int64(m.flags.kvMemory)/4)
	if err != nil {
		return nil, err
	}
	return &pairScorer{judgeScorer{Scorer: s, judge: m.judge, name: m.Judge.Name}}, nil
}

// pairScorer is the judge of a pair, whose device is the pair's.
type pairScorer struct{ judgeScorer }

func (*pairScorer) Close() error { return nil }

// TraceFLOPs is the work of the reasoner for the first n tokens of a trace.
func (m *models) TraceFLOPs(question string, n int) (float64, error) {
	prompt, err := m.reasoner.Prompt(question)
	if err != nil {
		return 0, err
	}
	return engine.TraceFLOPs(m.reasoner, len(prompt), n), nil
}
