// Package constrain keeps the text that a model writes within a language: JSON
// objects of any kind, or the JSON that a schema describes.
//
// A [Grammar] is compiled once, from a JSON Schema say, and is immutable. A
// [Vocabulary] is the bytes of a tokenizer's tokens as a trie. A [Matcher] brings
// the two together: it tells, for a [State] between two tokens, which tokens may
// come next, as a bit mask, and which state a token leads to.
//
// # The automaton
//
// A grammar is a pushdown automaton over bytes: a graph of rules, one for each
// object or array of the schema, whose edges are terminals (finite automata: a
// string, a number, a key, white space) and calls of other rules. A state is a set
// of configurations, each a place in a terminal and a stack of rules to return to;
// several where the text so far may belong to several branches of the schema.
//
// From every configuration the text can be completed: terminals have no dead ends,
// and a rule is called only where it can end within the depth allowed. So there is
// always a token to go on with, and what is written when a state is accepting
// belongs to the language.
//
// # Masks
//
// The tokens that stay inside of a terminal depend on the terminal alone. They are
// found by one walk over the trie, which most of the time ends early, and are kept.
// For the tokens that reach beyond it only the rest is walked, with the states that
// this stack leads to. Masks and states are kept too, up to a bound of memory,
// beyond which they are forgotten and made again.
//
// # What is written
//
// The language is narrower than the schema where that costs nothing a reader would
// miss: keys come in the order of the schema; an object that names its properties
// has no others unless additionalProperties says so, and an array that names its
// first items likewise; white space is one blank, or a line break and an
// indentation, and only where JSON printers put it; numbers have at most 19 digits
// before the point and 17 behind it. So a model cannot go on for ever about
// nothing, but for strings without maxLength and lists without maxItems.
//
// oneOf is read as anyOf. What a schema asks for and this package does not enforce
// is refused, by name, with [ErrUnsupported].
package constrain
