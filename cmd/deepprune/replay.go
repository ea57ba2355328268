package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"deepprune/server/dashboard"
)

// replayFlags are the flags of replay.
type replayFlags struct {
	port  int
	speed float64
	model string
}

func (a *app) replayCommand() *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay [flags] FILE",
		Short: "Show a journal in the browser",
		Long: `Show a journal, as solve --journal and serve --journal write it, on the dashboard:
to watch at any speed, to pause, and to go back and forth in.

The page is served to this machine alone, at the address that is printed. Lines of
the journal that are damaged are reported and skipped. An interrupt ends it.`,
		Example: `  deepprune solve --journal run.jsonl "What is (17 + 8) * 3 - 9?"
  deepprune replay run.jsonl`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.replay(&f, args[0])
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&f.port, "port", 0, "port to listen on; 0 for a free one")
	flags.Float64Var(&f.speed, "speed", 0, "speed at which the page begins, 1 for that of the run (default: about ten seconds for a run)")
	flags.StringVar(&f.model, "model", "", "checkpoint `folder` or .gguf file that the tokens are of, for the text of traces (default: embedded, if the journal is of it)")
	return cmd
}

func (a *app) replay(f *replayFlags, name string) (err error) {
	switch {
	case f.port < 0 || f.port > 65535:
		return usagef("--port: %d is not between 0 and 65535", f.port)
	case !(f.speed >= 0 && f.speed <= 1e6):
		return usagef("--speed: %v is not between 0 and a million", f.speed)
	}
	journal, err := a.readJournal(name)
	if err != nil {
		return err
	}
	if f.model == "" && journal.Header != nil && journal.Header.Model == "embedded-reasoner" {
		f.model = "embedded"
	}
	if f.model != "" {
		p, err := a.open(&engineFlags{model: f.model, judge: "none", device: "cpu", slots: 1, kvMemory: 1 << 20})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.Close()) }()
		journal.Decode(p.Text)
	}
	ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(f.port)))
	if err != nil {
		return fmt.Errorf("--port: %w", err)
	}
	address := "http://" + ln.Addr().String() + "/"
	if f.speed > 0 {
		address += "#speed=" + strconv.FormatFloat(f.speed, 'g', -1, 64)
	}
	signals, stop := a.interrupts()
	defer stop()
	fmt.Fprintln(a.stdout, address)
	hs := &http.Server{Handler: journal.Handler(), ReadHeaderTimeout: 10 * time.Second}
	serving := make(chan error, 1)
	go func() { serving <- hs.Serve(ln) }()
	select {
	case err := <-serving:
		return fmt.Errorf("serving the page: %w", err)
	case <-signals:
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if hs.Shutdown(ctx) != nil {
		hs.Close()
	}
	return nil
}

// readJournal reads a file and reports its damaged lines, the first ones in full.
func (a *app) readJournal(name string) (*dashboard.Journal, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	const most = 10
	damaged := 0
	journal, err := dashboard.ReadJournal(file, func(err error) {
		if damaged++; damaged <= most {
			fmt.Fprintf(a.stderr, "deepprune: %s: skipped: %v\n", name, err)
		}
	})
	if damaged > most {
		fmt.Fprintf(a.stderr, "deepprune: %s: %d lines skipped in all\n", name, damaged)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return journal, nil
}
