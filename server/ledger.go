package server

import (
	"context"
	"log/slog"
	"time"

	"deepprune/engine"
	"deepprune/prune"
	"deepprune/server/spans"
)

// ledger follows a group for those who operate the server: metrics, spans, the
// log. One goroutine uses it.
type ledger struct {
	server    *Server
	request   string        // id of the request
	span      spans.Context // of the group; its parent is the request
	parent    spans.SpanID
	group     int64
	submitted time.Time

	accepted   int64 // Nanos of the event that the times of the others are after
	held       int64 // of the first trace that waited for the judge
	lastJudged int64
}

// openLedger begins the ledger of a group that ctx's request has submitted.
func (s *Server) openLedger(ctx context.Context, g *engine.Group, submitted time.Time) *ledger {
	l := &ledger{server: s, group: g.ID(), submitted: submitted}
	if x := exchangeOf(ctx); x != nil {
		l.request, l.parent, l.span = x.id, x.span.Span, x.span.Child()
	}
	return l
}

// see takes in an event of the group.
func (l *ledger) see(ev engine.Event) {
	switch {
	case ev.Kind == engine.EventSubmitted:
		l.accepted = ev.Nanos
	case ev.Kind == engine.EventHeld && l.held == 0:
		l.held = ev.Nanos
	case ev.Kind == engine.EventJudged:
		l.lastJudged = ev.Nanos
	}
}

// end closes the ledger. r is nil if the group never ran.
func (l *ledger) end(r *engine.Result, err error) {
	l.server.metrics.ended(r, err)
	l.log(r, err)
	if l.span.Sampled {
		l.server.opt.Spans.Export(l.spans(r, err)...)
	}
}

// pruned is the number of traces that were stopped, or never started.
func pruned(r *engine.Result) (stopped, spared int) {
	for i := range r.Traces {
		switch r.Traces[i].State {
		case prune.Pruned:
			stopped++
		case prune.NotStarted:
			spared++
		}
	}
	return stopped, spared
}

func (l *ledger) log(r *engine.Result, err error) {
	log := l.server.opt.Log
	attrs := []slog.Attr{slog.Int64("group", l.group), slog.String("id", l.request), slog.String("end", finishedReason(r, err))}
	level := slog.LevelInfo
	if attrs[2].Value.String() == "error" {
		level = slog.LevelError
		attrs = append(attrs, slog.Any("error", err))
	}
	if !log.Enabled(context.Background(), level) {
		return
	}
	if r != nil {
		stopped, spared := pruned(r)
		attrs = append(attrs,
			slog.String("policy", r.Policy), slog.Int("traces", r.K), slog.Int("pruned", stopped), slog.Int("not_started", spared),
			slog.Int("prompt_tokens", r.Usage.PromptTokens), slog.Int("generated_tokens", r.Usage.GeneratedTokens),
			slog.Int("judge_tokens", r.Usage.JudgeTokens), slog.Float64("total_ms", r.Time.TotalMS))
	}
	log.LogAttrs(context.Background(), level, "group", attrs...)
}

// spans are the group's own and those of its parts.
func (l *ledger) spans(r *engine.Result, err error) []spans.Span {
	group := spans.Span{
		Context: l.span, Parent: l.parent, Name: "group", Kind: spans.Internal,
		Start: l.submitted, End: time.Now(), Attributes: []spans.Attribute{{Key: "deepprune.group", Value: l.group}},
	}
	if err != nil {
		group.Error = err.Error()
	}
	if r == nil {
		return []spans.Span{group}
	}
	stopped, spared := pruned(r)
	group.Attributes = append(group.Attributes, []spans.Attribute{
		{Key: "gen_ai.request.model", Value: r.Model},
		{Key: "gen_ai.usage.input_tokens", Value: r.Usage.PromptTokens},
		{Key: "gen_ai.usage.output_tokens", Value: r.Usage.GeneratedTokens},
		{Key: "deepprune.policy", Value: r.Policy},
		{Key: "deepprune.traces", Value: r.K},
		{Key: "deepprune.traces.pruned", Value: stopped},
		{Key: "deepprune.traces.not_started", Value: spared},
		{Key: "deepprune.judge.tokens", Value: r.Usage.JudgeTokens},
		{Key: "deepprune.judge.pairs", Value: r.Usage.JudgePairs},
		{Key: "deepprune.kv.peak_bytes", Value: r.KV.PeakBytes},
		{Key: "deepprune.kv.reclaimed_bytes", Value: r.KV.ReclaimedBytes},
	}...)
	all := []spans.Span{group}
	part := func(name string, from, to time.Duration, attributes ...spans.Attribute) {
		all = append(all, spans.Span{
			Context: l.span.Child(), Parent: l.span.Span, Name: name, Kind: spans.Internal,
			Start: l.submitted.Add(from), End: l.submitted.Add(to), Attributes: attributes,
		})
	}
	queued, prefilled := milliseconds(r.Time.QueueMS), milliseconds(r.Time.PrefillMS)
	if queued == 0 { // it ended before anything was computed
		part("queue", 0, group.End.Sub(l.submitted))
		return all
	}
	part("queue", 0, queued)
	if prefilled == 0 {
		part("prefill", queued, group.End.Sub(l.submitted))
		return all
	}
	part("prefill", queued, prefilled)
	part("decode", prefilled, prefilled+milliseconds(r.Time.DecodeMS))
	if l.held > 0 && l.lastJudged > l.held {
		part("judge", time.Duration(l.held-l.accepted), time.Duration(l.lastJudged-l.accepted),
			spans.Attribute{Key: "deepprune.judge.busy_ms", Value: r.Time.JudgeMS})
	}
	return all
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// requestSpan is an exchange that is over.
func (x *exchange) requestSpan(method, path, client string) spans.Span {
	span := spans.Span{
		Context: x.span, Parent: x.caller, Name: x.pattern, Kind: spans.Server, Start: x.start, End: time.Now(),
		Attributes: []spans.Attribute{
			{Key: "http.request.method", Value: method},
			{Key: "http.response.status_code", Value: x.status},
			{Key: "url.path", Value: path},
			{Key: "client.address", Value: client},
			{Key: "deepprune.request.id", Value: x.id},
		},
	}
	if x.pattern == "" {
		span.Name = method
	} else {
		span.Attributes = append(span.Attributes, spans.Attribute{Key: "http.route", Value: x.pattern})
	}
	if x.status >= 500 {
		span.Error = "answered with an error of the server"
	}
	return span
}

// trace puts an exchange where its caller's traceparent says, or at the root of a
// trace of its own.
func (s *Server) trace(x *exchange, traceparent string) {
	if s.opt.Spans == nil {
		return
	}
	if c, ok := spans.ParseTraceparent(traceparent); ok {
		x.caller, x.span = c.Span, c.Child()
		return
	}
	x.span = spans.New(s.opt.SpanShare)
}
