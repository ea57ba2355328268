package engine

import (
	"bytes"
	"fmt"
	"slices"

	"deepprune/engine/constrain"
)

// maxMatchers bounds the grammars whose masks are remembered.
const maxMatchers = 16

// vocabulary is the tokens of the reasoner for constraints. It is made when the
// first of them is submitted, by whoever submits it.
func (e *Engine) vocabulary() (*constrain.Vocabulary, error) {
	e.wordsOnce.Do(func() {
		t := e.reasoner.Tokenizer
		added := make(map[int32]bool)
		for _, id := range t.Added() {
			added[id] = true
		}
		size := e.reasoner.Config.VocabSize
		e.words, e.wordsErr = constrain.NewVocabulary(size, func(dst []byte, id int32) []byte {
			if added[id] || int(id) >= t.Size() {
				return dst // what text never has
			}
			return t.AppendToken(dst, id)
		}, e.reasoner.Generation.EOS)
	})
	return e.words, e.wordsErr
}

// checkConstraint refuses a constraint that cannot be kept.
func (e *Engine) checkConstraint(r *Request) error {
	if r.Constraint == nil {
		if r.ConstraintAfter != "" {
			return fmt.Errorf("%w: the text %q that a constraint begins after, and no constraint", ErrInvalid, r.ConstraintAfter)
		}
		return nil
	}
	if r.Params.IgnoreEOS {
		return fmt.Errorf("%w: a constraint on traces that ignore the end of text", ErrInvalid)
	}
	if _, err := e.vocabulary(); err != nil {
		return fmt.Errorf("%w: a constraint on what %s writes: %w", ErrInvalid, e.reasoner.Name, err)
	}
	return nil
}

// matcher is the matcher of a grammar, used least recently if it is the last of
// e.matchers. The step loop's.
func (e *Engine) matcher(g *constrain.Grammar) *constrain.Matcher {
	i := slices.IndexFunc(e.matchers, func(m grammarMatcher) bool { return m.grammar == g })
	if i < 0 {
		if len(e.matchers) == maxMatchers {
			e.matchers = e.matchers[:maxMatchers-1]
		}
		i = len(e.matchers)
		e.matchers = append(e.matchers, grammarMatcher{g, constrain.NewMatcher(g, e.words)})
	}
	m := e.matchers[i]
	copy(e.matchers[1:i+1], e.matchers[:i])
	e.matchers[0] = m
	return m.matcher
}

type grammarMatcher struct {
	grammar *constrain.Grammar
	matcher *constrain.Matcher
}

// constraint is where a trace is in its language.
type constraint struct {
	matcher *constrain.Matcher
	state   *constrain.State // nil before the text behind which it begins
}

// begin starts the constraint of a trace.
func (g *Group) newConstraint() *constraint {
	c := &constraint{matcher: g.engine.matcher(g.req.Constraint)}
	if g.req.ConstraintAfter == "" {
		c.state = c.matcher.Start()
	}
	return c
}

// allowed is the mask of the next token, nil for all.
func (c *constraint) allowed() []uint32 {
	if c.state == nil {
		return nil
	}
	return c.matcher.Allowed(c.state)
}

// add takes a token of the trace, whose text is new from byte before on. It reports
// whether the text is complete; ok is false if the token was not allowed.
func (c *constraint) add(t *trace, token int32, before int) (complete, ok bool) {
	if c.state == nil {
		marker := []byte(t.group.req.ConstraintAfter)
		if bytes.Contains(t.text[max(0, before-len(marker)+1):], marker) {
			c.state = c.matcher.Start()
		}
		return false, true
	}
	next := c.matcher.Advance(c.state, token)
	if next == nil {
		return false, false
	}
	c.state = next
	return next.Ends(), true
}
