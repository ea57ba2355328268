package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"deepprune/prune"
)

// question is a line of a file of questions. Answer is normalised; "" where it is
// not known.
type question struct {
	Question string
	Answer   string
}

// readQuestions reads JSON lines {"question": "...", "answer": "..."}, the answer a
// string or a number, or left out. Blank lines and other fields are skipped. name
// is the file's, for errors.
func readQuestions(r io.Reader, name string) ([]question, error) {
	var questions []question
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxQuestion)
	n := 0 // lines so far
	for scanner.Scan() {
		n++
		text := strings.TrimSpace(scanner.Text())
		if text == "" {
			continue
		}
		var line struct {
			Question string `json:"question"`
			Answer   any    `json:"answer"`
		}
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		if _, err := dec.Token(); err != io.EOF {
			return nil, fmt.Errorf("%s:%d: more than one object in a line", name, n)
		}
		q := question{Question: strings.TrimSpace(line.Question)}
		if q.Question == "" {
			return nil, fmt.Errorf("%s:%d: field question is missing or empty", name, n)
		}
		switch v := line.Answer.(type) {
		case nil:
		case string:
			q.Answer = prune.Normalise(v)
		case json.Number:
			q.Answer = prune.Normalise(v.String())
		default:
			return nil, fmt.Errorf("%s:%d: field answer is neither a string nor a number", name, n)
		}
		questions = append(questions, q)
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", name, n+1, err)
	}
	if len(questions) == 0 {
		return nil, fmt.Errorf("%s: no questions in it", name)
	}
	return questions, nil
}
