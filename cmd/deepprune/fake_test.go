package main

import (
	"context"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"deepprune/engine"
	"deepprune/kernels"
	"deepprune/prune"
)

// fakePair stands in for the models: its engine answers every question at once,
// from a script. Traces are pruned at 40 tokens unless the policy is none.
type fakePair struct {
	block  bool // groups run until they are cancelled or their deadline passes
	spoil  bool // a pruned run differs from the unpruned one
	failed error
	closed int
}

func (p *fakePair) Engine(journal io.Writer) (runner, error) {
	if journal != nil {
		io.WriteString(journal, "{}\n")
	}
	return &fakeEngine{p}, p.failed
}

func (p *fakePair) Text(ids []int32) string { return strconv.Itoa(len(ids)) }

func (p *fakePair) Describe() description {
	return description{
		Device: kernels.Info{Kind: "cpu", Name: "a processor", Kernels: "go", Threads: 2},
		Reasoner: modelDescription{Name: "embedded", Architecture: "Qwen3ForCausalLM", Parameters: 4_200_000, Active: 4_200_000,
			Layers: 6, Context: 1024, LoadedContext: 1024, FileBytes: 8 << 20, LoadedDType: "f32", LoadedBytes: 16 << 20, KVBytesPerToken: 6 << 10,
			DTypes: map[string]int64{"BF16": 4_000_000, "F32": 200_000}},
		Judge: &modelDescription{Name: "embedded", Architecture: "Qwen3ForCausalLM", Parameters: 1_300_000, Active: 1_300_000,
			Layers: 4, Context: 1024, FileBytes: 2_600_000, KVBytesPerToken: 2 << 10},
	}
}

func (p *fakePair) Scorer() (scorer, error) { return &fakeScorer{}, nil }

func (p *fakePair) TraceFLOPs(question string, n int) (float64, error) { return float64(n), nil }

func (p *fakePair) Close() error {
	p.closed++
	return nil
}

type fakeEngine struct{ pair *fakePair }

func (e *fakeEngine) Close() error { return nil }

func (e *fakeEngine) Stats() engine.Stats {
	return engine.Stats{
		Reasoner: engine.PoolUse{BlockBytes: 1 << 14}, Judge: engine.PoolUse{BlockBytes: 1 << 13}, CapacityBytes: 64 << 20,
		Step:  engine.Latency{Count: 300, P50: 1400 * time.Microsecond, P99: 3 * time.Millisecond},
		Reuse: engine.Latency{Count: 20, P50: 60 * time.Microsecond, P99: 90 * time.Microsecond},
	}
}

func (e *fakeEngine) Submit(ctx context.Context, r engine.Request) (group, error) {
	if r.Policy == nil {
		r.Policy = prune.None()
	}
	g := &fakeGroup{engine: e, ctx: ctx, req: r, cancel: make(chan struct{})}
	if r.EventBuffer > 0 {
		g.events = make(chan engine.Event, r.EventBuffer)
	}
	return g, nil
}

type fakeGroup struct {
	engine *fakeEngine
	ctx    context.Context
	req    engine.Request
	events chan engine.Event
	cancel chan struct{}
	once   sync.Once
}

func (g *fakeGroup) Cancel() { g.once.Do(func() { close(g.cancel) }) }

// Events plays the run. The channel must be large enough for all of it.
func (g *fakeGroup) Events() <-chan engine.Event {
	if g.events == nil {
		return nil
	}
	defer close(g.events)
	res := g.result()
	longest := 0
	for _, t := range res.Traces {
		longest = max(longest, t.Tokens)
	}
	blocks := 0
	for step := 1; step <= longest; step++ {
		at := engine.Event{Step: int64(step), Nanos: int64(step) * 10e6, Keeper: -1}
		for i, t := range res.Traces {
			ev := at
			ev.Trace, ev.Tokens, ev.Kind = int32(i), int32(step), engine.EventTokens
			if step > t.Tokens {
				continue
			}
			if step%16 == 1 {
				blocks++
			}
			if step == t.Tokens && t.State == prune.Pruned {
				ev.Kind, ev.Keeper, ev.Score = engine.EventPruned, int32(*t.Keeper), 0.9
				ev.Blocks, ev.Bytes = 3, 3<<14
				blocks -= 3
			} else if step == t.Tokens {
				ev.Kind, ev.State = engine.EventEnded, uint8(t.State)
			}
			g.events <- ev
		}
		at.Kind, at.Blocks, at.Bytes = engine.EventStep, int32(blocks), int64(blocks)<<14
		g.events <- at
	}
	g.events <- engine.Event{Kind: engine.EventDone}
	return g.events
}

func (g *fakeGroup) Wait() (*engine.Result, error) {
	res := g.result()
	if !g.engine.pair.block {
		return res, nil
	}
	select {
	case <-g.cancel:
		res.Warning = "cancelled: the vote is among the traces that had finished"
		return res, engine.ErrCancelled
	case <-g.ctx.Done():
		res.Warning = "deadline: the vote is among the traces that had finished"
		return res, nil
	}
}

// result is what becomes of the group: trace i has 100+i tokens, every fourth is a
// keeper, the rest follow the keeper below them.
func (g *fakeGroup) result() *engine.Result {
	r := g.req
	res := &engine.Result{
		Schema: 1, Question: r.Question, Answer: "42", Policy: r.Policy.Name(), Params: r.Params, Seed: r.Seed, K: r.Traces,
		Votes:  []engine.Vote{},
		Device: engine.Device{Kind: "cpu", Name: "a processor"}, Model: "embedded", Judge: "embedded",
		Time: engine.Times{TotalMS: 1420, PrefillMS: 12, DecodeMS: 1190, JudgeMS: 218},
	}
	votes := map[string]*engine.Vote{}
	for i := range r.Traces {
		t := engine.TraceResult{Index: i, State: prune.Finished, Tokens: 100 + i, Answer: "42"}
		keeper := i - i%4
		if keeper%16 == 12 {
			t.Answer = "41"
		}
		if r.Policy.Name() != "none" && keeper != i {
			at, step, score := 40, int64(44), 0.9
			t.State, t.Tokens, t.Answer, t.Reason = prune.Pruned, at, "", prune.ReasonSame
			t.PrunedAtToken, t.PrunedAtStep, t.Keeper, t.Similarity = &at, &step, &keeper, &score
			res.KV.Reasoner.ReclaimedBlocks += 3
		}
		for p := range t.Tokens {
			t.TokenIDs = append(t.TokenIDs, int32(i*1000+p))
		}
		if g.engine.pair.spoil && r.Policy.Name() != "none" && i == 5 {
			t.TokenIDs[17] = 9
		}
		res.Usage.GeneratedTokens += t.Tokens
		res.KV.ByteSteps += int64(t.Tokens*t.Tokens) << 10
		if t.Answer != "" {
			v := votes[t.Answer]
			if v == nil {
				v = &engine.Vote{Answer: t.Answer}
				votes[t.Answer] = v
			}
			v.Weight++
			v.Traces = append(v.Traces, i)
		}
		res.Traces = append(res.Traces, t)
	}
	for _, a := range []string{"42", "41"} {
		if v := votes[a]; v != nil {
			res.Votes = append(res.Votes, *v)
		}
	}
	res.Usage.PromptTokens = 31
	if res.KV.Reasoner.ReclaimedBlocks > 0 {
		res.Usage.JudgePairs, res.Usage.JudgeTokens, res.Usage.JudgeRelativeCost = 96, 6200, 812.4
	}
	res.KV.Reasoner.BlockBytes, res.KV.Judge.BlockBytes = 1<<14, 1<<13
	res.KV.ReclaimedBytes = int64(res.KV.Reasoner.ReclaimedBlocks) << 14
	res.KV.PeakBytes = int64(res.Usage.GeneratedTokens) << 10
	return res
}

// testApp is an app on fakes.
func testApp(stdin io.Reader, stdout, stderr io.Writer, p *fakePair) *app {
	return &app{
		stdin: stdin, stdout: stdout, stderr: stderr,
		open:       func(*engineFlags) (pair, error) { return p, p.failed },
		describe:   func(*engineFlags) (description, error) { return p.Describe(), p.failed },
		interrupts: func() (<-chan os.Signal, func()) { return nil, func() {} },
		exit:       func(int) { panic("exit") },
	}
}
