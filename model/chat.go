package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"deepprune/weights"
)

// ErrChat is returned by Prompt for a model that cannot render questions.
var ErrChat = errors.New("pass token ids or a raw prompt instead")

// Chat renders one question of a user, followed by the beginning of the answer.
//
// It understands the templates of the ChatML family in their plainest form: a
// loop over messages that writes text, the role and the content, and text that
// depends on add_generation_prompt. A template with anything else is refused as
// a whole, since half a template gives prompts that the model was not trained on.
type Chat struct {
	parts []Part // the verbatim ones stand for the question
}

// Prompt is the token ids of a question in the model's chat template. The error
// wraps [ErrChat] if the model has none that is understood.
func (m *Model) Prompt(question string) ([]int32, error) {
	if m.Chat == nil {
		return nil, fmt.Errorf("model: %s: %w: %w", m.Name, m.chatErr, ErrChat)
	}
	return m.Tokenizer.EncodeParts(nil, m.Chat.Parts(question)...), nil
}

// Parts is the text of the prompt, with the question verbatim: no token written
// in it can end the user's turn.
func (c *Chat) Parts(question string) []Part {
	parts := make([]Part, len(c.parts))
	for i, p := range c.parts {
		if p.Verbatim {
			p.Text = question
		}
		parts[i] = p
	}
	return parts
}

// readChat finds the template of a checkpoint.
func readChat(c *weights.Checkpoint) (*Chat, error) {
	const file, config = "chat_template.jinja", "tokenizer_config.json"
	data, err := c.File(file)
	if err == nil {
		return chatOf(file, string(data))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if data, err = c.File(config); errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("no chat template")
	} else if err != nil {
		return nil, err
	}
	var fields struct {
		Template json.RawMessage `json:"chat_template"`
	}
	if err := decodeJSON(data, &fields); err != nil {
		return nil, fmt.Errorf("%s: %w", config, err)
	}
	if len(fields.Template) == 0 || string(fields.Template) == "null" {
		return nil, errors.New("no chat template")
	}
	var template string
	if err := json.Unmarshal(fields.Template, &template); err == nil {
		return chatOf(config, template)
	}
	var named []struct {
		Name     string `json:"name"`
		Template string `json:"template"`
	}
	if err := json.Unmarshal(fields.Template, &named); err == nil {
		for _, n := range named {
			if n.Name == "default" {
				return chatOf(config, n.Template)
			}
		}
	}
	return nil, fmt.Errorf("%s: chat_template: neither a text nor a list with a default", config)
}

func chatOf(file, template string) (*Chat, error) {
	c, err := ParseChat(template)
	if err != nil {
		return nil, fmt.Errorf("%s: chat template: %w", file, err)
	}
	return c, nil
}

// ParseChat reads a chat template in the form that [Chat] understands.
func ParseChat(template string) (*Chat, error) {
	tokens, err := lexTemplate(template)
	if err != nil {
		return nil, err
	}
	r := renderer{chat: &Chat{}}
	for _, t := range tokens {
		switch t.kind {
		case templateText:
			r.text(t.text)
		case templateOutput:
			err = r.output(t.text)
		case templateTag:
			err = r.tag(t.text)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(r.open) > 0 {
		return nil, fmt.Errorf("%q is not closed", r.open[len(r.open)-1])
	}
	questions := 0
	for _, p := range r.chat.parts {
		if p.Verbatim {
			questions++
		}
	}
	if questions != 1 {
		return nil, fmt.Errorf("the content of a message is written %d times; want once", questions)
	}
	return r.chat, nil
}

// renderer carries a template out for one message of role user, with the
// generation prompt. There is nothing else to decide, so that every tag is known
// to run exactly once.
type renderer struct {
	chat *Chat
	open []string // the tags that are open, "for" and "if"
}

func (r *renderer) text(text string) {
	parts := r.chat.parts
	if n := len(parts); n > 0 && !parts[n-1].Verbatim {
		parts[n-1].Text += text
		return
	}
	if text != "" {
		r.chat.parts = append(parts, Part{Text: text})
	}
}

func (r *renderer) inLoop() bool {
	for _, tag := range r.open {
		if tag == "for" {
			return true
		}
	}
	return false
}

// output carries out {{ a + b + … }}.
func (r *renderer) output(expression string) error {
	for rest := expression; ; {
		rest = strings.TrimSpace(rest)
		term, after, err := cutTerm(rest)
		if err != nil {
			return err
		}
		switch {
		case term[0] == '\'' || term[0] == '"':
			text, err := unquote(term)
			if err != nil {
				return err
			}
			r.text(text)
		case !r.inLoop():
			return unsupported("{{" + expression + "}}")
		case messageField(term) == "role":
			r.text("user")
		case messageField(term) == "content":
			r.chat.parts = append(r.chat.parts, Part{Verbatim: true})
		default:
			return unsupported("{{" + expression + "}}")
		}
		after = strings.TrimSpace(after)
		if after == "" {
			return nil
		}
		if after[0] != '+' {
			return unsupported("{{" + expression + "}}")
		}
		rest = after[1:]
	}
}

// tag carries out {% … %}.
func (r *renderer) tag(tag string) error {
	switch words := strings.Join(strings.Fields(tag), " "); words {
	case "for message in messages":
		if r.inLoop() {
			return unsupported("{%" + tag + "%}")
		}
		r.open = append(r.open, "for")
	case "if add_generation_prompt":
		if r.inLoop() {
			return unsupported("{%" + tag + "%}")
		}
		r.open = append(r.open, "if")
	case "endfor", "endif":
		n := len(r.open)
		if n == 0 || r.open[n-1] != words[len("end"):] {
			return fmt.Errorf("%q closes nothing", words)
		}
		r.open = r.open[:n-1]
	default:
		return unsupported("{%" + tag + "%}")
	}
	return nil
}

func unsupported(what string) error {
	const most = 60
	if len(what) > most {
		what = strings.ToValidUTF8(what[:most], "") + "…"
	}
	return fmt.Errorf("%q is not supported", what)
}

// messageField is the field in message['field'] or message.field.
func messageField(term string) string {
	field, ok := strings.CutPrefix(term, "message")
	if !ok {
		return ""
	}
	if dotted, ok := strings.CutPrefix(field, "."); ok {
		return dotted
	}
	field = strings.TrimSuffix(strings.TrimPrefix(field, "["), "]")
	if text, err := unquote(strings.TrimSpace(field)); err == nil {
		return text
	}
	return ""
}
