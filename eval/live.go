package eval

import (
	"context"
	"fmt"

	"deepprune/engine"
	"deepprune/prune"
)

// Group is an *engine.Group, as experiments use it.
type Group interface {
	Events() <-chan engine.Event
	Wait() (*engine.Result, error)
}

// Engine runs groups.
type Engine interface {
	Submit(ctx context.Context, r engine.Request) (Group, error)
}

// Job is a question with one seed under one contender.
type Job struct {
	*Question
	Run       uint64
	Contender *Contender
	Survivors int // that the contender's reference let finish; 0 if it follows none
	K         int
}

// request makes the request of a job.
func (j *Job) request(params engine.Params) (engine.Request, error) {
	p, err := j.Contender.Policy(j.Survivors)
	return engine.Request{Question: j.Text, Traces: j.K, Policy: p, Params: params, Seed: j.Seed(j.Run)}, err
}

// Live runs jobs on an engine, up to limit at a time, and emits their records in
// order, or why there is none. When soft ends no more are begun; when hard ends
// those under way are dropped. prefixes is where the texts of prefixes end that are
// kept with the records of none. An error of emit ends the run.
func Live(soft, hard context.Context, e Engine, jobs []Job, limit int, params engine.Params, prefixes prune.Checkpoint, text func([]int32) string, emit func(*Record, error) error) error {
	type result struct {
		rec *Record
		err error
	}
	return InOrder(soft, len(jobs), limit, func(i int) result {
		j := &jobs[i]
		req, err := j.request(params)
		if err != nil {
			return result{err: err}
		}
		g, err := e.Submit(hard, req)
		if err != nil {
			return result{err: err}
		}
		res, err := g.Wait()
		if err != nil {
			return result{err: err}
		}
		checkpoint := prune.Checkpoint{}
		if c := req.Policy.Checkpoints(); len(c) == 1 {
			checkpoint = c[0]
		}
		rec := NewRecord(j.Contender.Spec, j.Question, j.Run, res, checkpoint, text)
		if j.Contender.Name == prune.None().Name() {
			rec.keepPrefixes(res, prefixes, text)
		}
		return result{rec: rec}
	}, func(i int, r result) error {
		if r.err != nil {
			r.err = fmt.Errorf("question %s, policy %s: %w", jobs[i].ID, jobs[i].Contender.Spec, r.err)
		}
		return emit(r.rec, r.err)
	})
}

// Moment is the KV memory in use after a step of a group that ran alone.
type Moment struct {
	Step  int     `json:"step"`
	MS    float64 `json:"ms"`
	Bytes int64   `json:"bytes"`
}

// maxMoments bounds the moments that are kept of a group.
const maxMoments = 400

// Watch runs a job alone and follows its memory.
func Watch(ctx context.Context, e Engine, j Job, params engine.Params) ([]Moment, error) {
	req, err := j.request(params)
	if err != nil {
		return nil, err
	}
	req.EventBuffer = 1 << 16
	g, err := e.Submit(ctx, req)
	if err != nil {
		return nil, err
	}
	var moments []Moment
	var began int64
	for ev := range g.Events() {
		if ev.Kind == engine.EventSubmitted {
			began = ev.Nanos
		}
		if ev.Kind == engine.EventStep {
			moments = append(moments, Moment{len(moments) + 1, float64(ev.Nanos-began) / 1e6, ev.Bytes})
		}
	}
	if _, err := g.Wait(); err != nil {
		return nil, err
	}
	// Every so many moments, the largest of them, and always the last.
	every := (len(moments) + maxMoments - 1) / maxMoments
	if every <= 1 {
		return moments, nil
	}
	var thinned []Moment
	for i := 0; i < len(moments); i += every {
		end := min(i+every, len(moments))
		m := moments[end-1]
		if end < len(moments) {
			for _, x := range moments[i:end] {
				m.Bytes = max(m.Bytes, x.Bytes)
			}
		}
		thinned = append(thinned, m)
	}
	return thinned, nil
}
