// Package spans sends spans to an OpenTelemetry collector: what a request did, and
// when, for those who follow it through several services.
//
// A [Span] is one piece of work in a [Context], the part of the W3C header
// traceparent that goes from service to service. An [Exporter] sends ended spans in
// batches, as OTLP over HTTP in its JSON form. (The official library would add 9 MB
// to a binary of which it would use this much.)
//
// Nothing here ever waits for the collector: spans that it does not take in time are
// dropped and counted.
package spans
