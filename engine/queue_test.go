package engine

import (
	"sync/atomic"
	"testing"

	"deepprune/kernels"
	"deepprune/model"
	"deepprune/weights"
	"deepprune/weights/embedded"
)

// queues are two queues of a CPU that note what they were told since they last met.
type queues struct {
	judged, copied bool
	copies         atomic.Int32
	mistakes       atomic.Int32
}

// reasonerQueue is the device of the engine and the reasoner.
type reasonerQueue struct {
	kernels.Device
	*queues
}

func (q reasonerQueue) CopyBlock(kv kernels.KV, dst, src int32) {
	if q.judged {
		q.mistakes.Add(1) // the judge may be writing what is read here
	}
	q.copied = true
	q.copies.Add(1)
	q.Device.CopyBlock(kv, dst, src)
}

// judgeQueue is the device of the judge.
type judgeQueue struct {
	kernels.Device
	*queues
}

func (q judgeQueue) Follow(kernels.Device) { q.judged, q.copied = false, false }

func (q judgeQueue) RotaryWriteKV(qkv kernels.Tensor, spec *kernels.RotarySpec, kv kernels.KV, layer int, b *kernels.Batch) {
	if q.copied {
		q.mistakes.Add(1) // what is written here may not be copied yet
	}
	q.judged = true
	q.Device.RotaryWriteKV(qkv, spec, kv, layer, b)
}

// TestQueuesMeetAtCopies judges pairs whose keeper ends within a block, so that they
// begin with a copy, on a queue of the judge's own.
func TestQueuesMeetAtCopies(t *testing.T) {
	p := open(t, 2)
	both := new(queues)
	c, err := weights.OpenFS(embedded.Judge(), "embedded")
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Load(judgeQueue{p.dev, both}, c, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p.judge, err = NewJudge(m, c); err != nil {
		t.Fatal(err)
	}
	p.dev = reasonerQueue{p.dev, both}
	e := p.start(t, Options{JudgeBudget: 45})
	policy := everyPair{cut{at: 24}, map[int]float64{}}
	ask(t, e, Request{Question: questions[1], Traces: 6, Seed: 5, Policy: policy, Params: Params{MaxTokens: 40, IgnoreEOS: true}})
	if len(policy.scores) != 5 || both.copies.Load() == 0 {
		t.Fatalf("%d pairs judged, %d blocks copied; want 5 and some", len(policy.scores), both.copies.Load())
	}
	if n := both.mistakes.Load(); n != 0 {
		t.Errorf("%d copies or writes did not wait for the other queue", n)
	}
}
