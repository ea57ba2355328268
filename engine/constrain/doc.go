// Package constrain keeps the text that a model writes within a language: any JSON
// object, or the JSON that a schema describes.
//
// A [Grammar] is compiled once from a schema and is immutable.
package constrain
