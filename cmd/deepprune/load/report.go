package load

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"text/tabwriter"
	"time"
)

// Report is what was measured. Times are in milliseconds, rates per second.
type Report struct {
	Requests  int     `json:"requests"`
	Completed int     `json:"completed"`
	Refused   int     `json:"refused"` // with 429
	Failed    int     `json:"failed"`  // in another way
	Error     string  `json:"error,omitempty"`
	Duration  float64 `json:"duration_s"`

	InputTokens       int     `json:"total_input_tokens"`
	OutputTokens      int     `json:"total_output_tokens"`
	RequestThroughput float64 `json:"request_throughput"`
	OutputThroughput  float64 `json:"output_throughput"`
	TotalThroughput   float64 `json:"total_token_throughput"`

	// TTFT is the time to the first token, TPOT the time per token after it (of a
	// request, with all its choices), ITL that between two tokens of a choice as they
	// arrive, E2EL the time to the end.
	TTFT Distribution `json:"ttft_ms"`
	TPOT Distribution `json:"tpot_ms"`
	ITL  Distribution `json:"itl_ms"`
	E2EL Distribution `json:"e2el_ms"`
}

// Distribution sums up durations, in milliseconds. All is 0 if there are none.
type Distribution struct {
	Mean   float64 `json:"mean"`
	Median float64 `json:"median"`
	P90    float64 `json:"p90"`
	P99    float64 `json:"p99"`
	Max    float64 `json:"max"`
}

// report sums up answers.
func report(answers []answer, took time.Duration) *Report {
	r := &Report{Requests: len(answers), Duration: took.Seconds()}
	var first, each, gaps, total []time.Duration
	for i := range answers {
		a := &answers[i]
		switch {
		case a.status == http.StatusTooManyRequests:
			r.Refused++
			continue
		case a.err != nil:
			r.Failed++
			if r.Error == "" {
				r.Error = a.err.Error()
			}
			continue
		}
		r.Completed++
		r.InputTokens += a.prompt
		r.OutputTokens += a.generated
		total = append(total, a.total)
		gaps = append(gaps, a.gaps...)
		if a.first > 0 {
			first = append(first, a.first)
			if a.generated > 1 {
				each = append(each, (a.total-a.first)/time.Duration(a.generated-1))
			}
		}
	}
	seconds := max(took.Seconds(), 1e-9)
	r.RequestThroughput = float64(r.Completed) / seconds
	r.OutputThroughput = float64(r.OutputTokens) / seconds
	r.TotalThroughput = float64(r.InputTokens+r.OutputTokens) / seconds
	r.TTFT, r.TPOT, r.ITL, r.E2EL = distribution(first), distribution(each), distribution(gaps), distribution(total)
	return r
}

func distribution(d []time.Duration) Distribution {
	if len(d) == 0 {
		return Distribution{}
	}
	slices.Sort(d)
	sum := time.Duration(0)
	for _, v := range d {
		sum += v
	}
	ms := func(v time.Duration) float64 { return float64(v) / float64(time.Millisecond) }
	// The smallest that a share q of them does not exceed.
	at := func(q float64) float64 {
		rank := int(q * float64(len(d)))
		return ms(d[min(rank, len(d)-1)])
	}
	return Distribution{Mean: ms(sum) / float64(len(d)), Median: at(0.5), P90: at(0.9), P99: at(0.99), Max: ms(d[len(d)-1])}
}

// Print writes the report as a table.
func (r *Report) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "requests\t%d: %d completed, %d refused, %d failed\n", r.Requests, r.Completed, r.Refused, r.Failed)
	if r.Error != "" {
		fmt.Fprintf(t, "first failure\t%s\n", r.Error)
	}
	fmt.Fprintf(t, "duration\t%.2f s\n", r.Duration)
	fmt.Fprintf(t, "tokens\t%d in, %d out\n", r.InputTokens, r.OutputTokens)
	fmt.Fprintf(t, "throughput\t%.2f requests/s, %.1f output tokens/s, %.1f tokens/s\n", r.RequestThroughput, r.OutputThroughput, r.TotalThroughput)
	if err := t.Flush(); err != nil {
		return err
	}
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "ms\tmean\tmedian\tp90\tp99\tmax\t\n")
	for _, row := range []struct {
		name string
		d    Distribution
	}{{"time to first token", r.TTFT}, {"time per output token", r.TPOT}, {"inter-token latency", r.ITL}, {"end to end", r.E2EL}} {
		fmt.Fprintf(t, "%s\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", row.name, row.d.Mean, row.d.Median, row.d.P90, row.d.P99, row.d.Max)
	}
	return t.Flush()
}
