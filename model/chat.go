package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"deepprune/model/jinja"
	"deepprune/weights"
)

var (
	// ErrChat is wrapped by errors of models that cannot render a conversation.
	ErrChat = errors.New("pass token ids or a raw prompt instead")
	// ErrRefused is wrapped too if the template itself refuses the conversation,
	// such as one whose roles do not alternate.
	ErrRefused = jinja.ErrRaised
)

// Chat renders conversations in the template of a checkpoint. It is never
// changed: goroutines may share it.
type Chat struct {
	templates map[string]*jinja.Template // "default", and others by their names
	tokens    map[string]jinja.Value     // bos_token and the like
	sources   map[string]string          // of the templates
}

// Conversation is what a template is given.
type Conversation struct {
	Messages []Message
	// Tools are the JSON schemas of functions that may be called. Without any, a
	// template finds None.
	Tools []json.RawMessage
	// AddGenerationPrompt has the beginning of an answer written at the end.
	AddGenerationPrompt bool
	// Variables are switches of the template's own, such as enable_thinking or
	// documents: whatever encoding/json can write.
	Variables map[string]any
}

// Message is one turn.
type Message struct {
	Role    string
	Content string
	// Reasoning is what an assistant thought before it answered. Templates find it
	// as reasoning_content and as thinking.
	Reasoning  string
	ToolCalls  []ToolCall
	ToolCallID string // of the call that a tool answers
	Name       string // of the tool, or of who speaks
}

// ToolCall is a function called by an assistant.
type ToolCall struct {
	ID, Name string
	// Arguments is a JSON object, or a JSON string that holds one.
	Arguments json.RawMessage
}

// Prompt is the token ids of a question in the model's chat template, and of the
// beginning of its answer. The error wraps [ErrChat].
func (m *Model) Prompt(question string) ([]int32, error) {
	return m.ChatPrompt(Conversation{
		Messages:            []Message{{Role: "user", Content: question}},
		AddGenerationPrompt: true,
	})
}

// ChatPrompt is the token ids of a conversation in the model's chat template. The
// error wraps [ErrChat], and the [*jinja.Error] if there is one.
func (m *Model) ChatPrompt(c Conversation) ([]int32, error) {
	if m.Chat == nil {
		return nil, fmt.Errorf("model: %s: %w: %w", m.Name, m.chatErr, ErrChat)
	}
	parts, err := m.Chat.Parts(c)
	if err != nil {
		return nil, fmt.Errorf("model: %s: chat template: %w: %w", m.Name, err, ErrChat)
	}
	return m.Tokenizer.EncodeParts(nil, parts...), nil
}

// Parts renders a conversation. All that it says is verbatim, whatever the
// template does to it: no token written in it can end a turn or begin one.
func (c *Chat) Parts(conversation Conversation) ([]Part, error) {
	text, err := c.render(&conversation, argumentsAsObjects)
	// Some templates write the arguments of calls as they are, for which these have
	// to be text.
	var failed *jinja.Error
	if errors.As(err, &failed) && !errors.Is(err, jinja.ErrRaised) && !errors.Is(err, jinja.ErrLimit) && conversation.calls() {
		if again, errAgain := c.render(&conversation, argumentsAsText); errAgain == nil {
			text, err = again, nil
		}
	}
	if err != nil {
		return nil, err
	}
	var parts []Part
	said := false
	for piece, foreign := range text.Pieces() {
		parts = append(parts, Part{Text: piece, Verbatim: foreign})
		said = said || foreign
	}
	if !said && slices.ContainsFunc(conversation.Messages, func(m Message) bool { return m.Content != "" }) {
		return nil, errors.New("it writes nothing of what the messages say")
	}
	return parts, nil
}

func (c *Conversation) calls() bool {
	return slices.ContainsFunc(c.Messages, func(m Message) bool { return len(m.ToolCalls) > 0 })
}

func (c *Chat) render(conversation *Conversation, arguments argumentForm) (jinja.Text, error) {
	variables, err := conversation.variables(arguments)
	if err != nil {
		return jinja.Text{}, err
	}
	for name, v := range c.tokens {
		if _, ok := variables[name]; !ok {
			variables[name] = v
		}
	}
	template := c.templates["default"]
	if t, ok := c.templates["tool_use"]; ok && (len(conversation.Tools) > 0 || template == nil) {
		template = t
	}
	return template.Render(variables, jinja.Options{})
}

// variables is what templates find under the names that they know.
func (c *Conversation) variables(arguments argumentForm) (map[string]jinja.Value, error) {
	messages := make([]jinja.Value, len(c.Messages))
	for i := range c.Messages {
		m, err := c.Messages[i].value(arguments)
		if err != nil {
			return nil, fmt.Errorf("message %d: %w", i, err)
		}
		messages[i] = m
	}
	variables := map[string]jinja.Value{
		"messages": jinja.NewList(messages...), "tools": nil, "documents": nil, "add_generation_prompt": c.AddGenerationPrompt,
	}
	if len(c.Tools) > 0 {
		tools := make([]jinja.Value, len(c.Tools))
		for i, schema := range c.Tools {
			tool, err := jinja.FromJSON(schema, true)
			if err != nil {
				return nil, fmt.Errorf("tool %d: %w", i, err)
			}
			tools[i] = tool
		}
		variables["tools"] = jinja.NewList(tools...)
	}
	for name, value := range c.Variables {
		if v, ok := variables[name]; ok && v != nil || name == "tools" {
			return nil, fmt.Errorf("variable %q is set by the conversation itself", name)
		}
		data, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("variable %q: %w", name, err)
		}
		if variables[name], err = jinja.FromJSON(data, true); err != nil {
			return nil, fmt.Errorf("variable %q: %w", name, err)
		}
	}
	return variables, nil
}

// roles are those that templates know. A template may build a control token out of
// a role, so that no other is taken for the template's own word.
var roles = []string{"system", "developer", "user", "assistant", "tool", "function", "ipython", "observation", "environment"}

// value is a message as templates find it.
func (m *Message) value(arguments argumentForm) (jinja.Value, error) {
	d := jinja.NewDict()
	role := jinja.Foreign(m.Role)
	if slices.Contains(roles, m.Role) {
		role = jinja.Own(m.Role)
	}
	d.Set("role", role)
	d.Set("content", jinja.Foreign(m.Content))
	if m.Reasoning != "" {
		d.Set("reasoning_content", jinja.Foreign(m.Reasoning))
		d.Set("thinking", jinja.Foreign(m.Reasoning))
	}
	if len(m.ToolCalls) > 0 {
		calls := make([]jinja.Value, len(m.ToolCalls))
		for i, call := range m.ToolCalls {
			value, err := call.value(arguments)
			if err != nil {
				return nil, fmt.Errorf("tool call %d: %w", i, err)
			}
			calls[i] = value
		}
		d.Set("tool_calls", jinja.NewList(calls...))
	}
	if m.ToolCallID != "" {
		d.Set("tool_call_id", jinja.Foreign(m.ToolCallID))
	}
	if m.Name != "" {
		d.Set("name", jinja.Foreign(m.Name))
	}
	return d, nil
}

type argumentForm bool

const (
	argumentsAsObjects argumentForm = false
	argumentsAsText    argumentForm = true
)

func (c *ToolCall) value(form argumentForm) (jinja.Value, error) {
	text := []byte(c.Arguments)
	var held string
	if json.Unmarshal(text, &held) == nil {
		text = []byte(held)
	}
	if len(text) == 0 {
		text = []byte("{}")
	}
	var arguments jinja.Value = jinja.Foreign(string(text))
	if form == argumentsAsObjects {
		var err error
		if arguments, err = jinja.FromJSON(text, true); err != nil {
			return nil, fmt.Errorf("arguments: %w", err)
		}
	}
	function := jinja.NewDict()
	function.Set("name", jinja.Foreign(c.Name))
	function.Set("arguments", arguments)
	d := jinja.NewDict()
	d.Set("type", jinja.Own("function"))
	if c.ID != "" {
		d.Set("id", jinja.Foreign(c.ID))
	}
	d.Set("function", function)
	return d, nil
}

// ParseChat reads a chat template. It knows no special tokens by their names.
func ParseChat(template string) (*Chat, error) {
	t, err := jinja.Parse(template)
	if err != nil {
		return nil, err
	}
	return &Chat{templates: map[string]*jinja.Template{"default": t}, sources: map[string]string{"default": template}}, nil
}

// Mentions reports whether a text occurs in one of the templates: a role, or a word
// of a format, that the model was taught.
func (c *Chat) Mentions(text string) bool {
	for _, source := range c.sources {
		if strings.Contains(source, text) {
			return true
		}
	}
	return false
}

// readChat finds the template of a checkpoint.
func readChat(c *weights.Checkpoint) (*Chat, error) {
	const file, config = "chat_template.jinja", "tokenizer_config.json"
	var fields map[string]json.RawMessage
	data, err := c.File(config)
	switch {
	case err == nil:
		if err := decodeJSON(data, &fields); err != nil {
			return nil, fmt.Errorf("%s: %w", config, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	chat := &Chat{tokens: specialTokens(fields)}
	sources := map[string]string{}
	from := file
	if data, err = c.File(file); err == nil {
		sources["default"] = string(data)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	} else {
		from = config
		if sources, err = namedTemplates(fields["chat_template"]); err != nil {
			return nil, fmt.Errorf("%s: %w", config, err)
		}
	}
	if len(sources) == 0 {
		return nil, errors.New("no chat template")
	}
	chat.templates, chat.sources = make(map[string]*jinja.Template, len(sources)), sources
	for name, source := range sources {
		if chat.templates[name], err = jinja.Parse(source); err != nil {
			return nil, fmt.Errorf("%s: chat template %s: %w", from, name, err)
		}
	}
	return chat, nil
}

// namedTemplates reads the field chat_template, a text or a list of named ones.
func namedTemplates(field json.RawMessage) (map[string]string, error) {
	if len(field) == 0 || string(field) == "null" {
		return nil, nil
	}
	var text string
	if err := json.Unmarshal(field, &text); err == nil {
		return map[string]string{"default": text}, nil
	}
	var list []struct{ Name, Template string }
	if err := json.Unmarshal(field, &list); err != nil {
		return nil, errors.New("chat_template: neither a text nor a list of named ones")
	}
	templates := map[string]string{}
	for _, t := range list {
		// Those for other ends, such as rag, are never asked for.
		if t.Name == "default" || t.Name == "tool_use" {
			templates[t.Name] = t.Template
		}
	}
	if len(templates) == 0 {
		return nil, errors.New("chat_template: no default in the list")
	}
	return templates, nil
}

// specialTokens reads bos_token and the like, each a text or an object with one.
func specialTokens(fields map[string]json.RawMessage) map[string]jinja.Value {
	tokens := map[string]jinja.Value{}
	for _, name := range []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"} {
		var text string
		var object struct{ Content string }
		if json.Unmarshal(fields[name], &text) != nil {
			if json.Unmarshal(fields[name], &object) != nil {
				continue
			}
			text = object.Content
		}
		if text != "" {
			tokens[name] = jinja.Own(text)
		}
	}
	return tokens
}
