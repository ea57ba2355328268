package engine

import (
	"sync"
	"unicode/utf8"

	"deepprune/prune"
)

// EndKind says what ended a trace.
type EndKind uint8

const (
	EndNone       EndKind = iota // it runs, or was pruned, cancelled or failed: its state says
	EndOfText                    // the model ended it, or its constraint is complete
	EndStopString                // one of Params.Stop
	EndStopToken                 // one of Params.StopTokens
	EndLength                    // Params.MaxTokens
	EndContext                   // MaxTokens too, and that is all the context there is
)

// End is what ended a trace.
type End struct {
	Kind  EndKind
	Stop  string // of EndStopString: which
	Token int32  // of EndOfText and EndStopToken: which; -1 for a constraint's end
}

// Progress is what a trace has come to. Its slices only grow from one Progress to
// the next, are shared, and must not be changed.
type Progress struct {
	State prune.State
	End   End
	// TokenIDs are all tokens so far.
	TokenIDs []int32
	// Text is what is certain of the text: it ends before a character that is not
	// complete and before what may be the beginning of a stop string, as long as the
	// trace has not ended. It need not be UTF-8, since a model may write any bytes.
	Text []byte
	// LogProbs belong to TokenIDs, if Params.LogProbs is set.
	LogProbs LogProbs
}

// progress is what the step loop publishes of a group, for any goroutine to read.
// The loop writes at the end of a step and only copies slice headers: what they
// refer to is appended to and never written again.
type progress struct {
	touched []int // traces that changed since the last publication; the loop's

	mu      sync.Mutex
	traces  []Progress
	prompt  LogProbs
	changed chan struct{} // closed by the next publication; nil if nobody waits
}

// Progress is what trace i has come to by the end of the last step. Of an index
// that the group does not have, and before the group is taken up, it is zero.
func (g *Group) Progress(i int) Progress {
	p := &g.progress
	p.mu.Lock()
	defer p.mu.Unlock()
	if i < 0 || i >= len(p.traces) {
		return Progress{}
	}
	return p.traces[i]
}

// Changed returns a channel that is closed when there is more to see, by Progress
// or PromptLogProbs, than at the call; it is closed too when the group ends. A
// reader calls it before it looks, so that nothing is missed:
//
//	for {
//		changed := g.Changed()
//		p := g.Progress(0)
//		// Send what is new of p.
//		if p.State.Ended() {
//			break
//		}
//		<-changed
//	}
//
// A reader that does nothing costs the group nothing, and one that is slow sees
// several steps at once.
func (g *Group) Changed() <-chan struct{} {
	p := &g.progress
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-g.done:
		return g.done
	case <-g.engine.done:
		return g.engine.done
	default:
	}
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	return p.changed
}

// PromptLogProbs are those of the prompt's tokens, which were asked for with
// Request.PromptLogProbs. ok is false until the prompt is computed.
func (g *Group) PromptLogProbs() (l LogProbs, ok bool) {
	p := &g.progress
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.prompt, p.prompt.Tokens != nil
}

// Prompt is the token ids that the traces continue. It must not be changed.
func (g *Group) Prompt() []int32 { return g.prompt }

// touch notes that there is something new to see of a trace.
func (g *Group) touch(t *trace) {
	if !t.touched {
		t.touched = true
		g.progress.touched = append(g.progress.touched, t.index)
	}
}

// show publishes what has changed.
func (g *Group) show() {
	p := &g.progress
	if len(p.touched) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range p.touched {
		t := &g.traces[i]
		t.touched = false
		v := &p.traces[i]
		v.State, v.End, v.TokenIDs, v.LogProbs = t.state, t.end, t.tokens, t.logProbs
		v.Text = t.text[:t.settled()]
	}
	p.touched = p.touched[:0]
	p.tell()
}

// showPrompt publishes the log-probabilities of the prompt.
func (g *Group) showPrompt(l LogProbs) {
	p := &g.progress
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prompt = l
	p.tell()
}

// tell wakes those who wait for a change.
func (p *progress) tell() {
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// settled is the length of the trace's text that nothing can change any more.
func (t *trace) settled() int {
	n := len(t.text)
	if t.state.Ended() {
		return n
	}
	for _, s := range t.group.req.Params.Stop {
		n = min(n, len(t.text)-overlap(t.text, s))
	}
	return min(n, len(t.text)-incomplete(t.text))
}

// overlap is the length of the longest beginning of s, not all of it, that text
// ends with.
func overlap(text []byte, s string) int {
	for n := min(len(s)-1, len(text)); n > 0; n-- {
		if string(text[len(text)-n:]) == s[:n] {
			return n
		}
	}
	return 0
}

// incomplete is the length of the beginning of a character that text ends with.
func incomplete(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if tail := text[len(text)-n:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return n
			}
			break
		}
	}
	return 0
}
