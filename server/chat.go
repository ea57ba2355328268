package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"deepprune/engine"
	"deepprune/engine/constrain"
	"deepprune/model"
	"deepprune/server/openai"
)

// chat answers POST /v1/chat/completions.
func (s *Server) chat(w http.ResponseWriter, r *http.Request, body []byte) error {
	q, err := openai.ParseChat(body, s.wireLimits())
	if err != nil {
		return err
	}
	request, err := s.chatRequest(q)
	if err != nil {
		return err
	}
	ctx, cancel := withTimeout(r.Context(), q.Group)
	defer cancel()
	a, err := s.newAnswer(ctx, &q.Sampling, "chatcmpl-", []engine.Request{request})
	if err != nil {
		return err
	}
	a.object, a.chunk = openai.ObjectChat, openai.ObjectChatChunk
	speakers := make([]*chatSpeaker, a.choices)
	for i := range speakers {
		speakers[i] = s.newChatSpeaker(q, i, request.Prompt)
	}
	if q.Stream {
		stream(w, a, speakers)
		return nil
	}
	results, err := a.wait()
	if err != nil {
		return err
	}
	response := openai.Response[openai.ChatChoice]{Choices: make([]openai.ChatChoice, len(speakers))}
	for i, speaker := range speakers {
		trace, _ := a.trace(i, true)
		p := a.groups[0].Progress(trace)
		news, _, _ := speaker.next(&p, true)
		response.Choices[i] = wholeChoice(news)
	}
	send(w, a, response, results)
	return nil
}

// withTimeout ends a group with the best vote so far after the time that it asks for.
func withTimeout(ctx context.Context, g *openai.Group) (context.Context, context.CancelFunc) {
	if g == nil || g.Timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, g.Timeout)
}

// send completes a response and answers with it.
func send[C any](w http.ResponseWriter, a *answer, r openai.Response[C], results []*engine.Result) {
	r.ID, r.Object, r.Created, r.Model = a.id, a.object, a.created, a.model
	r.Usage, r.DeepPrune = a.tokens(results), a.audit(results)
	a.announce(w)
	sendJSON(w, r)
}

// chatRequest makes a request to the engine of a conversation.
func (s *Server) chatRequest(q *openai.ChatRequest) (engine.Request, error) {
	r, err := s.request(&q.Sampling)
	if err != nil {
		return r, err
	}
	r.Params.LogProbs, r.Params.TopLogProbs = q.LogProbs, q.TopLogProbs
	c, err := s.conversation(q)
	if err != nil {
		return r, err
	}
	if r.Prompt, err = s.model.ChatPrompt(c); err != nil {
		return r, openai.Invalid("messages", "invalid_value", "The messages could not be put into the model's chat template: %s.", err)
	}
	for _, m := range q.Messages {
		if m.Role == "user" {
			r.Question = m.Content // the last one, for the account
		}
	}
	if schema := forcedCall(q); schema != nil {
		if r.Constraint, err = constrain.JSONSchema(schema); err != nil {
			return r, openai.Invalid("tools", "invalid_json_schema", "Invalid 'tools': the parameters cannot be enforced: %s.", err)
		}
	}
	if r.Constraint != nil {
		r.ConstraintAfter = s.endOfThoughts(r.Prompt)
	}
	return r, nil
}

// conversation is the messages and tools as the chat template takes them.
func (s *Server) conversation(q *openai.ChatRequest) (model.Conversation, error) {
	c := model.Conversation{AddGenerationPrompt: true, Variables: q.Variables}
	if s.model.Chat == nil {
		return c, openai.Invalid("model", "invalid_value", "The model %s has no chat template that can be used; ask /v1/completions.", s.opt.Name)
	}
	for _, m := range q.Messages {
		turn := model.Message{Role: m.Role, Content: m.Content, Reasoning: m.Reasoning, ToolCallID: m.CallID, Name: m.Name}
		if m.Role == "developer" && !s.model.Chat.Mentions(m.Role) {
			turn.Role = "system"
		}
		for _, call := range m.Calls {
			turn.ToolCalls = append(turn.ToolCalls, model.ToolCall{ID: call.ID, Name: call.Name, Arguments: json.RawMessage(call.Arguments)})
		}
		c.Messages = append(c.Messages, turn)
	}
	if q.Choice.Mode != openai.ToolNone {
		for _, t := range q.Tools {
			c.Tools = append(c.Tools, t.Raw)
		}
	}
	return c, nil
}

// localRef is a reference of a JSON schema to a part of itself, up to the place.
var localRef = regexp.MustCompile(`[{,\s]"\$ref"\s*:\s*"#`)

// forcedCall is the JSON schema of what a model has to write that must call a tool:
// the arguments of the one that is named, or an array of calls. nil if it need not.
func forcedCall(q *openai.ChatRequest) json.RawMessage {
	parameters := func(t *openai.Tool) json.RawMessage {
		if t.Parameters == nil {
			return json.RawMessage(`{"type":"object"}`)
		}
		return t.Parameters
	}
	type schema = map[string]any
	switch q.Choice.Mode {
	case openai.ToolNamed:
		return parameters(q.Find(q.Choice.Name))
	case openai.ToolRequired:
		// A model says whom it calls before it says with what: the order of fields is
		// that of the text.
		type call struct {
			Name      schema          `json:"name"`
			Arguments json.RawMessage `json:"arguments"`
		}
		calls := make([]schema, len(q.Tools))
		for i := range q.Tools {
			t := &q.Tools[i]
			place := fmt.Sprintf("/items/anyOf/%d/properties/arguments", i)
			calls[i] = schema{
				"type":                 "object",
				"properties":           call{schema{"const": t.Name}, localRef.ReplaceAll(parameters(t), []byte("${0}"+place))},
				"required":             []string{"name", "arguments"},
				"additionalProperties": false,
			}
		}
		list := schema{"type": "array", "items": schema{"anyOf": calls}, "minItems": 1}
		if q.OneCall {
			list["maxItems"] = 1
		}
		text, err := json.Marshal(list)
		if err != nil {
			panic(err) // schemas that were parsed
		}
		return text
	}
	return nil
}

// endOfThoughts is the text behind which an answer begins, if the prompt has the
// model think first; "" if it answers at once.
func (s *Server) endOfThoughts(prompt []int32) string {
	switch s.model.Reasoning {
	case model.ReasoningTags:
		if strings.HasSuffix(strings.TrimSpace(s.endOf(prompt)), "<think>") {
			return "</think>"
		}
	case model.ReasoningChannels:
		return "<|channel|>final<|message|>"
	}
	return ""
}

// endOf is the text of the end of a prompt, as much as the split of reasoning and
// content looks at.
func (s *Server) endOf(prompt []int32) string {
	const most = 64 // tokens
	return s.model.Tokenizer.Decode(prompt[max(0, len(prompt)-most):])
}
