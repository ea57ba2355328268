package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"deepprune/engine"
	"deepprune/server"
	"deepprune/server/spans"
)

func (a *app) serveCommand() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve [flags]",
		Short: "Answer requests over HTTP: OpenAI's API, groups, metrics, a dashboard",
		Long: `Answer requests over HTTP: OpenAI's API, groups of traces, metrics, a dashboard.

Every flag can be set by an environment variable (--max-traces by
DEEPPRUNE_MAX_TRACES) and in a file (--config) as well; the command line wins over
the environment, and that over the file. One API key more may be in
DEEPPRUNE_API_KEY.

SIGTERM or an interrupt drains: /ready answers no, requests finish. A second one
ends the program at once. SIGHUP reads API keys and certificate again.`,
		Example: `  deepprune serve --port 8080
  deepprune serve --config /etc/deepprune.yaml --print-config
  curl localhost:8080/v1/models`,
		Args: cobra.NoArgs,
	}
	f.add(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s := &settings{flags: cmd.Flags(), env: a.env}
		if err := s.fill(cmp.Or(f.config, lookup(a.env, variable("config")))); err != nil {
			return err
		}
		if err := f.check(); err != nil {
			return err
		}
		if f.printConfig {
			return s.print(a.stdout)
		}
		return a.serve(&f)
	}
	return cmd
}

// serve listens, loads and answers until a signal asks it to end.
func (a *app) serve(f *serveFlags) (err error) {
	log, err := a.logger(f)
	if err != nil {
		return err
	}
	f.limits.Body, f.limits.Header = int64(f.maxBody), int(f.maxHeader)
	opt := server.Options{
		Name: f.name, Limits: f.limits, Origins: f.origins, SpanShare: f.spansShare,
		DrainDelay: f.drainDelay, DrainTimeout: f.drainTimeout, Log: log,
	}
	keys, err := a.apiKeys(f)
	if err != nil {
		return err
	}
	if keys != nil {
		opt.Keys = server.NewKeys(keys)
	}
	if f.certFile != "" {
		if opt.TLS, err = server.NewCertificate(f.certFile, f.keyFile, log); err != nil {
			return named("--tls-cert, --tls-key", err)
		}
	}
	if opt.Spans, err = a.exporter(f, log); err != nil {
		return err
	}
	defer closeSpans(opt.Spans, log)

	ln, err := net.Listen("tcp", net.JoinHostPort(f.host, strconv.Itoa(f.port)))
	if err != nil {
		return named("--host, --port", err)
	}
	opt.Hosts = allowedHosts(f.hosts, ln.Addr())
	scheme := "http"
	if opt.TLS != nil {
		scheme = "https"
	}
	log.Info("listening", "url", scheme+"://"+ln.Addr().String(), "version", version())
	ctx, stop := a.untilSignal(log)
	defer stop()
	stopReloading := onHangup(func() { a.reload(f, opt.Keys, opt.TLS, log) })
	defer stopReloading()

	var closers []io.Closer // in order of making
	defer func() {
		for _, c := range slices.Backward(closers) {
			err = errors.Join(err, c.Close())
		}
	}()
	err = server.Serve(ctx, ln, opt, func(context.Context) (*server.Server, error) {
		eopt := engine.Options{MaxWaiting: f.maxWaiting}
		if f.journal != "" {
			file, err := os.Create(f.journal)
			if err != nil {
				return nil, named("--journal", err)
			}
			closers = append(closers, file)
			eopt.Journal = file
		}
		m, err := openModels(&f.engineFlags)
		if err != nil {
			return nil, err
		}
		closers = append(closers, m)
		e, err := m.newEngine(eopt)
		if err != nil {
			return nil, err
		}
		closers = append(closers, e)
		opt.Defaults = m.Defaults
		s, err := server.New(e, m.reasoner, opt)
		if err == nil {
			log.Info("ready", "model", m.Reasoner.Name, "device", m.Device.Name)
		}
		return s, err
	})
	if err == nil {
		log.Info("stopped")
	}
	return err
}

// logger makes the log that the flags ask for.
func (a *app) logger(f *serveFlags) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return nil, usagef("--log-level: %q is not debug, info, warn or error", f.logLevel)
	}
	opt := &slog.HandlerOptions{Level: level}
	if f.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(a.stderr, opt)), nil
	}
	return slog.New(slog.NewTextHandler(a.stderr, opt)), nil
}

// apiKeyVariable holds one API key. No flag does: command lines can be read by all.
const apiKeyVariable = environmentPrefix + "API_KEY"

// apiKeys reads the API keys of the file and of the environment; nil for none.
func (a *app) apiKeys(f *serveFlags) ([]server.Key, error) {
	var keys []server.Key
	if f.keysFile != "" {
		file, err := os.Open(f.keysFile)
		if err != nil {
			return nil, named("--api-keys", err)
		}
		defer file.Close()
		if keys, err = server.ReadKeys(file); err != nil {
			return nil, fmt.Errorf("--api-keys: %s: %w", f.keysFile, err)
		}
	}
	if secret := lookup(a.env, apiKeyVariable); secret != "" {
		more, err := server.ReadKeys(strings.NewReader("environment " + secret))
		if err != nil {
			return nil, usagef("environment: %s: the key is not 16 to 512 printable characters without spaces", apiKeyVariable)
		}
		keys = append(keys, more...)
	}
	return keys, nil
}

// reload reads again what may change while the server runs. What is wrong with it
// is logged, and all stays as it was.
func (a *app) reload(f *serveFlags, keys *server.Keys, cert *server.Certificate, log *slog.Logger) {
	if keys != nil {
		if list, err := a.apiKeys(f); err != nil {
			log.Error("API keys not read again", "error", err)
		} else {
			keys.Replace(list)
			log.Info("API keys read again", "keys", len(list))
		}
	}
	if cert != nil {
		if err := cert.Reload(); err != nil {
			log.Error("certificate not read again", "error", err)
		} else {
			log.Info("certificate read again")
		}
	}
}

// exporter makes what sends spans; nil if nobody wants any.
func (a *app) exporter(f *serveFlags, log *slog.Logger) (*spans.Exporter, error) {
	opt, err := spans.FromEnvironment(func(name string) string { return lookup(a.env, name) }, "deepprune")
	if err != nil {
		return nil, usagef("environment: %w", err)
	}
	if f.spansEndpoint != "" {
		opt.Endpoint = strings.TrimSuffix(f.spansEndpoint, "/") + "/v1/traces"
	}
	if opt.Endpoint == "" {
		return nil, nil
	}
	opt.Resource = append(opt.Resource, spans.Attribute{Key: "service.version", Value: version()})
	opt.OnError = func(err error) { log.Warn("spans not sent", "error", err) }
	x, err := spans.NewExporter(opt)
	if err != nil {
		return nil, usagef("--otlp-endpoint: %w", err)
	}
	return x, nil
}

// closeSpans sends the last spans, if somebody takes them soon.
func closeSpans(x *spans.Exporter, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := x.Close(ctx); err != nil {
		log.Warn("spans not sent", "error", err)
	}
}

// allowedHosts are the names to answer to, nil for all. On a loopback address that
// is localhost unless others are given: whoever asks by another name is a page that
// has its own name lead here.
func allowedHosts(given []string, addr net.Addr) []string {
	if len(given) > 0 {
		if slices.Contains(given, "*") {
			return nil
		}
		return given
	}
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		return []string{"localhost"}
	}
	return nil
}

// untilSignal gives a context that ends with the first signal to stop. The second
// ends the program; log, if it is not nil, is told.
func (a *app) untilSignal(log *slog.Logger) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals, unregister := a.interrupts()
	done := make(chan struct{})
	go func() {
		for n := 1; ; n++ {
			select {
			case s := <-signals:
				if n > 1 {
					if log != nil {
						log.Warn("stopped at once", "signal", s.String())
					}
					a.exit(exitInterrupted)
				}
				cancel()
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		unregister()
		close(done)
		cancel()
	}
}

// onHangup calls f at every SIGHUP, where there is such a signal, until stop.
func onHangup(f func()) (stop func()) {
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		for {
			select {
			case <-signals:
				f()
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}
