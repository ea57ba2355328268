package server

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"testing"

	"deepprune/engine"
)

// BenchmarkOverhead runs the same groups by the engine alone and through the server,
// with streams and without. Compare the tokens/s of its parts.
func BenchmarkOverhead(b *testing.B) {
	const (
		clients, requests = 4, 16
		choices, tokens   = 8, 100
		question          = "(3 + 4) * 5"
	)
	s := newServer(b, Options{}, engine.Options{})
	v := serveOn(b, listen(b), s)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	ask := func(seed int, stream bool) error {
		body, err := json.Marshal(object{
			"model": "embedded-reasoner", "messages": []object{{"role": "user", "content": question}},
			"seed": seed, "n": choices, "max_tokens": tokens, "ignore_eos": true, "stream": stream,
		})
		if err != nil {
			return err
		}
		resp, err := client.Post("http://"+v.addr+"/v1/chat/completions", "application/json", bytes.NewReader(body))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	for _, way := range []struct {
		name string
		ask  func(seed int) error
	}{
		{"engine", func(seed int) error {
			g, err := s.engine.Submit(b.Context(), engine.Request{
				Question: question, Traces: choices, Seed: uint64(seed), Params: engine.Params{MaxTokens: tokens, IgnoreEOS: true},
			})
			if err != nil {
				return err
			}
			_, err = g.Wait()
			return err
		}},
		{"whole", func(seed int) error { return ask(seed, false) }},
		{"stream", func(seed int) error { return ask(seed, true) }},
	} {
		b.Run(way.name, func(b *testing.B) {
			before := s.engine.Stats().GeneratedTokens
			for b.Loop() {
				seeds := make(chan int)
				var wg sync.WaitGroup
				for range clients {
					wg.Go(func() {
						for seed := range seeds {
							if err := way.ask(seed); err != nil {
								b.Error(err)
							}
						}
					})
				}
				for i := range requests {
					seeds <- i
				}
				close(seeds)
				wg.Wait()
			}
			b.ReportMetric(float64(s.engine.Stats().GeneratedTokens-before)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
