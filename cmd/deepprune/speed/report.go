package speed

import (
	"math"

	"deepprune/kernels"
)

// Report is what was measured. Its JSON form is part of the command line's
// interface. Shares are of 1; GB are 1e9 bytes, GFLOP 1e9 additions and
// multiplications of the linear layers; GFLOP/s of a peak in integers are GOP/s.
type Report struct {
	Schema  int          `json:"schema"`
	Model   string       `json:"model"`
	DType   string       `json:"dtype"`    // of the weights
	KVDType string       `json:"kv_dtype"` // of keys and values
	Device  kernels.Info `json:"device"`
	Prompt  int          `json:"prompt"` // tokens that the traces share
	New     int          `json:"new"`    // tokens of each trace
	Repeat  int          `json:"repeat"`
	LoadMS  float64      `json:"load_ms"`

	WeightBytes     int64 `json:"weight_bytes"`       // read in a step
	KVBytesPerToken int64 `json:"kv_bytes_per_token"` // of one sequence

	Limits  Limits   `json:"limits"` // medians of all probes
	Prefill Prefill  `json:"prefill"`
	Decode  []Decode `json:"decode"` // in order of k
	Fit     Fit      `json:"fit"`
	Pruning *Pruning `json:"pruning,omitempty"`
	Engine  *Engine  `json:"engine,omitempty"`

	PeakMemoryBytes int64 `json:"peak_memory_bytes"` // of the process, 0 if not known
}

// Limits is what the machine did at most in a probe; 0 is not known.
type Limits struct {
	ReadGB float64            `json:"read_gb_s"` // from memory
	GFLOP  map[string]float64 `json:"gflop_s"`   // by the format of the weights
}

// Prefill is the computation of a prompt less its last token, which every trace
// begins with.
type Prefill struct {
	Tokens         int     `json:"tokens"`
	MS             float64 `json:"ms"`
	TokensPerS     float64 `json:"tokens_s"`
	GFLOPPerS      float64 `json:"gflop_s"`
	PeakShare      float64 `json:"peak_share"`
	AttentionShare float64 `json:"attention_share"` // of the time
}

// Decode is the steps of k traces. Times are medians, but for MeanStepMS.
type Decode struct {
	K              int     `json:"k"`
	Steps          int     `json:"steps"`
	StepMS         float64 `json:"step_ms"`
	MeanStepMS     float64 `json:"mean_step_ms"`
	TokensPerS     float64 `json:"tokens_s"` // of all traces
	TokensPerTrace float64 `json:"tokens_s_per_trace"`

	// GBPerS is weights and KV over the time of a step: what the traces share counts
	// once, and mixtures of experts are left out. GFLOPPerS is the linear layers
	// over the time of the whole step.
	GBPerS    float64 `json:"gb_s,omitempty"`
	GFLOPPerS float64 `json:"gflop_s"`
	ReadShare float64 `json:"read_share,omitempty"` // GBPerS of the limit probed beside it
	PeakShare float64 `json:"peak_share"`           // GFLOPPerS of it
	Bound     string  `json:"bound"`                // "memory" or "arithmetic": what alone would take longer
	Share     float64 `json:"share"`                // of the limit that binds

	// Shares of a step's time.
	LinearShare    float64 `json:"linear_share"`
	AttentionShare float64 `json:"attention_share"`
	OtherShare     float64 `json:"other_share"`  // other operations of the device
	EngineShare    float64 `json:"engine_share"` // everything outside of it

	AttentionGFLOP  float64 `json:"attention_gflop"` // of a step
	KVBytes         int64   `json:"kv_bytes"`        // read in a step
	PeakMemoryBytes int64   `json:"peak_memory_bytes"`
}

// Fit is how the time of a step grows with k: about A + B·k.
type Fit struct {
	AMS   float64 `json:"a_ms"`
	BMS   float64 `json:"b_ms"`
	Worst float64 `json:"worst"` // the largest deviation of a point, of the point
	Drop  float64 `json:"drop"`  // the most that tokens/s fall from one k to the next, of the former
}

// Pruning is a group that a schedule cuts from From to To traces. Rates are tokens
// in a second of one trace.
type Pruning struct {
	From   int     `json:"from"`
	To     int     `json:"to"`
	Before float64 `json:"tokens_s_per_trace_before"`
	Second float64 `json:"tokens_s_per_trace_second_step"` // after the cut
	After  float64 `json:"tokens_s_per_trace_after"`       // median
	Gain   float64 `json:"gain"`                           // Second over Before
}

// Engine is what a step of the embedded reasoner takes outside of the device.
type Engine struct {
	K       int     `json:"k"`
	StepUS  float64 `json:"step_us"`
	OtherUS float64 `json:"engine_us"`
	Share   float64 `json:"engine_share"`
}

// fit finds A and B that are best in the sum of squares of relative deviations.
func fit(rows []Decode) Fit {
	var f Fit
	// Weights 1/t² make the normal equations of a·u + b·v = 1, u = 1/t, v = k/t.
	var uu, uv, vv, u1, v1 float64
	for _, r := range rows {
		u, v := 1/r.StepMS, float64(r.K)/r.StepMS
		uu, uv, vv, u1, v1 = uu+u*u, uv+u*v, vv+v*v, u1+u, v1+v
	}
	if det := uu*vv - uv*uv; len(rows) > 1 && det > 0 {
		f.AMS, f.BMS = (u1*vv-v1*uv)/det, (v1*uu-u1*uv)/det
		for _, r := range rows {
			f.Worst = max(f.Worst, math.Abs((f.AMS+f.BMS*float64(r.K))/r.StepMS-1))
		}
	}
	for i := 1; i < len(rows); i++ {
		f.Drop = max(f.Drop, 1-rows[i].TokensPerS/rows[i-1].TokensPerS)
	}
	return f
}
