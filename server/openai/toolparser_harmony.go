package openai

import (
	"bytes"
	"strings"
)

const (
	startTag   = "<|start|>"
	channelTag = "<|channel|>"
	messageTag = "<|message|>"

	// maxHeader bounds what stands before messageTag, in bytes.
	maxHeader = 512
)

// messageEnds are what a message of harmony ends with. The last two begin another.
var messageEnds = []string{"<|call|>", "<|end|>", "<|return|>", startTag, channelTag}

// harmony takes the messages to functions out of a text. inside means that pending
// begins with a header, p.scanned counts the bytes of a call's header and message
// that hold no end.
func (p *ToolParser) harmony(final bool) (said []byte, calls []Call) {
	for {
		if !p.inside {
			n, tag := firstOf(p.pending, startTag, channelTag)
			if tag == "" && !final {
				n = len(p.pending) - max(beginning(p.pending, startTag), beginning(p.pending, channelTag))
			}
			said = append(said, p.pending[:n]...)
			p.pending = p.pending[n:]
			if tag == "" {
				return said, calls
			}
			p.inside, p.scanned = true, 0
		}
		i := bytes.Index(p.pending[:min(len(p.pending), maxHeader+len(messageTag))], []byte(messageTag))
		if i < 0 {
			if !final && len(p.pending) < maxHeader+len(messageTag) {
				return said, calls
			}
			// No header: its first character is said, so that the tag is not found again.
			said, p.pending, p.inside = passTag(said, p.pending)
			continue
		}
		name := functionOf(string(p.pending[:i]))
		i += len(messageTag)
		if name == "" {
			said = append(said, p.pending[:i]...)
			p.pending, p.inside = p.pending[i:], false
			continue
		}
		p.scanned = max(p.scanned, i)
		n, tag := firstOf(p.pending[p.scanned:], messageEnds...)
		n += p.scanned
		if tag == "" && !final {
			p.scanned = max(i, n-len(startTag)-len(channelTag))
			return said, calls
		}
		arguments, ok := compact(bytes.TrimSpace(p.pending[i:n]))
		if tag != startTag && tag != channelTag {
			n += len(tag)
		}
		if ok {
			calls = append(calls, Call{Name: name, Arguments: arguments})
		} else {
			said = append(said, p.pending[:n]...)
		}
		p.pending, p.inside, p.scanned = p.pending[n:], false, 0
	}
}

// passTag says the tag that pending begins with, or all there is without one.
func passTag(said, pending []byte) (_, rest []byte, inside bool) {
	for _, tag := range []string{startTag, channelTag} {
		if bytes.HasPrefix(pending, []byte(tag)) {
			return append(said, tag...), pending[len(tag):], false
		}
	}
	n, _ := firstOf(pending, startTag, channelTag)
	return append(said, pending[:n]...), pending[n:], false
}

// firstOf finds the first of the tags in a text: where it begins, or the end of the
// text and "".
func firstOf(text []byte, tags ...string) (at int, tag string) {
	at = len(text)
	for _, t := range tags {
		if i := bytes.Index(text[:min(len(text), at+len(t))], []byte(t)); i >= 0 && i < at {
			at, tag = i, t
		}
	}
	return at, tag
}

// functionOf is the function that a header addresses, "" for none.
func functionOf(header string) string {
	_, to, ok := strings.Cut(header, " to=functions.")
	if !ok {
		return ""
	}
	for i, c := range []byte(to) {
		if c == ' ' || c == '<' || c == '\n' || c == '\t' {
			return to[:i]
		}
	}
	return to
}
