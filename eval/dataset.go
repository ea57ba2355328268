package eval

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"strconv"
	"strings"

	"deepprune/prune"
)

// maxLine bounds a line of a data set or of stored traces, in bytes.
const maxLine = 64 << 20

// Question is a line of a data set.
type Question struct {
	ID     string // unique in its file; the number of its line if it has none
	Text   string
	Answer string // as the file has it; "" if it is not known
	// Extra holds the other fields of the line, as they are.
	Extra map[string]json.RawMessage
}

// Seed is the seed of all random draws for the question in a run with the given
// seed. It depends on the two and the ID alone, so a question gives the same
// traces in any selection or order.
func (q *Question) Seed(run uint64) uint64 {
	h := fnv.New64a()
	io.WriteString(h, strconv.FormatUint(run, 10)+"/"+q.ID)
	// FNV leaves similar ends similar: mix (the finaliser of SplitMix64).
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// ReadQuestions reads JSON lines, one question each. The names of fields are those
// of the usual files, in any case; the rest of a line is kept in Extra:
//
//   - id: "id", "ID", "unique_id", "Record ID"; the number of the line if there is none
//   - the question: "question", "problem" or "prompt"
//   - the answer: "answer", a string or a number, of which what follows "####" counts
//     (GSM8K); else the last \boxed{} of "solution" (MATH); it may be missing
//   - choices: "choices", a list, with the index, letter or text of the right one as
//     the answer; or "Correct Answer" and "Incorrect Answer 1", … (GPQA). They are
//     shuffled by seed and appended to the question, and the answer is the letter.
//
// Blank lines are skipped. name is the file's, for errors.
func ReadQuestions(r io.Reader, name string, seed uint64) ([]Question, error) {
	var questions []Question
	seen := make(map[string]int)
	err := eachLine(r, name, func(n int, line []byte) error {
		q, err := parseQuestion(line)
		if err != nil {
			return err
		}
		if q.ID == "" {
			q.ID = strconv.Itoa(n)
		}
		if first, ok := seen[q.ID]; ok {
			return fmt.Errorf("field id: %q is that of line %d", q.ID, first)
		}
		seen[q.ID] = n
		if err := q.shuffleChoices(seed); err != nil {
			return err
		}
		questions = append(questions, q)
		return nil
	})
	if err == nil && len(questions) == 0 {
		err = fmt.Errorf("%s: no questions in it", name)
	}
	if err != nil {
		return nil, err
	}
	return questions, nil
}

func parseQuestion(line []byte) (Question, error) {
	var q Question
	if err := json.Unmarshal(line, &q.Extra); err != nil {
		return q, err
	}
	for _, field := range []struct {
		to    *string
		names []string
	}{
		{&q.Text, []string{"question", "problem", "prompt"}},
		{&q.ID, []string{"id", "unique_id", "record id"}},
		{&q.Answer, []string{"answer"}},
	} {
		for _, name := range field.names {
			text, err := take(q.Extra, name)
			if err != nil {
				return q, err
			}
			if *field.to == "" {
				*field.to = strings.TrimSpace(text)
			}
		}
	}
	if q.Text == "" {
		return q, fmt.Errorf("field question is missing or empty")
	}
	if i := strings.LastIndex(q.Answer, "####"); i >= 0 {
		q.Answer = strings.TrimSpace(q.Answer[i+len("####"):])
	}
	if q.Answer == "" {
		solution, err := take(q.Extra, "solution")
		if err != nil {
			return q, err
		}
		if answer, method := prune.Extract(solution); method == prune.MethodBoxed {
			q.Answer = answer
		}
	}
	return q, nil
}

// take removes a field that is a string or a number, its name in any case; "" if
// there is none.
func take(fields map[string]json.RawMessage, name string) (string, error) {
	raw := takeRaw(fields, name)
	if raw == nil {
		return "", nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return "", fmt.Errorf("field %s: %w", name, err)
	}
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	}
	return "", fmt.Errorf("field %s is neither a string nor a number", name)
}

// takeRaw removes a field, its name in any case, as it is; nil if there is none.
func takeRaw(fields map[string]json.RawMessage, name string) json.RawMessage {
	for key, raw := range fields {
		if strings.EqualFold(key, name) {
			delete(fields, key)
			return raw
		}
	}
	return nil
}

// eachLine calls f with the number of each line that is not blank, from 1. Errors
// are given the name of the file and the line.
func eachLine(r io.Reader, name string, f func(n int, line []byte) error) error {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxLine)
	n := 0
	for scanner.Scan() {
		n++
		line := bytes.TrimSpace(scanner.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := f(n, line); err != nil {
			return fmt.Errorf("%s:%d: %w", name, n, err)
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", name, n+1, err)
	}
	return nil
}
