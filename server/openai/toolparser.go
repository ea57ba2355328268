package openai

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
)

// ToolFormat is how a family of models writes the call of a tool.
type ToolFormat uint8

const (
	// NoTools is a model that was not taught any.
	NoTools ToolFormat = iota
	// ToolTags: <tool_call>…</tool_call>. What is inside is one of
	//
	//	{"name": …, "arguments": {…}}                              Hermes, Qwen
	//	<function=NAME><parameter=KEY>VALUE</parameter></function>  Qwen3-Coder
	//	NAME<arg_key>KEY</arg_key><arg_value>VALUE</arg_value>      GLM
	ToolTags
	// ToolJSON: the message is {"name": …, "parameters": {…}}, perhaps behind
	// <|python_tag|>, and others behind ";". Llama 3.
	ToolJSON
	// ToolDeepSeek: <｜tool▁calls▁begin｜> and the calls, each
	//
	//	<｜tool▁call▁begin｜>function<｜tool▁sep｜>NAME
	//	```json
	//	{…}
	//	```<｜tool▁call▁end｜>                                        V3, R1
	//	<｜tool▁call▁begin｜>NAME<｜tool▁sep｜>{…}<｜tool▁call▁end｜>  V3.1
	ToolDeepSeek
	// ToolHarmony: a message to a function, of gpt-oss,
	//
	//	<|channel|>commentary to=functions.NAME <|constrain|>json<|message|>{…}<|call|>
	//
	// The parser stands in front of the split of reasoning and content there: what it
	// leaves is still in the format of harmony.
	ToolHarmony
)

// The words of the formats.
const (
	tagBegin = "<tool_call>"
	tagEnd   = "</tool_call>"

	pythonTag = "<|python_tag|>"

	callsBegin = "<｜tool▁calls▁begin｜>"
	callsEnd   = "<｜tool▁calls▁end｜>"
	callBegin  = "<｜tool▁call▁begin｜>"
	callEnd    = "<｜tool▁call▁end｜>"
	callSep    = "<｜tool▁sep｜>"
)

// ToolFormatOf guesses the format from the chat template of a checkpoint, of which
// mentions tells whether a text occurs in it.
func ToolFormatOf(mentions func(string) bool) ToolFormat {
	switch {
	case mentions("<|channel|>") && mentions("functions."):
		return ToolHarmony
	case mentions(tagBegin):
		return ToolTags
	case mentions(callBegin):
		return ToolDeepSeek
	case mentions(pythonTag), mentions(`"parameters"`):
		return ToolJSON
	}
	return NoTools
}

// ToolParser splits a growing text into what is said and the tools that are called.
// A text that only looks like a call is said; so nothing is lost. What Add and
// Close return does not depend on how the text was cut. One goroutine may use it
// at a time.
type ToolParser struct {
	format ToolFormat
	tools  []Tool

	pending []byte // not yet decided
	space   []byte // white space after what was said, dropped in front of a call
	inside  bool   // pending begins with the word that opens calls
	scanned int    // of pending, without the word that closes them
	called  bool   // a call was found
	begun   bool   // something other than white space was seen
}

// NewToolParser returns a parser for calls of tools.
func NewToolParser(f ToolFormat, tools []Tool) *ToolParser {
	// A prompt of harmony ends in the middle of a header.
	return &ToolParser{format: f, tools: tools, inside: f == ToolHarmony}
}

// Add takes more text and returns what is certain by now.
func (p *ToolParser) Add(text string) (said string, calls []Call) {
	p.pending = append(p.pending, text...)
	return p.parse(false)
}

// Close returns the rest.
func (p *ToolParser) Close() (said string, calls []Call) { return p.parse(true) }

func (p *ToolParser) parse(final bool) (string, []Call) {
	var said []byte
	var calls []Call
	switch p.format {
	case ToolTags:
		said, calls = p.segments(tagBegin, tagEnd, final, p.tagged)
	case ToolDeepSeek:
		said, calls = p.segments(callsBegin, callsEnd, final, p.deepSeek)
	case ToolJSON:
		said, calls = p.whole(final)
	case ToolHarmony:
		said, calls = p.harmony(final)
	default:
		said, p.pending = p.pending, nil
	}
	if final && !p.called {
		said = append(said, p.space...)
		p.space = nil
	}
	return string(said), calls
}

// segments takes the text apart at the words that open and close calls. read reads
// what is between them.
func (p *ToolParser) segments(open, end string, final bool, read func(string) []Call) (said []byte, calls []Call) {
	for {
		if !p.inside {
			i := bytes.Index(p.pending, []byte(open))
			if i < 0 {
				keep := beginning(p.pending, open)
				if final {
					keep = 0
				}
				n := len(p.pending) - keep
				said = p.say(said, p.pending[:n])
				p.pending = p.pending[n:]
				return said, calls
			}
			said = p.say(said, p.pending[:i])
			p.pending = p.pending[i:]
			p.inside, p.scanned = true, len(open)
		}
		closed := true
		n := bytes.Index(p.pending[p.scanned:], []byte(end))
		if n >= 0 {
			n += p.scanned
		} else {
			if !final {
				p.scanned = max(len(open), len(p.pending)-len(end)+1)
				return said, calls
			}
			n, closed = len(p.pending), false
		}
		found := read(string(p.pending[len(open):n]))
		if closed {
			n += len(end)
		}
		if len(found) > 0 {
			p.space, p.called = nil, true
			calls = append(calls, found...)
		} else {
			said = p.say(said, p.pending[:n])
		}
		p.pending, p.inside = p.pending[n:], false
	}
}

// say appends text, but for the white space at its end: it counts if more is said.
func (p *ToolParser) say(said, text []byte) []byte {
	body := bytes.TrimRightFunc(text, unicode.IsSpace)
	if len(body) > 0 {
		said = append(append(said, p.space...), body...)
		p.space = p.space[:0]
	}
	p.space = append(p.space, text[len(body):]...)
	return said
}

// beginning is the length of the longest end of text that word begins with.
func beginning(text []byte, word string) int {
	for n := min(len(text), len(word)-1); n > 0; n-- {
		if string(text[len(text)-n:]) == word[:n] {
			return n
		}
	}
	return 0
}

// whole decides once whether the message is calls and nothing else, and waits for
// its end if it may be.
func (p *ToolParser) whole(final bool) (said []byte, calls []Call) {
	if !p.inside {
		head := bytes.TrimLeftFunc(p.pending, unicode.IsSpace)
		isCall := bytes.HasPrefix(head, []byte("{")) || bytes.HasPrefix(head, []byte(pythonTag))
		undecided := len(head) == 0 || beginning(head, pythonTag) == len(head)
		switch {
		case p.begun, !isCall && (!undecided || final):
			p.begun = true
			said, p.pending = p.pending, nil
			return said, nil
		case !isCall:
			return nil, nil
		}
		p.inside = true
	}
	if !final {
		return nil, nil
	}
	text, tagged := strings.CutPrefix(strings.TrimSpace(string(p.pending)), pythonTag)
	calls = ParseCalls(text)
	// Without the tag only its name tells a call from an answer in JSON.
	if !tagged && slices.ContainsFunc(calls, func(c Call) bool { return !p.knows(c.Name) }) {
		calls = nil
	}
	if len(calls) == 0 {
		said = p.pending
	}
	p.called = len(calls) > 0
	p.pending = nil
	return said, calls
}

// knows reports whether there is a tool of that name.
func (p *ToolParser) knows(name string) bool {
	return slices.ContainsFunc(p.tools, func(t Tool) bool { return t.Name == name })
}

// ParseCalls reads calls as JSON objects, in an array or apart from each other by
// semicolons, commas or nothing; none if there is anything else.
func ParseCalls(text string) (calls []Call) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		text = text[1 : len(text)-1]
	}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimLeft(text, ";, \t\r\n") {
		if checkDepth([]byte(text)) != nil {
			return nil
		}
		d := json.NewDecoder(strings.NewReader(text))
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			return nil
		}
		c, ok := jsonCall(raw)
		if !ok {
			return nil
		}
		calls = append(calls, c)
		text = text[d.InputOffset():]
	}
	return calls
}

// jsonCall reads {"name": …, "arguments": {…}}; Llama 3 says "parameters".
func jsonCall(raw []byte) (Call, bool) {
	var fields map[string]json.RawMessage
	var c Call
	if json.Unmarshal(raw, &fields) != nil || json.Unmarshal(fields["name"], &c.Name) != nil || c.Name == "" {
		return c, false
	}
	arguments, ok := fields["arguments"]
	if !ok {
		arguments = fields["parameters"]
	}
	var held string
	if json.Unmarshal(arguments, &held) == nil && held != "" {
		arguments = json.RawMessage(held)
	}
	if c.Arguments, ok = compact(arguments); !ok {
		return c, false
	}
	return c, true
}

// compact is arguments as one line of JSON; none are {}.
func compact(arguments []byte) (string, bool) {
	if len(arguments) == 0 || string(arguments) == "null" {
		return "{}", true
	}
	var fields map[string]json.RawMessage
	var out bytes.Buffer
	if json.Unmarshal(arguments, &fields) != nil || json.Compact(&out, arguments) != nil {
		return "", false
	}
	return out.String(), true
}

// tagged reads what is between tagBegin and tagEnd.
func (p *ToolParser) tagged(text string) []Call {
	text = strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(text, "{"), strings.HasPrefix(text, "["):
		return ParseCalls(text)
	case strings.HasPrefix(text, "<function="):
		return p.pairs(text[len("<function="):], ">", "</function>", "<parameter=", ">", "</parameter>")
	}
	return p.pairs(text, "<arg_key>", "", "<arg_key>", "</arg_key>", "</arg_value>")
}

// pairs reads a name and then keys and values, each
//
//	key KEY mid VALUE end
//
// up to last. In the form of GLM a value has a word in front of it, <arg_value>.
func (p *ToolParser) pairs(text, nameEnd, last, key, mid, end string) []Call {
	name, rest, ok := strings.Cut(text, nameEnd)
	if nameEnd == key { // the name ends where the first key begins, if there is one
		rest = text[len(name):]
	} else if !ok {
		return nil
	}
	name = strings.TrimSpace(name)
	if name == "" || strings.ContainsAny(name, " \n\t<>{}\"") {
		return nil
	}
	if last != "" {
		if rest, _, ok = strings.Cut(rest, last); !ok {
			return nil
		}
	}
	var parameters struct {
		Properties map[string]struct{ Type json.RawMessage }
	}
	for _, t := range p.tools {
		if t.Name == name && t.Parameters != nil {
			// A schema that reads otherwise says nothing of types.
			_ = json.Unmarshal(t.Parameters, &parameters)
		}
	}
	out := []byte{'{'}
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		var k, value string
		if rest, ok = strings.CutPrefix(rest, key); !ok {
			return nil
		}
		if k, rest, ok = strings.Cut(rest, mid); !ok {
			return nil
		}
		if key == "<arg_key>" {
			if rest, ok = strings.CutPrefix(strings.TrimSpace(rest), "<arg_value>"); !ok {
				return nil
			}
		}
		if value, rest, ok = strings.Cut(rest, end); !ok {
			return nil
		}
		k = strings.TrimSpace(k)
		if len(out) > 1 {
			out = append(out, ',')
		}
		quoted, err := json.Marshal(k)
		if err != nil {
			return nil
		}
		out = append(append(out, quoted...), ':')
		out = appendValue(out, value, string(parameters.Properties[k].Type) == `"string"`)
	}
	return []Call{{Name: name, Arguments: string(append(out, '}'))}}
}

// appendValue appends the JSON of a value that is written as text: itself if it is
// JSON and not meant to be a string. One line end on either side is not part of it.
func appendValue(out []byte, value string, isString bool) []byte {
	value = strings.TrimSuffix(strings.TrimPrefix(value, "\n"), "\n")
	if !isString && checkDepth([]byte(value)) == nil {
		var b bytes.Buffer
		if json.Compact(&b, []byte(value)) == nil {
			return append(out, b.Bytes()...)
		}
	}
	quoted, err := json.Marshal(value)
	if err != nil {
		panic(err) // a string
	}
	return append(out, quoted...)
}

// deepSeek reads what is between callsBegin and callsEnd.
func (p *ToolParser) deepSeek(text string) (calls []Call) {
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		rest, ok := strings.CutPrefix(text, callBegin)
		if !ok {
			return nil
		}
		call, after, closed := strings.Cut(rest, callEnd)
		if !closed && len(calls) > 0 {
			return calls // the last one was cut off
		}
		name, arguments, ok := strings.Cut(call, callSep)
		if !ok {
			return nil
		}
		if strings.TrimSpace(name) == "function" {
			name, arguments, _ = strings.Cut(arguments, "\n")
			arguments = strings.TrimSpace(arguments)
			arguments = strings.TrimPrefix(arguments, "```json")
			arguments = strings.TrimSuffix(arguments, "```")
		}
		c := Call{Name: strings.TrimSpace(name)}
		if c.Arguments, ok = compact([]byte(strings.TrimSpace(arguments))); !ok || c.Name == "" {
			return nil
		}
		calls, text = append(calls, c), after
	}
	return calls
}
