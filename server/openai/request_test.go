package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"deepprune/prune"
)

var testLimits = Limits{Choices: 128, Traces: 512, Prompts: 8, Tokens: 64, Default: 16}

// chatWith is a body of chat with more fields, which may replace those of it.
func chatWith(fields string) string {
	body := `{"model":"m","messages":[{"role":"user","content":"Hi"}]`
	if fields != "" {
		body += "," + fields
	}
	return body + "}"
}

func completionWith(fields string) string {
	body := `{"model":"m","prompt":"Hi"`
	if fields != "" {
		body += "," + fields
	}
	return body + "}"
}

const tool = `{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}`

func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

// TestInvalid checks that a request that makes no sense is refused by the field
// that makes none.
func TestInvalid(t *testing.T) {
	both := func(fields string) [2]string { return [2]string{chatWith(fields), completionWith(fields)} }
	chat := func(fields string) [2]string { return [2]string{chatWith(fields), ""} }
	completion := func(fields string) [2]string { return [2]string{"", completionWith(fields)} }
	for _, test := range []struct {
		bodies      [2]string
		param, code string
	}{
		{[2]string{"", ""}, "", "invalid_json"},
		{[2]string{"{", "{"}, "", "invalid_json"},
		{[2]string{`{"model":"m"} x`, `{"model":"m"} x`}, "", "invalid_json"},
		{[2]string{"null", "null"}, "", "invalid_type"},
		{[2]string{"[]", "[]"}, "", "invalid_type"},
		{[2]string{`"a"`, "3"}, "", "invalid_type"},
		{[2]string{"{\"model\":\"\xff\"}", "{\"model\":\"\xc3\x28\"}"}, "", "invalid_utf8"},
		{both(`"x":` + nested(101)), "", "too_deep"},
		{both(`"x":` + nested(100_000)), "", "too_deep"},
		{[2]string{`{"messages":[]}`, `{"prompt":"a"}`}, "model", "missing_required_parameter"},
		{both(`"model":null`), "model", "missing_required_parameter"},
		{both(`"model":""`), "model", "empty_string"},
		{both(`"model":3`), "model", "invalid_type"},

		{both(`"temperature":"hot"`), "temperature", "invalid_type"},
		{both(`"temperature":2.1`), "temperature", "decimal_above_max_value"},
		{both(`"temperature":-0.1`), "temperature", "decimal_below_min_value"},
		{both(`"temperature":1e999`), "temperature", "decimal_out_of_range"},
		{both(`"top_p":1.5`), "top_p", "decimal_above_max_value"},
		{both(`"min_p":-1`), "min_p", "decimal_below_min_value"},
		{both(`"top_k":-2`), "top_k", "integer_below_min_value"},
		{both(`"top_k":1.5`), "top_k", "invalid_type"},
		{both(`"n":0`), "n", "integer_below_min_value"},
		{both(`"n":129`), "n", "integer_above_max_value"},
		{both(`"n":99999999999999999999999`), "n", "integer_above_max_value"},
		{both(`"n":true`), "n", "invalid_type"},
		{both(`"seed":"a"`), "seed", "invalid_type"},
		{both(`"seed":1e300`), "seed", "integer_above_max_value"},
		{both(`"seed":-9223372036854775809`), "seed", "integer_below_min_value"},
		{both(`"seed":0.5`), "seed", "invalid_type"},
		{both(`"frequency_penalty":3`), "frequency_penalty", "decimal_above_max_value"},
		{both(`"presence_penalty":-3`), "presence_penalty", "decimal_below_min_value"},
		{both(`"repetition_penalty":0`), "repetition_penalty", "decimal_below_min_value"},
		{both(`"logit_bias":[]`), "logit_bias", "invalid_type"},
		{both(`"logit_bias":{"a":1}`), "logit_bias", "invalid_token"},
		{both(`"logit_bias":{"-1":1}`), "logit_bias", "invalid_token"},
		{both(`"logit_bias":{"1":101}`), "logit_bias.1", "decimal_above_max_value"},
		{both(`"stop":3`), "stop", "invalid_type"},
		{both(`"stop":""`), "stop", "empty_string"},
		{both(`"stop":["a",3]`), "stop[1]", "invalid_type"},
		{both(`"stop":["a",null]`), "stop[1]", "invalid_type"},
		{both(`"stop":["a",""]`), "stop[1]", "empty_string"},
		{both(`"stop":[` + strings.Repeat(`"a",`, 40) + `"b"]`), "stop", "array_above_max_length"},
		{both(`"stop":"` + strings.Repeat("a", 2000) + `"`), "stop", "string_above_max_length"},
		{both(`"stop_token_ids":"a"`), "stop_token_ids", "invalid_type"},
		{both(`"stop_token_ids":[1,-1]`), "stop_token_ids[1]", "invalid_token"},
		{both(`"ignore_eos":"yes"`), "ignore_eos", "invalid_type"},
		{both(`"stream":1`), "stream", "invalid_type"},
		{both(`"stream_options":{"include_usage":true}`), "stream_options", "invalid_value"},
		{both(`"stream":true,"stream_options":{"include_usage":1}`), "stream_options.include_usage", "invalid_type"},
		{both(`"stream":true,"stream_options":3`), "stream_options", "invalid_type"},
		{both(`"response_format":"json"`), "response_format", "invalid_type"},
		{both(`"response_format":{}`), "response_format.type", "missing_required_parameter"},
		{both(`"response_format":{"type":"xml"}`), "response_format.type", "invalid_value"},
		{both(`"response_format":{"type":"json_schema"}`), "response_format.json_schema", "missing_required_parameter"},
		{both(`"response_format":{"type":"json_schema","json_schema":{"name":"a"}}`), "response_format.json_schema.schema", "missing_required_parameter"},
		{both(`"response_format":{"type":"json_schema","json_schema":{"name":"a b","schema":{}}}`), "response_format.json_schema.name", "invalid_value"},

		{both(`"deepprune":true`), "deepprune", "invalid_type"},
		{both(`"deepprune":{"policy":3}`), "deepprune.policy", "invalid_type"},
		{both(`"deepprune":{"traces":0}`), "deepprune.traces", "integer_below_min_value"},
		{both(`"deepprune":{"traces":513}`), "deepprune.traces", "integer_above_max_value"},
		{both(`"n":2,"deepprune":{"traces":3}`), "deepprune.traces", "invalid_value"},
		{both(`"deepprune":{"timeout":0}`), "deepprune.timeout", "decimal_below_min_value"},
		{both(`"deepprune":{"timeout":1e-12}`), "deepprune.timeout", "decimal_below_min_value"},
		{both(`"deepprune":{"finishers":"a"}`), "deepprune", "invalid_value"},
		{both(`"deepprune":{"tresholt":0.5}`), "deepprune", "invalid_value"},

		{[2]string{`{"model":"m"}`, `{"model":"m"}`}, "messages|prompt", "missing_required_parameter"},
		{chat(`"messages":[]`), "messages", "empty_array"},
		{chat(`"messages":"Hi"`), "messages", "invalid_type"},
		{chat(`"messages":["Hi"]`), "messages[0]", "invalid_type"},
		{chat(`"messages":[null]`), "messages[0]", "invalid_type"},
		{chat(`"messages":[{"content":"Hi"}]`), "messages[0].role", "missing_required_parameter"},
		{chat(`"messages":[{"role":"boss","content":"Hi"}]`), "messages[0].role", "invalid_value"},
		{chat(`"messages":[{"role":"user"}]`), "messages[0].content", "missing_required_parameter"},
		{chat(`"messages":[{"role":"user","content":null}]`), "messages[0].content", "missing_required_parameter"},
		{chat(`"messages":[{"role":"user","content":3}]`), "messages[0].content", "invalid_type"},
		{chat(`"messages":[{"role":"user","content":["Hi"]}]`), "messages[0].content[0]", "invalid_type"},
		{chat(`"messages":[{"role":"user","content":[{"type":"image_url"}]}]`), "messages[0].content[0].type", "invalid_value"},
		{chat(`"messages":[{"role":"user","content":[{"type":"text"}]}]`), "messages[0].content[0].text", "missing_required_parameter"},
		{chat(`"messages":[{"role":"tool","content":"4"}]`), "messages[0].tool_call_id", "missing_required_parameter"},
		{chat(`"messages":[{"role":"assistant","tool_calls":[{}]}]`), "messages[0].tool_calls[0].function", "missing_required_parameter"},
		{chat(`"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{"}}]}]`), "messages[0].tool_calls[0].function.arguments", "invalid_json"},
		{chat(`"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{}}}]}]`), "messages[0].tool_calls[0].function.arguments", "invalid_type"},
		{chat(`"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{\"a\":` + nested(200) + `}"}}]}]`), "messages[0].tool_calls[0].function.arguments", "too_deep"},
		{chat(`"max_tokens":0`), "max_tokens", "integer_below_min_value"},
		{chat(`"max_completion_tokens":"a"`), "max_completion_tokens", "invalid_type"},
		{chat(`"logprobs":5`), "logprobs", "invalid_type"},
		{chat(`"logprobs":true,"top_logprobs":21`), "top_logprobs", "integer_above_max_value"},
		{chat(`"top_logprobs":2`), "top_logprobs", "invalid_value"},
		{chat(`"tools":{}`), "tools", "invalid_type"},
		{chat(`"tools":[{"type":"retrieval","function":{"name":"f"}}]`), "tools[0].type", "invalid_value"},
		{chat(`"tools":[{"type":"function"}]`), "tools[0].function", "missing_required_parameter"},
		{chat(`"tools":[{"type":"function","function":{"name":"f g"}}]`), "tools[0].function.name", "invalid_value"},
		{chat(`"tools":[{"type":"function","function":{"name":"f","parameters":[]}}]`), "tools[0].function.parameters", "invalid_type"},
		{chat(`"tools":[` + tool + "," + tool + `]`), "tools[1].function.name", "invalid_value"},
		{chat(`"tool_choice":"auto"`), "tool_choice", "invalid_value"},
		{chat(`"tools":[` + tool + `],"tool_choice":"any"`), "tool_choice", "invalid_value"},
		{chat(`"tools":[` + tool + `],"tool_choice":{"type":"function","function":{"name":"g"}}`), "tool_choice.function.name", "invalid_value"},
		{chat(`"tools":[` + tool + `],"tool_choice":"required","response_format":{"type":"json_object"}`), "response_format", "invalid_value"},
		{chat(`"functions":[]`), "functions", "unsupported_parameter"},
		{chat(`"reasoning_effort":"huge"`), "reasoning_effort", "invalid_value"},
		{chat(`"chat_template_kwargs":[]`), "chat_template_kwargs", "invalid_type"},
		{chat(`"chat_template_kwargs":{"messages":[]}`), "chat_template_kwargs.messages", "invalid_value"},

		{completion(`"prompt":3`), "prompt", "invalid_type"},
		{completion(`"prompt":""`), "prompt", "empty_string"},
		{completion(`"prompt":[]`), "prompt", "empty_array"},
		{completion(`"prompt":[[]]`), "prompt", "empty_array"},
		{completion(`"prompt":["a",3]`), "prompt", "invalid_type"},
		{completion(`"prompt":[1,"a"]`), "prompt[1]", "invalid_token"},
		{completion(`"prompt":[1,-3]`), "prompt[1]", "invalid_token"},
		{completion(`"prompt":[1.5]`), "prompt[0]", "invalid_token"},
		{completion(`"prompt":[[[1]]]`), "prompt[0]", "invalid_token"},
		{completion(`"prompt":["a","a","a","a","a","a","a","a","a"]`), "prompt", "array_above_max_length"},
		{completion(`"prompt":[` + strings.Repeat("1,", 64) + `1]`), "prompt", "array_above_max_length"},
		{completion(`"max_tokens":0`), "max_tokens", "integer_below_min_value"},
		{completion(`"logprobs":true`), "logprobs", "invalid_type"},
		{completion(`"logprobs":99`), "logprobs", "integer_above_max_value"},
		{completion(`"suffix":"a"`), "suffix", "unsupported_parameter"},
		{completion(`"best_of":4`), "best_of", "unsupported_parameter"},
		{completion(`"prompt":["a","b"],"deepprune":{}`), "prompt", "invalid_value"},
		{completion(`"echo":true,"deepprune":{}`), "echo", "invalid_value"},
	} {
		for i, body := range test.bodies {
			if i == 1 && body == "" && test.bodies[0] != "" {
				continue
			}
			if i == 0 && body == "" && test.bodies[1] != "" {
				continue
			}
			var err error
			param := test.param
			if first, second, ok := strings.Cut(param, "|"); ok {
				param = [2]string{first, second}[i]
			}
			if i == 0 {
				_, err = ParseChat([]byte(body), testLimits)
			} else {
				_, err = ParseCompletion([]byte(body), testLimits)
			}
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("%.200s: %v; want an *Error", body, err)
				continue
			}
			if e.Status != http.StatusBadRequest || e.Type != "invalid_request_error" || e.Param != param || e.Code != test.code {
				t.Errorf("%.200s: %d %s %q %s; want param %q, code %s", body, e.Status, e.Type, e.Param, e.Code, param, test.code)
			}
			if len(e.Message) == 0 || len(e.Message) > 400 {
				t.Errorf("%.200s: a message of %d bytes", body, len(e.Message))
			}
		}
	}
}

// TestIgnored checks what other servers' clients send: null, unknown fields, whole
// numbers written with a point, duplicates.
func TestIgnored(t *testing.T) {
	for _, fields := range []string{
		"", `"n":null,"stop":null,"temperature":null,"seed":null,"tools":null,"tool_choice":null,"deepprune":null,"logit_bias":null,"stream_options":null`,
		`"best_friend":{"a":[1]},"TEMPERATURE":"hot","user":"u","store":false,"metadata":{}`,
		`"n":1.0,"top_k":3e0`, `"temperature":"hot","temperature":1`,
		`"stop":[]`, `"tools":[]`, `"logit_bias":{}`, `"response_format":{"type":"text"}`,
	} {
		if _, err := ParseChat([]byte(chatWith(fields)), testLimits); err != nil {
			t.Errorf("%s: %v", fields, err)
		}
		if _, err := ParseCompletion([]byte(completionWith(fields)), testLimits); err != nil {
			t.Errorf("%s: %v", fields, err)
		}
	}
}

func ptr[T any](v T) *T { return &v }

func TestParseChat(t *testing.T) {
	got, err := ParseChat([]byte(`{
		"model": "m", "n": 2, "max_tokens": 7, "max_completion_tokens": 9,
		"temperature": 0, "top_p": 0.9, "min_p": 0.1, "top_k": -1,
		"frequency_penalty": 1, "presence_penalty": -1, "repetition_penalty": 1.2,
		"logit_bias": {"5": -100}, "stop": "END", "stop_token_ids": [3], "ignore_eos": true, "seed": -4,
		"stream": true, "stream_options": {"include_usage": true},
		"logprobs": true, "top_logprobs": 3, "parallel_tool_calls": false,
		"reasoning_effort": "low", "chat_template_kwargs": {"enable_thinking": false},
		"tools": [`+tool+`], "tool_choice": {"type": "function", "function": {"name": "f"}},
		"deepprune": {"policy": "random", "timeout": 1.5, "finishers": 2, "threshold": 0.7, "checkpoint": {"tokens": 9}},
		"messages": [
			{"role": "developer", "content": "Be brief."},
			{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "name": "Ann"},
			{"role": "assistant", "content": null, "reasoning_content": "Hm.", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}}]},
			{"role": "tool", "tool_call_id": "1", "content": "4"}
		]}`), testLimits)
	if err != nil {
		t.Fatal(err)
	}
	want := &ChatRequest{
		Sampling: Sampling{
			Model: "m", Choices: 2, MaxTokens: ptr(int64(9)),
			Temperature: ptr(0.0), TopP: ptr(0.9), MinP: ptr(0.1), TopK: ptr(int64(-1)),
			FrequencyPenalty: 1, PresencePenalty: -1, RepetitionPenalty: ptr(1.2),
			LogitBias: map[int32]float32{5: -100}, Stop: []string{"END"}, StopTokens: []int32{3}, IgnoreEOS: true, Seed: ptr(int64(-4)),
			Stream: true, IncludeUsage: true,
			Group: &Group{
				Policy: "random", Timeout: 1500 * time.Millisecond,
				Options: prune.Options{Finishers: 2, Threshold: 0.7, Checkpoint: prune.Checkpoint{Tokens: 9}},
			},
		},
		Messages: []Message{
			{Role: "developer", Content: "Be brief."},
			{Role: "user", Content: "a\nb", Name: "Ann"},
			{Role: "assistant", Reasoning: "Hm.", Calls: []Call{{ID: "1", Name: "f", Arguments: `{"x":1}`}}},
			{Role: "tool", Content: "4", CallID: "1"},
		},
		Tools:  []Tool{{Name: "f", Parameters: json.RawMessage(`{"type":"object"}`), Raw: json.RawMessage(tool)}},
		Choice: ToolChoice{Mode: ToolNamed, Name: "f"}, OneCall: true,
		LogProbs: true, TopLogProbs: 3,
		Variables: map[string]any{"reasoning_effort": "low", "enable_thinking": json.RawMessage("false")},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestParsePrompts(t *testing.T) {
	for body, want := range map[string][]Prompt{
		`"a"`:         {{Text: "a"}},
		`["a","b"]`:   {{Text: "a"}, {Text: "b"}},
		`[1,2]`:       {{IDs: []int32{1, 2}}},
		`[[1,2],[3]]`: {{IDs: []int32{1, 2}}, {IDs: []int32{3}}},
	} {
		r, err := ParseCompletion([]byte(completionWith(`"prompt":`+body)), testLimits)
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if !reflect.DeepEqual(r.Prompts, want) {
			t.Errorf("%s: %v; want %v", body, r.Prompts, want)
		}
		if *r.MaxTokens != int64(testLimits.Default) {
			t.Errorf("%s: max_tokens %d; want %d", body, *r.MaxTokens, int64(testLimits.Default))
		}
	}
	r, err := ParseCompletion([]byte(completionWith(`"deepprune":{}`)), testLimits)
	if err != nil || r.MaxTokens != nil || r.Group.Policy != "deepprune" {
		t.Errorf("a group: %+v, %v", r, err)
	}
}

func TestErrorJSON(t *testing.T) {
	for want, e := range map[string]*Error{
		`{"error":{"message":"a \"b\"","type":"invalid_request_error","param":"n","code":"c"}}`: Invalid("n", "c", "a %q", "b"),
		`{"error":{"message":"x","type":"server_error","param":null,"code":"internal_error"}}`:  Internal("x"),
	} {
		got, err := json.Marshal(e)
		if err != nil || string(got) != want {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	}
}

func TestLogProbsJSON(t *testing.T) {
	half := []byte("\xe2\x82")
	tokens := []TokenLogProb{
		{Bytes: []byte("a"), LogProb: -0.5, Top: []TokenLogProb{{Bytes: []byte("a"), LogProb: -0.5}, {Bytes: half, LogProb: -1}}},
		{Bytes: half, LogProb: -1e30},
	}
	got, err := json.Marshal(NewChatLogProbs(tokens))
	want := `{"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[{"token":"a","logprob":-0.5,"bytes":[97]},{"token":"bytes:\\xe2\\x82","logprob":-1,"bytes":[226,130]}]},{"token":"bytes:\\xe2\\x82","logprob":-9999,"bytes":[226,130],"top_logprobs":[]}],"refusal":null}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
	l := NewCompletionLogProbs()
	l.Add(tokens[0], 0, false)
	l.Add(tokens[0], 1, true)
	l.Add(tokens[1], 2, true)
	got, err = json.Marshal(l)
	want = `{"tokens":["a","a","bytes:\\xe2\\x82"],"token_logprobs":[null,-0.5,-9999],"top_logprobs":[null,{"a":-0.5,"bytes:\\xe2\\x82":-1},{"bytes:\\xe2\\x82":-9999}],"text_offset":[0,1,2]}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}

// fuzzBodies are the seeds of both fuzz targets.
func fuzzBodies(f *testing.F) {
	for _, fields := range []string{
		"", `"n":2,"stop":["a"],"seed":1e2`, `"tools":[` + tool + `],"tool_choice":"required"`, `"deepprune":{"policy":"none","threshold":0.5}`,
		`"logit_bias":{"1":-1}`, `"response_format":{"type":"json_schema","json_schema":{"schema":{}}}`, `"x":[[[{"a":"\ud800"}]]]`,
	} {
		f.Add([]byte(chatWith(fields)))
		f.Add([]byte(completionWith(fields)))
	}
	f.Add([]byte("\xff"))
	f.Add([]byte(nested(200)))
}

// checkSampling checks what the rest of the server relies on.
func checkSampling(t *testing.T, s *Sampling) {
	t.Helper()
	if s.Model == "" || s.Choices < 1 || s.Choices > testLimits.Choices {
		t.Errorf("%+v", s)
	}
	if p := s.RepetitionPenalty; p != nil && !(*p > 0 && *p <= 10) {
		t.Errorf("repetition_penalty %v", *p)
	}
	for _, p := range []*float64{s.Temperature, s.TopP, s.MinP} {
		if p != nil && !(*p >= 0 && *p <= 2) {
			t.Errorf("%v is out of range", *p)
		}
	}
	for _, stop := range s.Stop {
		if stop == "" {
			t.Error("an empty stop string")
		}
	}
	if g := s.Group; g != nil && (g.Traces < 0 || g.Traces > testLimits.Traces || g.Timeout < 0) {
		t.Errorf("%+v", g)
	}
}

func checkError(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Status < 400 || e.Status > 499 || e.Message == "" {
		t.Errorf("%v", err)
	}
	if text, err := json.Marshal(e); err != nil || !json.Valid(text) {
		t.Errorf("%s, %v", text, err)
	}
}

func FuzzParseChat(f *testing.F) {
	fuzzBodies(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := ParseChat(body, testLimits)
		if err != nil {
			checkError(t, err)
			return
		}
		checkSampling(t, &r.Sampling)
		if len(r.Messages) == 0 {
			t.Error("no messages")
		}
		if r.Choice.Mode == ToolNamed && r.Find(r.Choice.Name) == nil {
			t.Errorf("no tool %q", r.Choice.Name)
		}
	})
}

func FuzzParseCompletion(f *testing.F) {
	fuzzBodies(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := ParseCompletion(body, testLimits)
		if err != nil {
			checkError(t, err)
			return
		}
		checkSampling(t, &r.Sampling)
		if len(r.Prompts) == 0 || len(r.Prompts) > testLimits.Prompts {
			t.Errorf("%d prompts", len(r.Prompts))
		}
		for _, p := range r.Prompts {
			if p.Text == "" && len(p.IDs) == 0 || len(p.IDs) > testLimits.Tokens {
				t.Errorf("prompt %+v", p)
			}
		}
	})
}

func ExampleParseChat() {
	_, err := ParseChat([]byte(`{"model":"m","messages":[{"role":"user","content":"Hi"}],"top_p":2}`), testLimits)
	fmt.Println(err)
	// Output: Invalid 'top_p': decimal above maximum value. Expected a value <= 1, but got 2 instead.
}
