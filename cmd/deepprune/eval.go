package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"deepprune/cmd/deepprune/figures"
	"deepprune/eval"
	"deepprune/prune"
)

// evalFlags are the flags of eval.
type evalFlags struct {
	engineFlags
	samplingFlags
	dataset, stored string
	live, limit     int
	instruction     string
	policies        []string
	k               int
	seeds           []uint
	concurrency     int
	checkpoint      prune.Checkpoint
	threshold       float64
	judgePairs      int
	out, html, plot string
	resume, json    bool
}

func (a *app) evalCommand() *cobra.Command {
	var f evalFlags
	cmd := &cobra.Command{
		Use:   "eval [flags]",
		Short: "Measure policies on a data set",
		Long: `Run every question of a data set under several policies and compare them with
running all traces to their end: accuracy with 95% intervals (bootstrap over
questions, differences paired), tokens up to the checkpoint, after it and of the
judge at its relative cost, wall clock and KV memory.

A policy is a name of deepprune solve --policy with options, such as
deepprune:finishers=1:spares=-1, or equal-tokens: plain voting among as many full
traces of every question as the tokens of the first policy with a judge buy. random
lets as many traces of a question finish as that policy did. deepconf runs live
alone: it looks at what stored traces do not tell.

With --stored, accuracy and tokens are replayed from traces that judge sample has
stored, which takes a fraction of the time; --live N runs the first N questions as
well, for wall clock and memory, and compares the two. The data set is JSON lines
with the fields of the usual files of AIME, MATH, GSM8K or GPQA.

The first interrupt lets the questions under way finish; with --out, --resume goes on
where it ended.`,
		Example: `  deepprune eval --dataset questions.jsonl --policy deepprune,random,equal-tokens --limit 50
  deepprune eval --stored traces.jsonl --live 40 --policy deepprune,deepprune-paper,early-vote --html report.html
  deepprune eval --dataset aime.jsonl --model DIR --judge DIR --slots 128 --kv-memory 8GiB \
    --instruction "Put your final answer within \boxed{}." --out records.jsonl --resume`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.eval(&f, cmd.Flags().Changed) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.dataset, "dataset", "", "`file` of JSON lines with questions and answers, to run live")
	flags.StringVar(&f.stored, "stored", "", "`file` that judge sample wrote, to replay instead")
	flags.IntVar(&f.live, "live", 0, "with --stored: run this many questions live as well")
	flags.IntVar(&f.limit, "limit", 0, "no more than this many questions; 0 for all")
	flags.StringVar(&f.instruction, "instruction", "", "`text` put behind every question of the data set")
	flags.StringSliceVar(&f.policies, "policy", []string{"deepprune", "random", "early-vote", eval.EqualTokens}, "policies to compare with none")
	flags.IntVarP(&f.k, "traces", "k", 64, "traces of a question")
	flags.UintSliceVar(&f.seeds, "seeds", []uint{1}, "run every question with each of these seeds")
	flags.IntVar(&f.concurrency, "concurrency", 4, "groups in flight at once, live")
	flags.IntVar(&f.checkpoint.Tokens, "checkpoint-tokens", 0, "judge a trace after this many tokens (default: the judge's)")
	flags.IntVar(&f.checkpoint.Words, "checkpoint-words", 0, "or at this reasoning word, whichever comes first")
	flags.Float64Var(&f.threshold, "threshold", 0, "score above which two traces share an answer (default: the judge's)")
	flags.IntVar(&f.judgePairs, "judge-pairs", 40, "pairs of every question to measure the judge on; 0 for none")
	flags.StringVar(&f.out, "out", "", "`file` to keep a record of every run in")
	flags.BoolVar(&f.resume, "resume", false, "keep what --out holds and do the rest")
	flags.StringVar(&f.html, "html", "", "write a page with plots to this `file`")
	flags.StringVar(&f.plot, "plot", "", "draw accuracy against tokens into this SVG `file`")
	flags.BoolVar(&f.json, "json", false, "print one JSON object instead of the tables")
	f.samplingFlags.add(flags)
	f.engineFlags.add(flags)
	cmd.MarkFlagsMutuallyExclusive("dataset", "stored")
	cmd.MarkFlagsOneRequired("dataset", "stored")
	return cmd
}

func (f *evalFlags) check() error {
	switch {
	case f.k < 1 || f.k > maxTraces:
		return usagef("--traces: %d is not between 1 and %d", f.k, maxTraces)
	case f.limit < 0 || f.live < 0 || f.judgePairs < 0:
		return usagef("--limit, --live, --judge-pairs: negative")
	case f.live > 0 && f.stored == "":
		return usagef("--live is for --stored; --dataset is always run live")
	case f.instruction != "" && f.stored != "":
		return usagef("--instruction is for --dataset; stored questions are complete")
	case f.concurrency < 1 || f.concurrency > 1024:
		return usagef("--concurrency: %d is not between 1 and 1024", f.concurrency)
	case len(f.seeds) == 0:
		return usagef("--seeds: none are given")
	case len(f.seeds) > 1 && f.stored != "":
		return usagef("--seeds: stored traces are of one seed")
	case f.checkpoint.Tokens < 0 || f.checkpoint.Words < 0:
		return usagef("--checkpoint-tokens, --checkpoint-words: negative")
	case !(f.threshold >= 0 && f.threshold < 1):
		return usagef("--threshold: %v is not between 0 and 1", f.threshold)
	case f.resume && f.out == "":
		return usagef("--resume needs the file of --out")
	}
	return f.engineFlags.check()
}

// options are what all policies get that do not say otherwise.
func (f *evalFlags) options(judge prune.Options) prune.Options {
	if f.checkpoint != (prune.Checkpoint{}) {
		judge.Checkpoint = f.checkpoint
	}
	if f.threshold > 0 {
		judge.Threshold = f.threshold
	}
	return judge
}

func (a *app) eval(f *evalFlags, changed func(string) bool) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	params, err := f.params(changed)
	if err != nil {
		return err
	}
	contenders, err := eval.ParseContenders(f.policies, f.options(prune.Options{}))
	if err != nil {
		return usageError{named("--policy", err)}
	}
	for i := range contenders {
		if p, err := contenders[i].Policy(0); err == nil && p.NeedsJudge() && f.judge == "none" {
			return usagef("--policy %s needs a judge, and --judge is none", p.Name())
		}
	}
	x := &experiment{app: a, flags: f, params: params}
	if err := x.readQuestions(); err != nil {
		return err
	}
	p, err := a.open(&f.engineFlags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	x.pair = p
	d := p.Describe()
	x.options = f.options(d.Defaults)
	if x.contenders, err = eval.ParseContenders(f.policies, x.options); err != nil {
		return usageError{named("--policy", err)}
	}
	x.header = eval.Header{
		Schema: 1, Dataset: f.dataset + f.stored, K: f.k, Params: params, Model: d.Reasoner.Name,
		Concurrency: f.concurrency, Slots: f.slots,
	}
	if d.Judge != nil {
		x.header.Judge = d.Judge.Name
	}
	if err := x.openRecords(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.closeRecords()) }()

	soft, hard, stop := a.twoStops("deepprune: stopping when the questions under way are done; interrupt again to drop them")
	defer stop()
	runErr := x.run(soft, hard)
	if runErr != nil && (hard.Err() == nil || len(x.records) == 0) {
		return runErr
	}
	return x.report(soft.Err() != nil)
}

// report prints what was measured.
func (x *experiment) report(interrupted bool) error {
	r := eval.NewReport(x.header, x.contenders, x.records, 1)
	d := x.pair.Describe().Device
	r.Device = strings.TrimSpace(d.Kind + " " + d.Kernels + " " + d.Name)
	r.Interrupted = interrupted
	if !interrupted {
		var err error
		if r.Judging, err = x.judging(); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		flag, path string
		draw       func(io.Writer) error
	}{{"--html", x.flags.html, r.Page}, {"--plot", x.flags.plot, r.Plot}} {
		if f.path == "" {
			continue
		}
		var text bytes.Buffer
		if err := f.draw(&text); err != nil {
			return named(f.flag, err)
		}
		if err := os.WriteFile(f.path, text.Bytes(), 0o644); err != nil {
			return named(f.flag, err)
		}
	}
	var err error
	if x.flags.json {
		err = x.app.printJSON(r)
	} else {
		err = r.Table(x.app.stdout)
	}
	if err == nil && r.Replay != nil && r.Replay.Differences > 0 {
		return fmt.Errorf("%d of %d replays differ from the live runs: %s", r.Replay.Differences, r.Replay.Compared, r.Replay.First)
	}
	if err == nil && interrupted {
		return errInterrupted
	}
	if err == nil && x.failed > 0 {
		return fmt.Errorf("%s could not be carried out", figures.Plural(x.failed, "run", "runs"))
	}
	return err
}
