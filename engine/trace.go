package engine

import (
	"bytes"
	"slices"
	"time"

	"deepprune/kernels"
	"deepprune/kvcache"
	"deepprune/model"
	"deepprune/prune"
)

// trace is one sampled chain of thought of a group. Owned by the step loop.
//
// Its sequence holds prompt and generated tokens:
//
//	| prompt[:n-1]  | prompt[n-1] | tokens[0] … tokens[len-1] |
//	| root's blocks | own blocks                              |
//
// computed counts the positions whose KV is written. The last token is never
// computed before it is needed: a running trace has one token pending, a new or
// preempted one has all from the root on.
type trace struct {
	group *Group
	index int
	state prune.State
	slot  bool
	seq   *kvcache.Sequence // nil without blocks

	tokens   []int32
	computed int
	text     []byte // without the end-of-text token
	logProb  float64
	logProbs LogProbs // of tokens, if they were asked for
	end      End
	language *constraint   // of its text; nil without one, or after the end
	adjust   *adjustment   // of logits; nil if nothing asks for it, or after the end
	touched  bool          // there is something to publish
	grewAt   time.Duration // when its last token was drawn, since the engine started
	words    prune.WordCounter
	marks    []int // tokens generated at each checkpoint reached

	answer   string // of an ended trace, normalised
	boxed    bool   // the answer was marked as one
	keeper   int    // of a pruned trace, -1 for none
	score    float64
	reason   string
	prunedAt int64 // step
}

func (t *trace) init(g *Group, index int) {
	*t = trace{group: g, index: index, keeper: -1}
}

// view is the trace as the policy sees it.
func (t *trace) view() *prune.Trace { return &t.group.snapshot.Traces[t.index] }

// setState keeps the group's counts and the policy's view in step.
func (t *trace) setState(s prune.State) {
	t.group.count(t.state, -1)
	t.group.count(s, +1)
	t.state = s
	t.view().State = s
	if s.Ended() {
		t.adjust, t.language = nil, nil
	}
	t.group.touch(t)
}

func (g *Group) count(s prune.State, n int) {
	switch s {
	case prune.Running:
		g.live += n
	case prune.Held:
		g.held += n
	}
}

// length is the number of tokens of prompt and trace.
func (t *trace) length() int { return len(t.group.prompt) + len(t.tokens) }

// pending is the number of tokens whose KV is still to be computed.
func (t *trace) pending() int { return t.length() - t.computed }

// token returns the token at a position of prompt and trace.
func (t *trace) token(position int) int32 {
	if n := len(t.group.prompt); position >= n {
		return t.tokens[position-n]
	}
	return t.group.prompt[position]
}

// sampleParams are the parameters of the next token.
func (t *trace) sampleParams() kernels.SampleParams {
	p := &t.group.req.Params
	s := kernels.SampleParams{
		Temperature: float32(p.Temperature),
		TopK:        int32(p.TopK),
		TopP:        float32(p.TopP),
		MinP:        float32(p.MinP),
		Seed:        t.group.req.Seed,
		Trace:       uint32(t.index),
		Position:    uint32(len(t.tokens)),
		Confidence:  t.group.confidence,
	}
	if t.adjust != nil {
		s.Adjust = &t.adjust.Adjustment
		if t.language != nil {
			s.Adjust.Allowed = t.language.allowed()
		}
	}
	return s
}

// append adds a sampled token and returns the state the trace is in now: Running,
// Held at a checkpoint, Finished or Length.
func (t *trace) append(s kernels.Sampled) prune.State {
	g := t.group
	m := g.engine.reasoner
	p := &g.req.Params
	t.tokens = append(t.tokens, s.Token)
	t.logProb += float64(s.LogProb)
	v := t.view()
	v.Tokens, v.LogProb = len(t.tokens), t.logProb
	v.Confidence += float64(s.Confidence)
	if p.LogProbs {
		t.logProbs.append(s)
	}
	if t.adjust != nil {
		t.adjust.add(s.Token, len(t.tokens))
	}
	g.touch(t)

	switch {
	case !p.IgnoreEOS && slices.Contains(m.Generation.EOS, s.Token):
		t.end = End{Kind: EndOfText, Token: s.Token}
		return prune.Finished
	case slices.Contains(p.StopTokens, s.Token):
		t.end = End{Kind: EndStopToken, Token: s.Token}
		return prune.Finished
	}
	before := len(t.text)
	t.text = m.Tokenizer.AppendToken(t.text, s.Token)
	if t.stopString(before) {
		return prune.Finished
	}
	if t.language != nil {
		switch complete, ok := t.language.add(t, s.Token, before); {
		case !ok: // the device did not keep to the mask
			return prune.Failed
		case complete:
			t.end = End{Kind: EndOfText, Token: -1}
			return prune.Finished
		}
	}
	if len(t.tokens) >= p.MaxTokens {
		t.end.Kind = EndLength
		if t.length() >= m.MaxContext() {
			t.end.Kind = EndContext
		}
		return prune.Length
	}
	if n := len(t.marks); n < len(g.checkpoints) {
		t.words.Add(t.text[before:])
		c := g.checkpoints[n]
		if c.Tokens > 0 && len(t.tokens) >= c.Tokens || c.Words > 0 && t.words.Count() >= c.Words {
			t.marks = append(t.marks, len(t.tokens))
			v.Checkpoints = len(t.marks)
			return prune.Held
		}
	}
	return prune.Running
}

// stopString looks for stop strings that end in the text from byte before on, and
// cuts the text in front of the one that begins first, the longest of several.
func (t *trace) stopString(before int) bool {
	cut := len(t.text)
	for _, s := range t.group.req.Params.Stop {
		from := max(0, before-len(s)+1)
		i := bytes.Index(t.text[from:], []byte(s))
		if i >= 0 && (from+i < cut || from+i == cut && len(s) > len(t.end.Stop)) {
			cut = from + i
			t.end = End{Kind: EndStopString, Stop: s}
		}
	}
	t.text = t.text[:cut]
	return t.end.Kind == EndStopString
}

// prefix is the text of the trace up to a checkpoint, or all of it if it ended
// before.
func (t *trace) prefix(checkpoint int) string {
	m := t.group.engine.reasoner
	ids := t.tokens
	if checkpoint < len(t.marks) {
		ids = ids[:t.marks[checkpoint]]
	} else if n := len(ids); n > 0 && slices.Contains(m.Generation.EOS, ids[n-1]) {
		ids = ids[:n-1]
	}
	return m.Tokenizer.Decode(ids)
}

// promptEnd is how many of a prompt's last tokens say whether the model is thinking.
const promptEnd = 64

// settle extracts the answer of a trace that has just ended by itself. A trace
// cut at its limit has one only if it said so.
func (t *trace) settle() {
	m, prompt := t.group.engine.reasoner, t.group.prompt
	end := m.Tokenizer.Decode(prompt[max(0, len(prompt)-promptEnd):])
	answer, method := prune.ExtractFinal(model.SplitReasoning(m.Reasoning, end, string(t.text)))
	t.boxed = method == prune.MethodBoxed
	if t.state == prune.Finished || t.boxed {
		t.answer = answer
	}
	t.view().Answer = t.answer
}

// blocks is the number of blocks the trace holds beside those of the root: none as
// long as it waits for room for its first token, since it shares the root's last
// block until then.
func (t *trace) blocks() int {
	if t.seq == nil || t.seq.Len() < len(t.group.prompt) {
		return 0
	}
	return len(t.seq.Blocks()) - (len(t.group.prompt)-1)/kernels.BlockSize
}

// blocksFor is the number of blocks that hold n tokens.
func blocksFor(n int) int { return (n + kernels.BlockSize - 1) / kernels.BlockSize }
