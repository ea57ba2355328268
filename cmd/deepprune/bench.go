package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"deepprune/engine"
	"deepprune/prune"
)

// benchFlags are the flags of bench.
type benchFlags struct {
	engineFlags
	requestFlags
	questions   string
	question    string
	limit       int
	seeds       []uint
	concurrency int
	json        bool
}

func (a *app) benchCommand() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench [flags]",
		Short: "Compare runs with pruning off and on",
		Long: `Run the same questions and seeds with pruning off and on, each side on an engine
of its own, and compare what they cost and what they answered.

survivors_identical says whether every trace, stopped ones included, had the same
token ids in both runs as far as both went; it is false if nothing was pruned.
tokens_with_judge counts a token of the judge like one of the reasoner's;
cost_with_judge weighs it by its share of a reasoner token's work.

With --policy scripted the texts mean nothing and no judge is asked: traces are
stopped by a schedule, to measure memory and speed on any checkpoint.`,
		Example: `  deepprune bench --questions questions.jsonl --limit 20 --seeds 1,2
  deepprune bench --policy scripted --prune-at 200 --keep 8 --max-tokens 1000 --question "1 + 1"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.bench(&f, cmd.Flags().Changed) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.questions, "questions", "", "`file` of JSON lines {\"question\", \"answer\"}, the answer optional")
	flags.StringVar(&f.question, "question", "", "one question, instead of a file")
	flags.IntVar(&f.limit, "limit", 0, "no more than this many questions of the file; 0 for all")
	flags.UintSliceVar(&f.seeds, "seeds", []uint{1}, "a run of every question for each of these seeds")
	flags.IntVar(&f.concurrency, "concurrency", 1, "groups in flight at once")
	f.requestFlags.add(flags)
	f.engineFlags.add(flags)
	flags.BoolVar(&f.json, "json", false, "print one JSON object instead of the table")
	cmd.MarkFlagsMutuallyExclusive("questions", "question")
	cmd.MarkFlagsOneRequired("questions", "question")
	cmd.AddCommand(a.benchServeCommand(), a.speedCommand())
	return cmd
}

// job is one question with one seed.
type job struct {
	question
	seed uint64
	name string // "question 3, seed 1"
}

func (f *benchFlags) jobs() ([]job, error) {
	questions := []question{{Question: strings.TrimSpace(f.question)}}
	if f.questions != "" {
		file, err := os.Open(f.questions)
		if err != nil {
			return nil, named("--questions", err)
		}
		defer file.Close()
		if questions, err = readQuestions(file, f.questions); err != nil {
			return nil, err
		}
		if f.limit > 0 && f.limit < len(questions) {
			questions = questions[:f.limit]
		}
	}
	var jobs []job
	for i, q := range questions {
		for _, seed := range f.seeds {
			jobs = append(jobs, job{q, uint64(seed), fmt.Sprintf("question %d, seed %d", i+1, seed)})
		}
	}
	return jobs, nil
}

func (f *benchFlags) check() error {
	switch {
	case f.questions == "" && strings.TrimSpace(f.question) == "":
		return usagef("the question is empty")
	case f.limit < 0:
		return usagef("--limit: %d is negative", f.limit)
	case len(f.seeds) == 0:
		return usagef("--seeds: none are given")
	case f.concurrency < 1 || f.concurrency > 1024:
		return usagef("--concurrency: %d is not between 1 and 1024", f.concurrency)
	}
	for i, seed := range f.seeds {
		if slices.Contains(f.seeds[:i], seed) {
			return usagef("--seeds: %d is given twice", seed)
		}
	}
	return f.engineFlags.check()
}

func (a *app) bench(f *benchFlags, changed func(string) bool) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	on, err := f.request(changed)
	if err != nil {
		return err
	}
	if on.Policy.Name() == prune.None().Name() {
		return usagef("--policy none: bench compares a policy with none, so it needs another")
	}
	if on.Policy.NeedsJudge() && f.judge == "none" {
		return usagef("--policy %s needs a judge, and --judge is none", on.Policy.Name())
	}
	jobs, err := f.jobs()
	if err != nil {
		return err
	}
	p, err := a.open(&f.engineFlags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if on.Policy, err = f.policy(p.Describe().Defaults); err != nil {
		return err
	}

	signals, stop := a.interrupts()
	defer stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-signals:
			stop() // the next one ends the process
			cancel()
		case <-ctx.Done():
		}
	}()

	off := on
	off.Policy = prune.None()
	off.Params.IgnoreEOS = ignoresEOS(on.Policy)
	b := bench{app: a, flags: f, pair: p, jobs: jobs, meter: a.newMeter("group", 2*len(jobs))}
	offRuns, err := b.side(ctx, "off", off, 0)
	if err != nil {
		return b.stopped(ctx, err)
	}
	onRuns, err := b.side(ctx, "on", on, len(jobs))
	if err != nil {
		return b.stopped(ctx, err)
	}
	b.meter.show(2*len(jobs), "")
	report := newBenchReport(jobs, on, p.Describe(), offRuns, onRuns)
	if f.concurrency == 1 && ignoresEOS(on.Policy) {
		report.Memory = compareMemory(offRuns.series, onRuns.series, maxMemoryRows)
	}
	if f.json {
		return a.printJSON(report)
	}
	return report.table(a.stdout)
}

// ignoresEOS reports whether a policy measures shapes and not texts.
func ignoresEOS(p prune.Policy) bool {
	i, ok := p.(interface{ IgnoresEOS() bool })
	return ok && i.IgnoresEOS()
}

// bench is a comparison under way.
type bench struct {
	app   *app
	flags *benchFlags
	pair  pair
	jobs  []job
	meter *meter // of both sides
}

// stopped is the error of a comparison that cannot go on.
func (b *bench) stopped(ctx context.Context, err error) error {
	b.meter.leave()
	if ctx.Err() != nil {
		fmt.Fprintln(b.app.stderr, "deepprune: interrupted; the comparison is not complete")
		return errInterrupted
	}
	return err
}

// runs is one side of the comparison.
type runs struct {
	results []*engine.Result // by job
	series  []memoryPoint    // of the first job
	wall    time.Duration
	stats   engine.Stats
}

// side runs all jobs on a fresh engine, so that neither side profits from prefixes
// the other has left in the cache. done is how many jobs are behind it.
func (b *bench) side(ctx context.Context, name string, req engine.Request, done int) (_ *runs, err error) {
	e, err := b.pair.Engine(nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	if err := warmUp(ctx, e, req, b.jobs[0]); err != nil {
		return nil, fmt.Errorf("warming up: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &runs{results: make([]*engine.Result, len(b.jobs))}
	next := make(chan int)
	failed := make(chan error, b.flags.concurrency)
	var workers sync.WaitGroup
	start := time.Now()
	for range min(b.flags.concurrency, len(b.jobs)) {
		workers.Go(func() {
			for i := range next {
				if err := r.run(ctx, e, req, b.jobs[i], i); err != nil {
					failed <- fmt.Errorf("pruning %s: %s: %w", name, b.jobs[i].name, err)
					cancel()
					return
				}
			}
		})
	}
feed:
	for i := range b.jobs {
		b.meter.show(done+i, "pruning "+name)
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	workers.Wait()
	r.wall = time.Since(start)
	r.stats = e.Stats()
	select {
	case err := <-failed:
		return nil, err
	default:
		return r, ctx.Err()
	}
}

// warmUp makes the first run not pay for memory touched for the first time.
func warmUp(ctx context.Context, e runner, req engine.Request, j job) error {
	req.Question, req.Traces, req.Policy, req.Params.MaxTokens = j.Question, 1, nil, 8
	g, err := e.Submit(ctx, req)
	if err != nil {
		return err
	}
	_, err = g.Wait()
	return err
}

// run carries out one job. The first one's memory is followed step by step.
func (r *runs) run(ctx context.Context, e runner, req engine.Request, j job, i int) error {
	req.Question, req.Seed = j.Question, j.seed
	if i == 0 {
		req.EventBuffer = eventBuffer
	}
	g, err := e.Submit(ctx, req)
	if err != nil {
		return err
	}
	if i == 0 {
		r.series = memorySeries(g.Events())
	}
	r.results[i], err = g.Wait()
	return err
}
