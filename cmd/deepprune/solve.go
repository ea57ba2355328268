package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"deepprune/cmd/deepprune/live"
	"deepprune/engine"
	"deepprune/prune"
)

// maxQuestion bounds the question read from standard input, in bytes.
const maxQuestion = 1 << 20

// eventBuffer is how many events a view may fall behind: a second or so.
const eventBuffer = 1 << 16

// solveFlags are the flags of solve.
type solveFlags struct {
	engineFlags
	requestFlags
	timeout time.Duration
	journal string
	json    bool
	plain   bool
}

func (a *app) solveCommand() *cobra.Command {
	var f solveFlags
	cmd := &cobra.Command{
		Use:   "solve [flags] QUESTION",
		Short: "Answer one question",
		Long: `Answer one question with many traces, pruned while they run.

On a terminal the traces are drawn as they grow; else, or with --plain, the run is
told in a few lines. The question "-" is read from standard input. The first
interrupt ends the run with the best vote so far, a second one kills it.`,
		Example: `  deepprune solve "Mia makes 12 cookies a day for 4 days. She loses 30 of them. How many cookies does Mia have now?"
  deepprune solve --policy none -k 16 "(17 + 5) * 3 - 8"
  echo "(17 + 5) * 3" | deepprune solve --json -`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.solve(&f, cmd.Flags().Changed, args)
		},
	}
	flags := cmd.Flags()
	f.requestFlags.add(flags)
	flags.Uint64Var(&f.seed, "seed", 1, "seed of all random draws")
	f.engineFlags.add(flags)
	flags.DurationVar(&f.timeout, "timeout", 0, "end with the best vote so far after this long, as 30s")
	flags.StringVar(&f.journal, "journal", "", "write every step and decision to this `file`, as JSON lines")
	flags.BoolVar(&f.json, "json", false, "print the result as one JSON object")
	flags.BoolVar(&f.plain, "plain", false, "no live view, no colours")
	cmd.MarkFlagsMutuallyExclusive("json", "plain")
	return cmd
}

func (a *app) solve(f *solveFlags, changed func(string) bool, args []string) (err error) {
	if f.timeout < 0 {
		return usagef("--timeout: %v is negative", f.timeout)
	}
	if err := f.engineFlags.check(); err != nil {
		return err
	}
	req, err := f.request(changed)
	if err != nil {
		return err
	}
	if req.Question, err = a.question(args); err != nil {
		return err
	}
	if req.Policy.NeedsJudge() && f.judge == "none" {
		return usagef("--policy %s needs a judge, and --judge is none", req.Policy.Name())
	}

	var journal io.Writer
	if f.journal != "" {
		file, err := os.Create(f.journal)
		if err != nil {
			return fmt.Errorf("--journal: %w", err)
		}
		buffered := bufio.NewWriterSize(file, 1<<16)
		defer func() {
			err = errors.Join(err, named("--journal", errors.Join(buffered.Flush(), file.Close())))
		}()
		journal = buffered
	}
	p, err := a.open(&f.engineFlags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if req.Policy, err = f.policy(p.Describe().Defaults); err != nil {
		return err
	}
	e, err := p.Engine(journal)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()

	// While models were loaded, an interrupt ended the process at once.
	signals, stop := a.interrupts()
	defer stop()
	ctx := context.Background()
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	if !f.json {
		req.EventBuffer = eventBuffer
	}
	g, err := e.Submit(ctx, req)
	if err != nil {
		return err
	}
	restore := func() {}
	screen := a.screen()
	if f.json || f.plain {
		screen = nil
	}
	if screen != nil {
		restore = live.Quiet(screen)
		defer restore()
	}
	var interrupted atomic.Bool
	finished := make(chan struct{})
	defer close(finished)
	go a.cancelOnInterrupt(g, signals, finished, &interrupted, func() {
		restore()
		if screen != nil {
			fmt.Fprint(screen, "\x1b[?25h\n") // the view hides the cursor
		}
	})

	res, err := a.follow(f, screen, req, p, e, g)
	if res == nil {
		return err
	}
	if interrupted.Load() && errors.Is(err, engine.ErrCancelled) {
		err = errInterrupted
	}
	return err
}

// follow shows a group in the way the flags ask for, on a screen if there is one,
// until it is done and its result is printed. The result is nil if there is none.
func (a *app) follow(f *solveFlags, screen *os.File, req engine.Request, p pair, e runner, g group) (*engine.Result, error) {
	if f.json {
		res, err := g.Wait()
		if res == nil {
			return nil, err
		}
		return res, errors.Join(err, a.printJSON(res))
	}
	stats, d := e.Stats(), p.Describe()
	setup := live.Setup{
		Question: req.Question, Policy: req.Policy.Name(), Traces: req.Traces, Seed: req.Seed,
		Device:    strings.TrimSpace(d.Device.Kind + " " + d.Device.Kernels),
		Threshold: cmp.Or(f.options(d.Defaults).Threshold, 0.5),
		KVBytes:   stats.CapacityBytes, BlockBytes: stats.Reasoner.BlockBytes, JudgeBlockBytes: stats.Judge.BlockBytes,
	}
	if screen == nil {
		out := plainText(a.stdout)
		narrate(out, live.NewBoard(setup), g.Events())
		res, err := g.Wait()
		if res == nil {
			return nil, err
		}
		return res, errors.Join(err, summarise(out, res, plainWidth, nil))
	}
	setup.Text = p.Text
	setup.Answer = func(text string) string {
		answer, _ := prune.Extract(text)
		return answer
	}
	board := live.NewBoard(setup)
	res, err := live.Watch(board, g.Events(), g.Wait, screen, a.env)
	if res == nil {
		return nil, err
	}
	width, _, sizeErr := term.GetSize(screen.Fd())
	if sizeErr != nil {
		width = plainWidth
	}
	return res, errors.Join(err, summarise(colorprofile.NewWriter(screen, a.env), res, width, board.Hue))
}

// plainText writes text without its escape codes.
func plainText(w io.Writer) io.Writer {
	return &colorprofile.Writer{Forward: w, Profile: colorprofile.NoTTY}
}

// printJSON prints a value as one object on one line.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	return named("standard output", enc.Encode(v))
}

// cancelOnInterrupt ends the group at the first signal and the program, after
// cleanUp, at the second.
func (a *app) cancelOnInterrupt(g group, signals <-chan os.Signal, finished <-chan struct{}, interrupted *atomic.Bool, cleanUp func()) {
	for {
		select {
		case <-finished:
			return
		case <-signals:
		}
		if interrupted.Swap(true) {
			cleanUp()
			a.exit(exitInterrupted)
		}
		g.Cancel()
	}
}

// screen is standard output if it is a terminal that can be drawn on, else nil.
func (a *app) screen() *os.File {
	f, ok := a.stdout.(*os.File)
	if !ok || !term.IsTerminal(f.Fd()) || colorprofile.Detect(f, a.env) == colorprofile.NoTTY {
		return nil
	}
	return f
}

// question is the question of the arguments, or of standard input for "-".
func (a *app) question(args []string) (string, error) {
	q := strings.Join(args, " ")
	if q == "-" {
		text, err := io.ReadAll(io.LimitReader(a.stdin, maxQuestion+1))
		if err != nil {
			return "", fmt.Errorf("reading the question from standard input: %w", err)
		}
		if len(text) > maxQuestion {
			return "", usagef("the question on standard input is longer than %d bytes", maxQuestion)
		}
		q = string(text)
	}
	if q = strings.TrimSpace(q); q == "" {
		return "", usagef("the question is empty")
	}
	return q, nil
}

// named puts what an error is about before it.
func named(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
