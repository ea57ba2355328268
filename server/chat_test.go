package server

import (
	"strings"
	"testing"

	"deepprune/engine"
)

func TestChat(t *testing.T) {
	c := newClient(t, Options{}, engine.Options{CheckInvariants: true})
	answer := c.must(chatPath, chatBody(object{"temperature": 0}))
	if got := text(answer, "object"); got != "chat.completion" {
		t.Errorf("object: %q", got)
	}
	if id := text(answer, "id"); !strings.HasPrefix(id, "chatcmpl-") {
		t.Errorf("id: %q", id)
	}
	choice := at(answer, "choices", 0)
	if got := text(choice, "finish_reason"); got != "stop" {
		t.Errorf("finish_reason: %q", got)
	}
	if got := text(choice, "message", "content"); !strings.Contains(got, "49") {
		t.Errorf("content: %q; want 49 in it", got)
	}
	if got := text(choice, "message", "reasoning_content"); got == "" || strings.Contains(got, "think>") {
		t.Errorf("reasoning_content: %q", got)
	}
	usage := at(answer, "usage")
	if p, g, n := number(usage, "prompt_tokens"), number(usage, "completion_tokens"), number(usage, "total_tokens"); p < 10 || g < 10 || n != p+g {
		t.Errorf("usage: %v", usage)
	}
	if _, ok := answer["deepprune"]; ok {
		t.Error("an account without a policy")
	}
}
