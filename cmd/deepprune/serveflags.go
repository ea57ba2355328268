package main

import (
	"strings"
	"time"

	"github.com/spf13/pflag"

	"deepprune/server"
)

// serveFlags are the flags of serve.
type serveFlags struct {
	engineFlags
	config      string
	printConfig bool

	host, name     string
	port           int
	certFile       string
	keyFile        string
	keysFile       string
	hosts, origins []string
	maxBody        size
	maxHeader      size
	limits         server.Limits
	maxWaiting     int
	drainDelay     time.Duration
	drainTimeout   time.Duration
	logFormat      string
	logLevel       string
	spansEndpoint  string
	spansShare     float64
	journal        string
}

func (f *serveFlags) add(flags *pflag.FlagSet) {
	f.maxBody, f.maxHeader = 8<<20, 64<<10
	flags.StringVar(&f.config, "config", "", "read settings from this YAML `file`: the names of these flags, and their values")
	flags.BoolVar(&f.printConfig, "print-config", false, "print the settings as such a file, with where each is from, and end")

	flags.StringVar(&f.host, "host", "127.0.0.1", "`address` to listen on")
	flags.IntVar(&f.port, "port", 8080, "port to listen on; 0 for a free one")
	f.engineFlags.add(flags)
	flags.StringVar(&f.name, "served-model-name", "", "`name` of the model in the API (default: the checkpoint's)")

	flags.StringVar(&f.keysFile, "api-keys", "", "`file` of API keys, a name and a key on each line; read again at SIGHUP")
	flags.StringVar(&f.certFile, "tls-cert", "", "PEM `file` of the TLS certificate; read again when it changes, and at SIGHUP")
	flags.StringVar(&f.keyFile, "tls-key", "", "PEM `file` of the certificate's key")
	flags.StringSliceVar(&f.hosts, "allowed-hosts", nil, "`names` in the Host header to answer to, * for all (default: localhost on a loopback address, else all)")
	flags.StringSliceVar(&f.origins, "allowed-origins", nil, "`sites` whose pages may ask, as https://example.org, * for all (default: none)")

	flags.IntVar(&f.limits.Traces, "max-traces", 512, "most traces of a request")
	flags.IntVar(&f.limits.Tokens, "max-tokens", 0, "most generated tokens of a trace; 0 for what the context allows")
	flags.IntVar(&f.limits.Prompt, "max-prompt", 0, "most tokens of a prompt; 0 for what the context allows")
	flags.IntVar(&f.limits.Requests, "max-requests", 1024, "most requests under way; more are answered 429")
	flags.IntVar(&f.limits.Concurrency, "max-concurrency", 0, "most of them with the same API key; 0 for no bound of its own")
	flags.IntVar(&f.maxWaiting, "max-waiting", 256, "most groups that wait for their first slot; requests beyond are answered 429")
	flags.IntVar(&f.limits.Connections, "max-connections", 4096, "most open connections; more wait")
	flags.Var(&f.maxBody, "max-body", "largest body of a request")
	flags.Var(&f.maxHeader, "max-header", "largest header of a request")
	flags.DurationVar(&f.limits.Read, "read-timeout", 30*time.Second, "time for a request's header, and again for its body")
	flags.DurationVar(&f.limits.Write, "write-timeout", 30*time.Second, "time for a client to take what is written, a part of a stream say")
	flags.DurationVar(&f.limits.Idle, "idle-timeout", 2*time.Minute, "time between two requests of a connection")

	flags.DurationVar(&f.drainDelay, "drain-delay", 0, "time between /ready answering no and closing the port, for proxies to notice")
	flags.DurationVar(&f.drainTimeout, "drain-timeout", 30*time.Second, "time for requests to finish after SIGTERM; then they are cancelled")

	flags.StringVar(&f.logFormat, "log-format", "text", "text or json")
	flags.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	flags.StringVar(&f.spansEndpoint, "otlp-endpoint", "", "`URL` of an OpenTelemetry collector, as http://collector:4318 (default: OTEL_EXPORTER_OTLP_ENDPOINT)")
	flags.Float64Var(&f.spansShare, "otlp-share", 1, "share of requests to send spans of, where the caller did not decide")
	flags.StringVar(&f.journal, "journal", "", "write every step and decision to this `file`, as JSON lines")
}

func (f *serveFlags) check() error {
	if err := f.engineFlags.check(); err != nil {
		return err
	}
	for _, c := range []struct {
		flag string
		n    int64
		min  int64
	}{
		{"max-traces", int64(f.limits.Traces), 1}, {"max-tokens", int64(f.limits.Tokens), 0}, {"max-prompt", int64(f.limits.Prompt), 0},
		{"max-requests", int64(f.limits.Requests), 1}, {"max-waiting", int64(f.maxWaiting), 1}, {"max-concurrency", int64(f.limits.Concurrency), 0},
		{"max-connections", int64(f.limits.Connections), 1},
	} {
		if c.n < c.min {
			return usagef("--%s: %d is less than %d", c.flag, c.n, c.min)
		}
	}
	for _, c := range []struct {
		flag string
		d    time.Duration
		min  time.Duration
	}{
		{"read-timeout", f.limits.Read, time.Millisecond}, {"write-timeout", f.limits.Write, time.Millisecond},
		{"idle-timeout", f.limits.Idle, time.Millisecond}, {"drain-delay", f.drainDelay, 0}, {"drain-timeout", f.drainTimeout, time.Millisecond},
	} {
		if c.d < c.min {
			return usagef("--%s: %v is less than %v", c.flag, c.d, c.min)
		}
	}
	switch {
	case f.port < 0 || f.port > 65535:
		return usagef("--port: %d is not between 0 and 65535", f.port)
	case (f.certFile == "") != (f.keyFile == ""):
		return usagef("--tls-cert and --tls-key go together")
	case f.maxBody > 1<<30:
		return usagef("--max-body: %v is more than 1GiB", &f.maxBody)
	case f.maxHeader < 1<<10 || f.maxHeader > 1<<24:
		return usagef("--max-header: %v is not between 1KiB and 16MiB", &f.maxHeader)
	case f.logFormat != "text" && f.logFormat != "json":
		return usagef("--log-format: %q is not text or json", f.logFormat)
	case !(f.spansShare >= 0 && f.spansShare <= 1):
		return usagef("--otlp-share: %v is not between 0 and 1", f.spansShare)
	}
	for _, o := range f.origins {
		if o != "*" && !isOrigin(o) {
			return usagef("--allowed-origins: %q is not of the form https://example.org", o)
		}
	}
	return nil
}

// isOrigin reports whether s is what a browser sends as Origin: a scheme and a host.
func isOrigin(s string) bool {
	scheme, host, ok := strings.Cut(s, "://")
	return ok && (scheme == "http" || scheme == "https") && host != "" && !strings.ContainsAny(host, "/?# ")
}
