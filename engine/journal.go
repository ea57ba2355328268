package engine

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"sync/atomic"
	"unicode/utf8"

	"deepprune/prune"
)

// A journal tells a run, a JSON object to a line: a header, then a line for each
// step and each decision, in the order in which the step loop took them.
//
//	{"schema":1,"kind":"header","model":…}
//	{"kind":"submitted","step":0,"nanos":9120,"group":1,"question":…,"k":64,"seed":7,…}
//	{"kind":"started","step":1,"nanos":9350,"group":1,"trace":0}
//	{"kind":"step","step":1,"nanos":11873,"rows":1,…,"sampled":[[1,0,523]]}
//	{"kind":"pruned","step":41,"nanos":90112,"group":1,"trace":5,"tokens":40,"keeper":2,…}
//	{"kind":"ended","step":210,"nanos":401774,"group":1,"trace":2,…,"answer":"232"}
//	{"kind":"done","step":210,"nanos":401790,"group":1,"answer":"232","votes":[…],…}
//
// "sampled" lists the tokens that a step drew as [group, trace, token]. The lines
// between two steps belong to the second one: some were decided before it ran
// and some because of what it sampled, such as the end of a trace; "tokens", the
// number generated so far, tells which.
//
// "nanos" is the one field that differs between two runs of the same requests.

// journalSchema changes when a field changes meaning.
const journalSchema = 1

// JournalHeader is the first line of a journal: what the groups ran on.
type JournalHeader struct {
	Schema          int    `json:"schema"`
	Model           string `json:"model"`
	Judge           string `json:"judge"`
	Device          Device `json:"device"`
	Slots           int    `json:"slots"`       // decode rows of a step at most
	StepTokens      int    `json:"step_tokens"` // rows of a step at most
	KVBytes         int64  `json:"kv_bytes"`
	BlockBytes      int64  `json:"block_bytes"` // of the reasoner
	JudgeBlockBytes int64  `json:"judge_block_bytes"`
}

// JournalSubmission is what a group was asked: with the header, all that its
// tokens and decisions depend on.
type JournalSubmission struct {
	Question string  `json:"question"`
	Prompt   []int32 `json:"prompt"` // token ids, template included
	K        int     `json:"k"`
	Seed     uint64  `json:"seed"`
	Policy   string  `json:"policy"`
	// Settings is the policy's parameters, as the policy encodes them.
	Settings json.RawMessage `json:"settings,omitempty"`
	Params   Params          `json:"params"`
	// Constraint is the schema that the traces keep to, after a text if there is one.
	Constraint      json.RawMessage `json:"constraint,omitempty"`
	ConstraintAfter string          `json:"constraint_after,omitempty"`
}

// JournalOutcome is what became of a group, as its Result says.
type JournalOutcome struct {
	Answer   string    `json:"answer"`
	Warning  string    `json:"warning"`
	Votes    []Vote    `json:"votes"`
	Clusters []Cluster `json:"clusters"`
	Usage    Usage     `json:"usage"`
	KV       KVUse     `json:"kv"`
}

// journal writes a run to an io.Writer. The step loop alone calls its methods;
// one goroutine, run, encodes and writes. A nil journal ignores everything.
//
// Between them lies a ring: the step loop owns head, run owns tail, and each
// tells the other by a channel that holds one signal. A full ring waits, so that
// no record is lost. After an error everything is ignored but close.
type journal struct {
	ring   []journalEntry
	head   atomic.Uint64 // entries recorded
	tail   atomic.Uint64 // entries taken
	wake   chan struct{} // to run: there are entries, or closed is set
	room   chan struct{} // to the step loop: entries were taken
	closed atomic.Bool
	failed atomic.Bool
	ended  chan error
	// refused is the error of a line that could not be encoded; the step loop's.
	refused error
}

// journalEntry is an event, or a line that was encoded by the step loop because
// its size varies.
type journalEntry struct {
	event Event
	line  []byte
}

const (
	journalRing  = 1 << 12 // entries; several steps of the largest batch
	journalFlush = 1 << 16 // bytes encoded before they are written at the latest
)

// newJournal starts a journal, of which header is the first call.
func newJournal(w io.Writer) *journal { return newJournalSize(w, journalRing) }

func newJournalSize(w io.Writer, size int) *journal {
	j := &journal{
		ring:  make([]journalEntry, size),
		wake:  make(chan struct{}, 1),
		room:  make(chan struct{}, 1),
		ended: make(chan error, 1),
	}
	go j.run(w)
	return j
}

// header writes the first line; h.Schema is set here.
func (j *journal) header(h JournalHeader) {
	if j == nil {
		return
	}
	h.Schema = journalSchema
	j.putLine(headerLine{"header", &h})
}

// submitted writes that a group was accepted; ev is its EventSubmitted.
func (j *journal) submitted(ev Event, sub JournalSubmission) {
	if j == nil {
		return
	}
	j.putLine(submittedLine{EventSubmitted.String(), ev.Step, ev.Nanos, ev.Group, &sub})
}

// done writes that a group is finished; ev is its EventDone.
func (j *journal) done(ev Event, outcome JournalOutcome) {
	if j == nil {
		return
	}
	j.putLine(doneLine{EventDone.String(), ev.Step, ev.Nanos, ev.Group, &outcome})
}

// record writes an event. EventTokens wait for the next EventStep and become part
// of its line. EventSubmitted and EventDone are ignored: see submitted and done.
func (j *journal) record(ev Event) {
	if j == nil || ev.Kind == EventSubmitted || ev.Kind == EventDone {
		return
	}
	j.put(journalEntry{event: ev})
	// The tokens of a step need not wake the writer one by one.
	if ev.Kind != EventTokens {
		signal(j.wake)
	}
}

// close writes what is left and returns the first error. Nothing may be recorded
// afterwards.
func (j *journal) close() error {
	if j == nil {
		return nil
	}
	j.closed.Store(true)
	signal(j.wake)
	if err := <-j.ended; err != nil {
		return err
	}
	return j.refused
}

// putLine adds a line of the general encoder.
func (j *journal) putLine(v any) {
	line, err := json.Marshal(v)
	if err != nil {
		if j.refused == nil {
			j.refused = fmt.Errorf("engine: encoding a line of the journal: %w", err)
		}
		j.failed.Store(true)
		return
	}
	j.put(journalEntry{line: append(line, '\n')})
	signal(j.wake)
}

// put adds an entry to the ring and waits while it is full.
func (j *journal) put(e journalEntry) {
	if j.failed.Load() {
		return
	}
	head := j.head.Load()
	for head-j.tail.Load() == uint64(len(j.ring)) {
		signal(j.wake)
		<-j.room
	}
	j.ring[head%uint64(len(j.ring))] = e
	j.head.Store(head + 1)
}

// run takes entries until the journal is closed. It writes whenever it has taken
// all there are, so that a reader who follows the file sees the last step.
func (j *journal) run(w io.Writer) {
	var (
		buf     []byte
		sampled []SampledToken // of the step that is being recorded
		failure error
	)
	flush := func() {
		if failure == nil && len(buf) > 0 {
			n, err := w.Write(buf)
			if err == nil && n < len(buf) {
				err = io.ErrShortWrite
			}
			if err != nil {
				failure = fmt.Errorf("engine: writing the journal: %w", err)
				j.failed.Store(true)
			}
		}
		buf = buf[:0]
	}
	for {
		closed := j.closed.Load() // before head: what was recorded is seen below
		for tail := j.tail.Load(); tail != j.head.Load(); tail++ {
			e := &j.ring[tail%uint64(len(j.ring))]
			switch {
			case e.line != nil:
				buf = append(buf, e.line...)
				e.line = nil
			case e.event.Kind == EventTokens:
				sampled = append(sampled, SampledToken{Group: e.event.Group, Trace: e.event.Trace, Token: e.event.Token})
			default:
				buf = appendEvent(buf, &e.event, sampled)
				if e.event.Kind == EventStep {
					sampled = sampled[:0]
				}
			}
			j.tail.Store(tail + 1)
			signal(j.room)
			if len(buf) >= journalFlush {
				flush()
			}
		}
		flush()
		if closed {
			j.ended <- failure
			return
		}
		<-j.wake
	}
}

// signal leaves a signal in a channel of one, if there is none.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// String is the word for the kind in a journal.
func (k EventKind) String() string { return eventNames[k] }

var eventNames = [...]string{
	EventSubmitted: "submitted",
	EventStarted:   "started",
	EventTokens:    "tokens",
	EventHeld:      "held",
	EventResumed:   "resumed",
	EventJudged:    "judged",
	EventPruned:    "pruned",
	EventEnded:     "ended",
	EventPreempted: "preempted",
	EventEvicted:   "evicted",
	EventStep:      "step",
	EventDone:      "done",
}

// eventFields is a set of the fields of a line.
type eventFields uint16

const (
	fieldGroup eventFields = 1 << iota
	fieldTrace
	fieldTokens
	fieldKeeper
	fieldScore
	fieldState
	fieldAnswer
	fieldReason
	fieldRows
	fieldPrefillRows
	fieldJudgeRows
	fieldBlocks
	fieldJudgeBlocks
	fieldBytes
	fieldSampled
)

// fieldsOf are the fields of each kind of line, beside kind, step and nanos. The
// writer and the reader both go by it. EventTokens has no line of its own.
var fieldsOf = [...]eventFields{
	EventSubmitted: fieldGroup,
	EventStarted:   fieldGroup | fieldTrace,
	EventHeld:      fieldGroup | fieldTrace | fieldTokens,
	EventResumed:   fieldGroup | fieldTrace,
	EventJudged:    fieldGroup | fieldTrace | fieldKeeper | fieldScore,
	EventPruned:    fieldGroup | fieldTrace | fieldTokens | fieldKeeper | fieldScore | fieldReason | fieldBlocks | fieldBytes,
	EventEnded:     fieldGroup | fieldTrace | fieldTokens | fieldState | fieldAnswer | fieldBlocks,
	EventPreempted: fieldGroup | fieldTrace | fieldBlocks,
	EventEvicted:   fieldGroup | fieldTrace | fieldBlocks,
	EventStep:      fieldRows | fieldPrefillRows | fieldJudgeRows | fieldBlocks | fieldJudgeBlocks | fieldBytes | fieldSampled,
	EventDone:      fieldGroup,
}

// appendEvent appends the line of an event. sampled is used for EventStep.
func appendEvent(buf []byte, ev *Event, sampled []SampledToken) []byte {
	fields := fieldsOf[ev.Kind]
	integer := func(f eventFields, name string, v int64) {
		if fields&f != 0 {
			buf = append(buf, name...)
			buf = strconv.AppendInt(buf, v, 10)
		}
	}
	buf = append(buf, `{"kind":"`...)
	buf = append(buf, ev.Kind.String()...)
	buf = append(buf, `","step":`...)
	buf = strconv.AppendInt(buf, ev.Step, 10)
	buf = append(buf, `,"nanos":`...)
	buf = strconv.AppendInt(buf, ev.Nanos, 10)
	integer(fieldGroup, `,"group":`, ev.Group)
	integer(fieldTrace, `,"trace":`, int64(ev.Trace))
	integer(fieldTokens, `,"tokens":`, int64(ev.Tokens))
	integer(fieldKeeper, `,"keeper":`, int64(ev.Keeper))
	if fields&fieldScore != 0 {
		buf = append(buf, `,"score":`...)
		buf = appendScore(buf, ev.Score)
	}
	if fields&fieldState != 0 {
		buf = append(buf, `,"state":"`...)
		buf = append(buf, prune.State(ev.State).String()...)
		buf = append(buf, '"')
	}
	if fields&fieldAnswer != 0 {
		buf = append(buf, `,"answer":`...)
		buf = appendString(buf, ev.Answer)
	}
	if fields&fieldReason != 0 {
		buf = append(buf, `,"reason":`...)
		buf = appendString(buf, ev.Reason)
	}
	integer(fieldRows, `,"rows":`, int64(ev.Rows))
	integer(fieldPrefillRows, `,"prefill_rows":`, int64(ev.PrefillRows))
	integer(fieldJudgeRows, `,"judge_rows":`, int64(ev.JudgeRows))
	integer(fieldBlocks, `,"blocks":`, int64(ev.Blocks))
	integer(fieldJudgeBlocks, `,"judge_blocks":`, int64(ev.JudgeBlocks))
	integer(fieldBytes, `,"bytes":`, ev.Bytes)
	if fields&fieldSampled != 0 {
		buf = append(buf, `,"sampled":[`...)
		for i, s := range sampled {
			if i > 0 {
				buf = append(buf, ',')
			}
			buf = append(buf, '[')
			buf = strconv.AppendInt(buf, s.Group, 10)
			buf = append(buf, ',')
			buf = strconv.AppendInt(buf, int64(s.Trace), 10)
			buf = append(buf, ',')
			buf = strconv.AppendInt(buf, int64(s.Token), 10)
			buf = append(buf, ']')
		}
		buf = append(buf, ']')
	}
	return append(buf, "}\n"...)
}

// appendScore appends a number in the fewest digits that give the same float32,
// or null for one that JSON cannot express.
func appendScore(buf []byte, v float32) []byte {
	if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
		return append(buf, "null"...)
	}
	return strconv.AppendFloat(buf, float64(v), 'g', -1, 32)
}

// appendString appends a JSON string. What is not UTF-8 becomes U+FFFD.
func appendString(buf []byte, s string) []byte {
	const hex = "0123456789abcdef"
	buf = append(buf, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			buf = append(buf, '\\', byte(r))
		case r < ' ':
			buf = append(buf, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			buf = utf8.AppendRune(buf, r)
		}
	}
	return append(buf, '"')
}

type headerLine struct {
	Kind string `json:"kind"`
	*JournalHeader
}

type submittedLine struct {
	Kind  string `json:"kind"`
	Step  int64  `json:"step"`
	Nanos int64  `json:"nanos"`
	Group int64  `json:"group"`
	*JournalSubmission
}

type doneLine struct {
	Kind  string `json:"kind"`
	Step  int64  `json:"step"`
	Nanos int64  `json:"nanos"`
	Group int64  `json:"group"`
	*JournalOutcome
}
