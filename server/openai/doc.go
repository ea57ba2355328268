// Package openai is the wire format of OpenAI's API, as the server speaks it:
// requests are decoded and checked, responses, chunks and errors encoded, tool
// calls found in what a model wrote. There is no engine in it and no HTTP handler.
//
// [ParseChat] and [ParseCompletion] turn a body into a [ChatRequest] or a
// [CompletionRequest] whose every value is in range, or into an [*Error] that
// names the parameter. As OpenAI does, they ignore fields that they do not know
// and take null for a field that is not there. [ToolParser] splits a growing text
// into what was said and the tools that were called.
package openai
