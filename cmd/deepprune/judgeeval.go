package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"deepprune/engine"
	"deepprune/eval"
)

// judgeEvalFlags are the flags of judge eval.
type judgeEvalFlags struct {
	engineFlags
	traces, pairs string
	scores        string
	tokens, words []int
	most, limit   int
	questionOnly  bool
	seed          uint64
	json          bool
}

func (a *app) judgeEvalCommand() *cobra.Command {
	var f judgeEvalFlags
	cmd := &cobra.Command{
		Use:   "eval [flags]",
		Short: "Measure a judge on stored traces or pairs",
		Long: `Score pairs of prefixes with a judge, in the words in which the engine asks it, and
say how well the scores tell pairs that end in the same answer from the others:
pooled over all pairs, and within each question, which is what counts when one
question is being answered. Traces without an answer are left out.

AUROC is the probability that a pair with the same answer scores higher than one
with different answers. TNR at FNR .2 is the share of pairs with different answers
that are recognised when a fifth of the others are missed. ECE is the expected
calibration error.`,
		Example: `  deepprune judge eval --traces traces.jsonl --judge DIR
  deepprune judge eval --traces full.jsonl --prefix-tokens 20,40,80 --most 200 --json
  deepprune judge eval --pairs pairs.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.judgeEval(&f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.traces, "traces", "", "`file` that judge sample wrote")
	flags.StringVar(&f.pairs, "pairs", "", "`file` of JSON lines {\"question\", \"a\", \"b\", \"same\"}, instead")
	flags.StringVar(&f.judge, "judge", "embedded", "judge: a checkpoint `folder`, or embedded")
	flags.IntSliceVar(&f.tokens, "prefix-tokens", nil, "cut prefixes anew after so many tokens of the judge, from traces stored with --full")
	flags.IntSliceVar(&f.words, "prefix-words", nil, "and at so many reasoning words")
	flags.IntVar(&f.most, "most", 0, "score no more than this many pairs of a question, drawn at random; 0 for all")
	flags.IntVar(&f.limit, "limit", 0, "no more than this many questions; 0 for all")
	flags.BoolVar(&f.questionOnly, "question-only", false, "show the judge the question in place of both prefixes: for one that was trained so")
	flags.Uint64Var(&f.seed, "seed", 1, "seed of drawn pairs and of the intervals")
	flags.StringVar(&f.scores, "scores", "", "`file` to write every pair with its score to")
	f.addJudgeDType(flags)
	f.addDevice(flags)
	f.kvMemory, f.slots, f.model = 64<<20, 1, "none"
	flags.BoolVar(&f.json, "json", false, "print one JSON object instead of the table")
	cmd.MarkFlagsMutuallyExclusive("traces", "pairs")
	cmd.MarkFlagsOneRequired("traces", "pairs")
	return cmd
}

func (f *judgeEvalFlags) check() error {
	for _, n := range append(append([]int{f.most, f.limit}, f.tokens...), f.words...) {
		if n < 0 {
			return usagef("%d is negative", n)
		}
	}
	switch {
	case f.judge == "none":
		return usagef("--judge none: there is nothing to measure")
	case f.pairs != "" && len(f.tokens)+len(f.words) > 0:
		return usagef("--prefix-tokens and --prefix-words need --traces: pairs are cut already")
	}
	return f.engineFlags.check()
}

// cutting is a way to cut prefixes.
type cutting struct {
	name string
	of   func(*eval.SampledTrace) string
}

// cuttings are those the flags ask for.
func (f *judgeEvalFlags) cuttings(s scorer) []cutting {
	var list []cutting
	for _, n := range f.tokens {
		list = append(list, cutting{fmt.Sprintf("of %d tokens", n), func(t *eval.SampledTrace) string { return s.Cut(t.Text, n) }})
	}
	for _, n := range f.words {
		list = append(list, cutting{fmt.Sprintf("of %d reasoning words", n), func(t *eval.SampledTrace) string { return eval.CutWords(t.Text, n) }})
	}
	if list == nil {
		list = []cutting{{"as stored", func(t *eval.SampledTrace) string { return t.Prefix }}}
	}
	return list
}

func (a *app) judgeEval(f *judgeEvalFlags) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	var (
		traces    []*eval.Sampled
		pairs     []eval.Pair
		questions []string
	)
	if f.traces != "" {
		recut := len(f.tokens)+len(f.words) > 0
		traces, err = readTraces(f.traces, f.limit, func(s *eval.Sampled) error {
			return needTexts(s, recut, "--prefix-tokens or --prefix-words")
		})
		for _, s := range traces {
			questions = append(questions, s.Question.Text)
		}
	} else {
		pairs, questions, err = f.readPairs()
	}
	if err != nil {
		return err
	}
	s, err := a.openScorer(&f.engineFlags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var scored *scoresFile
	if f.scores != "" {
		if scored, err = createScores(f.scores); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, scored.close()) }()
	}
	report := &eval.JudgeReport{Schema: 1, Judge: s.Name(), Source: f.traces + f.pairs, Questions: len(questions)}
	cuttings := f.cuttings(s)
	if f.pairs != "" {
		cuttings[0].name = "as they are"
	}
	for _, cut := range cuttings {
		shown, giveaways := 0, 0
		if f.traces != "" {
			pairs = pairs[:0]
			for i, q := range traces {
				pairs = eval.AppendPairs(pairs, q, i, f.most, f.seed, cut.of)
				for j := range q.Traces {
					if t := &q.Traces[j]; t.Answer != "" {
						shown++
						if eval.Stands(string(t.Answer), cut.of(t)) {
							giveaways++
						}
					}
				}
			}
		}
		if len(pairs) == 0 {
			return fmt.Errorf("%s: no question has two traces with an answer", f.traces)
		}
		scores, err := a.scorePairs(s, pairs, f.questionOnly, questions)
		if err != nil {
			return err
		}
		if err := scored.write(cut.name, pairs, questions, scores); err != nil {
			return err
		}
		p := eval.NewPrefixReport(cut.name, pairs, scores, s.Threshold(), f.seed)
		if shown > 0 {
			p.Giveaway = eval.Figure(float64(giveaways) / float64(shown))
		}
		report.Prefixes = append(report.Prefixes, p)
	}
	if f.json {
		return a.printJSON(report)
	}
	return report.Table(a.stdout)
}

// scoreBatch is how many pairs are scored between two looks at the clock.
const scoreBatch = 512

// scorePairs scores pairs with progress.
func (a *app) scorePairs(s scorer, pairs []eval.Pair, questionOnly bool, questions []string) ([]float64, error) {
	signals, stop := a.interrupts()
	defer stop()
	asked := make([]engine.Pair, len(pairs))
	for i, p := range pairs {
		asked[i] = engine.Pair{Keeper: p.A, Trace: p.B}
		if questionOnly {
			asked[i] = engine.Pair{Keeper: questions[p.Question], Trace: questions[p.Question]}
		}
	}
	scores := make([]float64, len(pairs))
	m := a.newMeter("pair", len(pairs))
	for i := 0; i < len(pairs); i += scoreBatch {
		select {
		case <-signals:
			return nil, errInterrupted
		default:
		}
		end := min(i+scoreBatch, len(pairs))
		if err := s.Score(scores[i:end], asked[i:end]); err != nil {
			return nil, err
		}
		m.show(end, "")
	}
	return scores, nil
}

// scoresFile is a file of pairs with their scores that is being written. Nothing is
// written to a nil one.
type scoresFile struct {
	file *os.File
	w    *bufio.Writer
}

// scoredPair is a line of it.
type scoredPair struct {
	Prefixes string `json:"prefixes"` // how they were cut, as the table says it
	eval.StoredPair
	Score float64 `json:"score"`
}

func createScores(name string) (*scoresFile, error) {
	file, err := os.Create(name)
	if err != nil {
		return nil, named("--scores", err)
	}
	return &scoresFile{file, bufio.NewWriter(file)}, nil
}

func (s *scoresFile) write(prefixes string, pairs []eval.Pair, questions []string, scores []float64) error {
	if s == nil {
		return nil
	}
	for i, p := range pairs {
		line := scoredPair{prefixes, eval.StoredPair{Question: questions[p.Question], A: p.A, B: p.B, Same: p.Same}, scores[i]}
		if err := eval.WriteJSON(s.w, line); err != nil {
			return named("--scores", err)
		}
	}
	return nil
}

func (s *scoresFile) close() error {
	return named("--scores", errors.Join(s.w.Flush(), s.file.Close()))
}

// needTexts refuses a question whose whole texts are not stored, if a flag needs
// them.
func needTexts(s *eval.Sampled, need bool, flag string) error {
	for i := range s.Traces {
		if t := &s.Traces[i]; need && t.Text == "" && t.Tokens > 1 {
			return fmt.Errorf("question %s: the whole texts are not stored, and %s needs them (judge sample --full)", s.ID, flag)
		}
	}
	return nil
}

func (f *judgeEvalFlags) readPairs() ([]eval.Pair, []string, error) {
	file, err := os.Open(f.pairs)
	if err != nil {
		return nil, nil, named("--pairs", err)
	}
	defer file.Close()
	pairs, questions, err := eval.ReadPairs(file, f.pairs)
	if err != nil || f.limit == 0 || f.limit >= len(questions) {
		return pairs, questions, err
	}
	kept := pairs[:0]
	for _, p := range pairs {
		if p.Question < f.limit {
			kept = append(kept, p)
		}
	}
	return kept, questions[:f.limit], nil
}

// readTraces reads the first questions of a file of stored traces, all of them if
// limit is 0. check may refuse one.
func readTraces(path string, limit int, check func(*eval.Sampled) error) ([]*eval.Sampled, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, named("--traces", err)
	}
	defer file.Close()
	var list []*eval.Sampled
	enough := errors.New("enough")
	err = eval.ReadSampled(file, path, func(s *eval.Sampled) error {
		if err := check(s); err != nil {
			return err
		}
		if list = append(list, s); len(list) == limit {
			return enough
		}
		return nil
	})
	if err != nil && !errors.Is(err, enough) {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: no traces in it", path)
	}
	return list, nil
}
