// Package server answers HTTP requests with the groups of an engine.
//
// A [Server] routes the requests of OpenAI's API, of groups, of the dashboard and
// of operation (health, metrics) to one engine. [Server.Serve] listens, and drains
// when its context ends; [Serve] does the same while the models are still loaded.
//
// A request passes, in this order: the gate (503 while loading), the request id and
// the access log, the Host and Origin checks, the API key, the limits of body and
// concurrency, its handler. A handler submits groups through one door, Server.submit,
// where the queue's bound, the metrics and the spans are.
//
// A group that was submitted is a run: a goroutine takes in its events until it is
// over, whoever reads them, and keeps them for the routes of groups. An answer is
// made of what its groups have come to (engine.Progress), by a speaker for each
// choice; a stream asks the speakers whenever there is more to say, so that a slow
// reader sees several steps at once and holds nobody up.
package server
