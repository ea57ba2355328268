// Package load measures a server of OpenAI's API from the outside: how soon the
// first token of an answer comes, how evenly the others follow, how many there are
// in a second.
//
// [Run] sends requests at a rate or from a number of clients and gives a [Report].
// It streams, and takes the number of tokens from the usage that the server reports
// at the end of each stream. The figures are those of vLLM's "bench serve", under
// the same names.
package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Options say what is asked of whom.
type Options struct {
	// URL is the server's, such as http://127.0.0.1:8080; Key its API key, "" for
	// none.
	URL, Key string
	// Chat asks for chats instead of completions.
	Chat bool
	// Body is what every request has beside its prompt: model, max_tokens and so on.
	Body map[string]any
	// Prompts are asked in turn. Request i has the seed Seed + i.
	Prompts []string
	Seed    int64
	// Requests is how many are sent.
	Requests int
	// Clients bounds the requests under way; 0 means no bound. Rate is how many are
	// sent in a second, at random times (a Poisson process); 0 means as soon as a
	// client is free.
	Clients int
	Rate    float64
	// Client sends; http.DefaultClient's transport without its bound of idle
	// connections by default.
	Client *http.Client
}

// Run sends the requests and measures what comes back. Requests that fail are
// counted in the report; the error is of ctx, or of options that make no sense.
func Run(ctx context.Context, o Options) (*Report, error) {
	switch {
	case o.Requests < 1 || len(o.Prompts) == 0:
		return nil, fmt.Errorf("load: %d requests of %d prompts", o.Requests, len(o.Prompts))
	case o.Clients < 0 || !(o.Rate >= 0) || o.Clients == 0 && o.Rate == 0:
		return nil, fmt.Errorf("load: %d clients at %v requests a second", o.Clients, o.Rate)
	}
	if o.Client == nil {
		o.Client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024}}
		defer o.Client.CloseIdleConnections()
	}
	var room chan struct{}
	if o.Clients > 0 {
		room = make(chan struct{}, o.Clients)
	}
	answers := make([]answer, o.Requests)
	var wg sync.WaitGroup
	start := time.Now()
	due := start
	for i := range answers {
		if o.Rate > 0 {
			due = due.Add(time.Duration(rand.ExpFloat64() / o.Rate * float64(time.Second)))
			if err := sleep(ctx, time.Until(due)); err != nil {
				break
			}
		}
		if room != nil {
			select {
			case room <- struct{}{}:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			answers[i] = o.ask(ctx, i)
			if room != nil {
				<-room
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	return report(answers, time.Since(start)), nil
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
