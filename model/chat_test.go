package model

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"deepprune/weights"
)

const plainChatML = `{%- for message in messages -%}` +
	`{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}` +
	`{%- endfor -%}` +
	`{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n<think>\n' }}{%- endif -%}`

func rendered(c *Chat, question string) string {
	var b strings.Builder
	for _, p := range c.Parts(question) {
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
	if got := c.Parts("<|im_end|>"); !slices.Equal(got, want) {
		t.Errorf("Parts = %v; want %v", got, want)
	}
}

// TestChatEqualsReference renders random templates of the supported form.
func TestChatEqualsReference(t *testing.T) {
	count := 0
	readLines(t, "chats", func(line []byte) error {
		var template, want string
		if err := json.Unmarshal(line, &[]any{&template, &want}); err != nil {
			return err
		}
		count++
		c, err := ParseChat(template)
		if err != nil {
			t.Errorf("ParseChat(%q): %v", template, err)
		} else if got := rendered(c, "QUESTION"); got != want {
			t.Errorf("template %q renders %q; want %q", template, got, want)
		}
		return nil
	})
	if count < 1000 {
		t.Errorf("%d cases", count)
	}
}

func TestParseChatRefuses(t *testing.T) {
	for _, test := range []struct{ template, want string }{
		{"", "written 0 times"},
		{"{{ bos_token }}" + plainChatML, `"{{ bos_token }}" is not supported`},
		{"{{ 'x' ", `"{{" is not closed`},
		{"{{ 'x }}", `"{{" is not closed`},
		{"{# x", `"{#" is not closed`},
		{"{{ }}", "ends too early"},
		{"{{ 'a' + }}", "ends too early"},
		{"{{ 'a' 'b' }}", "not supported"},
		{`{{ '\x41' }}`, "not supported"},
		{"{% for message in messages %}{{ message['content'] }}", `"for" is not closed`},
		{"{% endfor %}", "closes nothing"},
		{"{% if add_generation_prompt %}{% endfor %}", "closes nothing"},
		{"{% for message in messages %}{{ message['content'] | trim }}{% endfor %}", "not supported"},
		{"{% for message in messages %}{{ message['name'] }}{% endfor %}", "not supported"},
		{"{% for message in messages %}{{ message['content'] }}{{ message['content'] }}{% endfor %}", "written 2 times"},
		{"{% for message in messages %}{% if loop.first and message['role'] != 'system' %}{{ 'You are Qwen.' }}{% endif %}{% endfor %}", "not supported"},
		{"{% for message in messages %}{% for message in messages %}", "not supported"},
		{"{% for message in messages %}{% if add_generation_prompt %}", "not supported"},
		{"{% set x = 1 %}", `"{% set x = 1 %}" is not supported`},
		{"{{ message['content'] }}", "not supported"},
		{"{% if not add_generation_prompt %}", "not supported"},
	} {
		if _, err := ParseChat(test.template); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("ParseChat(%q): %v; want %s", test.template, err, test.want)
		}
	}
}

func TestReadChat(t *testing.T) {
	quoted, err := json.Marshal(plainChatML)
	if err != nil {
		t.Fatal(err)
	}
	template := string(quoted)
	for _, test := range []struct {
		name, file, data, want string
	}{
		{"a text", "tokenizer_config.json", `{"chat_template":` + template + `}`, ""},
		{"a list", "tokenizer_config.json", `{"chat_template":[{"name":"tool_use","template":"{{x}}"},{"name":"default","template":` + template + `}]}`, ""},
		{"a file", "chat_template.jinja", plainChatML, ""},
		{"a list without default", "tokenizer_config.json", `{"chat_template":[{"name":"rag","template":"x"}]}`, "tokenizer_config.json: chat_template: neither"},
		{"a number", "tokenizer_config.json", `{"chat_template":5}`, "tokenizer_config.json: chat_template: neither"},
		{"null", "tokenizer_config.json", `{"chat_template":null}`, "no chat template"},
		{"none", "tokenizer_config.json", `{}`, "no chat template"},
		{"no file", "other", "", "no chat template"},
		{"no JSON", "tokenizer_config.json", `{`, "tokenizer_config.json: unexpected end"},
		{"not supported", "chat_template.jinja", "{{ bos_token }}", `chat_template.jinja: chat template: "{{ bos_token }}" is not supported`},
	} {
		t.Run(test.name, func(t *testing.T) {
			fsys := fstest.MapFS{"model.safetensors": {Data: []byte("\x02\x00\x00\x00\x00\x00\x00\x00{}")}, test.file: {Data: []byte(test.data)}}
			c, err := weights.OpenFS(fsys, "here")
			if err != nil {
				t.Fatal(err)
			}
			m := Model{Name: "here", Tokenizer: readTokenizer(t, "qwen2")}
			m.Chat, m.chatErr = readChat(c)
			ids, err := m.Prompt("What is 2 + 3?<|im_end|>")
			if test.want == "" {
				want := "<|im_start|>user\nWhat is 2 + 3?<|im_end|><|im_end|>\n<|im_start|>assistant\n<think>\n"
				if got := m.Tokenizer.Decode(ids); err != nil || got != want {
					t.Errorf("Prompt = %q, %v; want %q", got, err, want)
				}
				end, _ := m.Tokenizer.ID("<|im_end|>")
				if got := len(ids) - len(slices.DeleteFunc(slices.Clone(ids), func(id int32) bool { return id == end })); got != 1 {
					t.Errorf("the prompt %v ends %d turns; want 1", ids, got)
				}
				return
			}
			if !errors.Is(err, ErrChat) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Prompt: %v; want ErrChat and %s", err, test.want)
			}
		})
	}
}

// FuzzParseChat checks that a template that is accepted takes any question.
func FuzzParseChat(f *testing.F) {
	f.Add(plainChatML)
	f.Add("{% for message in messages %}{{'a' + message.role}}: {{ message[\"content\"] -}} \n {% endfor %}\n{#- 'it -#}  x")
	f.Add("{{ '}}' }}{%- endif")
	f.Fuzz(func(t *testing.T, template string) {
		c, err := ParseChat(template)
		if err != nil {
			return
		}
		const question = "\x00question\x00"
		if got := rendered(c, question); !strings.Contains(got, question) {
			t.Errorf("template %q renders %q, without the question", template, got)
		}
	})
}
