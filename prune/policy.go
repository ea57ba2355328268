package prune

// State is where a trace is in its life. The text forms are part of the JSON
// output.
type State uint8

const (
	NotStarted State = iota // waiting for a slot, or never started
	Running                 // decoding, or waiting to go on decoding
	Held                    // stopped at its checkpoint: no slot, no compute
	Finished                // ended by itself
	Length                  // ended at its token limit
	Pruned                  // stopped by the policy
	Cancelled               // stopped by the user or a deadline
	Failed                  // stopped by an error
)

var stateNames = [...]string{"not_started", "running", "held", "finished", "length", "pruned", "cancelled", "failed"}

func (s State) String() string { return stateNames[s] }

// MarshalText gives the name used in JSON.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Ended reports whether the trace can never decode again.
func (s State) Ended() bool { return s >= Finished }

// Trace is what a policy sees of a trace.
type Trace struct {
	State  State
	Tokens int // generated so far
	// Checkpoints is how many of the policy's checkpoints the trace has reached.
	Checkpoints int
	// Answer is the normalised answer of an ended trace, "" if it gave none.
	Answer string
	// LogProb is the sum of the log-probabilities of the generated tokens.
	LogProb float64
	// Confidence is the sum of the confidences of the generated tokens: the mean of
	// -log p over the ConfidenceTokens likeliest. 0 unless the policy has a method
	// ConfidenceTokens() int.
	Confidence float64
}

// Snapshot is a group as a policy sees it. It is valid during the call only and
// must not be changed.
type Snapshot struct {
	Seed   uint64
	Traces []Trace // by index
}

// EventKind says what happened.
type EventKind uint8

const (
	// Started is the first event of a group, before any trace has started.
	Started EventKind = iota
	// Reached: Trace is at its checkpoint number Checkpoint (from 0). It has been
	// held; the policy resumes or prunes it when it knows.
	Reached
	// Judged: the judge's Score of the pair (Keeper, Trace). Every Judge action is
	// answered, in any order, unless the policy stopped Trace meanwhile.
	Judged
	// Ended: Trace is finished, at its limit, cancelled or failed.
	Ended
	// BlocksShort: the pool has no free block. The policy may prune; if it does
	// not, the engine evicts held traces and preempts running ones.
	BlocksShort
)

// Event is one thing that happened to a group.
type Event struct {
	Kind       EventKind
	Trace      int
	Keeper     int     // of Judged
	Checkpoint int     // of Reached and Judged
	Score      float64 // of Judged: probability that both end in the same answer
}

// ActionKind says what to do.
type ActionKind uint8

const (
	// Start allows traces with an index below Trace to start.
	Start ActionKind = iota
	// Judge asks for the score of (Keeper, Trace), both cut at Checkpoint. Of a
	// trace that ended before it, the judge sees all there is.
	Judge
	// Resume lets the held Trace go on.
	Resume
	// Hold stops Trace where it is, without giving its blocks back.
	Hold
	// Stop prunes Trace, or keeps it from ever starting. Keeper (-1 for none),
	// Score and Reason are kept with it.
	Stop
	// StopRest prunes every trace that has not ended and finishes the group.
	StopRest
)

// Action is one decision of a policy.
type Action struct {
	Kind       ActionKind
	Trace      int
	Keeper     int
	Checkpoint int
	Score      float64
	Reason     string // of Stop and StopRest, for the audit: a Reason constant
}

// Why a trace was stopped.
const (
	ReasonSame    = "same answer"    // as its keeper's, says the judge
	ReasonDecided = "vote decided"   // whatever it would have said
	ReasonMinor   = "cannot matter"  // its cluster is too small to change the vote
	ReasonNoRoom  = "no cluster"     // it fits none, and no more may be opened
	ReasonControl = "not chosen"     // by a schedule or a random draw that asks no judge
	ReasonUnsure  = "low confidence" // less sure of its tokens than the best of the first
)

// Checkpoint is a point in a trace. The first of its conditions to hold counts;
// a zero field is no condition. A trace that ends before it never reaches it.
type Checkpoint struct {
	Tokens int `json:"tokens,omitempty"` // after this many generated tokens
	Words  int `json:"words,omitempty"`  // at the n-th reasoning word (see IsReasoningWord)
}

// Policy makes a decider for every group it governs. Implementations are
// immutable and may be shared by groups and goroutines. One that also has a method
// IgnoresEOS() bool that returns true lets traces run on past their end of text.
type Policy interface {
	// Name is the word for flags, JSON and metrics.
	Name() string
	// Checkpoints are the points at which traces are held and reported, in order.
	Checkpoints() []Checkpoint
	// NeedsJudge reports whether the policy returns Judge actions.
	NeedsJudge() bool
	// New returns the decider of a group with k traces.
	New(k int) Decider
}

// Decider is a policy's state for one group. Used by one goroutine at a time.
type Decider interface {
	// Decide returns what to do about an event. The slice is valid until the
	// next call.
	Decide(ev Event, s *Snapshot) []Action
	// Votes gives the traces that have a say and their weights, from what has
	// ended so far. Called after StopRest, when all traces have ended and no
	// verdict is outstanding, and at a deadline.
	Votes(s *Snapshot) []Ballot
	// Clusters are the clusters so far, in order of their keepers.
	Clusters() []Cluster
}

// Ballot is a trace's say in the vote.
type Ballot struct {
	Trace  int
	Weight float64
}

// Cluster is traces that are predicted to share an answer. Members are in index
// order and include the keeper.
type Cluster struct {
	Keeper  int
	Members []int
}
