package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"deepprune/cmd/deepprune/figures"
	"deepprune/engine"
	"deepprune/eval"
	"deepprune/prune"
)

// sampleFlags are the flags of judge sample.
type sampleFlags struct {
	engineFlags
	samplingFlags
	traces       int
	seed         uint64
	dataset      string
	out          string
	limit        int
	concurrency  int
	prefixTokens int
	prefixWords  int
	full         bool
	resume       bool
}

func (a *app) sampleCommand() *cobra.Command {
	var f sampleFlags
	cmd := &cobra.Command{
		Use:   "sample [flags]",
		Short: "Sample traces of many questions and store them",
		Long: `Sample traces of every question of a data set, without pruning, and store them as
JSON lines: one per question, in the order of the data set, with the prefix of each
trace up to the checkpoint and its answer.

A question's traces depend on the seed and on its id alone (the number of its line
if it has none). The first interrupt lets the questions under way finish and keeps
all that is done, a second one ends at once; --resume goes on where a file ends.`,
		Example: `  deepprune judge sample --dataset questions.jsonl -k 16 --prefix-tokens 40 --out traces.jsonl
  deepprune judge sample --dataset questions.jsonl --model DIR --prefix-words 25 --full --out traces.jsonl --resume`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.sample(&f, cmd.Flags().Changed) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.dataset, "dataset", "", "`file` of JSON lines {\"id\", \"question\", \"answer\"}")
	flags.StringVar(&f.out, "out", "", "`file` to write")
	flags.IntVarP(&f.traces, "traces", "k", 16, "traces of a question")
	flags.Uint64Var(&f.seed, "seed", 1, "seed of all random draws")
	flags.IntVar(&f.prefixTokens, "prefix-tokens", 0, "a prefix ends after this many tokens")
	flags.IntVar(&f.prefixWords, "prefix-words", 0, "or at this reasoning word, whichever comes first")
	flags.BoolVar(&f.full, "full", false, "store the whole text of every trace as well")
	flags.IntVar(&f.limit, "limit", 0, "no more than this many questions; 0 for all")
	flags.IntVar(&f.concurrency, "concurrency", 0, "questions under way at once; 0 for as many as keep the slots full")
	flags.BoolVar(&f.resume, "resume", false, "keep what the file holds and do the rest")
	f.samplingFlags.add(flags)
	f.engineFlags.add(flags)
	f.slots, f.judge = 128, "none"
	flags.Lookup("slots").DefValue, flags.Lookup("judge").DefValue = "128", "none"
	cmd.MarkFlagRequired("dataset")
	cmd.MarkFlagRequired("out")
	return cmd
}

func (f *sampleFlags) check() error {
	switch {
	case f.traces < 1 || f.traces > maxTraces:
		return usagef("--traces: %d is not between 1 and %d", f.traces, maxTraces)
	case f.prefixTokens < 0 || f.prefixWords < 0:
		return usagef("--prefix-tokens, --prefix-words: negative")
	case f.prefixTokens == 0 && f.prefixWords == 0:
		return usagef("--prefix-tokens or --prefix-words must say where a prefix ends")
	case f.limit < 0:
		return usagef("--limit: %d is negative", f.limit)
	case f.concurrency < 0 || f.concurrency > 1024:
		return usagef("--concurrency: %d is not between 0 and 1024", f.concurrency)
	}
	return f.engineFlags.check()
}

// inFlight is how many groups of k traces keep the slots full: enough for all, and
// one and a half times as many again for the time when the longest traces of a
// group are alone.
func inFlight(slots, k int) int { return (5*slots/2 + k - 1) / k }

func (a *app) sample(f *sampleFlags, changed func(string) bool) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	params, err := f.params(changed)
	if err != nil {
		return err
	}
	questions, err := readDataset(f.dataset, f.limit, f.seed)
	if err != nil {
		return err
	}
	out, err := openSampled(f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, named("--out", out.file.Close())) }()
	todo := out.missing(questions)
	if len(todo) == 0 {
		return nil
	}
	p, err := a.open(&f.engineFlags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	e, err := p.Engine(nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()

	soft, hard, stop := a.twoStops("deepprune: stopping when the questions under way are done; interrupt again to drop them")
	defer stop()
	concurrency := f.concurrency
	if concurrency == 0 {
		concurrency = inFlight(f.slots, f.traces)
	}
	m := a.newMeter("question", len(questions))
	m.begin(len(questions) - len(todo))
	tokens, failed := 0, 0
	err = eval.InOrder(soft, len(todo), concurrency,
		func(i int) sampleResult {
			q := &todo[i]
			req := engine.Request{Question: q.Text, Traces: f.traces, Params: params, Seed: q.Seed(f.seed)}
			return sampleOne(hard, e, req)
		},
		func(i int, r sampleResult) error {
			switch {
			case hard.Err() != nil:
				return errInterrupted
			case r.err != nil:
				failed++
				fmt.Fprintf(a.stderr, "deepprune: question %s: %s\n", todo[i].ID, oneLine(r.err.Error()))
			default:
				tokens += r.res.Usage.GeneratedTokens
				if err := eval.WriteSampled(out.file, f.sampled(&todo[i], r.res, p.Text)); err != nil {
					return fmt.Errorf("--out: %w", err)
				}
			}
			m.show(len(questions)-len(todo)+i+1, fmt.Sprintf("%s tokens/s", figures.Count(m.rate(tokens))))
			return nil
		})
	switch {
	case err != nil:
		return err
	case soft.Err() != nil:
		fmt.Fprintf(a.stderr, "deepprune: interrupted; --resume goes on\n")
		return errInterrupted
	case failed > 0:
		return fmt.Errorf("%s could not be run", figures.Plural(failed, "question", "questions"))
	}
	return nil
}

// sampleResult is a group or why there is none.
type sampleResult struct {
	res *engine.Result
	err error
}

func sampleOne(ctx context.Context, e runner, req engine.Request) sampleResult {
	g, err := e.Submit(ctx, req)
	if err != nil {
		return sampleResult{err: err}
	}
	res, err := g.Wait()
	return sampleResult{res, err}
}

// sampled is what is stored of a group.
func (f *sampleFlags) sampled(q *eval.Question, r *engine.Result, text func([]int32) string) *eval.Sampled {
	s := &eval.Sampled{Question: *q, Seed: r.Seed, Traces: make([]eval.SampledTrace, len(r.Traces))}
	checkpoint := prune.Checkpoint{Tokens: f.prefixTokens, Words: f.prefixWords}
	for i, t := range r.Traces {
		st := eval.SampledTrace{
			Index: t.Index, Prefix: t.Text, Answer: eval.JSONText(t.Answer), Tokens: t.Tokens, State: eval.StateName{State: t.State},
		}
		st.PrefixTokens = eval.PrefixLength(t.TokenIDs, checkpoint, text)
		if st.PrefixTokens < len(t.TokenIDs) {
			st.Prefix = text(t.TokenIDs[:st.PrefixTokens])
		}
		if f.full {
			st.Text = t.Text
		}
		s.Traces[i] = st
	}
	return s
}

// readDataset reads the first questions of a file, all of them if limit is 0.
func readDataset(path string, limit int, seed uint64) ([]eval.Question, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, named("--dataset", err)
	}
	defer file.Close()
	questions, err := eval.ReadQuestions(file, path, seed)
	if limit > 0 && limit < len(questions) {
		questions = questions[:limit]
	}
	return questions, err
}

// sampledFile is the file of stored traces that is written.
type sampledFile struct {
	file *os.File
	done map[string]bool // by id of question
}

// openSampled creates the file or, to resume, reads it and goes on at its end.
func openSampled(f *sampleFlags) (*sampledFile, error) {
	flag := os.O_RDWR | os.O_CREATE | os.O_TRUNC
	if f.resume {
		flag = os.O_RDWR | os.O_CREATE
	}
	file, err := os.OpenFile(f.out, flag, 0o644)
	if err != nil {
		return nil, named("--out", err)
	}
	s := &sampledFile{file: file, done: make(map[string]bool)}
	if err := s.read(f); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return s, nil
}

// read takes in what the file holds. A last line that was cut is dropped.
func (s *sampledFile) read(f *sampleFlags) error {
	whole, err := wholeLines(s.file)
	if err != nil {
		return named("--out", err)
	}
	err = eval.ReadSampled(io.NewSectionReader(s.file, 0, whole), f.out, func(q *eval.Sampled) error {
		switch {
		case len(q.Traces) != f.traces:
			return fmt.Errorf("question %s has %d traces, not %d", q.ID, len(q.Traces), f.traces)
		case q.Seed != q.Question.Seed(f.seed):
			return fmt.Errorf("question %s was sampled with another seed", q.ID)
		}
		s.done[q.ID] = true
		return nil
	})
	if err != nil {
		return named("--resume", err)
	}
	if err := s.file.Truncate(whole); err != nil {
		return named("--out", err)
	}
	_, err = s.file.Seek(whole, io.SeekStart)
	return named("--out", err)
}

// missing are the questions that the file does not hold.
func (s *sampledFile) missing(questions []eval.Question) []eval.Question {
	var todo []eval.Question
	for _, q := range questions {
		if !s.done[q.ID] {
			todo = append(todo, q)
		}
	}
	return todo
}

// wholeLines is the length of a file up to the end of its last whole line.
func wholeLines(file *os.File) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 1<<16)
	for end := info.Size(); end > 0; {
		from := max(0, end-int64(len(buf)))
		n, err := file.ReadAt(buf[:end-from], from)
		if err != nil && err != io.EOF {
			return 0, err
		}
		for i := n - 1; i >= 0; i-- {
			if buf[i] == '\n' {
				return from + int64(i) + 1, nil
			}
		}
		end = from
	}
	return 0, nil
}
