package openai

import (
	"encoding/json"
	"strings"
)

// ChatRequest is a checked body of /v1/chat/completions.
type ChatRequest struct {
	Sampling
	Messages []Message
	// Tools are the functions that may be called, as they were sent.
	Tools []Tool
	// Choice says which of them.
	Choice ToolChoice
	// OneCall wants no more than one call of a choice.
	OneCall bool
	// LogProbs wants the log-probabilities of the tokens, and of as many others as
	// TopLogProbs says.
	LogProbs    bool
	TopLogProbs int
	// Variables are switches of the chat template: chat_template_kwargs.
	Variables map[string]any
}

// Message is one turn of a conversation.
type Message struct {
	Role      string
	Content   string // the parts of a list, a line each
	Reasoning string
	Calls     []Call
	CallID    string // that a tool answers
	Name      string
}

// Call is a tool that was called.
type Call struct {
	ID, Name  string
	Arguments string // a JSON object
}

// Tool is a function that may be called.
type Tool struct {
	Name string
	// Parameters is the JSON schema of its arguments, nil for none.
	Parameters json.RawMessage
	// Raw is the tool as it was sent, for the chat template.
	Raw json.RawMessage
}

// ToolChoice says what may be called.
type ToolChoice struct {
	Mode ToolMode
	Name string // of the function, in mode ToolNamed
}

// ToolMode is a kind of tool_choice.
type ToolMode uint8

const (
	ToolNone     ToolMode = iota // no tool, and the default without tools
	ToolAuto                     // the model decides
	ToolRequired                 // some tool
	ToolNamed                    // one tool
)

// ParseChat reads a body of /v1/chat/completions. The error is an [*Error].
func ParseChat(body []byte, limits Limits) (*ChatRequest, error) {
	o, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	r := &ChatRequest{Sampling: o.sampling(limits)}
	r.MaxTokens = o.integer("max_completion_tokens", 1, 1<<31-1)
	if r.MaxTokens == nil {
		r.MaxTokens = o.integer("max_tokens", 1, 1<<31-1)
	}
	r.Messages = o.messages()
	r.Tools, r.Choice = o.tools()
	if o.has("parallel_tool_calls") {
		r.OneCall = !o.flag("parallel_tool_calls")
	}
	r.LogProbs = o.flag("logprobs")
	if n := o.integer("top_logprobs", 0, maxTopLogProbs); n != nil {
		r.TopLogProbs = int(*n)
		if !r.LogProbs && *n > 0 {
			o.invalid("top_logprobs", "invalid_value", "it is only allowed when logprobs is true.")
		}
	}
	r.Variables = o.variables()
	if forced := r.Choice.Mode == ToolRequired || r.Choice.Mode == ToolNamed; forced && r.Format.Kind != FormatText {
		o.invalid("response_format", "invalid_value", "a call of a tool was asked for as well.")
	}
	if *o.err != nil {
		return nil, *o.err
	}
	return r, nil
}

func (o object) messages() []Message {
	if !o.has("messages") {
		o.missing("messages")
		return nil
	}
	list := o.list("messages", maxMessages)
	if len(list) == 0 {
		o.invalid("messages", "empty_array", "empty array. Expected an array with minimum length 1, but got an empty array instead.")
	}
	messages := make([]Message, len(list))
	for i, raw := range list {
		messages[i] = o.at("messages", i, raw).message()
		if *o.err != nil {
			return nil
		}
	}
	return messages
}

// message takes one message.
func (o object) message() (m Message) {
	switch m.Role = o.required("role"); m.Role {
	case "system", "developer", "user", "assistant", "tool", "function", "":
	default:
		o.invalid("role", "invalid_value", "%s. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.", quote(m.Role))
	}
	m.Content = o.content()
	m.Name = o.text("name")
	if m.Role == "assistant" {
		m.Reasoning = o.text("reasoning_content")
		m.Calls = o.calls()
	} else if !o.has("content") {
		o.missing("content")
	}
	if m.Role == "tool" {
		m.CallID = o.required("tool_call_id")
	}
	return m
}

// content takes a text or a list of parts of text.
func (o object) content() string {
	if !o.has("content") {
		return ""
	}
	switch kind(o.fields["content"]) {
	case "a string":
		return o.text("content")
	case "an array":
	default:
		o.wrong("content", "a string or an array of parts")
		return ""
	}
	var texts []string
	for i, raw := range o.list("content", maxMessages) {
		part := o.at("content", i, raw)
		switch t := part.required("type"); t {
		case "text", "refusal":
			if !part.has(t) {
				part.missing(t)
			}
			texts = append(texts, part.text(t))
		case "":
		default:
			part.invalid("type", "invalid_value", "%s. This model reads text alone.", quote(t))
		}
	}
	return strings.Join(texts, "\n")
}

// calls takes the tools that an assistant called.
func (o object) calls() []Call {
	var calls []Call
	for i, raw := range o.list("tool_calls", maxTools) {
		c := o.at("tool_calls", i, raw)
		f, ok := c.child("function")
		if !ok {
			c.missing("function")
			return nil
		}
		call := Call{ID: c.text("id"), Name: f.required("name"), Arguments: f.text("arguments")}
		var arguments map[string]json.RawMessage
		if call.Arguments != "" && json.Unmarshal([]byte(call.Arguments), &arguments) != nil {
			f.invalid("arguments", "invalid_json", "they should be a string that holds a JSON object.")
		}
		if err := checkDepth([]byte(call.Arguments)); err != nil {
			f.invalid("arguments", "too_deep", "they are nested more than %d levels deep.", maxDepth)
		}
		calls = append(calls, call)
	}
	return calls
}

// tools takes tools and tool_choice.
func (o object) tools() (tools []Tool, choice ToolChoice) {
	for _, old := range []string{"functions", "function_call"} {
		if o.has(old) {
			o.fail(Invalid(old, "unsupported_parameter", "Unsupported parameter: '%s' is not supported. Use 'tools' and 'tool_choice' instead.", old))
		}
	}
	names := map[string]bool{}
	for i, raw := range o.list("tools", maxTools) {
		c := o.at("tools", i, raw)
		if t := c.required("type"); t != "function" && t != "" {
			c.invalid("type", "invalid_value", "%s. Supported values are: 'function'.", quote(t))
		}
		f, ok := c.child("function")
		if !ok {
			c.missing("function")
			break
		}
		tool := Tool{Name: f.name(), Raw: raw}
		if names[tool.Name] {
			f.invalid("name", "invalid_value", "another tool has the name %s.", quote(tool.Name))
		}
		names[tool.Name] = true
		f.text("description")
		if _, ok := f.child("parameters"); ok {
			tool.Parameters = f.fields["parameters"]
		}
		tools = append(tools, tool)
	}
	if len(tools) > 0 {
		choice.Mode = ToolAuto
	}
	if !o.has("tool_choice") {
		return tools, choice
	}
	if kind(o.fields["tool_choice"]) == "a string" {
		switch t := o.text("tool_choice"); t {
		case "none":
			return tools, ToolChoice{}
		case "auto":
		case "required":
			choice.Mode = ToolRequired
		default:
			o.invalid("tool_choice", "invalid_value", "%s. Supported values are: 'none', 'auto', and 'required'.", quote(t))
		}
	} else if c, ok := o.child("tool_choice"); ok {
		choice.Mode = ToolNamed
		if t := c.required("type"); t != "function" && t != "" {
			c.invalid("type", "invalid_value", "%s. Supported values are: 'function'.", quote(t))
		}
		if f, ok := c.child("function"); ok {
			if choice.Name = f.required("name"); len(tools) > 0 && !names[choice.Name] {
				f.invalid("name", "invalid_value", "there is no tool %s.", quote(choice.Name))
			}
		} else {
			c.missing("function")
		}
	}
	if len(tools) == 0 {
		o.invalid("tool_choice", "invalid_value", "it is only allowed when tools are specified.")
	}
	return tools, choice
}

// variables takes the switches of the chat template.
func (o object) variables() map[string]any {
	variables := map[string]any{}
	switch effort := o.text("reasoning_effort"); effort {
	case "":
	case "none", "minimal", "low", "medium", "high", "xhigh":
		variables["reasoning_effort"] = effort
	default:
		o.invalid("reasoning_effort", "invalid_value", "%s. Supported values are: 'none', 'minimal', 'low', 'medium', 'high', and 'xhigh'.", quote(effort))
	}
	if c, ok := o.child("chat_template_kwargs"); ok {
		for name := range c.fields {
			switch name {
			case "messages", "tools", "add_generation_prompt":
				c.invalid(name, "invalid_value", "it is set by the request itself.")
			}
			variables[name] = c.fields[name]
		}
	}
	if len(variables) == 0 {
		return nil
	}
	return variables
}

// Find is the tool of that name, nil if there is none.
func (r *ChatRequest) Find(name string) *Tool {
	for i := range r.Tools {
		if r.Tools[i].Name == name {
			return &r.Tools[i]
		}
	}
	return nil
}
