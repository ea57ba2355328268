package engine

import (
	"io/fs"
	"math"
	"strings"
	"testing"
	"testing/fstest"

	"deepprune/kernels"
	"deepprune/kvcache"
	"deepprune/prune"
	"deepprune/weights"
	"deepprune/weights/embedded"
)

// score computes a pair's score in one piece, with nothing shared.
func (p testPair) score(t *testing.T, keeper, trace string) float64 {
	t.Helper()
	j := p.judge
	tokens := append(j.keeperTokens(keeper), j.traceTokens(trace)...)
	layout := j.Model.Config.KVLayout()
	n := blocksFor(len(tokens))
	memory, err := p.dev.NewArena(int64(n) * layout.BlockBytes())
	if err != nil {
		t.Fatal(err)
	}
	arena, err := kvcache.NewArena(layout.BlockBytes(), n)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := arena.NewPool(layout.BlockBytes())
	if err != nil {
		t.Fatal(err)
	}
	seq := pool.NewSequence()
	if _, err := seq.Extend(len(tokens), nil); err != nil {
		t.Fatal(err)
	}
	d, err := j.Model.NewDecoder(len(tokens), 1)
	if err != nil {
		t.Fatal(err)
	}
	var b kernels.Batch
	b.Add(tokens, 0, seq.Blocks(), true)
	b.Plan()
	logits := make([]float32, j.Model.Config.VocabSize)
	p.dev.Read(d.Forward(&b, kernels.KV{Arena: memory, KVLayout: layout, PageBytes: layout.BlockBytes()}), 0, logits)
	same, different := math.Exp(float64(logits[j.same])), math.Exp(float64(logits[j.different]))
	return same / (same + different)
}

// everyPair is a policy that has each trace judged against trace 0 and all go on.
type everyPair struct {
	cut
	scores map[int]float64
}

func (everyPair) NeedsJudge() bool { return true }
func (p everyPair) New(k int) prune.Decider {
	return &everyPairDecider{Decider: prune.None().New(k), policy: p}
}

type everyPairDecider struct {
	prune.Decider
	policy  everyPair
	asked   bool
	actions []prune.Action
}

func (d *everyPairDecider) Decide(ev prune.Event, s *prune.Snapshot) []prune.Action {
	d.actions = d.actions[:0]
	switch ev.Kind {
	case prune.Reached:
		// All wait until the last has come, so that they are judged in one batch.
		for i := range s.Traces {
			if d.asked || s.Traces[i].Checkpoints == 0 {
				return nil
			}
		}
		d.asked = true
		for i := 1; i < len(s.Traces); i++ {
			d.actions = append(d.actions, prune.Action{Kind: prune.Judge, Keeper: 0, Trace: i})
		}
		d.actions = append(d.actions, prune.Action{Kind: prune.Resume, Trace: 0})
	case prune.Judged:
		d.policy.scores[ev.Trace] = ev.Score
		d.actions = append(d.actions, prune.Action{Kind: prune.Resume, Trace: ev.Trace})
	}
	return d.actions
}

// TestJudge checks that pairs which share their keeper's prefix, in batches of any
// size, get the score they get alone, and that each token is counted once.
func TestJudge(t *testing.T) {
	p := open(t, 2)
	const k = 12
	for _, budget := range []int{0, 16, 45} {
		policy := everyPair{cut{at: 24}, map[int]float64{}}
		e := p.start(t, Options{JudgeBudget: budget})
		r := ask(t, e, Request{Question: questions[1], Traces: k, Seed: 5, Policy: policy, Params: Params{MaxTokens: 60, IgnoreEOS: true}})
		prefix := func(i int) string { return p.reasoner.Tokenizer.Decode(r.Traces[i].TokenIDs[:24]) }
		tokens := len(p.judge.keeperTokens(prefix(0)))
		for i := 1; i < k; i++ {
			want := p.score(t, prefix(0), prefix(i))
			if got, ok := policy.scores[i]; !ok || math.Abs(got-want) > 1e-12 {
				t.Errorf("budget %d: score of (0, %d) is %v; want %v", budget, i, got, want)
			}
			tokens += len(p.judge.traceTokens(prefix(i)))
		}
		if r.Usage.JudgeTokens != tokens || r.Usage.JudgePairs != k-1 {
			t.Errorf("budget %d: %d judge tokens in %d pairs; want %d in %d", budget, r.Usage.JudgeTokens, r.Usage.JudgePairs, tokens, k-1)
		}
		// A judge token costs less than a reasoner's, in the ratio of their sizes
		// or so.
		perToken := r.Usage.JudgeRelativeCost / float64(tokens)
		ratio := p.judge.Model.Config.FLOPs(40, false) / p.reasoner.Config.FLOPs(100, true)
		if perToken < ratio/2 || perToken > ratio*2 {
			t.Errorf("a judge token counts as %.3f of a reasoner's; want about %.3f", perToken, ratio)
		}
		if r.KV.Judge.PeakBlocks == 0 || r.Time.JudgeMS <= 0 {
			t.Errorf("judge: %d blocks at the peak, %v ms; want both above 0", r.KV.Judge.PeakBlocks, r.Time.JudgeMS)
		}
	}
}

// TestJudgesThatDoNotFit gives judge.json that cannot work.
func TestJudgesThatDoNotFit(t *testing.T) {
	p := open(t, 1)
	for text, field := range map[string]string{
		`{`: "judge.json",
		`{"head":"A","mid":"B","tail":"C","same":" yes and no","different":" no","threshold":0.5}`:                          "same",
		`{"head":"A","mid":"B","tail":"C","same":" yes","different":"","threshold":0.5}`:                                    "different",
		`{"head":"A","mid":"B","tail":"C","same":" yes","different":" yes","threshold":0.5}`:                                "same",
		`{"head":"","mid":"","tail":"C","same":" yes","different":" no","threshold":0.5}`:                                   "head",
		`{"head":"A","mid":"B","tail":"","same":" yes","different":" no","threshold":0.5}`:                                  "tail",
		`{"head":"A","mid":"B","tail":"C","same":" yes","different":" no","threshold":7}`:                                   "threshold",
		`{"head":"A","mid":"B","tail":"C","same":" yes","different":" no","threshold":0.5,"checkpoint":{"tokens":-1}}`:      "checkpoint",
		`{"head":"A","mid":"B","tail":"C","same":" yes","different":" no","threshold":0.5,"checkpoint":{"tokens":"forty"}}`: "checkpoint",
	} {
		files := fstest.MapFS{"judge.json": {Data: []byte(text)}}
		for _, name := range []string{"config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "model.safetensors"} {
			data, err := fs.ReadFile(embedded.Judge(), name)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = &fstest.MapFile{Data: data}
		}
		c, err := weights.OpenFS(files, "test")
		if err != nil {
			t.Fatal(err)
		}
		_, err = NewJudge(p.judge.Model, c)
		wantError(t, text, err, field)
	}
}

// TestLongPrefixesAreCut has the judge asked for more than its context holds: each
// prefix is cut to half of what the prompt leaves.
func TestLongPrefixesAreCut(t *testing.T) {
	p := open(t, 2)
	at := p.judge.Model.MaxContext()
	e := p.start(t, Options{})
	policy := everyPair{cut{at: at}, map[int]float64{}}
	r := ask(t, e, Request{Question: questions[0], Traces: 2, Policy: policy, Params: Params{IgnoreEOS: true, MaxTokens: at + 5}})
	prefix := func(i int) string { return p.reasoner.Tokenizer.Decode(r.Traces[i].TokenIDs[:at]) }
	if n := len(p.judge.keeperTokens(prefix(0))) + len(p.judge.traceTokens(prefix(1))); n > at || n < at-1 {
		t.Errorf("the pair has %d tokens; want the context of %d filled", n, at)
	}
	if got, want := policy.scores[1], p.score(t, prefix(0), prefix(1)); math.Abs(got-want) > 1e-12 {
		t.Errorf("score %v; want %v", got, want)
	}
}

// wantError fails unless err is one line that names the word.
func wantError(t *testing.T, what string, err error, word string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: %v; want one line that names %q", what, err, word)
	}
}
