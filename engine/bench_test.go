package engine

import (
	"context"
	"testing"
	"time"

	"deepprune/prune"
)

// BenchmarkStep decodes 64 traces of one question at contexts of 64 to 464 tokens.
func BenchmarkStep(b *testing.B) {
	p := open(b, 0)
	e, err := newEngine(p.dev, p.reasoner, p.judge, Options{})
	if err != nil {
		b.Fatal(err)
	}
	params := Params{IgnoreEOS: true, MaxTokens: 400}
	g := submit(b, e, Request{Question: questions[1], Traces: 64, Params: params})
	b.ReportAllocs()
	for b.Loop() {
		if g.finished {
			b.StopTimer()
			g = submit(b, e, Request{Question: questions[1], Traces: 64, Params: params})
			b.StartTimer()
		}
		e.step()
	}
	b.ReportMetric(float64(e.lat.step.quantile(0.5).Nanoseconds()), "p50-ns/step")
	b.ReportMetric(float64(e.lat.step.quantile(0.99).Nanoseconds()), "p99-ns/step")
}

// BenchmarkReuse prunes half of 64 traces again and again: from a prune to the
// start of the models in the step that can use its blocks.
func BenchmarkReuse(b *testing.B) {
	p := open(b, 0)
	e, err := newEngine(p.dev, p.reasoner, p.judge, Options{Slots: 32})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		g := submit(b, e, Request{Question: questions[1], Traces: 64, Policy: half{cut{at: 8}}, Params: Params{IgnoreEOS: true, MaxTokens: 12}})
		for !g.finished {
			e.step()
		}
	}
	b.ReportMetric(float64(e.lat.reuse.quantile(0.5).Nanoseconds()), "p50-ns/reuse")
	b.ReportMetric(float64(e.lat.reuse.quantile(0.99).Nanoseconds()), "p99-ns/reuse")
}

// half is a policy that stops every other trace at its checkpoint.
type half struct{ cut }

func (h half) New(k int) prune.Decider { return &halfDecider{prune.None().New(k), nil} }

type halfDecider struct {
	prune.Decider
	actions []prune.Action
}

func (d *halfDecider) Decide(ev prune.Event, s *prune.Snapshot) []prune.Action {
	d.actions = d.actions[:0]
	if ev.Kind == prune.Reached {
		a := prune.Action{Kind: prune.Resume, Trace: ev.Trace}
		if ev.Trace%2 == 1 {
			a = prune.Action{Kind: prune.Stop, Trace: ev.Trace, Keeper: ev.Trace - 1, Reason: prune.ReasonControl}
		}
		d.actions = append(d.actions, a)
	}
	return d.actions
}

// BenchmarkCancel cancels a group of 64 running traces: from the call to the
// release of the blocks, a step that is under way included.
func BenchmarkCancel(b *testing.B) {
	p := open(b, 0)
	e, err := New(p.dev, p.reasoner, p.judge, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	for b.Loop() {
		g, err := e.Submit(context.Background(), Request{Question: questions[1], Traces: 64, Params: Params{IgnoreEOS: true}})
		if err != nil {
			b.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
		g.Cancel()
		g.Wait()
	}
	s := e.Stats()
	b.ReportMetric(float64(s.Cancel.P50.Nanoseconds()), "p50-ns/cancel")
	b.ReportMetric(float64(s.Cancel.P99.Nanoseconds()), "p99-ns/cancel")
}
