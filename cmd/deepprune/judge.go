package main

import "github.com/spf13/cobra"

// judgeCommand is the parent of what concerns the judge's training and quality.
func (a *app) judgeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "judge",
		Short: "Sample traces, make pairs to train a judge on, measure a judge",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.sampleCommand(), a.pairsCommand(), a.judgeEvalCommand())
	return cmd
}
