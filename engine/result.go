package engine

import "deepprune/prune"

// Result is what became of a group. Its JSON form is part of the command line's
// and the server's interface; Schema changes when a field changes meaning.
type Result struct {
	Schema   int           `json:"schema"`
	Question string        `json:"question"`
	Answer   string        `json:"answer"`
	Warning  string        `json:"warning"`
	Policy   string        `json:"policy"`
	Params   Params        `json:"params"`
	Seed     uint64        `json:"seed"`
	K        int           `json:"k"`
	Votes    []Vote        `json:"votes"`
	Traces   []TraceResult `json:"traces"`
	Clusters []Cluster     `json:"clusters"`
	Usage    Usage         `json:"usage"`
	KV       KVUse         `json:"kv"`
	Time     Times         `json:"time"`
	Device   Device        `json:"device"`
	Model    string        `json:"model"`
	Judge    string        `json:"judge"`

	// PromptLogProbs are those of the prompt's tokens if they were asked for; not in
	// the JSON form.
	PromptLogProbs LogProbs `json:"-"`
}

// Vote is the sum of the ballots for one answer.
type Vote struct {
	Answer string  `json:"answer"`
	Weight float64 `json:"weight"`
	Traces []int   `json:"traces"`
}

// TraceResult is a trace at the end of its group. The fields from PrunedAtToken
// on are null for a trace that was not pruned.
type TraceResult struct {
	Index         int         `json:"index"`
	State         prune.State `json:"state"`
	Tokens        int         `json:"tokens"`
	Answer        string      `json:"answer"`
	PrunedAtToken *int        `json:"pruned_at_token"`
	PrunedAtStep  *int64      `json:"pruned_at_step"`
	Keeper        *int        `json:"keeper"`
	Similarity    *float64    `json:"similarity"`
	Reason        string      `json:"reason,omitempty"`

	// TokenIDs and Text are what the trace generated, LogProbs those of TokenIDs if
	// they were asked for, End what ended it; not in the JSON form.
	TokenIDs []int32  `json:"-"`
	Text     string   `json:"-"`
	LogProbs LogProbs `json:"-"`
	End      End      `json:"-"`
}

// Cluster is the traces that were predicted to share the keeper's answer.
type Cluster struct {
	Keeper  int    `json:"keeper"`
	Members []int  `json:"members"`
	Answer  string `json:"answer"`
}

// Usage counts tokens. Recomputed tokens (after a preemption) are not counted
// twice in GeneratedTokens; JudgeTokens are those the judge computed, prefixes
// found in its cache not included.
type Usage struct {
	PromptTokens    int `json:"prompt_tokens"`
	GeneratedTokens int `json:"generated_tokens"`
	JudgeTokens     int `json:"judge_tokens"`
	JudgePairs      int `json:"judge_pairs"`
	// JudgeRelativeCost is the judge's FLOPs, attention and head included, over
	// the reasoner's FLOPs per generated token of this group: the number of
	// reasoner tokens that the judge's work was worth.
	JudgeRelativeCost float64 `json:"judge_relative_cost"`
}

// KVUse is the memory a group held. A byte-step is one byte held for one step.
type KVUse struct {
	Reasoner       ModelKV `json:"reasoner"`
	Judge          ModelKV `json:"judge"`
	PeakBytes      int64   `json:"peak_bytes"`
	ReclaimedBytes int64   `json:"reclaimed_bytes"`
	ByteSteps      int64   `json:"byte_steps"`
}

// ModelKV is the blocks of one model.
type ModelKV struct {
	BlockBytes      int64 `json:"block_bytes"`
	PeakBlocks      int   `json:"peak_blocks"`
	ReclaimedBlocks int   `json:"reclaimed_blocks"`
}

// Times are in milliseconds of wall clock. The parts may overlap with the work
// of other groups and need not add up.
type Times struct {
	TotalMS   float64 `json:"total_ms"`
	QueueMS   float64 `json:"queue_ms"`   // until the first row of the prompt was computed
	PrefillMS float64 `json:"prefill_ms"` // until the first trace began, QueueMS included
	DecodeMS  float64 `json:"decode_ms"`
	JudgeMS   float64 `json:"judge_ms"`
}

// Device names the device a group ran on.
type Device struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}
