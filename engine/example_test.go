package engine_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"deepprune/engine"
	"deepprune/kernels"
	"deepprune/kernels/cpu"
	"deepprune/model"
	"deepprune/prune"
	"deepprune/weights"
	"deepprune/weights/embedded"
)

// load opens the embedded pair; weights.Open does the same for a folder.
func load(dev kernels.Device) (*model.Model, *engine.Judge, error) {
	rc, err := weights.OpenFS(embedded.Reasoner(), "embedded-reasoner")
	if err != nil {
		return nil, nil, err
	}
	reasoner, err := model.Load(dev, rc, model.Options{})
	if err != nil {
		return nil, nil, err
	}
	jc, err := weights.OpenFS(embedded.Judge(), "embedded-judge")
	if err != nil {
		return nil, nil, err
	}
	jm, err := model.Load(dev, jc, model.Options{})
	if err != nil {
		return nil, nil, err
	}
	judge, err := engine.NewJudge(jm, jc)
	return reasoner, judge, err
}

// One question, 64 traces, pruned while they run.
func Example() {
	dev, err := cpu.New(cpu.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer dev.Close()
	reasoner, judge, err := load(dev)
	if err != nil {
		log.Fatal(err)
	}
	e, err := engine.New(dev, reasoner, judge, engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()

	policy, err := prune.ByName("deepprune", prune.Options{
		Checkpoint: prune.Checkpoint{Tokens: judge.Spec.Checkpoint.Tokens},
		Threshold:  judge.Spec.Threshold,
	})
	if err != nil {
		log.Fatal(err)
	}
	// At the deadline the group ends with the best vote so far.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	group, err := e.Submit(ctx, engine.Request{
		Question: "What is (12 + 7) * 3 - 8?",
		Traces:   64,
		Policy:   policy,
		Seed:     1,
	})
	if err != nil {
		log.Fatal(err)
	}
	result, err := group.Wait()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Answer)
	// Output: 49
}
