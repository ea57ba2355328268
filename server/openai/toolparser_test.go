package openai

import (
	"fmt"
	"strings"
	"testing"
)

// parseWhole and parsePieces give what a parser says of a text, whole and cut into
// pieces of n bytes.
func parsePieces(f ToolFormat, tools []Tool, text string, n int) (said string, calls []Call) {
	p := NewToolParser(f, tools)
	add := func(s string, c []Call) { said, calls = said+s, append(calls, c...) }
	for len(text) > n {
		add(p.Add(text[:n]))
		text = text[n:]
	}
	add(p.Add(text))
	add(p.Close())
	return said, calls
}

func describe(calls []Call) string {
	var out []string
	for _, c := range calls {
		out = append(out, fmt.Sprintf("%s(%s)", c.Name, c.Arguments))
	}
	return strings.Join(out, " ")
}

var weather = []Tool{{
	Name:       "get_weather",
	Parameters: []byte(`{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}}}`),
}}

var toolTexts = []struct {
	name        string
	format      ToolFormat
	text        string
	said, calls string
}{
	{"no format", NoTools, `<tool_call>{"name":"f"}</tool_call>`, `<tool_call>{"name":"f"}</tool_call>`, ""},
	{"no call", ToolTags, "It is 4 < 5.\n", "It is 4 < 5.\n", ""},
	{"one", ToolTags, "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>", "", `get_weather({"city":"Paris"})`},
	{"text and two", ToolTags, "I look.\n<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>\n<tool_call>{\"name\":\"g\",\"arguments\":{\"x\":[1, 2]}}</tool_call>\n", "I look.", `f({}) g({"x":[1,2]})`},
	{"text behind", ToolTags, "<tool_call>{\"name\":\"f\"}</tool_call> done", " done", `f({})`},
	{"arguments as text", ToolTags, `<tool_call>{"name":"f","arguments":"{\"a\": 1}"}</tool_call>`, "", `f({"a":1})`},
	{"not closed", ToolTags, `<tool_call>{"name":"f","arguments":{"a":1}}`, "", `f({"a":1})`},
	{"cut off", ToolTags, `<tool_call>{"name":"f","argum`, `<tool_call>{"name":"f","argum`, ""},
	{"no JSON", ToolTags, "a <tool_call>well</ tool_call> b", "a <tool_call>well</ tool_call> b", ""},
	{"nothing in it", ToolTags, "<tool_call></tool_call>", "<tool_call></tool_call>", ""},
	{"no name", ToolTags, `<tool_call>{"arguments":{}}</tool_call>`, `<tool_call>{"arguments":{}}</tool_call>`, ""},
	{"arguments no object", ToolTags, `<tool_call>{"name":"f","arguments":[1]}</tool_call>`, `<tool_call>{"name":"f","arguments":[1]}</tool_call>`, ""},
	{"Qwen3-Coder", ToolTags, "<tool_call>\n<function=get_weather>\n<parameter=city>\n12\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>", "", `get_weather({"city":"12","days":3})`},
	{"Qwen3-Coder, lines", ToolTags, "<tool_call><function=f><parameter=code>\na\n\"b\"\n</parameter></function></tool_call>", "", `f({"code":"a\n\"b\""})`},
	{"GLM", ToolTags, "\n<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>", "", `get_weather({"city":"Paris","days":3})`},
	{"GLM without arguments", ToolTags, "<tool_call>now\n</tool_call>", "", `now({})`},

	{"Llama 3", ToolJSON, `{"name": "get_weather", "parameters": {"city": "Paris"}}`, "", `get_weather({"city":"Paris"})`},
	{"Llama 3, tag and two", ToolJSON, ` <|python_tag|>{"name":"f","parameters":{}}; {"name":"g","parameters":{"a":1}}`, "", `f({}) g({"a":1})`},
	{"Llama 3, says something", ToolJSON, `Well, {"name":"f"}`, `Well, {"name":"f"}`, ""},
	{"Llama 3, other JSON", ToolJSON, ` {"answer": 4}`, ` {"answer": 4}`, ""},
	{"Llama 3, JSON with a name", ToolJSON, `{"name": "Ann", "age": 4}`, `{"name": "Ann", "age": 4}`, ""},
	{"Llama 3, less than a tag", ToolJSON, "<|pyth", "<|pyth", ""},
	{"Llama 3, space", ToolJSON, "  ", "  ", ""},

	{"DeepSeek V3", ToolDeepSeek, "Let me see.\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{\"city\": \"Paris\"}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "Let me see.", `get_weather({"city":"Paris"}) f({})`},
	{"DeepSeek V3.1", ToolDeepSeek, "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\": 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "", `f({"a":1})`},
	{"DeepSeek, cut off", ToolDeepSeek, "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁call▁begin｜>g<｜to", "", `f({})`},

	{"harmony", ToolHarmony, `<|channel|>analysis<|message|>Weather.<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"city":"Paris"}<|call|>`, `<|channel|>analysis<|message|>Weather.<|end|>`, `get_weather({"city":"Paris"})`},
	{"harmony, in the role", ToolHarmony, ` to=functions.f<|channel|>commentary<|message|>{"a": 1}`, "", `f({"a":1})`},
	{"harmony, final", ToolHarmony, `<|channel|>final<|message|>4<|return|>`, `<|channel|>final<|message|>4<|return|>`, ""},
	{"harmony, no format", ToolHarmony, "It is 4.", "It is 4.", ""},
	{"harmony, two", ToolHarmony, `<|channel|>commentary to=functions.f<|message|>{}<|end|><|start|>assistant<|channel|>commentary to=functions.g<|message|>{}<|call|>`, ``, `f({}) g({})`},
}

func TestToolParser(t *testing.T) {
	for _, test := range toolTexts {
		t.Run(test.name, func(t *testing.T) {
			for _, n := range []int{1 << 20, 1, 2, 3, 7} {
				said, calls := parsePieces(test.format, weather, test.text, n)
				if said != test.said || describe(calls) != test.calls {
					t.Errorf("pieces of %d: %q and %s; want %q and %s", n, said, describe(calls), test.said, test.calls)
				}
			}
		})
	}
}

// TestToolParserStreams checks that what cannot be a call is not held back.
func TestToolParserStreams(t *testing.T) {
	p := NewToolParser(ToolTags, nil)
	for _, step := range []struct{ text, said string }{
		{"It ", "It"}, {"is", " is"}, {" <too", ""}, {"th>", " <tooth>"}, {"<tool_call>{", ""}, {"}</tool_call>", "<tool_call>{}</tool_call>"},
	} {
		if said, _ := p.Add(step.text); said != step.said {
			t.Errorf("after %q: %q; want %q", step.text, said, step.said)
		}
	}
}

func TestToolFormatOf(t *testing.T) {
	for template, want := range map[string]ToolFormat{
		"":                                      NoTools,
		"{{ '<tool_call>' }} \"parameters\"":    ToolTags,
		"<｜tool▁call▁begin｜>":                   ToolDeepSeek,
		`{"name": function name, "parameters":`: ToolJSON,
		"<|channel|> to=functions.":             ToolHarmony,
	} {
		if got := ToolFormatOf(func(s string) bool { return strings.Contains(template, s) }); got != want {
			t.Errorf("%q: %d; want %d", template, got, want)
		}
	}
}

// FuzzToolParser checks that a text gives the same in any pieces, and that one in
// which nothing is called is said as it is.
func FuzzToolParser(f *testing.F) {
	for i, test := range toolTexts {
		f.Add(uint8(test.format), test.text, uint8(i))
	}
	f.Fuzz(func(t *testing.T, format uint8, text string, n uint8) {
		kind := ToolFormat(format % 5)
		said, calls := parsePieces(kind, weather, text, 1<<30)
		saidPieces, callsPieces := parsePieces(kind, weather, text, int(n%9)+1)
		if said != saidPieces || describe(calls) != describe(callsPieces) {
			t.Errorf("%q and %s; in pieces %q and %s", said, describe(calls), saidPieces, describe(callsPieces))
		}
		if len(calls) == 0 && said != text {
			t.Errorf("%q became %q", text, said)
		}
		for _, c := range calls {
			if c.Name == "" {
				t.Errorf("%q: a call without a name", text)
			}
			if _, ok := compact([]byte(c.Arguments)); !ok {
				t.Errorf("%q: arguments %q", text, c.Arguments)
			}
		}
	})
}
