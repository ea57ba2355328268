package server

import (
	"unicode/utf8"

	"deepprune/engine"
	"deepprune/model"
	"deepprune/server/openai"
)

// chatSpeaker turns a trace into the message of a choice: thoughts, content and
// calls of tools.
//
//	text ─► reasoning ─► content ─► tools ─► said, calls
//	              └────► thoughts
//
// In harmony's format tools come first, since a call is a message of its own.
type chatSpeaker struct {
	server    *Server
	request   *openai.ChatRequest
	index     int
	format    openai.ToolFormat
	reasoning *model.ReasoningSplitter
	tools     *openai.ToolParser // nil if none can be called, or one has to be

	text, tokens int    // taken so far
	forced       string // content that has to be calls, until it is whole
	begun        bool   // something was sent
	calls        int    // sent
}

func (s *Server) newChatSpeaker(q *openai.ChatRequest, index int, prompt []int32) *chatSpeaker {
	c := &chatSpeaker{
		server: s, request: q, index: index,
		reasoning: model.NewReasoningSplitter(s.model.Reasoning, s.endOf(prompt)),
	}
	if q.Choice.Mode == openai.ToolAuto {
		c.format = openai.ToolFormatOf(s.model.Chat.Mentions)
		c.tools = openai.NewToolParser(c.format, q.Tools)
	}
	return c
}

// next makes a delta of what is new of a trace.
func (c *chatSpeaker) next(p *engine.Progress, done bool) (news openai.ChatChunkChoice, some, ended bool) {
	finish, stop, ended := ending(p, done)
	piece := readable(p.Text[c.text:])
	c.text = len(p.Text)
	thoughts, said, calls := c.split(piece, ended)

	news.Index = c.index
	d := &news.Delta
	d.ReasoningContent = thoughts
	said = c.addCalls(d, said, calls, ended)
	if said == "" && thoughts == "" && len(d.ToolCalls) == 0 && !ended {
		return news, false, false
	}
	if said != "" || !c.begun {
		d.Content = &said
	}
	if !c.begun {
		d.Role, c.begun = "assistant", true
	}
	if c.request.LogProbs {
		var tokens []openai.TokenLogProb
		tokens, c.tokens = c.server.logProbs(p, c.tokens)
		news.LogProbs = openai.NewChatLogProbs(tokens)
	}
	if ended {
		if c.calls > 0 && finish == openai.FinishStop {
			finish = openai.FinishToolCalls
		}
		news.FinishReason, news.StopReason = &finish, stop
	}
	return news, true, ended
}

// split tells thoughts, content and calls apart.
func (c *chatSpeaker) split(piece string, final bool) (thoughts, said string, calls []openai.Call) {
	if c.format == openai.ToolHarmony {
		piece, calls = parse(c.tools, piece, final)
		thoughts, said = c.think(piece, final)
		return thoughts, said, calls
	}
	thoughts, said = c.think(piece, final)
	if c.tools != nil {
		said, calls = parse(c.tools, said, final)
	}
	return thoughts, said, calls
}

func (c *chatSpeaker) think(piece string, final bool) (thoughts, said string) {
	thoughts, said = c.reasoning.Write(piece)
	if final {
		restThoughts, restSaid := c.reasoning.Flush()
		thoughts, said = thoughts+restThoughts, said+restSaid
	}
	return thoughts, said
}

func parse(p *openai.ToolParser, piece string, final bool) (said string, calls []openai.Call) {
	said, calls = p.Add(piece)
	if final {
		restSaid, restCalls := p.Close()
		said, calls = said+restSaid, append(calls, restCalls...)
	}
	return said, calls
}

// addCalls adds the calls of tools to a delta and returns what is said beside. Where
// a call was asked for, what is said is the call.
func (c *chatSpeaker) addCalls(d *openai.ChatDelta, said string, calls []openai.Call, final bool) string {
	switch c.request.Choice.Mode {
	case openai.ToolNamed:
		if said == "" {
			return ""
		}
		if c.calls == 0 {
			c.add(d, openai.Call{Name: c.request.Choice.Name, Arguments: said})
		} else {
			d.ToolCalls = []openai.ToolCallDelta{{Function: openai.FunctionDelta{Arguments: said}}}
		}
		return ""
	case openai.ToolRequired:
		c.forced += said
		if !final {
			return ""
		}
		if calls = openai.ParseCalls(c.forced); len(calls) == 0 {
			return c.forced // it was cut off
		}
		said = ""
	}
	for _, call := range calls {
		if c.request.OneCall && c.calls == 1 {
			break
		}
		c.add(d, call)
	}
	return said
}

// add adds a call to a delta.
func (c *chatSpeaker) add(d *openai.ChatDelta, call openai.Call) {
	d.ToolCalls = append(d.ToolCalls, openai.ToolCallDelta{
		Index: c.calls, ID: "call_" + randomHex(12), Type: "function",
		Function: openai.FunctionDelta{Name: call.Name, Arguments: call.Arguments},
	})
	c.calls++
}

// wholeChoice is the choice of a message that came in one piece.
func wholeChoice(piece openai.ChatChunkChoice) openai.ChatChoice {
	d := &piece.Delta
	c := openai.ChatChoice{
		Index: piece.Index, LogProbs: piece.LogProbs, FinishReason: *piece.FinishReason, StopReason: piece.StopReason,
		Message: openai.ChatMessage{Role: d.Role, Content: d.Content, ReasoningContent: d.ReasoningContent},
	}
	for _, call := range d.ToolCalls {
		c.Message.ToolCalls = append(c.Message.ToolCalls, openai.ToolCall{
			ID: call.ID, Type: call.Type, Function: openai.FunctionCall{Name: call.Function.Name, Arguments: call.Function.Arguments},
		})
	}
	if len(c.Message.ToolCalls) > 0 && d.Content != nil && *d.Content == "" {
		c.Message.Content = nil
	}
	return c
}

// readable is text of which bytes that are no UTF-8 became U+FFFD, each of them, so
// that pieces add up to the whole.
func readable(text []byte) string {
	if utf8.Valid(text) {
		return string(text)
	}
	out := make([]rune, 0, len(text))
	for _, r := range string(text) {
		out = append(out, r)
	}
	return string(out)
}
