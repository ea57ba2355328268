package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"deepprune/cmd/deepprune/load"
)

// benchServeFlags are the flags of bench serve.
type benchServeFlags struct {
	url, model  string
	questions   string
	question    string
	requests    int
	concurrency int
	rate        float64
	completions bool
	choices     int
	traces      int
	policy      string
	maxTokens   int
	temperature float64
	ignoreEOS   bool
	seed        int64
	json        bool
}

func (a *app) benchServeCommand() *cobra.Command {
	var f benchServeFlags
	cmd := &cobra.Command{
		Use:   "serve [flags]",
		Short: "Measure a server: time to first token, inter-token latency, throughput",
		Long: `Send requests to a server of OpenAI's API, ours or another, and measure what comes
back: time to first token, time per output token, inter-token latency, throughput.
The figures are those of vLLM's "bench serve".

Requests are sent by --concurrency clients, or at random times --rate a second. An
API key is taken from DEEPPRUNE_API_KEY.`,
		Example: `  deepprune bench serve --question "(17 + 5) * 3 - 8" --requests 200 --concurrency 16 --max-tokens 128 --ignore-eos
  deepprune bench serve --questions questions.jsonl --rate 5 -k 16 --policy deepprune --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.benchServe(&f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.url, "url", "http://127.0.0.1:8080", "`URL` of the server")
	flags.StringVar(&f.model, "model", "", "`name` of the model (default: the first that the server names)")
	flags.StringVar(&f.questions, "questions", "", "`file` of JSON lines {\"question\"}, asked in turn")
	flags.StringVar(&f.question, "question", "", "one question, instead of a file")
	flags.IntVar(&f.requests, "requests", 100, "requests to send")
	flags.IntVar(&f.concurrency, "concurrency", 0, "requests under way at once (default: 8, or no bound with --rate)")
	flags.Float64Var(&f.rate, "rate", 0, "requests a second, at random times; 0 for as soon as there is room")
	flags.BoolVar(&f.completions, "completions", false, "ask for completions instead of chats")
	flags.IntVarP(&f.choices, "choices", "n", 1, "choices of a request")
	flags.IntVarP(&f.traces, "traces", "k", 0, "ask for one voted answer of this many traces; for a deepprune server")
	flags.StringVar(&f.policy, "policy", "", "`name` of what decides which of them to stop (default: the server's)")
	flags.IntVar(&f.maxTokens, "max-tokens", 128, "longest answer, in tokens")
	flags.Float64Var(&f.temperature, "temperature", 1, "sampling temperature, 0 for greedy")
	flags.BoolVar(&f.ignoreEOS, "ignore-eos", false, "have every answer be --max-tokens long")
	flags.Int64Var(&f.seed, "seed", 1, "seed of the first request; the next has the next")
	flags.BoolVar(&f.json, "json", false, "print one JSON object instead of the table")
	cmd.MarkFlagsMutuallyExclusive("questions", "question")
	cmd.MarkFlagsOneRequired("questions", "question")
	return cmd
}

func (f *benchServeFlags) check() error {
	u, err := url.Parse(f.url)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return usagef("--url: %q is not the URL of a server", f.url)
	case f.requests < 1:
		return usagef("--requests: %d is less than 1", f.requests)
	case f.concurrency < 0:
		return usagef("--concurrency: %d is negative", f.concurrency)
	case !(f.rate >= 0):
		return usagef("--rate: %v is not a rate", f.rate)
	case f.choices < 1:
		return usagef("--choices: %d is less than 1", f.choices)
	case f.traces < 0:
		return usagef("--traces: %d is negative", f.traces)
	case f.traces > 0 && f.choices > 1:
		return usagef("--traces asks for one answer, --choices for %d", f.choices)
	case f.maxTokens < 1:
		return usagef("--max-tokens: %d is less than 1", f.maxTokens)
	case f.question == "" && f.questions == "":
		return usagef("the question is empty")
	}
	return nil
}

func (a *app) benchServe(f *benchServeFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	prompts := []string{f.question}
	if f.questions != "" {
		file, err := os.Open(f.questions)
		if err != nil {
			return named("--questions", err)
		}
		defer file.Close()
		questions, err := readQuestions(file, f.questions)
		if err != nil {
			return err
		}
		prompts = nil
		for _, q := range questions {
			prompts = append(prompts, q.Question)
		}
	}
	ctx, stop := a.untilSignal(nil)
	defer stop()
	key := lookup(a.env, apiKeyVariable)
	if f.model == "" {
		var err error
		if f.model, err = firstModel(ctx, f.url, key); err != nil {
			return err
		}
	}
	if f.concurrency == 0 && f.rate == 0 {
		f.concurrency = 8
	}
	r, err := load.Run(ctx, load.Options{
		URL: f.url, Key: key, Chat: !f.completions, Body: f.body(), Prompts: prompts, Seed: f.seed,
		Requests: f.requests, Clients: f.concurrency, Rate: f.rate,
	})
	if err != nil {
		return err
	}
	if f.json {
		err = a.printJSON(r)
	} else {
		err = named("standard output", r.Print(a.stdout))
	}
	if err == nil && r.Completed == 0 {
		err = fmt.Errorf("no request was completed: %s", r.Error)
	}
	return err
}

// body is what all requests have in common.
func (f *benchServeFlags) body() map[string]any {
	body := map[string]any{"model": f.model, "max_tokens": f.maxTokens, "temperature": f.temperature, "n": f.choices}
	if f.ignoreEOS {
		body["ignore_eos"] = true
	}
	if f.traces > 0 || f.policy != "" {
		group := make(map[string]any)
		if f.traces > 0 {
			group["traces"] = f.traces
		}
		if f.policy != "" {
			group["policy"] = f.policy
		}
		body["deepprune"] = group
	}
	return body
}

// firstModel asks a server for the name of its first model.
func firstModel(ctx context.Context, base, key string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+"/v1/models", nil)
	if err != nil {
		return "", named("--url", err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", named("--url", err)
	}
	defer resp.Body.Close()
	var list struct{ Data []struct{ ID string } }
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("--url: %s: %s", req.URL, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || len(list.Data) == 0 {
		return "", fmt.Errorf("--url: %s names no model", req.URL)
	}
	return list.Data[0].ID, nil
}
