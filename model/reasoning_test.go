package model

import (
	"path/filepath"
	"strings"
	"testing"
)

const harmonyPrompt = "<|start|>system<|message|>You are ChatGPT.<|end|><|start|>user<|message|>What is <|channel|>?<|end|><|start|>assistant"

func TestSplitReasoning(t *testing.T) {
	for _, test := range []struct {
		name               string
		format             Reasoning
		prompt, text       string
		reasoning, content string
	}{
		{"none", NoReasoning, "", "<think>a</think>b", "", "<think>a</think>b"},
		{"Qwen3", ReasoningTags, "<|im_start|>assistant\n", "<think>\nSo 2+2.\n\nWait.\n</think>\n\nIt is 4.\n", "So 2+2.\n\nWait.", "It is 4.\n"},
		{"Qwen3 that does not think", ReasoningTags, "<think>\n\n</think>\n\n", "It is 4.", "", "It is 4."},
		{"a tag in the content", ReasoningTags, "", "It is <think>4</think>.", "", "It is <think>4</think>."},
		{"DeepSeek, opened by the prompt", ReasoningTags, "<｜Assistant｜><think>\n", "Hmm.\n</think>\n\n**4**", "Hmm.", "**4**"},
		{"opened twice", ReasoningTags, "<think>\n", "\n<think>\nHmm.</think>4", "Hmm.", "4"},
		{"a question about the tag", ReasoningTags, "What is <think>?<|im_end|>\n<|im_start|>assistant\n", "A tag.", "", "A tag."},
		{"cut while thinking", ReasoningTags, "", "<think>\nSo 2+2 <4</thin", "So 2+2 <4</thin", ""},
		{"cut at once", ReasoningTags, "", "\n<thi", "", "\n<thi"},
		{"no thoughts, space kept", ReasoningTags, "", "  4 ", "", "  4 "},
		{"a second block", ReasoningTags, "", "<think>a</think> b <think>c</think>", "a", "b <think>c</think>"},
		{"GLM", ReasoningTags, "<|assistant|>", "\n<think>a</think>\nb", "a", "b"},

		{"gpt-oss", ReasoningChannels, harmonyPrompt, "<|channel|>analysis<|message|>2+2.<|end|><|start|>assistant<|channel|>final<|message|>It is 4.<|return|>", "2+2.", "It is 4."},
		{"gpt-oss without thoughts", ReasoningChannels, harmonyPrompt, "<|channel|>final<|message|>It is 4.", "", "It is 4."},
		{"prefilled channel", ReasoningChannels, harmonyPrompt + "<|channel|>analysis<|message|>", "2+2.<|end|><|start|>assistant<|channel|>final<|message|>4", "2+2.", "4"},
		{"prefilled answer", ReasoningChannels, harmonyPrompt + "<|channel|>final<|message|>It ", "is 4.<|return|>", "", "It is 4."},
		{"analysis twice", ReasoningChannels, harmonyPrompt, "<|channel|>analysis<|message|>a \n<|end|><|start|>assistant<|channel|>analysis<|message|>b<|end|>", "a\nb", ""},
		{"preamble", ReasoningChannels, harmonyPrompt, "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant<|channel|>final<|message|>4", "", "I look.\n4"},
		{"call of a tool", ReasoningChannels, harmonyPrompt, "<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>", "{}", ""},
		{"call in the role", ReasoningChannels, harmonyPrompt, " to=functions.f<|channel|>commentary<|message|>{}<|call|>", "{}", ""},
		{"no format at all", ReasoningChannels, harmonyPrompt, "It is 4.", "", "It is 4."},
		{"a header without end", ReasoningChannels, harmonyPrompt, "<|channel|>final", "", ""},
		{"no prompt", ReasoningChannels, "", "<|start|>assistant<|channel|>final<|message|>a<|end|>\nb", "", "ab"},
	} {
		t.Run(test.name, func(t *testing.T) {
			reasoning, content := SplitReasoning(test.format, test.prompt, test.text)
			if reasoning != test.reasoning || content != test.content {
				t.Errorf("got %q and %q; want %q and %q", reasoning, content, test.reasoning, test.content)
			}
		})
	}
}

// TestReasoningStreams checks that thoughts arrive as they are had.
func TestReasoningStreams(t *testing.T) {
	s := NewReasoningSplitter(ReasoningTags, "<think>\n")
	for _, piece := range []struct{ text, reasoning, content string }{
		{"So ", "So", ""}, {"4 <", " 4", ""}, {"5", " <5", ""}, {"</th", "", ""}, {"ink>\n", "", ""}, {"\n4", "", "4"}, {" <", "", " <"},
	} {
		if reasoning, content := s.Write(piece.text); reasoning != piece.reasoning || content != piece.content {
			t.Errorf("after %q: %q and %q; want %q and %q", piece.text, reasoning, content, piece.reasoning, piece.content)
		}
	}
}

func TestReasoningOf(t *testing.T) {
	for name, want := range map[string]Reasoning{
		"deepseek3.json": ReasoningTags, "o200k.json": ReasoningChannels, "qwen3-bf16-tied/tokenizer.json": NoReasoning,
	} {
		if got := reasoningOf(readTokenizerFile(t, filepath.Join("testdata", name))); got != want {
			t.Errorf("%s: %d; want %d", name, got, want)
		}
	}
}

// FuzzReasoning checks that pieces give what the whole gives and that nothing that
// is neither tag, header nor space is lost.
func FuzzReasoning(f *testing.F) {
	f.Add(uint8(1), "<think>", "a </think> b", 3)
	f.Add(uint8(1), "", "\n<think> a </thi </think>\n\nb", 1)
	f.Add(uint8(2), harmonyPrompt, "<|channel|>analysis<|message|>x<|end|><|start|>assistant<|channel|>final<|message|>4<|return|>", 2)
	f.Add(uint8(2), "", "a <|start|> b<|channel|>commentary to=f<|message|> <|message|> c", 5)
	f.Add(uint8(2), harmonyPrompt, strings.Repeat("x", 600)+"<|message|>y", 7)
	f.Fuzz(func(t *testing.T, format uint8, prompt, text string, size int) {
		r := Reasoning(format % 3)
		reasoning, content := SplitReasoning(r, prompt, text)
		size = max(1, min(size, 64))
		s := NewReasoningSplitter(r, prompt)
		var thoughts, said strings.Builder
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			a, b := s.Write(rest[:n])
			thoughts.WriteString(a)
			said.WriteString(b)
			rest = rest[n:]
		}
		a, b := s.Flush()
		if got := thoughts.String() + a; got != reasoning {
			t.Errorf("thoughts in pieces of %d: %q; want %q", size, got, reasoning)
		}
		if got := said.String() + b; got != content {
			t.Errorf("content in pieces of %d: %q; want %q", size, got, content)
		}
		if len(reasoning)+len(content) > len(prompt)+len(text)+len(text)/len(messageTag) {
			t.Errorf("%d bytes became %d of thoughts and %d of content", len(text), len(reasoning), len(content))
		}
	})
}
