package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"deepprune/cmd/deepprune/figures"
	"deepprune/engine"
	"deepprune/eval"
)

// pairsFlags are the flags of judge pairs.
type pairsFlags struct {
	traces, out, heldOut string
	share                float64
	format, spec         string
	words, limit         int
	seed                 uint64
	eval.Balance
}

func (a *app) pairsCommand() *cobra.Command {
	var f pairsFlags
	cmd := &cobra.Command{
		Use:   "pairs [flags]",
		Short: "Make labelled pairs of stored traces, to train a judge on",
		Long: `Make pairs of the traces of each question: their prefixes, and whether they ended in
the same answer. Traces without an answer are left out.

--format pairs writes {"id", "question", "a", "b", "same"}, which the recipe in
training/ reads; --format messages writes {"messages": [...]}, a question to the
judge and the word it shall answer with, which the usual fine-tuning tools read. The
words are those of --spec: keep the file as judge.json beside the trained weights,
with what the chat template puts around a message added to head and tail.

With --held-out the questions are split: a share of them, drawn at random, goes to a
second file, without any balancing.`,
		Example: `  deepprune judge pairs --traces traces.jsonl --out pairs.jsonl --repeat 2
  deepprune judge pairs --traces traces.jsonl --format messages --out train.jsonl --held-out dev.jsonl --share 0.1`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.pairs(&f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.traces, "traces", "", "`file` that judge sample wrote")
	flags.StringVar(&f.out, "out", "", "`file` to write")
	flags.StringVar(&f.heldOut, "held-out", "", "`file` for the questions that are kept apart")
	flags.Float64Var(&f.share, "share", 0.1, "share of the questions that is kept apart")
	flags.StringVar(&f.format, "format", "pairs", "`format`: pairs or messages")
	flags.StringVar(&f.spec, "spec", "", "judge.json `file` with the words of messages (default: plain words)")
	flags.IntVar(&f.words, "prefix-words", 0, "cut prefixes anew at this reasoning word, from traces stored with --full")
	flags.IntVar(&f.Most, "most", 0, "no more than this many pairs of a question, drawn at random; 0 for all")
	flags.Float64Var(&f.SamePerDifferent, "same-per-different", 0, "no more than this many pairs with the same answer for each with different ones; 0 for all")
	flags.IntVar(&f.Repeat, "repeat", 1, "write each pair with different answers so many times (oversampling)")
	flags.IntVar(&f.limit, "limit", 0, "no more than this many questions; 0 for all")
	flags.Uint64Var(&f.seed, "seed", 1, "seed of all random draws")
	cmd.MarkFlagRequired("traces")
	cmd.MarkFlagRequired("out")
	return cmd
}

func (f *pairsFlags) check() error {
	switch {
	case f.format != "pairs" && f.format != "messages":
		return usagef("--format: %q is not pairs or messages", f.format)
	case f.spec != "" && f.format != "messages":
		return usagef("--spec is for --format messages")
	case !(f.share > 0 && f.share < 1):
		return usagef("--share: %v is not between 0 and 1", f.share)
	case f.Most < 0 || f.limit < 0 || f.words < 0:
		return usagef("--most, --limit, --prefix-words: negative")
	case !(f.SamePerDifferent >= 0):
		return usagef("--same-per-different: %v is negative", f.SamePerDifferent)
	case f.Repeat < 1:
		return usagef("--repeat: %d is not at least 1", f.Repeat)
	case f.out == f.heldOut:
		return usagef("--held-out is the same file as --out")
	}
	return nil
}

func (a *app) pairs(f *pairsFlags) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	spec := engine.DefaultJudgeSpec()
	if f.spec != "" {
		data, err := os.ReadFile(f.spec)
		if err == nil {
			spec = engine.JudgeSpec{}
			err = json.Unmarshal(data, &spec)
		}
		if err != nil {
			return named("--spec", err)
		}
	}
	cut := func(t *eval.SampledTrace) string { return t.Prefix }
	if f.words > 0 {
		cut = func(t *eval.SampledTrace) string { return eval.CutWords(t.Text, f.words) }
	}
	traces, err := readTraces(f.traces, f.limit, func(s *eval.Sampled) error { return needTexts(s, f.words > 0, "--prefix-words") })
	if err != nil {
		return err
	}
	var files [2]*pairsFile // training, held out
	defer func() {
		for _, file := range files {
			err = errors.Join(err, file.close())
		}
	}()
	if files[0], err = createPairs("--out", f.out); err != nil {
		return err
	}
	if f.heldOut != "" {
		if files[1], err = createPairs("--held-out", f.heldOut); err != nil {
			return err
		}
	}
	for i, s := range traces {
		file, balance := files[0], f.Balance
		if files[1] != nil && s.InShare(f.share, f.seed) {
			file, balance = files[1], eval.Balance{Most: f.Most}
		}
		for _, p := range balance.TrainingPairs(s, i, f.seed, cut) {
			if err := file.write(f.line(spec, s, p), p.Same); err != nil {
				return err
			}
		}
		file.questions++
	}
	for _, file := range files {
		if file != nil {
			fmt.Fprintf(a.stderr, "%s: %s of %s, %s with the same answer\n", file.name, figures.Plural(file.pairs, "pair", "pairs"),
				figures.Plural(file.questions, "question", "questions"), figures.Count(file.same))
		}
	}
	return nil
}

// line is a pair in the format of the flags.
func (f *pairsFlags) line(spec engine.JudgeSpec, s *eval.Sampled, p eval.Pair) any {
	if f.format == "pairs" {
		return eval.StoredPair{ID: s.ID, Question: s.Question.Text, A: p.A, B: p.B, Same: p.Same}
	}
	word := spec.Different
	if p.Same {
		word = spec.Same
	}
	return eval.Instruction{Messages: []eval.Message{
		{Role: "user", Content: spec.Head + p.A + spec.Mid + p.B + spec.Tail},
		{Role: "assistant", Content: strings.TrimSpace(word)},
	}}
}

// pairsFile is a file of pairs that is being written.
type pairsFile struct {
	name, flag             string
	file                   *os.File
	w                      *bufio.Writer
	questions, pairs, same int
}

func createPairs(flag, name string) (*pairsFile, error) {
	file, err := os.Create(name)
	if err != nil {
		return nil, named(flag, err)
	}
	return &pairsFile{name: name, flag: flag, file: file, w: bufio.NewWriter(file)}, nil
}

func (p *pairsFile) write(line any, same bool) error {
	p.pairs++
	if same {
		p.same++
	}
	return named(p.flag, eval.WriteJSON(p.w, line))
}

// close may be called on nil.
func (p *pairsFile) close() error {
	if p == nil {
		return nil
	}
	return named(p.flag, errors.Join(p.w.Flush(), p.file.Close()))
}
