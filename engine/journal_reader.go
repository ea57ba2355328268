package engine

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"

	"deepprune/prune"
)

// JournalLine is a line of a journal. In the first one Header is set and Event is
// zero; in the others Event says what happened, with its Kind's fields set.
type JournalLine struct {
	Header     *JournalHeader
	Event      Event
	Submission *JournalSubmission // of EventSubmitted
	Sampled    []SampledToken     // of EventStep: what the step drew
	Outcome    *JournalOutcome    // of EventDone, nil in journals of old
}

// SampledToken is a token that a step drew for a trace.
type SampledToken struct {
	Group        int64
	Trace, Token int32
}

// maxJournalLine bounds a line, so that a damaged file cannot fill the memory. A
// prompt of a million tokens fits.
const maxJournalLine = 16 << 20

// ReadJournal gives the lines of a journal. A line that cannot be read gives an
// error with its number, counted from 1; reading goes on with the next one if the
// caller does. An error of r ends it.
func ReadJournal(r io.Reader) iter.Seq2[JournalLine, error] {
	return func(yield func(JournalLine, error) bool) {
		in := bufio.NewReaderSize(r, 1<<16)
		var buf []byte
		for n := 1; ; n++ {
			var err error
			var more bool
			buf, more, err = nextLine(in, buf[:0])
			if err == io.EOF {
				if n == 1 {
					yield(JournalLine{}, errors.New("engine: journal: line 1: there is none; want a header"))
				}
				return
			}
			var line JournalLine
			if err == nil {
				line, err = parseJournalLine(buf, n == 1)
			}
			if err != nil {
				line, err = JournalLine{}, fmt.Errorf("engine: journal: line %d: %w", n, err)
			}
			if !yield(line, err) || !more {
				return
			}
		}
	}
}

var errLongLine = fmt.Errorf("longer than %d bytes", maxJournalLine)

// nextLine appends the next line, without its end, to buf. more says that
// reading can go on. The error is io.EOF if there is no next line.
func nextLine(in *bufio.Reader, buf []byte) (line []byte, more bool, err error) {
	long, begun := false, false
	for {
		part, err := in.ReadSlice('\n')
		begun = begun || len(part) > 0
		long = long || len(buf)+len(part) > maxJournalLine
		if !long {
			buf = append(buf, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && begun, err == nil:
			more = err == nil
			if long {
				return buf, more, errLongLine
			}
			return bytes.TrimSuffix(buf, []byte("\n")), more, nil
		default:
			return buf, false, err
		}
	}
}

// rawLine is any line; nil fields are absent.
type rawLine struct {
	Kind        *string         `json:"kind"`
	Step        *int64          `json:"step"`
	Nanos       *int64          `json:"nanos"`
	Group       *int64          `json:"group"`
	Trace       *int32          `json:"trace"`
	Tokens      *int32          `json:"tokens"`
	Keeper      *int32          `json:"keeper"`
	Score       json.RawMessage `json:"score"`
	State       *string         `json:"state"`
	Answer      string          `json:"answer"` // absent in journals of old
	Votes       json.RawMessage `json:"votes"`
	Reason      *string         `json:"reason"`
	Rows        *int32          `json:"rows"`
	PrefillRows *int32          `json:"prefill_rows"`
	JudgeRows   *int32          `json:"judge_rows"`
	Blocks      *int32          `json:"blocks"`
	JudgeBlocks *int32          `json:"judge_blocks"`
	Bytes       *int64          `json:"bytes"`
	Sampled     *[][]int64      `json:"sampled"`
}

func parseJournalLine(text []byte, first bool) (JournalLine, error) {
	var line JournalLine
	var raw rawLine
	if err := json.Unmarshal(text, &raw); err != nil {
		return line, err
	}
	if raw.Kind == nil {
		return line, errors.New(`no "kind"`)
	}
	if (*raw.Kind == "header") != first {
		return line, fmt.Errorf(`"kind" is %q; the first line, and no other, is a header`, *raw.Kind)
	}
	if first {
		line.Header = new(JournalHeader)
		if err := json.Unmarshal(text, line.Header); err != nil {
			return line, err
		}
		if line.Header.Schema != journalSchema {
			return line, fmt.Errorf(`"schema" is %d; this program reads %d`, line.Header.Schema, journalSchema)
		}
		return line, nil
	}
	kind := slices.Index(eventNames[:], *raw.Kind)
	if kind < 0 || kind == int(EventTokens) {
		return line, fmt.Errorf(`unknown "kind" %q`, *raw.Kind)
	}
	line.Event.Kind = EventKind(kind)
	if err := raw.fill(&line); err != nil {
		return line, fmt.Errorf("%s: %w", *raw.Kind, err)
	}
	switch {
	case line.Event.Kind == EventSubmitted:
		line.Submission = new(JournalSubmission)
		return line, json.Unmarshal(text, line.Submission)
	case line.Event.Kind == EventDone && raw.Votes != nil:
		line.Outcome = new(JournalOutcome)
		return line, json.Unmarshal(text, line.Outcome)
	}
	return line, nil
}

// fill sets the fields that belong to the line's kind, all of which must be there.
func (raw *rawLine) fill(line *JournalLine) error {
	ev := &line.Event
	var missing string
	if raw.Step == nil {
		missing = "step"
	} else if raw.Nanos == nil {
		missing = "nanos"
	} else {
		ev.Step, ev.Nanos = *raw.Step, *raw.Nanos
	}
	fields := fieldsOf[ev.Kind]
	integer := func(f eventFields, name string, to *int32, from *int32) {
		switch {
		case fields&f == 0:
		case from == nil:
			missing = name
		default:
			*to = *from
		}
	}
	long := func(f eventFields, name string, to *int64, from *int64) {
		switch {
		case fields&f == 0:
		case from == nil:
			missing = name
		default:
			*to = *from
		}
	}
	long(fieldGroup, "group", &ev.Group, raw.Group)
	integer(fieldTrace, "trace", &ev.Trace, raw.Trace)
	integer(fieldTokens, "tokens", &ev.Tokens, raw.Tokens)
	ev.Keeper = -1
	integer(fieldKeeper, "keeper", &ev.Keeper, raw.Keeper)
	integer(fieldRows, "rows", &ev.Rows, raw.Rows)
	integer(fieldPrefillRows, "prefill_rows", &ev.PrefillRows, raw.PrefillRows)
	integer(fieldJudgeRows, "judge_rows", &ev.JudgeRows, raw.JudgeRows)
	integer(fieldBlocks, "blocks", &ev.Blocks, raw.Blocks)
	integer(fieldJudgeBlocks, "judge_blocks", &ev.JudgeBlocks, raw.JudgeBlocks)
	long(fieldBytes, "bytes", &ev.Bytes, raw.Bytes)
	if fields&fieldAnswer != 0 {
		ev.Answer = raw.Answer
	}
	if fields&fieldReason != 0 {
		if raw.Reason == nil {
			missing = "reason"
		} else {
			ev.Reason = *raw.Reason
		}
	}
	if missing != "" {
		return fmt.Errorf("no %q", missing)
	}
	if fields&fieldScore != 0 {
		if err := parseScore(raw.Score, &ev.Score); err != nil {
			return err
		}
	}
	if fields&fieldState != 0 {
		if err := parseState(raw.State, &ev.State); err != nil {
			return err
		}
	}
	if fields&fieldSampled != 0 {
		return raw.fillSampled(line)
	}
	return nil
}

func (raw *rawLine) fillSampled(line *JournalLine) error {
	if raw.Sampled == nil {
		return errors.New(`no "sampled"`)
	}
	for i, t := range *raw.Sampled {
		if len(t) != 3 || t[1] != int64(int32(t[1])) || t[2] != int64(int32(t[2])) {
			return fmt.Errorf(`"sampled" %d is %v; want [group, trace, token]`, i, t)
		}
		line.Sampled = append(line.Sampled, SampledToken{Group: t[0], Trace: int32(t[1]), Token: int32(t[2])})
	}
	return nil
}

// parseScore reads what appendScore writes. null is not a number, in both senses.
func parseScore(text json.RawMessage, score *float32) error {
	switch {
	case text == nil:
		return errors.New(`no "score"`)
	case string(text) == "null":
		*score = float32(math.NaN())
		return nil
	}
	return json.Unmarshal(text, score)
}

func parseState(text *string, state *uint8) error {
	if text == nil {
		return errors.New(`no "state"`)
	}
	for s := prune.NotStarted; s <= prune.Failed; s++ {
		if s.String() == *text {
			*state = uint8(s)
			return nil
		}
	}
	return fmt.Errorf("unknown state %q", *text)
}

// Append appends the line, with its newline, as a journal has it.
func (l *JournalLine) Append(buf []byte) ([]byte, error) {
	var v any
	switch {
	case l.Header != nil:
		v = headerLine{"header", l.Header}
	case l.Submission != nil:
		v = submittedLine{l.Event.Kind.String(), l.Event.Step, l.Event.Nanos, l.Event.Group, l.Submission}
	case l.Outcome != nil:
		v = doneLine{l.Event.Kind.String(), l.Event.Step, l.Event.Nanos, l.Event.Group, l.Outcome}
	default:
		return appendEvent(buf, &l.Event, l.Sampled), nil
	}
	line, err := json.Marshal(v)
	return append(append(buf, line...), '\n'), err
}

// CompareJournals returns nil if two journals tell the same run: all lines are
// equal but for their times. Otherwise the error names the first line that
// differs, or that cannot be read.
func CompareJournals(a, b io.Reader) error {
	nextA, stopA := iter.Pull2(ReadJournal(a))
	defer stopA()
	nextB, stopB := iter.Pull2(ReadJournal(b))
	defer stopB()
	for n := 1; ; n++ {
		lineA, errA, okA := nextA()
		lineB, errB, okB := nextB()
		switch {
		case errA != nil:
			return fmt.Errorf("first of two: %w", errA)
		case errB != nil:
			return fmt.Errorf("second of two: %w", errB)
		case !okA && !okB:
			return nil
		}
		textA, err := timeless(lineA, okA)
		if err != nil {
			return fmt.Errorf("first of two: engine: journal: line %d: %w", n, err)
		}
		textB, err := timeless(lineB, okB)
		if err != nil {
			return fmt.Errorf("second of two: engine: journal: line %d: %w", n, err)
		}
		if !bytes.Equal(textA, textB) {
			return fmt.Errorf("engine: journals differ at line %d:\n%s\n%s", n, excerpt(textA, textB), excerpt(textB, textA))
		}
	}
}

// timeless is the line without its time, or that there is none.
func timeless(l JournalLine, ok bool) ([]byte, error) {
	if !ok {
		return []byte("the journal ends here"), nil
	}
	l.Event.Nanos = 0
	text, err := l.Append(nil)
	return bytes.TrimSuffix(text, []byte("\n")), err
}

// excerpt cuts a long line to the place where it differs from another.
func excerpt(text, other []byte) []byte {
	const most = 160
	same := 0
	for same < len(text) && same < len(other) && text[same] == other[same] {
		same++
	}
	var out []byte
	if same > most/2 {
		text = text[same-most/2:]
		out = append(out, "…"...)
	}
	if len(text) > most {
		return append(append(out, text[:most]...), "…"...)
	}
	return append(out, text...)
}
