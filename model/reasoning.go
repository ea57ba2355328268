package model

import "strings"

// Reasoning is how a model marks its thoughts in what it writes.
type Reasoning uint8

const (
	// NoReasoning: all that it writes is content.
	NoReasoning Reasoning = iota
	// ReasoningTags: "<think> thoughts </think> content", as Qwen3, QwQ, DeepSeek-R1
	// and GLM-4.5 write it. The template may have written the first tag.
	ReasoningTags
	// ReasoningChannels: the messages of OpenAI's harmony format,
	//
	//	<|channel|>analysis<|message|>thoughts<|end|><|start|>assistant<|channel|>final<|message|>content<|return|>
	//
	// The channel final is content, and so is commentary that is addressed to
	// nobody; analysis and calls of tools are thoughts.
	ReasoningChannels
)

const (
	thinkTag    = "<think>"
	endThinkTag = "</think>"

	startTag   = "<|start|>"
	channelTag = "<|channel|>"
	messageTag = "<|message|>"
)

// endTags are what ends a message of the harmony format: those of its ends, and the
// beginning of the next.
var endTags = []string{"<|end|>", "<|return|>", "<|call|>", startTag, channelTag}

// maxHeader bounds the text before <|message|>, of a message that never gets there.
const maxHeader = 512

// reasoningOf tells from the vocabulary how a model marks its thoughts.
func reasoningOf(t Tokenizer) Reasoning {
	has := func(token string) bool {
		_, ok := t.ID(token)
		return ok
	}
	switch {
	case has(channelTag) && has(messageTag):
		return ReasoningChannels
	case has(endThinkTag):
		return ReasoningTags
	}
	return NoReasoning
}

// SplitReasoning takes a text that a model wrote apart. prompt is what it wrote it
// after, whose end says whether the model was thinking already. Space between the
// two parts belongs to neither.
func SplitReasoning(r Reasoning, prompt, text string) (reasoning, content string) {
	s := NewReasoningSplitter(r, prompt)
	reasoning, content = s.Write(text)
	restReasoning, restContent := s.Flush()
	return reasoning + restReasoning, content + restContent
}

// ReasoningSplitter splits a text that arrives in pieces, which may be cut
// anywhere. What its calls return adds up to what [SplitReasoning] makes of the
// whole text. It is for one goroutine at a time.
type ReasoningSplitter struct {
	format Reasoning
	at     region
	held   string // not yet told apart: the beginning of a tag, or a header

	thoughts, content strings.Builder // of this call
	spaces            string          // after the last thought, whose end they may be
	thought, said     bool            // whether there was any thought, any content
	trim              bool            // space that content begins with is not meant
	opened            bool            // the prompt ended with <think>
}

// region is where in a text a splitter is.
type region uint8

const (
	atStart region = iota // before a <think>, if there is one
	inThoughts
	inContent
	inHeader  // before a <|message|>
	atMessage // between two messages
)

// NewReasoningSplitter returns a splitter for what a model writes after prompt.
func NewReasoningSplitter(r Reasoning, prompt string) *ReasoningSplitter {
	s := &ReasoningSplitter{format: r, at: inContent}
	switch r {
	case ReasoningTags:
		s.at, s.opened = atStart, strings.HasSuffix(strings.TrimRight(prompt, " \t\r\n"), thinkTag)
	case ReasoningChannels:
		// The template's own <|start|> comes after all that its messages say.
		s.at, s.trim = atMessage, true
		if i := strings.LastIndex(prompt, startTag); i >= 0 {
			s.at = inHeader
			if header := prompt[i+len(startTag):]; strings.Contains(header, channelTag) {
				s.held = header
				s.split(false)
			}
		}
	}
	return s
}

// Write takes the next piece and returns what has become certain.
func (s *ReasoningSplitter) Write(piece string) (reasoning, content string) {
	s.held += piece
	return s.result(false)
}

// Flush returns the rest, at the end of the text.
func (s *ReasoningSplitter) Flush() (reasoning, content string) { return s.result(true) }

func (s *ReasoningSplitter) result(final bool) (reasoning, content string) {
	s.split(final)
	reasoning, content = s.thoughts.String(), s.content.String()
	s.thoughts.Reset()
	s.content.Reset()
	return reasoning, content
}

// split takes from held what can be told apart: all of it at the end of the text.
func (s *ReasoningSplitter) split(final bool) {
	for {
		at, held := s.at, len(s.held)
		switch s.at {
		case atStart:
			text := strings.TrimLeft(s.held, " \t\r\n")
			if after, ok := strings.CutPrefix(text, thinkTag); ok {
				s.held, s.at = after, inThoughts
			} else if final || !strings.HasPrefix(thinkTag, text) {
				s.at = inContent
				if s.opened {
					s.at = inThoughts
				}
			}
		case inThoughts:
			var ends []string
			switch s.format {
			case ReasoningTags:
				ends = []string{endThinkTag}
			case ReasoningChannels:
				ends = endTags
			}
			text, tag := s.take(final, ends...)
			s.think(text)
			if s.next(tag) && s.format == ReasoningTags {
				s.at, s.trim = inContent, true
			}
		case inContent:
			var ends []string
			if s.format == ReasoningChannels {
				ends = endTags
			}
			text, tag := s.take(final, ends...)
			s.say(text)
			s.next(tag)
		case inHeader:
			s.header(final)
		case atMessage:
			text, tag := s.take(final, startTag, channelTag)
			s.say(text)
			s.next(tag)
		}
		if s.at == at && len(s.held) == held {
			return
		}
	}
}

// next goes where a tag leads in the harmony format. It reports whether there is one.
func (s *ReasoningSplitter) next(tag string) bool {
	switch {
	case tag == "":
		return false
	case s.format == ReasoningTags:
	case tag == startTag:
		s.at = inHeader
	case tag == channelTag:
		s.at, s.held = inHeader, channelTag+s.held
	default:
		s.at, s.trim = atMessage, true
	}
	return true
}

// header reads "assistant to=functions.f<|channel|>commentary <|constrain|>json"
// and what ends it. What is no header is content.
func (s *ReasoningSplitter) header(final bool) {
	const most = maxHeader + len(messageTag)
	head, _, ok := strings.Cut(s.held[:min(len(s.held), most)], messageTag)
	role, channel, hasChannel := strings.Cut(head, channelTag)
	if !ok {
		if len(s.held) >= most || final && s.held != "" && !hasChannel && role != "assistant" {
			s.at = inContent
		}
		return
	}
	s.held = s.held[len(head)+len(messageTag):]
	name, _, _ := strings.Cut(strings.TrimSpace(channel), " ")
	addressed := strings.Contains(head, " to=")
	if name == "final" || !hasChannel || name == "commentary" && !addressed {
		s.at, s.trim = inContent, true
		if s.said {
			s.content.WriteByte('\n')
		}
		return
	}
	s.at = inThoughts
	if s.thought {
		s.spaces = "\n"
	}
}

// take takes the text before the first of the tags from held, and the tag; or, if
// there is none, all that cannot be the beginning of one.
func (s *ReasoningSplitter) take(final bool, tags ...string) (text, tag string) {
	first := len(s.held)
	for _, t := range tags {
		if i := strings.Index(s.held[:min(first+len(t), len(s.held))], t); i >= 0 && i < first {
			first, tag = i, t
		}
	}
	end := first
	if tag == "" && !final {
		for _, t := range tags {
			end = min(end, len(s.held)-beginning(s.held, t))
		}
	}
	text, s.held = s.held[:end], s.held[end+len(tag):]
	return text, tag
}

// beginning is the length of the longest end of text that tag begins with, less
// than the whole tag.
func beginning(text, tag string) int {
	for n := min(len(text), len(tag)-1); n > 0; n-- {
		if strings.HasSuffix(text, tag[:n]) {
			return n
		}
	}
	return 0
}

// think writes thoughts, but for the space around them.
func (s *ReasoningSplitter) think(text string) {
	if !s.thought {
		text = strings.TrimLeft(text, " \t\r\n")
	}
	trimmed := strings.TrimRight(text, " \t\r\n")
	if trimmed != "" {
		s.thoughts.WriteString(s.spaces)
		s.thoughts.WriteString(trimmed)
		s.spaces, s.thought = "", true
	}
	s.spaces += text[len(trimmed):]
}

// say writes content.
func (s *ReasoningSplitter) say(text string) {
	if s.trim {
		text = strings.TrimLeft(text, " \t\r\n")
		s.trim = text == ""
	}
	s.said = s.said || text != ""
	s.content.WriteString(text)
}
