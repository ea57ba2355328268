package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"deepprune/engine"
	"deepprune/eval"
	"deepprune/prune"
)

// experiment is a comparison of policies under way.
type experiment struct {
	app        *app
	flags      *evalFlags
	pair       pair
	params     engine.Params
	options    prune.Options
	contenders []eval.Contender
	header     eval.Header
	questions  []eval.Question
	stored     []*eval.Sampled // of --stored, question by question

	file    *os.File // of --out
	records []*eval.Record
	failed  int // runs that could not be carried out
	have    map[runKey]*eval.Record
}

// runKey names a run.
type runKey struct {
	contender, question string
	run                 uint64
	replayed            bool
}

func keyOf(r *eval.Record) runKey { return runKey{r.Contender, r.Question, r.Run, r.Replayed} }

// readQuestions reads the data set or the stored traces.
func (x *experiment) readQuestions() error {
	f := x.flags
	if f.stored == "" {
		var err error
		if x.questions, err = readDataset(f.dataset, f.limit, uint64(f.seeds[0])); err != nil {
			return err
		}
		for i := range x.questions {
			if f.instruction != "" {
				x.questions[i].Text += "\n\n" + f.instruction
			}
		}
	} else {
		var err error
		x.stored, err = readTraces(f.stored, f.limit, func(s *eval.Sampled) error {
			s.Extra = nil
			for i := range s.Traces {
				s.Traces[i].Text = "" // thousands of them are much memory
			}
			if want := s.Question.Seed(uint64(f.seeds[0])); s.Seed != want {
				return fmt.Errorf("question %s was sampled with another seed than --seeds %d", s.ID, f.seeds[0])
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, s := range x.stored {
			x.questions = append(x.questions, s.Question)
		}
	}
	for i := range x.questions {
		if x.questions[i].Answer == "" {
			return fmt.Errorf("%s%s: question %s has no answer to compare with", f.dataset, f.stored, x.questions[i].ID)
		}
	}
	return nil
}

// openRecords creates the file of records, or reads it to go on.
func (x *experiment) openRecords() error {
	x.have = make(map[runKey]*eval.Record)
	f := x.flags
	if f.out == "" {
		return nil
	}
	flag := os.O_RDWR | os.O_CREATE
	if !f.resume {
		flag |= os.O_TRUNC
	}
	file, err := os.OpenFile(f.out, flag, 0o644)
	if err != nil {
		return named("--out", err)
	}
	x.file = file
	if err := x.readRecords(); err != nil {
		return errors.Join(err, file.Close())
	}
	return nil
}

func (x *experiment) readRecords() error {
	whole, err := wholeLines(x.file)
	if err != nil {
		return named("--out", err)
	}
	records, err := eval.ReadRecords(io.NewSectionReader(x.file, 0, whole), x.flags.out, x.header)
	if err != nil {
		return named("--resume", err)
	}
	for _, r := range records {
		x.keep(r)
	}
	if err := x.file.Truncate(whole); err != nil {
		return named("--out", err)
	}
	if _, err := x.file.Seek(whole, io.SeekStart); err != nil {
		return named("--out", err)
	}
	if whole == 0 {
		return named("--out", eval.WriteJSON(x.file, x.header))
	}
	return nil
}

func (x *experiment) closeRecords() error {
	if x.file == nil {
		return nil
	}
	return named("--out", x.file.Close())
}

func (x *experiment) keep(r *eval.Record) {
	x.records = append(x.records, r)
	x.have[keyOf(r)] = r
}

// emit keeps a record and writes it.
func (x *experiment) emit(r *eval.Record) error {
	x.keep(r)
	if x.file == nil {
		return nil
	}
	return named("--out", eval.WriteJSON(x.file, r))
}

// run carries out what is missing: contenders that follow others come after them.
func (x *experiment) run(soft, hard context.Context) error {
	order := make([]*eval.Contender, 0, len(x.contenders))
	for _, follows := range []bool{false, true} {
		for i := range x.contenders {
			if c := &x.contenders[i]; (c.Reference != "") == follows {
				order = append(order, c)
			}
		}
	}
	if x.stored != nil {
		if err := x.replay(soft, order); err != nil {
			return err
		}
	}
	live := x.questions
	if x.stored != nil {
		live = live[:min(len(live), x.flags.live)]
	}
	for _, c := range order {
		if soft.Err() != nil || len(live) == 0 {
			return nil
		}
		if err := x.runLive(soft, hard, c, live); err != nil {
			return err
		}
	}
	return nil
}

// follow makes a job and gives it what it needs to know of the contender it
// follows; false if that has no run of the question.
func (x *experiment) follow(c *eval.Contender, q *eval.Question, run uint64, k int) (_ eval.Job, ok bool) {
	j := eval.Job{Question: q, Run: run, Contender: c, K: k}
	if c.Reference == "" || c.Name == eval.EqualTokens {
		return j, true
	}
	for _, replayed := range []bool{true, false} {
		if r := x.have[runKey{c.Reference, q.ID, run, replayed}]; r != nil {
			j.Survivors = max(1, r.Survivors())
			return j, true
		}
	}
	return j, false
}

// traces is k of a contender: for equal-tokens what the budget buys.
func (x *experiment) traces(c *eval.Contender) int {
	if c.Name != eval.EqualTokens {
		return x.flags.k
	}
	replayed := x.stored != nil
	var none []*eval.Record
	budget := 0.0
	for _, r := range x.records {
		if r.Contender != c.Reference || r.Replayed != replayed || r.Question == "" {
			continue
		}
		if n := x.have[runKey{x.contenders[0].Spec, r.Question, r.Run, replayed}]; n != nil {
			none = append(none, n)
			budget += r.Cost()
		}
	}
	return min(x.flags.k, eval.Affordable(none, budget))
}

// runLive runs a contender on an engine of its own, so that it does not profit from
// prefixes that others have left in the cache.
func (x *experiment) runLive(soft, hard context.Context, c *eval.Contender, questions []eval.Question) (err error) {
	var jobs []eval.Job
	k := x.traces(c)
	for i := range questions {
		for _, seed := range x.flags.seeds {
			if x.have[runKey{c.Spec, questions[i].ID, uint64(seed), false}] != nil {
				continue
			}
			if j, ok := x.follow(c, &questions[i], uint64(seed), k); ok {
				jobs = append(jobs, j)
			}
		}
	}
	if len(jobs) == 0 {
		return nil
	}
	e, err := x.pair.Engine(nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	// The first question alone: its memory is a plot, and what follows does not pay
	// for memory touched for the first time.
	if first, ok := x.follow(c, &questions[0], uint64(x.flags.seeds[0]), k); ok {
		memory, err := eval.Watch(hard, evalEngine{e}, first, x.params)
		if hard.Err() != nil {
			return errInterrupted
		}
		if err == nil && x.have[runKey{contender: c.Spec}] == nil { // an error comes again below
			if err := x.emit(&eval.Record{Contender: c.Spec, Memory: memory}); err != nil {
				return err
			}
		}
	}
	m := x.app.newMeter("question", len(jobs))
	done := 0
	return eval.Live(soft, hard, evalEngine{e}, jobs, x.flags.concurrency, x.params, x.options.Checkpoint, x.pair.Text, func(r *eval.Record, err error) error {
		switch {
		case hard.Err() != nil:
			return errInterrupted
		case err != nil:
			x.failed++
			fmt.Fprintf(x.app.stderr, "deepprune: %s\n", oneLine(err.Error()))
			return nil
		}
		done++
		m.show(done, c.Spec)
		return x.emit(r)
	})
}

// evalEngine is a runner as package eval uses it.
type evalEngine struct{ runner }

func (e evalEngine) Submit(ctx context.Context, r engine.Request) (eval.Group, error) {
	return e.runner.Submit(ctx, r)
}
