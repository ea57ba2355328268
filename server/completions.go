package server

import (
	"net/http"
	"unicode/utf8"

	"deepprune/engine"
	"deepprune/server/openai"
)

// completions answers POST /v1/completions.
func (s *Server) completions(w http.ResponseWriter, r *http.Request, body []byte) error {
	q, err := openai.ParseCompletion(body, s.wireLimits())
	if err != nil {
		return err
	}
	requests, err := s.completionRequests(q)
	if err != nil {
		return err
	}
	ctx, cancel := withTimeout(r.Context(), q.Group)
	defer cancel()
	a, err := s.newAnswer(ctx, &q.Sampling, "cmpl-", requests)
	if err != nil {
		return err
	}
	a.object, a.chunk = openai.ObjectCompletion, openai.ObjectCompletion
	speakers := make([]*textSpeaker, len(a.runs)*a.choices)
	for i := range speakers {
		speakers[i] = &textSpeaker{server: s, request: q, index: i, group: a.groups[i/a.choices]}
		if q.Echo {
			speakers[i].echo = requests[i/a.choices].Question
		}
	}
	if q.Stream {
		stream(w, a, speakers)
		return nil
	}
	results, err := a.wait()
	if err != nil {
		return err
	}
	response := openai.Response[openai.CompletionChoice]{Choices: make([]openai.CompletionChoice, len(speakers))}
	for i, speaker := range speakers {
		trace, _ := a.trace(i, true)
		p := speaker.group.Progress(trace)
		response.Choices[i], _, _ = speaker.next(&p, true)
	}
	send(w, a, response, results)
	return nil
}

// completionRequests makes a request to the engine of each prompt.
func (s *Server) completionRequests(q *openai.CompletionRequest) ([]engine.Request, error) {
	r, err := s.request(&q.Sampling)
	if err != nil {
		return nil, err
	}
	if q.LogProbs != nil {
		r.Params.LogProbs, r.Params.TopLogProbs = true, int(*q.LogProbs)
		r.PromptLogProbs = q.Echo
	}
	r.PromptOnly = q.MaxTokens != nil && *q.MaxTokens == 0
	requests := make([]engine.Request, len(q.Prompts))
	for i, p := range q.Prompts {
		r.Prompt, r.Question = p.IDs, p.Text
		if p.IDs == nil {
			r.Prompt = s.model.Tokenizer.Encode(nil, p.Text)
		} else {
			r.Question = s.model.Tokenizer.Decode(p.IDs)
		}
		requests[i] = r
	}
	return requests, nil
}

// textSpeaker turns a trace into the text of a choice.
type textSpeaker struct {
	server  *Server
	request *openai.CompletionRequest
	group   *engine.Group
	index   int
	echo    string // to be said first

	text, tokens int // taken so far
	characters   int // said so far, by the tokens
	begun        bool
}

// next makes a piece of what is new of a trace.
func (c *textSpeaker) next(p *engine.Progress, done bool) (news openai.CompletionChoice, some, ended bool) {
	finish, stop, ended := ending(p, done)
	if len(p.Text) == c.text && !ended {
		return news, false, false
	}
	news = openai.CompletionChoice{Index: c.index, Text: readable(p.Text[c.text:])}
	c.text = len(p.Text)
	wanted := c.request.LogProbs != nil
	if wanted {
		news.LogProbs = openai.NewCompletionLogProbs()
	}
	if !c.begun {
		c.begun = true
		news.Text = c.echo + news.Text
		if l, ok := c.group.PromptLogProbs(); ok && wanted && c.request.Echo {
			for i, id := range c.group.Prompt() {
				c.add(news.LogProbs, c.server.logProb(id, &l, i), i > 0)
			}
		}
	}
	if wanted {
		var tokens []openai.TokenLogProb
		tokens, c.tokens = c.server.logProbs(p, c.tokens)
		for _, t := range tokens {
			c.add(news.LogProbs, t, true)
		}
	}
	if ended {
		news.FinishReason, news.StopReason = &finish, stop
	}
	return news, true, ended
}

// add adds a token at the place in the text where it begins.
func (c *textSpeaker) add(l *openai.CompletionLogProbs, t openai.TokenLogProb, known bool) {
	l.Add(t, c.characters, known)
	for _, b := range t.Bytes {
		if utf8.RuneStart(b) {
			c.characters++
		}
	}
}
