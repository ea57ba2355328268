package main

import (
	"context"
	"errors"
	"fmt"

	"deepprune/engine"
	"deepprune/eval"
	"deepprune/prune"
)

// replay takes every contender through the stored traces. Contenders that follow
// others come last in order; equal-tokens needs all questions of its reference.
func (x *experiment) replay(soft context.Context, order []*eval.Contender) (err error) {
	s, err := x.pair.Scorer()
	if err != nil {
		return err
	}
	if s != nil {
		defer func() { err = errors.Join(err, s.Close()) }()
	}
	for _, c := range order {
		if !c.Replayable() {
			fmt.Fprintf(x.app.stderr, "deepprune: policy %s cannot be replayed from stored traces; it runs with --live alone\n", c.Spec)
		}
	}
	seed := uint64(x.flags.seeds[0])
	m := x.app.newMeter("question", len(x.stored))
	for i, q := range x.stored {
		if soft.Err() != nil {
			return nil
		}
		judge := remember(s)
		for _, c := range order {
			if c.Name == eval.EqualTokens {
				continue
			}
			if err := x.replayOne(c, q, seed, x.flags.k, judge, s); err != nil {
				return err
			}
		}
		m.show(i+1, "replayed")
	}
	for _, c := range order {
		if c.Name != eval.EqualTokens {
			continue
		}
		k := x.traces(c)
		for _, q := range x.stored {
			if err := x.replayOne(c, q, seed, k, nil, s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *experiment) replayOne(c *eval.Contender, q *eval.Sampled, seed uint64, k int, judge eval.Judging, s scorer) error {
	if x.have[runKey{c.Spec, q.ID, seed, true}] != nil || !c.Replayable() {
		return nil
	}
	j, ok := x.follow(c, &q.Question, seed, k)
	if !ok {
		return nil
	}
	p, err := c.Policy(j.Survivors)
	if err != nil {
		return err
	}
	r, err := eval.Replay(c, p, q, k, seed, judge, costs{x.pair, s})
	if err != nil {
		return err
	}
	return x.emit(r)
}

// remember asks a judge about every pair of a question once, whichever contenders
// want to know.
func remember(s scorer) eval.Judging {
	known := make(map[[2]string]float64)
	return func(scores []float64, pairs [][2]string) error {
		var missing []engine.Pair
		for _, p := range pairs {
			if _, ok := known[p]; !ok {
				missing = append(missing, engine.Pair{Keeper: p[0], Trace: p[1]})
			}
		}
		fresh := make([]float64, len(missing))
		if len(missing) > 0 {
			if err := s.Score(fresh, missing); err != nil {
				return err
			}
		}
		for i, p := range missing {
			known[[2]string{p.Keeper, p.Trace}] = fresh[i]
		}
		for i, p := range pairs {
			scores[i] = known[p]
		}
		return nil
	}
}

// costs are the prices of a pair of models.
type costs struct {
	pair   pair
	scorer scorer
}

func (c costs) Generate(question string, n int) (float64, error) {
	return c.pair.TraceFLOPs(question, n)
}

func (c costs) Judge(keeper, trace string) (shared, own eval.Work) {
	return c.scorer.Work(engine.Pair{Keeper: keeper, Trace: trace})
}

// judging measures the judge on pairs of the traces of none, drawn at random; nil
// without a judge or without stored prefixes.
func (x *experiment) judging() (_ *eval.PrefixReport, err error) {
	if x.flags.judgePairs == 0 || x.header.Judge == "" {
		return nil, nil
	}
	traces := x.stored
	if traces == nil {
		traces = x.sampled()
	}
	var pairs []eval.Pair
	for i, q := range traces {
		pairs = eval.AppendPairs(pairs, q, i, x.flags.judgePairs, 1, func(t *eval.SampledTrace) string { return t.Prefix })
	}
	if len(pairs) == 0 {
		return nil, nil
	}
	s, err := x.pair.Scorer()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	scores, err := x.app.scorePairs(s, pairs, false, nil)
	if err != nil {
		return nil, err
	}
	threshold := x.options.Threshold
	if threshold == 0 {
		threshold = s.Threshold()
	}
	r := eval.NewPrefixReport("at the checkpoint", pairs, scores, threshold, 1)
	return &r, nil
}

// sampled are the live records of none as stored traces.
func (x *experiment) sampled() []*eval.Sampled {
	var list []*eval.Sampled
	for i := range x.questions {
		r := x.have[runKey{prune.None().Name(), x.questions[i].ID, uint64(x.flags.seeds[0]), false}]
		if r == nil {
			continue
		}
		s := &eval.Sampled{Question: x.questions[i]}
		for j, f := range r.Traces {
			s.Traces = append(s.Traces, eval.SampledTrace{Index: j, Prefix: f.Text, Answer: f.Answer, Tokens: f.Tokens, State: f.State})
		}
		list = append(list, s)
	}
	return list
}
