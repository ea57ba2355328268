package load

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"
)

// answer is what came of one request.
type answer struct {
	err    error
	status int // of HTTP, 0 if nobody answered

	prompt, generated int             // tokens, as the server counts them
	first, total      time.Duration   // from sending to the first token, to the end
	gaps              []time.Duration // between tokens of a choice, the first excluded
}

// chunk is what is read of a part of a stream.
type chunk struct {
	Choices []struct {
		Index int
		Text  string
		Delta struct {
			Content   string
			Reasoning string `json:"reasoning_content"`
		}
	}
	Usage *struct {
		Prompt    int `json:"prompt_tokens"`
		Generated int `json:"completion_tokens"`
	}
	Error *struct{ Message string }
}

// ask sends request i and reads its stream.
func (o *Options) ask(ctx context.Context, i int) (a answer) {
	body := maps.Clone(o.Body)
	if body == nil {
		body = make(map[string]any)
	}
	prompt, path := o.Prompts[i%len(o.Prompts)], "/v1/completions"
	if o.Chat {
		path = "/v1/chat/completions"
		body["messages"] = []map[string]string{{"role": "user", "content": prompt}}
	} else {
		body["prompt"] = prompt
	}
	body["seed"] = o.Seed + int64(i)
	body["stream"], body["stream_options"] = true, map[string]bool{"include_usage": true}
	text, err := json.Marshal(body)
	if err != nil {
		return answer{err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(o.URL, "/")+path, bytes.NewReader(text))
	if err != nil {
		return answer{err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	if o.Key != "" {
		req.Header.Set("Authorization", "Bearer "+o.Key)
	}
	start := time.Now()
	resp, err := o.Client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	a.status = resp.StatusCode
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<12))
		a.err = fmt.Errorf("%s: %s", resp.Status, bytes.TrimSpace(text))
		return a
	}
	a.err = a.read(resp.Body, start)
	a.total = time.Since(start)
	return a
}

// read reads a stream of events to its end.
func (a *answer) read(body io.Reader, start time.Time) error {
	last := make(map[int]time.Time) // the newest token of a choice
	lines := bufio.NewReaderSize(body, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return errors.New("the stream ends before its last event")
		} else if err != nil {
			return err
		}
		data, ok := bytes.CutPrefix(line, []byte("data: "))
		if !ok {
			continue
		}
		now := time.Now()
		if data = bytes.TrimSpace(data); string(data) == "[DONE]" {
			return nil
		}
		var c chunk
		if err := json.Unmarshal(data, &c); err != nil {
			return fmt.Errorf("an event is no JSON: %w", err)
		}
		if c.Error != nil {
			return errors.New(c.Error.Message)
		}
		if c.Usage != nil {
			a.prompt, a.generated = c.Usage.Prompt, c.Usage.Generated
		}
		for _, choice := range c.Choices {
			if choice.Text == "" && choice.Delta.Content == "" && choice.Delta.Reasoning == "" {
				continue
			}
			if a.first == 0 {
				a.first = now.Sub(start)
			}
			if before, ok := last[choice.Index]; ok {
				a.gaps = append(a.gaps, now.Sub(before))
			}
			last[choice.Index] = now
		}
	}
}
