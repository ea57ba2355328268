package model

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"deepprune/model/jinja"
	"deepprune/weights"
)

const plainChatML = `{%- for message in messages -%}` +
	`{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}` +
	`{%- endfor -%}` +
	`{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n<think>\n' }}{%- endif -%}`

// thinkingChat has what the templates of reasoners have: tools, calls, thoughts
// that are left out of earlier turns, and a switch.
const thinkingChat = `{{- bos_token }}
{%- if tools %}
    {{- '<tools>' }}
    {%- for tool in tools %}
        {{- '\n' + (tool | tojson) }}
    {%- endfor %}
    {{- '\n</tools>\n' }}
{%- endif %}
{%- set ns = namespace(last=0) %}
{%- for message in messages %}
    {%- if message.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content | trim %}
    {{- '<|' + message.role + '|>' }}
    {%- if message.role == 'assistant' and message.reasoning_content and loop.index0 > ns.last %}
        {{- '<think>' + message.reasoning_content + '</think>' }}
    {%- endif %}
    {{- content.split('</think>')[-1] }}
    {%- for call in message.tool_calls or [] %}
        {{- '<call>' + call.function.name + ' ' + (call.function.arguments | tojson) + '</call>' }}
    {%- endfor %}
    {{- '<|end|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>' }}
    {%- if enable_thinking is defined and not enable_thinking %}
        {{- '<think></think>' }}
    {%- endif %}
{%- endif %}`

func ask(question string) Conversation {
	return Conversation{Messages: []Message{{Role: "user", Content: question}}, AddGenerationPrompt: true}
}

// rendered is the text of parts, with the verbatim ones in brackets.
func rendered(parts []Part) string {
	var b strings.Builder
	for _, p := range parts {
		if p.Verbatim {
			p.Text = "⟦" + p.Text + "⟧"
		}
		b.WriteString(p.Text)
	}
	return b.String()
}

func TestChat(t *testing.T) {
	c, err := ParseChat(plainChatML)
	if err != nil {
		t.Fatal(err)
	}
	want := []Part{
		{Text: "<|im_start|>user\n"}, {Text: "<|im_end|>", Verbatim: true}, {Text: "<|im_end|>\n<|im_start|>assistant\n<think>\n"},
	}
	if got, err := c.Parts(ask("<|im_end|>")); err != nil || !slices.Equal(got, want) {
		t.Errorf("Parts = %v, %v; want %v", got, err, want)
	}
}

func TestConversations(t *testing.T) {
	c, err := ParseChat(thinkingChat)
	if err != nil {
		t.Fatal(err)
	}
	c.tokens = map[string]jinja.Value{"bos_token": jinja.Own("<s>")}
	user := Message{Role: "user", Content: " Hi <|end|>\n"}
	answer := Message{Role: "assistant", Content: "x</think>5", Reasoning: "2+3"}
	call := Message{Role: "assistant", ToolCalls: []ToolCall{{ID: "1", Name: "f", Arguments: json.RawMessage(`"{\"b\": 1.0, \"a\": \"<|end|>\"}"`)}}}
	result := Message{Role: "tool", Content: "{}", ToolCallID: "1", Name: "f"}
	for _, test := range []struct {
		name string
		c    Conversation
		want string
	}{
		{"a question", Conversation{Messages: []Message{user}, AddGenerationPrompt: true}, "<s><|user|>⟦Hi <|end|>⟧<|end|><|assistant|>"},
		{"a switch", Conversation{Messages: []Message{user}, AddGenerationPrompt: true, Variables: map[string]any{"enable_thinking": false}}, "<s><|user|>⟦Hi <|end|>⟧<|end|><|assistant|><think></think>"},
		{"turns", Conversation{Messages: []Message{{Role: "system", Content: "Sys"}, user, answer, user, answer}},
			"<s><|system|>⟦Sys⟧<|end|><|user|>⟦Hi <|end|>⟧<|end|><|assistant|>⟦5⟧<|end|><|user|>⟦Hi <|end|>⟧<|end|><|assistant|><think>⟦2+3⟧</think>⟦5⟧<|end|>"},
		{"tools", Conversation{Messages: []Message{user, call, result}, Tools: []json.RawMessage{json.RawMessage(`{"name": "f", "n": [1, 2.50, null]}`)}},
			`<s><tools>` + "\n" + `{"⟦name⟧": "⟦f⟧", "⟦n⟧": [1, 2.5, null]}` + "\n</tools>\n" +
				`<|user|>⟦Hi <|end|>⟧<|end|><|assistant|><call>⟦f⟧ {"⟦b⟧": 1.0, "⟦a⟧": "⟦<|end|>⟧"}</call><|end|><|tool|>⟦{}⟧<|end|>`},
		{"a role of somebody's", Conversation{Messages: []Message{{Role: "end", Content: "x"}}}, "<s><|⟦end⟧|>⟦x⟧<|end|>"},
		{"nothing said", Conversation{Messages: []Message{{Role: "assistant"}}}, "<s><|assistant|><|end|>"},
		{"no messages", Conversation{}, "<s>"},
	} {
		parts, err := c.Parts(test.c)
		if got := rendered(parts); err != nil || got != test.want {
			t.Errorf("%s: %s, %v; want %s", test.name, got, err, test.want)
		}
	}
}

func TestConversationErrors(t *testing.T) {
	one := []Message{{Role: "user", Content: "x"}}
	for _, test := range []struct {
		template string
		c        Conversation
		want     string
		is       error
	}{
		{"{{ raise_exception('roles must alternate') }}", ask("x"), "line 1: call of raise_exception: roles must alternate", ErrRefused},
		{"{{ 'x' * 10000000000 }}", ask("x"), "takes too much", jinja.ErrLimit},
		{"nothing", ask("x"), "writes nothing of what the messages say", nil},
		{"{{ messages[0].content }}", Conversation{Messages: one, Variables: map[string]any{"messages": 1}}, `variable "messages" is set`, nil},
		{"{{ messages[0].content }}", Conversation{Messages: one, Variables: map[string]any{"tools": 1}}, `variable "tools" is set`, nil},
		{"{{ messages[0].content }}", Conversation{Messages: one, Variables: map[string]any{"f": func() {}}}, `variable "f": json: unsupported`, nil},
		{"{{ messages[0].content }}", Conversation{Messages: one, Tools: []json.RawMessage{json.RawMessage("{")}}, "tool 0: unexpected EOF", nil},
		{"{{ messages[0].content }}", Conversation{Messages: []Message{{ToolCalls: []ToolCall{{Arguments: json.RawMessage("[")}}}}}, "message 0: tool call 0: arguments: unexpected EOF", nil},
	} {
		c, err := ParseChat(test.template)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = c.Parts(test.c); err == nil || !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%q: %v; want %s", test.template, err, test.want)
		}
	}
}

// TestArgumentsAsText is of templates that join the arguments of calls to text.
func TestArgumentsAsText(t *testing.T) {
	c, err := ParseChat("{% for m in messages %}{{ m.content }}{% for t in m.tool_calls %}{{ '<' + t.function.arguments + '>' }}{% endfor %}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	for _, arguments := range []string{`{"a":  1}`, `"{\"a\":  1}"`} {
		parts, err := c.Parts(Conversation{Messages: []Message{{Role: "assistant", ToolCalls: []ToolCall{{Name: "f", Arguments: json.RawMessage(arguments)}}}}})
		if got, want := rendered(parts), `<⟦{"a":  1}⟧>`; err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", arguments, got, err, want)
		}
	}
}

// TestChatEqualsReference renders random templates of ChatML's form.
func TestChatEqualsReference(t *testing.T) {
	count := 0
	readLines(t, "chats", func(line []byte) error {
		var template, want string
		if err := json.Unmarshal(line, &[]any{&template, &want}); err != nil {
			return err
		}
		count++
		want = strings.ReplaceAll(want, "QUESTION", "⟦QUESTION⟧")
		c, err := ParseChat(template)
		if err != nil {
			t.Errorf("ParseChat(%q): %v", template, err)
		} else if parts, err := c.Parts(ask("QUESTION")); err != nil || rendered(parts) != want {
			t.Errorf("template %q renders %q, %v; want %q", template, rendered(parts), err, want)
		}
		return nil
	})
	if count < 1000 {
		t.Errorf("%d cases", count)
	}
}

func TestReadChat(t *testing.T) {
	quoted, err := json.Marshal(plainChatML)
	if err != nil {
		t.Fatal(err)
	}
	template := string(quoted)
	const question = "What is 2 + 3?<|im_end|>"
	want := "<|im_start|>user\n" + question + "<|im_end|>\n<|im_start|>assistant\n<think>\n"
	for _, test := range []struct {
		name        string
		files       map[string]string
		want, error string
	}{
		{"a text", map[string]string{"tokenizer_config.json": `{"chat_template":` + template + `}`}, want, ""},
		{"a list", map[string]string{"tokenizer_config.json": `{"chat_template":[{"name":"tool_use","template":"{{x}}"},{"name":"default","template":` + template + `},{"name":"rag","template":"{%"}]}`}, want, ""},
		{"a file", map[string]string{"chat_template.jinja": plainChatML}, want, ""},
		{"a file before a text", map[string]string{"chat_template.jinja": plainChatML, "tokenizer_config.json": `{"chat_template":"{%"}`}, want, ""},
		{"tokens", map[string]string{"chat_template.jinja": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}{{ pad_token }}{{ unk_token }}",
			"tokenizer_config.json": `{"bos_token":{"content":"<|im_start|>","lstrip":false},"eos_token":"<|im_end|>","pad_token":null}`}, "<|im_start|>" + question + "<|im_end|>", ""},
		{"a list without default", map[string]string{"tokenizer_config.json": `{"chat_template":[{"name":"rag","template":"x"}]}`}, "", "tokenizer_config.json: chat_template: no default"},
		{"a number", map[string]string{"tokenizer_config.json": `{"chat_template":5}`}, "", "tokenizer_config.json: chat_template: neither"},
		{"null", map[string]string{"tokenizer_config.json": `{"chat_template":null}`}, "", "no chat template"},
		{"none", map[string]string{"tokenizer_config.json": `{}`}, "", "no chat template"},
		{"no file", nil, "", "no chat template"},
		{"no JSON", map[string]string{"tokenizer_config.json": `{`}, "", "tokenizer_config.json: unexpected end"},
		{"no template", map[string]string{"chat_template.jinja": "{% include 'x' %}"}, "", "chat_template.jinja: chat template default: line 1: {% include %}: the tag is not supported"},
		{"no rendering", map[string]string{"chat_template.jinja": "\n{{ x.y }}"}, "", `chat template: line 2: .y: "x" is undefined`},
	} {
		t.Run(test.name, func(t *testing.T) {
			fsys := fstest.MapFS{"model.safetensors": {Data: []byte("\x02\x00\x00\x00\x00\x00\x00\x00{}")}}
			for name, data := range test.files {
				fsys[name] = &fstest.MapFile{Data: []byte(data)}
			}
			c, err := weights.OpenFS(fsys, "here")
			if err != nil {
				t.Fatal(err)
			}
			m := Model{Name: "here", Tokenizer: readTokenizer(t, "qwen2")}
			m.Chat, m.chatErr = readChat(c)
			ids, err := m.Prompt(question)
			if test.error != "" {
				if !errors.Is(err, ErrChat) || !strings.Contains(err.Error(), test.error) {
					t.Errorf("Prompt: %v; want ErrChat and %s", err, test.error)
				}
				return
			}
			if got := m.Tokenizer.Decode(ids); err != nil || got != test.want {
				t.Errorf("Prompt = %q, %v; want %q", got, err, test.want)
			}
			end, _ := m.Tokenizer.ID("<|im_end|>")
			if got := len(ids) - len(slices.DeleteFunc(slices.Clone(ids), func(id int32) bool { return id == end })); got != 1 {
				t.Errorf("the prompt %v ends %d turns; want 1", ids, got)
			}
		})
	}
}

// FuzzChat checks that no template passes a word of the user's for its own.
func FuzzChat(f *testing.F) {
	f.Add(plainChatML)
	f.Add(thinkingChat)
	f.Add("{% for message in messages %}{{'a' + message.role}}: {{ message[\"content\"] | upper -}} \n {% endfor %}\n{#- 'it -#}  x")
	f.Add("{{ messages | tojson(indent=2) }}{{ messages[0].content[1:3] ~ messages[0]['content'] | list }}")
	f.Add("{{ '}}' }}{%- endif")
	f.Fuzz(func(t *testing.T, template string) {
		// A template has these characters of its own only if it spells them.
		const marks = "\u2402\u2403\u2404\u2405"
		const question = "\u2402u\u2403\u2404s\u2405"
		c, err := ParseChat(template)
		if err != nil {
			return
		}
		parts, err := c.Parts(ask(question))
		if err != nil {
			return
		}
		for _, p := range parts {
			if !p.Verbatim && strings.ContainsAny(p.Text, marks) && !strings.ContainsAny(template, marks+`\`) {
				t.Errorf("template %q writes %q as its own", template, p.Text)
			}
		}
	})
}

func TestMentions(t *testing.T) {
	c, err := ParseChat("{% if role == 'developer' %}<tool_call>{% endif %}")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"<tool_call>": true, "developer": true, "system": false} {
		if got := c.Mentions(text); got != want {
			t.Errorf("%q: %v; want %v", text, got, want)
		}
	}
}
