// Package clienttest has the official client for Go ask a server of the embedded
// pair, unchanged. It is a module of its own, so that the client is none of the
// server's dependencies; see ../serve.sh for how it finds the server.
package clienttest

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"
)

const (
	model    = "embedded-reasoner"
	question = "What is (12 + 7) * 3 - 8?"
	prompt   = "<|im_start|>user\n" + question + "<|im_end|>\n<|im_start|>assistant\n<think>\n"
)

var schema = map[string]any{
	"type":                 "object",
	"properties":           map[string]any{"a": map[string]any{"type": "integer"}, "b": map[string]any{"type": "integer"}},
	"required":             []string{"a", "b"},
	"additionalProperties": false,
}

// newClient makes a client as its documentation has it.
func newClient(t *testing.T) openai.Client {
	if os.Getenv("OPENAI_BASE_URL") == "" {
		t.Skip("no OPENAI_BASE_URL: serve.sh sets it")
	}
	return openai.NewClient()
}

func params() openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:       model,
		Messages:    []openai.ChatCompletionMessageParamUnion{openai.UserMessage(question)},
		Seed:        openai.Int(1),
		Temperature: openai.Float(0),
	}
}

func TestModels(t *testing.T) {
	c := newClient(t)
	page, err := c.Models.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Data) != 1 || page.Data[0].ID != model {
		t.Errorf("%+v", page.Data)
	}
	if m, err := c.Models.Get(t.Context(), model); err != nil || m.ID != model {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestChat(t *testing.T) {
	c := newClient(t)
	answer, err := c.Chat.Completions.New(t.Context(), params())
	if err != nil {
		t.Fatal(err)
	}
	choice := answer.Choices[0]
	if !strings.Contains(choice.Message.Content, "49") || choice.FinishReason != "stop" || answer.Usage.TotalTokens != answer.Usage.PromptTokens+answer.Usage.CompletionTokens {
		t.Errorf("%s", answer.RawJSON())
	}

	p := params()
	p.StreamOptions.IncludeUsage = openai.Bool(true)
	stream := c.Chat.Completions.NewStreaming(t.Context(), p)
	var all openai.ChatCompletionAccumulator
	for stream.Next() {
		if !all.AddChunk(stream.Current()) {
			t.Errorf("a chunk that does not belong: %s", stream.Current().RawJSON())
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	if got := all.Choices[0]; got.Message.Content != choice.Message.Content || got.FinishReason != choice.FinishReason || all.Usage.CompletionTokens != answer.Usage.CompletionTokens {
		t.Errorf("streamed %+v; want %s", got, choice.RawJSON())
	}
}

func TestLogProbs(t *testing.T) {
	c := newClient(t)
	p := params()
	p.Logprobs, p.TopLogprobs, p.MaxCompletionTokens = openai.Bool(true), openai.Int(3), openai.Int(8)
	answer, err := c.Chat.Completions.New(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	tokens := answer.Choices[0].Logprobs.Content
	if len(tokens) != 8 || answer.Choices[0].FinishReason != "length" {
		t.Errorf("%d tokens, %s", len(tokens), answer.Choices[0].FinishReason)
	}
	for _, token := range tokens {
		if token.Logprob > 0 || len(token.TopLogprobs) != 3 || token.TopLogprobs[0].Token != token.Token {
			t.Errorf("%s", token.RawJSON())
		}
	}
}

func TestStructuredOutput(t *testing.T) {
	c := newClient(t)
	p := params()
	p.ResponseFormat = openai.ChatCompletionNewParamsResponseFormatUnion{
		OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{
			JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "numbers", Strict: openai.Bool(true), Schema: schema},
		},
	}
	answer, err := c.Chat.Completions.New(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	checkNumbers(t, answer.Choices[0].Message.Content)
}

func checkNumbers(t *testing.T, text string) {
	t.Helper()
	var numbers map[string]int
	if err := json.Unmarshal([]byte(text), &numbers); err != nil || len(numbers) != 2 {
		t.Errorf("%q: %v", text, err)
	}
}

func TestTools(t *testing.T) {
	c := newClient(t)
	p := params()
	p.Tools = []openai.ChatCompletionToolUnionParam{
		openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: "add", Parameters: schema}),
	}
	for name, choice := range map[string]openai.ChatCompletionToolChoiceOptionUnionParam{
		"required": {OfAuto: openai.String("required")},
		"named":    openai.ToolChoiceOptionFunctionToolChoice(openai.ChatCompletionNamedToolChoiceFunctionParam{Name: "add"}),
	} {
		p.ToolChoice = choice
		answer, err := c.Chat.Completions.New(t.Context(), p)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := answer.Choices[0]; got.FinishReason != "tool_calls" || got.Message.ToolCalls[0].Function.Name != "add" {
			t.Fatalf("%s: %s", name, got.RawJSON())
		}
		checkNumbers(t, answer.Choices[0].Message.ToolCalls[0].Function.Arguments)

		stream := c.Chat.Completions.NewStreaming(t.Context(), p)
		var all openai.ChatCompletionAccumulator
		for stream.Next() {
			all.AddChunk(stream.Current())
		}
		if err := stream.Err(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		checkNumbers(t, all.Choices[0].Message.ToolCalls[0].Function.Arguments)
	}
}

func TestCompletions(t *testing.T) {
	c := newClient(t)
	p := openai.CompletionNewParams{
		Model: model, Temperature: openai.Float(0), MaxTokens: openai.Int(20), Logprobs: openai.Int(2), Echo: openai.Bool(true),
		Prompt: openai.CompletionNewParamsPromptUnion{OfArrayOfStrings: []string{prompt, question}},
	}
	answer, err := c.Completions.New(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Choices) != 2 || !strings.HasPrefix(answer.Choices[0].Text, prompt) || !strings.HasPrefix(answer.Choices[1].Text, question) {
		t.Errorf("%s", answer.RawJSON())
	}
	if l := answer.Choices[0].Logprobs; len(l.Tokens) < 21 || len(l.Tokens) != len(l.TokenLogprobs) || len(l.Tokens) != len(l.TextOffset) {
		t.Errorf("%s", l.RawJSON())
	}
	stream := c.Completions.NewStreaming(t.Context(), p)
	texts := map[int64]string{}
	for stream.Next() {
		for _, choice := range stream.Current().Choices {
			texts[choice.Index] += choice.Text
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	for _, choice := range answer.Choices {
		if texts[choice.Index] != choice.Text {
			t.Errorf("streamed %q; want %q", texts[choice.Index], choice.Text)
		}
	}
}

// TestGroup asks for a vote with a field that the client does not know.
func TestGroup(t *testing.T) {
	c := newClient(t)
	p := params()
	p.Temperature = openai.ChatCompletionNewParams{}.Temperature
	answer, err := c.Chat.Completions.New(t.Context(), p, option.WithJSONSet("deepprune", map[string]any{"traces": 16}))
	if err != nil {
		t.Fatal(err)
	}
	var account struct {
		Answer string
		K      int
	}
	if err := json.Unmarshal([]byte(answer.JSON.ExtraFields["deepprune"].Raw()), &account); err != nil || account.Answer != "49" || account.K != 16 {
		t.Errorf("%+v, %v", account, err)
	}
}

func TestErrors(t *testing.T) {
	c := newClient(t)
	p := params()
	p.TopP = openai.Float(3)
	_, err := c.Chat.Completions.New(t.Context(), p)
	var e *openai.Error
	if !errors.As(err, &e) || e.StatusCode != 400 || e.Param != "top_p" {
		t.Errorf("%v", err)
	}
	p = params()
	p.Model = "gpt-5"
	if _, err = c.Chat.Completions.New(t.Context(), p); !errors.As(err, &e) || e.StatusCode != 404 || e.Code != "model_not_found" {
		t.Errorf("%v", err)
	}
	other := openai.NewClient(option.WithAPIKey("sk-nobody-nobody-nobody"))
	if _, err = other.Models.List(t.Context()); !errors.As(err, &e) || e.StatusCode != 401 {
		t.Errorf("%v", err)
	}
}
