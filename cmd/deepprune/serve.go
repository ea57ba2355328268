package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/spf13/cobra"

	"deepprune/engine"
	"deepprune/server"
)

// serveFlags are the flags of serve.
type serveFlags struct {
	engineFlags
	host string
	port int
	opt  server.Options
}

func (a *app) serveCommand() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve [flags]",
		Short: "Answer requests over HTTP: OpenAI's API, groups, metrics, a dashboard",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.serve(&f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.host, "host", "127.0.0.1", "`address` to listen on")
	flags.IntVar(&f.port, "port", 8080, "port to listen on; 0 for a free one")
	f.engineFlags.add(flags)
	flags.DurationVar(&f.opt.DrainTimeout, "drain-timeout", 0, "how long requests may take to finish after SIGTERM")
	return cmd
}

func (a *app) serve(f *serveFlags) (err error) {
	if err := f.engineFlags.check(); err != nil {
		return err
	}
	if f.port < 0 || f.port > 65535 {
		return usagef("--port: %d is not between 0 and 65535", f.port)
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(f.host, strconv.Itoa(f.port)))
	if err != nil {
		return fmt.Errorf("--host, --port: %w", err)
	}
	signals, stop := a.interrupts()
	defer stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	fmt.Fprintf(a.stderr, "listening on http://%s\n", ln.Addr())
	var m *models
	var e *engine.Engine
	defer func() {
		if e != nil {
			err = errors.Join(err, e.Close())
		}
		if m != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	return server.Serve(ctx, ln, f.opt, func(context.Context) (*server.Server, error) {
		var err error
		if m, err = openModels(&f.engineFlags); err != nil {
			return nil, err
		}
		if e, err = m.newEngine(nil); err != nil {
			return nil, err
		}
		f.opt.Defaults = m.Defaults
		return server.New(e, m.reasoner, f.opt)
	})
}
