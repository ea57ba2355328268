// Package jinja renders the chat templates of checkpoints: the part of Jinja that
// they are written in, byte for byte as Python's jinja2 renders it under the
// settings of Hugging Face (immutable sandbox, trim_blocks, lstrip_blocks, loop
// controls, raise_exception, strftime_now, a tojson without HTML escapes, and
// generation blocks that leave no trace).
//
// [Parse] reads a [Template], Render carries it out. Values are those of Python:
// nil for None, bool, int64, float64, [Text], *[List], *[Dict], and what templates
// make for themselves. Only namespaces can be changed, as in the sandbox.
//
// A [Text] knows which of its bytes are foreign, that is, came from outside the
// template. Every operation on strings carries this along, so that in the end a
// tokenizer can tell the control tokens that the template wrote from those that
// somebody typed.
//
// Templates are as trustworthy as the file they came in. Parsing and rendering
// end within bounds of time, memory and stack ([Limits]); every error is an
// [*Error] that names the line and the construct.
package jinja
