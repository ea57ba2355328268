package engine_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"deepprune/engine"
	"deepprune/engine/constrain"
	"deepprune/kernels/cpu"
	"deepprune/model"
	"deepprune/prune"
)

// start makes an engine of the embedded pair; stop ends it.
func start(opt engine.Options) (e *engine.Engine, reasoner *model.Model, stop func()) {
	dev, err := cpu.New(cpu.Options{})
	if err != nil {
		log.Fatal(err)
	}
	reasoner, judge, err := load(dev)
	if err != nil {
		log.Fatal(err)
	}
	e, err = engine.New(dev, reasoner, judge, opt)
	if err != nil {
		log.Fatal(err)
	}
	return e, reasoner, func() {
		e.Close()
		dev.Close()
	}
}

// The text of a trace as it grows. What is sent is never taken back.
func ExampleGroup_Changed() {
	e, _, stop := start(engine.Options{})
	defer stop()
	group, err := e.Submit(context.Background(), engine.Request{
		Question: "What is (12 + 7) * 3 - 8?",
		Params:   engine.Params{Temperature: -1, MaxTokens: 300},
	})
	if err != nil {
		log.Fatal(err)
	}
	var streamed strings.Builder
	for {
		changed := group.Changed()
		p := group.Progress(0)
		streamed.Write(p.Text[streamed.Len():]) // what is new: here it would be sent
		if p.State.Ended() {
			break
		}
		<-changed
	}
	result, err := group.Wait()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(streamed.Len() > 0, streamed.String() == result.Traces[0].Text)
	// Output: true true
}

// Every decision as it is taken: what the live view and the journal show.
func ExampleGroup_Events() {
	e, _, stop := start(engine.Options{})
	defer stop()
	policy, err := prune.ByName("deepprune", prune.Options{Checkpoint: prune.Checkpoint{Tokens: 24}})
	if err != nil {
		log.Fatal(err)
	}
	group, err := e.Submit(context.Background(), engine.Request{
		Question: "What is (12 + 7) * 3 - 8?", Traces: 16, Policy: policy, Seed: 1, EventBuffer: 1 << 14,
	})
	if err != nil {
		log.Fatal(err)
	}
	started, over := 0, 0
	for ev := range group.Events() {
		switch ev.Kind {
		case engine.EventStarted:
			started++
		case engine.EventPruned, engine.EventEnded:
			over++
		}
	}
	fmt.Println(started == over)
	// Output: true
}

// firstDone is a policy of one's own: the first trace to finish, by index, decides.
type firstDone struct{ prune.Policy }

func (firstDone) Name() string { return "first-done" }

func (p firstDone) New(k int) prune.Decider { return firstDoneDecider{p.Policy.New(k)} }

type firstDoneDecider struct{ prune.Decider }

func (d firstDoneDecider) Decide(ev prune.Event, s *prune.Snapshot) []prune.Action {
	if ev.Kind == prune.Ended && s.Traces[ev.Trace].State == prune.Finished {
		return []prune.Action{{Kind: prune.StopRest, Keeper: -1, Reason: "decided"}}
	}
	return d.Decider.Decide(ev, s)
}

// A policy of one's own. It sees a snapshot of its group and answers with actions;
// here what it does not say is left to another policy.
func ExampleRequest_policy() {
	e, _, stop := start(engine.Options{})
	defer stop()
	group, err := e.Submit(context.Background(), engine.Request{
		Question: "What is (12 + 7) * 3 - 8?", Traces: 8, Seed: 1, Policy: firstDone{prune.None()},
	})
	if err != nil {
		log.Fatal(err)
	}
	result, err := group.Wait()
	if err != nil {
		log.Fatal(err)
	}
	finished := 0
	for _, t := range result.Traces {
		if t.State == prune.Finished {
			finished++
		}
	}
	fmt.Println(result.Policy, finished >= 1, finished < 8)
	// Output: first-done true true
}

// A judge of one's own: any function of two texts. It runs beside the step loop, so
// it may ask another program.
func ExampleJudgeFunc() {
	e, _, stop := start(engine.Options{})
	defer stop()
	policy, err := prune.ByName("deepprune", prune.Options{Checkpoint: prune.Checkpoint{Tokens: 24}})
	if err != nil {
		log.Fatal(err)
	}
	sameWords := func(_ context.Context, question string, pairs []engine.Pair) ([]float64, error) {
		scores := make([]float64, len(pairs))
		for i, p := range pairs {
			words := make(map[string]bool)
			for _, w := range strings.Fields(p.Keeper) {
				words[w] = true
			}
			all := strings.Fields(p.Trace)
			for _, w := range all {
				if words[w] {
					scores[i] += 1 / float64(len(all))
				}
			}
		}
		return scores, nil
	}
	group, err := e.Submit(context.Background(), engine.Request{
		Question: "What is (12 + 7) * 3 - 8?", Traces: 16, Seed: 1, Policy: policy, Judge: sameWords,
	})
	if err != nil {
		log.Fatal(err)
	}
	result, err := group.Wait()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Answer, result.Usage.JudgePairs > 0, result.Usage.JudgeTokens)
	// Output: 49 true 0
}

// A deadline that returns the best vote so far: the group ends with the votes of the
// traces that had finished, and says so.
func ExampleEngine_Submit_deadline() {
	e, _, stop := start(engine.Options{Slots: 4})
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	group, err := e.Submit(ctx, engine.Request{Question: "What is (12 + 7) * 3 - 8?", Traces: 50_000, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	result, err := group.Wait()
	if err != nil {
		log.Fatal(err) // a deadline is no error
	}
	fmt.Println(result.Warning)
	// Output: deadline: the vote is among the traces that had finished
}

// Answers in a form that a program reads: every trace writes JSON of the schema.
func ExampleRequest_constraint() {
	e, _, stop := start(engine.Options{})
	defer stop()
	grammar, err := constrain.JSONSchema([]byte(`{
		"type": "object",
		"properties": {"sum": {"type": "integer", "minimum": 0, "maximum": 999}},
		"required": ["sum"]
	}`))
	if err != nil {
		log.Fatal(err)
	}
	group, err := e.Submit(context.Background(), engine.Request{
		Question: "What is (12 + 7) * 3 - 8?", Constraint: grammar, Params: engine.Params{Temperature: -1},
	})
	if err != nil {
		log.Fatal(err)
	}
	result, err := group.Wait()
	if err != nil {
		log.Fatal(err)
	}
	text := strings.Join(strings.Fields(result.Traces[0].Text), "")
	fmt.Println(strings.HasPrefix(text, `{"sum":`), strings.HasSuffix(text, "}"))
	// Output: true true
}
