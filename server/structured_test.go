package server

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"deepprune/engine"
	"deepprune/engine/constrain"
	"deepprune/model"
	"deepprune/prune"
	"deepprune/server/openai"
)

// numbers is a JSON schema of two numbers.
var numbers = object{
	"type":                 "object",
	"properties":           object{"a": object{"type": "integer"}, "b": object{"type": "integer"}},
	"required":             []string{"a", "b"},
	"additionalProperties": false,
}

func isNumbers(t *testing.T, text string) {
	t.Helper()
	var v map[string]int
	if err := json.Unmarshal([]byte(text), &v); err != nil || len(v) != 2 {
		t.Errorf("%q is not two numbers: %v", text, err)
	}
}

// TestResponseFormats checks that a model that was never taught JSON writes it,
// after it has thought.
func TestResponseFormats(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{CheckInvariants: true})
	schema := object{"type": "json_schema", "json_schema": object{"name": "numbers", "schema": numbers}}
	for _, m := range c.sameStreamed(chatBody(object{"n": 2, "response_format": schema})) {
		if m.reasoning == "" || m.finish != "stop" {
			t.Errorf("%+v", m)
		}
		isNumbers(t, m.content)
	}
	m := c.sameStreamed(chatBody(object{"response_format": object{"type": "json_object"}, "temperature": 0, "max_tokens": 450}))[0]
	var v object
	// A model that was never taught JSON may not come to an end.
	if err := json.Unmarshal([]byte(m.content), &v); !strings.HasPrefix(m.content, "{") || m.finish == "stop" && err != nil {
		t.Errorf("%q: %v", m.content, err)
	}
	if p := c.complete(completionBody(object{"response_format": schema, "max_tokens": 100}))[0]; p.finish == "stop" {
		isNumbers(t, p.text)
	}
	bad := object{"type": "json_schema", "json_schema": object{"name": "n", "schema": object{"type": "banana"}}}
	status, answer := c.ask("POST", chatPath, chatBody(object{"response_format": bad}))
	if status != 400 || text(answer, "error", "param") != "response_format.json_schema.schema" {
		t.Errorf("%d %v", status, answer)
	}
}

func TestForcedTools(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{CheckInvariants: true})
	tool := func(name string) object {
		return object{"type": "function", "function": object{"name": name, "parameters": numbers}}
	}
	tools := []object{tool("add"), tool("multiply"), {"type": "function", "function": object{"name": "now"}}}
	for name, choice := range map[string]any{
		"named": object{"type": "function", "function": object{"name": "multiply"}}, "required": "required",
	} {
		m := c.sameStreamed(chatBody(object{"tools": tools[:2], "tool_choice": choice, "parallel_tool_calls": false}))[0]
		if m.finish != "tool_calls" || m.content != "" || m.reasoning == "" || len(m.calls) != 1 {
			t.Errorf("%s: %+v", name, m)
			continue
		}
		function, arguments, _ := strings.Cut(m.calls[0], "(")
		if name == "named" && function != "multiply" || function != "add" && function != "multiply" {
			t.Errorf("%s: %q was called", name, function)
		}
		isNumbers(t, arguments)
	}
	// Cut off, it is no call.
	m := c.sameStreamed(chatBody(object{"tools": tools, "tool_choice": "required", "max_tokens": 3}))[0]
	if m.finish != "length" || len(m.calls) > 0 {
		t.Errorf("%+v", m)
	}
	m = c.sameStreamed(chatBody(object{"tools": tools, "tool_choice": "none", "temperature": 0}))[0]
	if m.finish != "stop" || len(m.calls) > 0 {
		t.Errorf("none: %+v", m)
	}
}

// TestForcedCallSchema: a call has its name first, and the schema of a tool may refer
// to itself.
func TestForcedCallSchema(t *testing.T) {
	tools := []openai.Tool{
		{Name: "now"},
		{Name: "plot", Parameters: []byte(`{"properties":{"p":{ "$ref" : "#/$defs/point"},"next":{"anyOf":[{"$ref":"#"},{"const":"\"$ref\":\"#"}]}},"required":["p","next"],
			"$defs":{"point":{"properties":{"x":{"const":1}},"required":["x"]}}}`)},
	}
	schema := forcedCall(&openai.ChatRequest{Tools: tools, Choice: openai.ToolChoice{Mode: openai.ToolRequired}})
	g, err := constrain.JSONSchema(schema)
	if err != nil {
		t.Fatal(err)
	}
	// A token for each byte, and one for the end.
	v, err := constrain.NewVocabulary(257, func(dst []byte, id int32) []byte {
		if id == 256 {
			return dst
		}
		return append(dst, byte(id))
	}, []int32{256})
	if err != nil {
		t.Fatal(err)
	}
	accepts := func(text string) bool {
		m := constrain.NewMatcher(g, v)
		s := m.Start()
		for i := 0; i < len(text) && s != nil; i++ {
			s = m.Advance(s, int32(text[i]))
		}
		return s != nil && s.Accepting()
	}
	for text, want := range map[string]bool{
		`[{"name":"now","arguments":{}}]`: true,
		`[{"name":"plot","arguments":{"p":{"x":1},"next":{"p":{"x":1},"next":"\"$ref\":\"#"}}}]`: true,
		`[{"arguments":{},"name":"now"}]`:                                   false,
		`[{"name":"plot","arguments":{"p":{"x":2},"next":"\"$ref\":\"#"}}]`: false,
	} {
		if got := accepts(text); got != want {
			t.Errorf("%s: %v; want %v", text, got, want)
		}
	}
}

// speak has a speaker hear a text, a character more at a time.
func speak(c *chatSpeaker, text string, end engine.EndKind) *message {
	p := &engine.Progress{State: prune.Running}
	var chunks []object
	for i := range text + "." {
		p.Text = []byte(text[:i])
		if i == len(text) {
			p.State, p.End = prune.Finished, engine.End{Kind: end, Token: -1}
		}
		if news, some, _ := c.next(p, false); some {
			encoded, err := json.Marshal(openai.Chunk[openai.ChatChunkChoice]{Object: openai.ObjectChatChunk, Choices: []openai.ChatChunkChoice{news}})
			if err != nil {
				panic(err)
			}
			var chunk object
			if err := json.Unmarshal(encoded, &chunk); err != nil {
				panic(err)
			}
			chunks = append(chunks, chunk)
		}
	}
	var t testing.T
	return assemble(&t, chunks)[0]
}

// TestAutomaticTools checks thoughts, content and calls of what models write in the
// formats of their families.
func TestAutomaticTools(t *testing.T) {
	tools := []openai.Tool{{Name: "f", Parameters: json.RawMessage(`{"type":"object"}`)}}
	for name, test := range map[string]struct {
		template  string
		reasoning model.Reasoning
		text      string
		want      message
	}{
		"Qwen3": {
			"<tool_call>", model.ReasoningTags,
			"<think>\nA call.\n</think>\n\nI look.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 1}}\n</tool_call>\n<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>",
			message{reasoning: "A call.", content: "I look.", calls: []string{`f({"x":1}`, "f({}"}, finish: "tool_calls"},
		},
		"Qwen3, a call in the thoughts": {
			"<tool_call>", model.ReasoningTags, "<think><tool_call>{\"name\":\"f\"}</tool_call></think>No.",
			message{reasoning: `<tool_call>{"name":"f"}</tool_call>`, content: "No.", finish: "stop"},
		},
		"Llama 3": {
			`"parameters"`, model.NoReasoning, `{"name": "f", "parameters": {"x": "é"}}`,
			message{calls: []string{`f({"x":"é"}`}, finish: "tool_calls"},
		},
		"DeepSeek": {
			"<｜tool▁call▁begin｜>", model.ReasoningTags,
			"<think>Hm.</think><｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"x\":1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
			message{reasoning: "Hm.", calls: []string{`f({"x":1}`}, finish: "tool_calls"},
		},
		"gpt-oss": {
			"<|channel|> functions.", model.ReasoningChannels,
			`<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"x":1}`,
			message{reasoning: "Hm.", calls: []string{`f({"x":1}`}, finish: "tool_calls"},
		},
		"gpt-oss, an answer": {
			"<|channel|> functions.", model.ReasoningChannels,
			`<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>No.`,
			message{reasoning: "Hm.", content: "No.", finish: "stop"},
		},
	} {
		chat, err := model.ParseChat(test.template)
		if err != nil {
			t.Fatal(err)
		}
		p, err := pair()
		if err != nil {
			t.Fatal(err)
		}
		m := *p.reasoner
		m.Chat, m.Reasoning = chat, test.reasoning
		s := &Server{model: &m}
		q := &openai.ChatRequest{Tools: tools, Choice: openai.ToolChoice{Mode: openai.ToolAuto}}
		if got := speak(s.newChatSpeaker(q, 0, nil), test.text, engine.EndOfText); !reflect.DeepEqual(*got, test.want) {
			t.Errorf("%s: %+v; want %+v", name, *got, test.want)
		}
		q.OneCall = true
		if got := speak(s.newChatSpeaker(q, 0, nil), test.text, engine.EndOfText); len(got.calls) != min(1, len(test.want.calls)) {
			t.Errorf("%s: %d calls; want one at most", name, len(got.calls))
		}
	}
}

// TestToolsAreRendered checks that the template sees the tools, the calls and what
// they answered.
func TestToolsAreRendered(t *testing.T) {
	c := noise(t, "{% for m in messages %}{{ m.role }}:{{ m.content }}{% for c in m.tool_calls or [] %}[{{ c.function.name }} {{ c.function.arguments.x }}]{% endfor %};{% endfor %}{{ tools | tojson if tools }}{{ mood }}")
	body := object{
		"model": modelName, "max_tokens": 1,
		"messages": []object{
			{"role": "user", "content": "a"},
			{"role": "assistant", "content": nil, "tool_calls": []object{{"id": "1", "type": "function", "function": object{"name": "f", "arguments": `{"x": 7}`}}}},
			{"role": "tool", "tool_call_id": "1", "content": "b"},
		},
		"tools":                []object{{"type": "function", "function": object{"name": "f"}}},
		"chat_template_kwargs": object{"mood": "calm"},
	}
	text := func(want string, more object) {
		t.Helper()
		for k, v := range more {
			body[k] = v
		}
		q, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		request, err := openai.ParseChat(q, c.s.wireLimits())
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.s.chatRequest(request)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.s.model.Tokenizer.Decode(r.Prompt); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
	const said = "user:a;assistant:[f 7];tool:b;"
	text(said+`[{"function": {"name": "f"}, "type": "function"}]calm`, nil)
	text(said+"calm", object{"tool_choice": "none"})
	c.must(chatPath, body)
}
