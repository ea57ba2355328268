package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"deepprune/engine"
	"deepprune/prune"
	"deepprune/server/openai"
)

// answer is the groups that answer one request, and which of their traces are its
// choices.
type answer struct {
	id      string
	object  string // of the response
	chunk   string // object of its chunks
	model   string
	created int64
	runs    []*run
	groups  []*engine.Group // of the runs
	choices int             // of a run
	vote    bool            // the one choice is what the traces vote for
	group   bool            // there is a policy: the account of the group is wanted
	// usage wants a last chunk with the tokens.
	usage bool
	ended []bool // of the choices that are streamed: those that are over
}

// newAnswer starts the groups of a request, one for each prompt. All of them end
// when ctx does. The first is refused if too many wait already; the others wait for
// those before them, as a request may have more prompts than can wait at once. The
// error is an *openai.Error.
func (s *Server) newAnswer(ctx context.Context, q *openai.Sampling, prefix string, requests []engine.Request) (*answer, error) {
	a := &answer{
		id: prefix + randomHex(12), model: s.opt.Name, created: time.Now().Unix(),
		choices: q.Choices, vote: q.Group != nil && q.Choices == 1, group: q.Group != nil, usage: q.IncludeUsage,
	}
	next := 0 // of the runs, whose end may make room
	for _, r := range requests {
		run, group, err := s.start(ctx, r, a.id)
		for ; next < len(a.runs) && errors.Is(err, engine.ErrBusy) && ctx.Err() == nil; next++ {
			select {
			case <-a.runs[next].ended:
			case <-ctx.Done():
			}
			run, group, err = s.start(ctx, r, a.id)
		}
		if errors.Is(err, engine.ErrBusy) {
			return nil, s.refuse(busy(exchangeOf(ctx), "server_busy", "Too many requests wait already; try again later."))
		}
		if err != nil {
			return nil, wireError(err)
		}
		a.runs, a.groups = append(a.runs, run), append(a.groups, group)
	}
	a.ended = make([]bool, len(a.runs)*a.choices)
	return a, nil
}

// trace is the trace that is choice i, ready unless that is still to be seen. done
// says that its group is over.
func (a *answer) trace(i int, done bool) (trace int, ready bool) {
	if !a.vote {
		return i % a.choices, true
	}
	if !done {
		return 0, false
	}
	result, _ := a.groups[i].Wait()
	if result == nil {
		return 0, true
	}
	return spokesman(result), true
}

// groupHeader is the header that names the first group of a response.
const groupHeader = "Deepprune-Group"

func (a *answer) announce(w http.ResponseWriter) {
	w.Header().Set(groupHeader, fmt.Sprint(a.runs[0].id))
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// wait waits for all groups. The error is an *openai.Error of a group that broke; a
// group that was cancelled has a result like any other.
func (a *answer) wait() ([]*engine.Result, error) {
	results := make([]*engine.Result, len(a.groups))
	var broken error
	for i, g := range a.groups {
		result, err := g.Wait()
		if result == nil || err != nil && !errors.Is(err, engine.ErrCancelled) {
			broken = err
		}
		results[i] = result
	}
	if broken != nil {
		return nil, wireError(broken)
	}
	return results, nil
}

// tokens are the tokens that the groups took.
func (a *answer) tokens(results []*engine.Result) *openai.Usage {
	u := new(openai.Usage)
	for _, r := range results {
		u.PromptTokens += r.Usage.PromptTokens
		u.CompletionTokens += r.Usage.GeneratedTokens
	}
	u.TotalTokens = u.PromptTokens + u.CompletionTokens
	return u
}

// audit is what the response tells of its group, nil if there is no policy.
func (a *answer) audit(results []*engine.Result) any {
	if !a.group {
		return nil
	}
	return audit{Group: a.runs[0].id, Result: results[0]}
}

// audit is the field "deepprune" of a response.
type audit struct {
	Group int64 `json:"group"` // its id, for /v1/groups
	*engine.Result
}

// spokesman is the trace whose text is the answer of a group: the first that voted
// for what won, or else the first that ended by itself, or else the first.
func spokesman(r *engine.Result) int {
	if len(r.Votes) > 0 && len(r.Votes[0].Traces) > 0 {
		return r.Votes[0].Traces[0]
	}
	best := 0
	rank := func(s prune.State) int {
		switch s {
		case prune.Finished:
			return 2
		case prune.Length:
			return 1
		}
		return 0
	}
	for i := range r.Traces {
		if rank(r.Traces[i].State) > rank(r.Traces[best].State) {
			best = i
		}
	}
	return best
}

// ending says how a choice ended, in the words of the API. done says that its group
// has: a trace that is not over by then never will be.
func ending(p *engine.Progress, done bool) (finish string, stop any, over bool) {
	switch p.End.Kind {
	case engine.EndOfText:
		return openai.FinishStop, nil, true
	case engine.EndStopString:
		return openai.FinishStop, p.End.Stop, true
	case engine.EndStopToken:
		return openai.FinishStop, p.End.Token, true
	case engine.EndLength, engine.EndContext:
		return openai.FinishLength, nil, true
	}
	switch {
	case p.State == prune.Pruned:
		return openai.FinishLength, openai.StopPruned, true
	case p.State == prune.NotStarted && done:
		return openai.FinishLength, openai.StopPruned, true
	case p.State.Ended(), done:
		return openai.FinishLength, openai.StopCancelled, true
	}
	return "", nil, false
}

// logProbs are the log-probabilities of the tokens of a trace from one on. The token
// that ended it is no part of the text, nor of these.
func (s *Server) logProbs(p *engine.Progress, from int) (tokens []openai.TokenLogProb, next int) {
	next = len(p.TokenIDs)
	end := next
	if p.End.Kind == engine.EndStopToken || p.End.Kind == engine.EndOfText && p.End.Token >= 0 {
		end--
	}
	for i := from; i < min(end, len(p.LogProbs.Tokens)); i++ {
		tokens = append(tokens, s.logProb(p.TokenIDs[i], &p.LogProbs, i))
	}
	return tokens, next
}

// logProb is the log-probability of token i.
func (s *Server) logProb(id int32, l *engine.LogProbs, i int) openai.TokenLogProb {
	t := openai.TokenLogProb{Bytes: s.model.Tokenizer.AppendToken(nil, id), LogProb: float64(l.Tokens[i])}
	for _, alternative := range l.Alternatives(i) {
		if alternative.Token >= 0 {
			t.Top = append(t.Top, openai.TokenLogProb{
				Bytes: s.model.Tokenizer.AppendToken(nil, alternative.Token), LogProb: float64(alternative.LogProb),
			})
		}
	}
	return t
}
