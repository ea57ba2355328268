package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// execute carries out a command line. Everything that goes wrong before a
// command's own code runs is a mistake in the command line.
func (a *app) execute(args []string) error {
	cmd, err := a.root(args).ExecuteC()
	if err != nil && !a.running {
		err = usagef("%w (see %s --help)", err, cmd.CommandPath())
	}
	return err
}

// root builds the command tree.
func (a *app) root(args []string) *cobra.Command {
	root := &cobra.Command{
		Use:   "deepprune",
		Short: "Answer a question with many reasoning traces, pruned while they run",
		Long: `deepprune decodes many reasoning traces of one question in one batch, has a small
judge predict from the unfinished traces which will end in the same answer, and
stops the redundant ones while they run.`,
		Example: `  deepprune solve "Mia makes 12 cookies a day for 4 days. She loses 30 of them. How many cookies does Mia have now?"
  deepprune bench --questions questions.jsonl
  deepprune info`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q", args[0])
			}
			return cmd.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetVersionTemplate("deepprune {{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(a.solveCommand(), a.serveCommand(), a.benchCommand(), a.infoCommand(), a.judgeCommand(), a.evalCommand(), a.replayCommand())
	a.mark(root.Commands())
	return root
}

// mark makes commands, and those below them, tell when their own code begins.
func (a *app) mark(commands []*cobra.Command) {
	for _, cmd := range commands {
		cmd.Flags().SortFlags = false
		if run := cmd.RunE; run != nil {
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				a.running = true
				return run(cmd, args)
			}
		}
		a.mark(cmd.Commands())
	}
}
