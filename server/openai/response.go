package openai

import "encoding/json"

// Objects of responses, by their field "object".
const (
	ObjectChat       = "chat.completion"
	ObjectChatChunk  = "chat.completion.chunk"
	ObjectCompletion = "text_completion"
	ObjectModel      = "model"
	ObjectList       = "list"
)

// Reasons for which a choice ends, the only ones that strict clients take.
const (
	FinishStop      = "stop"       // the model, or a stop string, ended it
	FinishLength    = "length"     // a limit of tokens did, or a policy: see StopPruned
	FinishToolCalls = "tool_calls" // it calls tools
)

// StopPruned and StopCancelled are the stop_reason of a choice that was stopped
// before it ended.
const (
	StopPruned    = "pruned"
	StopCancelled = "cancelled"
)

// Usage counts tokens: those of the prompts, and all that were generated, those of
// pruned traces included.
type Usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
}

// Response is a whole answer: a chat completion or a completion, whose choices are
// *ChatChoice or *CompletionChoice.
type Response[C any] struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"` // seconds since 1970
	Model   string `json:"model"`
	Choices []C    `json:"choices"`
	Usage   *Usage `json:"usage,omitempty"`
	// DeepPrune is the account of a group, an engine.Result.
	DeepPrune any `json:"deepprune,omitempty"`
}

// Chunk is a piece of a streamed answer.
type Chunk[C any] struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	Model   string `json:"model"`
	Choices []C    `json:"choices"`
	// Usage is null in all chunks but the last, and absent if it was not asked for.
	Usage     Optional[*Usage] `json:"usage,omitzero"`
	DeepPrune any              `json:"deepprune,omitempty"`
}

// ChatChoice is an answer to a conversation.
type ChatChoice struct {
	Index        int           `json:"index"`
	Message      ChatMessage   `json:"message"`
	LogProbs     *ChatLogProbs `json:"logprobs"`
	FinishReason string        `json:"finish_reason"`
	// StopReason is what ended it: a stop string, the id of a stop token, StopPruned
	// or StopCancelled; null for the model's own end and for a limit.
	StopReason any `json:"stop_reason"`
}

// ChatMessage is what an assistant says. Content is null if it calls tools alone.
type ChatMessage struct {
	Role             string     `json:"role"`
	Content          *string    `json:"content"`
	Refusal          *string    `json:"refusal"`
	ReasoningContent string     `json:"reasoning_content,omitempty"`
	ToolCalls        []ToolCall `json:"tool_calls,omitempty"`
}

// ToolCall is a call of a tool in an answer.
type ToolCall struct {
	ID       string       `json:"id"`
	Type     string       `json:"type"` // "function"
	Function FunctionCall `json:"function"`
}

// FunctionCall names a function and its arguments, as text that should be JSON.
type FunctionCall struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

// ChatChunkChoice is what a chunk adds to a choice.
type ChatChunkChoice struct {
	Index        int           `json:"index"`
	Delta        ChatDelta     `json:"delta"`
	LogProbs     *ChatLogProbs `json:"logprobs"`
	FinishReason *string       `json:"finish_reason"`
	StopReason   any           `json:"stop_reason,omitempty"`
}

// ChatDelta is what is new of a message. Nil and empty fields add nothing.
type ChatDelta struct {
	Role             string          `json:"role,omitempty"`
	Content          *string         `json:"content,omitempty"`
	ReasoningContent string          `json:"reasoning_content,omitempty"`
	ToolCalls        []ToolCallDelta `json:"tool_calls,omitempty"`
}

// ToolCallDelta is what is new of a call: the id, type and name once, then more of
// the arguments.
type ToolCallDelta struct {
	Index    int           `json:"index"`
	ID       string        `json:"id,omitempty"`
	Type     string        `json:"type,omitempty"`
	Function FunctionDelta `json:"function"`
}

// FunctionDelta is what is new of a FunctionCall.
type FunctionDelta struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

// CompletionChoice is a text that goes on with a prompt, or a piece of it.
type CompletionChoice struct {
	Index        int                 `json:"index"`
	Text         string              `json:"text"`
	LogProbs     *CompletionLogProbs `json:"logprobs"`
	FinishReason *string             `json:"finish_reason"` // null until the last piece
	StopReason   any                 `json:"stop_reason"`
}

// Model is a model that is served.
type Model struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
	// MaxModelLen is the longest sequence, in tokens.
	MaxModelLen int `json:"max_model_len"`
}

// Models is the list of them.
type Models struct {
	Object string  `json:"object"`
	Data   []Model `json:"data"`
}

// Optional is a value that is there, even if it is null, or is not.
type Optional[T any] struct {
	Present bool
	Value   T
}

// IsZero reports whether the value is not there.
func (o Optional[T]) IsZero() bool { return !o.Present }

// MarshalJSON writes the value.
func (o Optional[T]) MarshalJSON() ([]byte, error) { return json.Marshal(o.Value) }
