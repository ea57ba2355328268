package live

import (
	"fmt"
	"strings"
	"time"

	"deepprune/engine"
	"deepprune/kernels"
	"deepprune/prune"
)

// scripted plays a run of k traces on a board: traces reach a checkpoint at 40
// tokens, most are pruned in favour of one of a few keepers, the others go on.
// It stops after a share of the run, and finishes the board at a share of 1.
func scripted(b *Board, share float64) *engine.Result {
	k := len(b.lanes)
	const checkpoint = 40
	res := &engine.Result{
		Question: b.Question, Policy: b.Policy, K: k, Answer: "136",
		Time: engine.Times{TotalMS: 1420},
	}
	length := make([]int, k)
	keeper := make([]int, k)
	similarity := make([]float64, k)
	longest := 0
	for i := range k {
		u := kernels.Uniform(b.Seed, uint32(i), 0)
		length[i] = 150 + int(90*kernels.Uniform(b.Seed, uint32(i), 1))
		longest = max(longest, length[i])
		keeper[i] = min(i, int(u*u*5))
		if i < 5 {
			keeper[i] = i
		}
		similarity[i] = 0.5 + 0.5*kernels.Uniform(b.Seed, uint32(i), 2)
	}
	steps := int(share * float64(longest+10))
	blocks := 0
	reclaimed := 0
	for step := 1; step <= steps; step++ {
		at := engine.Event{Step: int64(step), Nanos: int64(step) * 5e6, Keeper: -1}
		for i := range k {
			ev := at
			ev.Trace = int32(i)
			ev.Tokens = int32(step)
			switch {
			case step == 1:
				ev.Kind = engine.EventStarted
				ev.Tokens = 0
				b.Apply(ev)
				ev.Kind, ev.Tokens, ev.Token = engine.EventTokens, 1, 1
			case step > checkpoint+4 && keeper[i] != i && i%9 != 8, step > length[i]:
				continue
			case step == checkpoint+4 && keeper[i] != i && i%9 != 8:
				ev.Kind, ev.Tokens = engine.EventPruned, checkpoint
				ev.Keeper, ev.Score, ev.Reason = int32(keeper[i]), float32(similarity[i]), "same answer"
				ev.Blocks, ev.Bytes = 3, 3<<14
				reclaimed += 3
				blocks -= 3
			case step == checkpoint+4:
				ev.Kind, ev.Tokens = engine.EventResumed, checkpoint
			case step == checkpoint+1:
				ev.Kind, ev.Tokens = engine.EventHeld, checkpoint
			case step > checkpoint && step < checkpoint+4:
				ev.Kind, ev.Tokens, ev.Keeper = engine.EventJudged, 0, int32(keeper[i])
			case step == length[i]:
				ev.Kind, ev.State = engine.EventEnded, uint8(prune.Finished)
			default:
				ev.Kind, ev.Token = engine.EventTokens, int32(step)
			}
			if ev.Kind == engine.EventTokens && step%16 == 1 {
				blocks++
			}
			b.Apply(ev)
		}
		at.Kind, at.Blocks, at.JudgeBlocks = engine.EventStep, int32(blocks), int32(min(step, 50))
		at.Bytes = int64(blocks)<<14 + int64(at.JudgeBlocks)<<13
		b.Apply(at)
	}
	b.Elapsed = time.Duration(steps) * 5 * time.Millisecond
	if share < 1 {
		return res
	}
	members := make(map[int][]int)
	for i := range k {
		t := engine.TraceResult{Index: i, State: prune.Finished, Tokens: length[i], Answer: answers[keeper[i]%len(answers)]}
		if keeper[i] != i && i%9 != 8 {
			token, score, step := checkpoint, similarity[i], int64(checkpoint+4)
			t = engine.TraceResult{Index: i, State: prune.Pruned, Tokens: checkpoint, PrunedAtToken: &token,
				PrunedAtStep: &step, Keeper: &keeper[i], Similarity: &score, Reason: "same answer"}
			members[keeper[i]] = append(members[keeper[i]], i)
		} else {
			members[i] = append(members[i], i)
		}
		res.Traces = append(res.Traces, t)
	}
	res.KV.Reasoner.ReclaimedBlocks = reclaimed
	res.KV.ReclaimedBytes = int64(reclaimed) << 14
	res.KV.PeakBytes = b.Counts().PeakBytes
	res.Usage = engine.Usage{GeneratedTokens: b.Counts().Tokens, JudgePairs: b.Counts().Pairs, JudgeTokens: 12345}
	res.Votes = []engine.Vote{{Answer: "136", Weight: float64(k) * 0.8, Traces: []int{0}}, {Answer: "132", Weight: float64(k) * 0.2, Traces: []int{1}}}
	b.Finish(res)
	return res
}

var answers = []string{"136", "136", "132"}

// story decodes every token to a word.
func story(ids []int32) string {
	words := strings.Fields("so the farm has twelve cows and then three more each week , that is 12 + 3 × 4 = 24 . wait , check :")
	var b strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&b, "%s ", words[int(id)%len(words)])
	}
	return b.String()
}

func board(k int) *Board {
	return NewBoard(Setup{
		Question: "A farmer has 12 cows and buys 3 more each week. After 4 weeks he sells half of the herd, and every cow left gives 17 litres of milk a day. How many litres a day does the farm give now?",
		Policy:   "deepprune", Traces: k, Seed: 7, Device: "cpu avx512",
		KVBytes: 16 << 20, BlockBytes: 1 << 14, JudgeBlockBytes: 1 << 13, Threshold: 0.5,
		Text: story, Answer: func(string) string { return "136" },
	})
}
