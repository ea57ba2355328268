package engine

import (
	"fmt"

	"deepprune/kernels"
	"deepprune/kvcache"
	"deepprune/model"
)

// Pair is two prefixes to be compared, in the order in which the judge reads them.
type Pair struct{ Keeper, Trace string }

// Scorer scores pairs of stored prefixes with a judge, without an engine. It asks
// as the step loop does, so the scores are those of a run, bit by bit. It is used
// by one goroutine at a time, which has the device to itself meanwhile.
//
// Pairs are scored in chunks. The keepers of a chunk are computed first, each
// once, and the pairs fork them.
type Scorer struct {
	judge   *Judge
	dev     kernels.Device
	kv      kernels.KV
	pool    *kvcache.Pool
	decoder *model.Decoder
	rows    int // of a forward step
	batch   kernels.Batch
	copies  []kvcache.Copy
	logits  []float32
}

// scorerRows is the rows of a forward step of a scorer, and the pairs of a chunk
// at most.
const scorerRows = 2048

// NewScorer makes a scorer with so much KV memory; 0 means 64 MiB.
func NewScorer(dev kernels.Device, j *Judge, kvBytes int64) (*Scorer, error) {
	if kvBytes == 0 {
		kvBytes = 64 << 20
	}
	layout := j.Model.Config.KVLayout()
	blocks := kvBytes / layout.BlockBytes()
	if blocks < 2 {
		return nil, fmt.Errorf("engine: scorer: %w: %d bytes of KV memory hold %d blocks", ErrInvalid, kvBytes, blocks)
	}
	s := &Scorer{
		judge: j, dev: j.Model.Device(), rows: scorerRows,
		logits: make([]float32, max(j.same, j.different)+1),
	}
	memory, err := dev.NewArena(blocks * layout.BlockBytes())
	if err != nil {
		return nil, fmt.Errorf("engine: scorer: KV memory: %w", err)
	}
	arena, err := kvcache.NewArena(layout.BlockBytes(), int(blocks))
	if err != nil {
		return nil, fmt.Errorf("engine: scorer: %w", err)
	}
	if s.pool, err = arena.NewPool(layout.BlockBytes()); err != nil {
		return nil, fmt.Errorf("engine: scorer: %w", err)
	}
	if s.decoder, err = j.Model.NewDecoder(s.rows, s.rows); err != nil {
		return nil, fmt.Errorf("engine: scorer: %w", err)
	}
	s.kv = kernels.KV{Arena: memory, KVLayout: layout, PageBytes: layout.BlockBytes()}
	return s, nil
}

// scored is a sequence of a chunk: a keeper, or a pair that forks one.
type scored struct {
	tokens []int32 // those of the fork left out
	from   int     // tokens of the fork
	seq    *kvcache.Sequence
	score  *float64 // nil for a keeper
}

// Score writes the score of pairs[i] into scores[i]: the probability that both end
// in the same answer. Pairs of one keeper are cheapest beside each other.
func (s *Scorer) Score(scores []float64, pairs []Pair) error {
	for len(pairs) > 0 {
		n, err := s.chunk(scores, pairs)
		if err != nil {
			return fmt.Errorf("engine: scorer: %w", err)
		}
		scores, pairs = scores[n:], pairs[n:]
	}
	return nil
}

// chunk scores as many pairs as there is room for, and returns how many that was.
func (s *Scorer) chunk(scores []float64, pairs []Pair) (n int, err error) {
	var (
		keepers, rest []scored
		index         = make(map[string]int) // of keepers
		rows, blocks  int
	)
	for n < len(pairs) && n < s.rows {
		p := pairs[n]
		k, known := index[p.Keeper]
		var keeper []int32
		if known {
			keeper = keepers[k].tokens
		} else {
			keeper = s.judge.keeperTokens(p.Keeper)
		}
		trace := s.judge.traceTokens(p.Trace)
		// A fork has a copy of the keeper's last block.
		moreRows, moreBlocks := len(trace), blocksFor(len(trace))+1
		if !known {
			moreRows, moreBlocks = moreRows+len(keeper), moreBlocks+blocksFor(len(keeper))
		}
		if blocks+moreBlocks > s.pool.Capacity() && n == 0 {
			return 0, fmt.Errorf("%w: a pair of %d tokens needs %d KV blocks, there are %d", ErrTooLarge, len(keeper)+len(trace), moreBlocks, s.pool.Capacity())
		}
		if n > 0 && (rows+moreRows > s.rows || blocks+moreBlocks > s.pool.Capacity()) {
			break
		}
		rows, blocks = rows+moreRows, blocks+moreBlocks
		if !known {
			k = len(keepers)
			index[p.Keeper] = k
			keepers = append(keepers, scored{tokens: keeper, seq: s.pool.NewSequence()})
		}
		rest = append(rest, scored{tokens: trace, from: len(keeper), seq: keepers[k].seq, score: &scores[n]})
		n++
	}
	if err := s.forward(keepers); err != nil {
		return 0, err
	}
	for i := range rest {
		rest[i].seq = rest[i].seq.Fork()
	}
	if err := s.forward(rest); err != nil {
		return 0, err
	}
	for _, all := range [][]scored{rest, keepers} {
		for i := range all {
			all[i].seq.Release()
		}
	}
	return n, nil
}

// forward computes sequences, in steps of up to s.rows rows.
func (s *Scorer) forward(all []scored) error {
	var err error
	for i := range all {
		if s.copies, err = all[i].seq.Extend(len(all[i].tokens), s.copies); err != nil {
			return err
		}
	}
	for _, c := range s.copies {
		s.dev.CopyBlock(s.kv, c.Dst, c.Src)
	}
	s.copies = s.copies[:0]
	for i, done := 0, 0; i < len(all); {
		s.batch.Reset()
		var ends []*float64
		for i < len(all) && s.batch.Rows() < s.rows {
			w := &all[i]
			n := min(len(w.tokens)-done, s.rows-s.batch.Rows())
			last := done+n == len(w.tokens)
			s.batch.Add(w.tokens[done:done+n], w.from+done, w.seq.Blocks(), last && w.score != nil)
			if done += n; last {
				if w.score != nil {
					ends = append(ends, w.score)
				}
				i, done = i+1, 0
			}
		}
		s.batch.Plan()
		logits := s.decoder.Forward(&s.batch, s.kv)
		for row, score := range ends {
			s.dev.Read(logits, row, s.logits)
			*score = s.judge.probability(s.logits)
		}
	}
	return nil
}

// PairWork is the tokens that the judge computes for a pair and the FLOPs of that:
// for the keeper's part of the prompt, which all pairs against it share, and for
// the rest.
func (s *Scorer) PairWork(p Pair) (keeperTokens, traceTokens int, keeperFLOPs, traceFLOPs float64) {
	keeperTokens, traceTokens = len(s.judge.keeperTokens(p.Keeper)), len(s.judge.traceTokens(p.Trace))
	config := &s.judge.Model.Config
	for i := range keeperTokens {
		keeperFLOPs += config.FLOPs(i, false)
	}
	for i := range traceTokens {
		traceFLOPs += config.FLOPs(keeperTokens+i, i == traceTokens-1)
	}
	return keeperTokens, traceTokens, keeperFLOPs, traceFLOPs
}

// TraceFLOPs is the FLOPs that m spends on a trace of n generated tokens after a
// prompt, as Usage.JudgeRelativeCost counts them: the last token of the prompt is
// the trace's first row, the last token is sampled and never fed.
func TraceFLOPs(m *model.Model, prompt, n int) float64 {
	sum := 0.0
	for i := range n {
		sum += m.Config.FLOPs(prompt-1+i, true)
	}
	return sum
}
