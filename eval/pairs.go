package eval

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"

	"deepprune/prune"
)

// Pair is two prefixes of one question, and whether their traces ended in the same
// answer. The first is the keeper's: the judge reads it first.
type Pair struct {
	Question int // its number in the file, from 0
	A, B     string
	Same     bool
}

// AppendPairs appends the pairs of traces of a question that both gave an answer,
// the lower index first. cut gives the prefix of a trace. If there are more than
// most (0 for no bound) a sample of them is taken, drawn by seed.
func AppendPairs(dst []Pair, s *Sampled, question, most int, seed uint64, cut func(*SampledTrace) string) []Pair {
	var answered []*SampledTrace
	var prefixes []string
	for i := range s.Traces {
		if t := &s.Traces[i]; t.Answer != "" {
			answered = append(answered, t)
			prefixes = append(prefixes, cut(t))
		}
	}
	n := len(answered) * (len(answered) - 1) / 2
	var chosen []int // numbers of pairs, ascending; nil for all
	if most > 0 && most < n {
		chosen = sample(rand.New(rand.NewPCG(s.Question.Seed(seed), 1)), n, most)
	}
	number := 0
	for i := range answered {
		for j := i + 1; j < len(answered); j++ {
			take := chosen == nil
			if len(chosen) > 0 && chosen[0] == number {
				take, chosen = true, chosen[1:]
			}
			if number++; take {
				dst = append(dst, Pair{
					Question: question, A: prefixes[i], B: prefixes[j],
					Same: answered[i].Answer == answered[j].Answer,
				})
			}
		}
		if chosen != nil && len(chosen) == 0 {
			break
		}
	}
	return dst
}

// sample draws k different numbers below n, ascending (Floyd's algorithm).
func sample(rng *rand.Rand, n, k int) []int {
	chosen := make(map[int]bool, k)
	for i := n - k; i < n; i++ {
		if x := rng.IntN(i + 1); !chosen[x] {
			chosen[x] = true
		} else {
			chosen[i] = true
		}
	}
	numbers := make([]int, 0, k)
	for x := range chosen {
		numbers = append(numbers, x)
	}
	slices.Sort(numbers)
	return numbers
}

// CutWords is the beginning of a text up to its n-th reasoning word, or all of it
// if it has fewer. A trace is held at the end of the token with that word, so the
// prefix of a run may be a few bytes longer.
func CutWords(text string, n int) string {
	var words prune.WordCounter
	for i := range len(text) {
		if words.Add([]byte{text[i]}) >= n {
			return text[:i]
		}
	}
	return text
}

// StoredPair is a line of a file of labelled pairs, as the recipe in training/
// reads it.
type StoredPair struct {
	ID       string `json:"id,omitempty"`
	Question string `json:"question"`
	A        string `json:"a"`
	B        string `json:"b"`
	Same     bool   `json:"same"`
}

// WriteJSON writes a value as one line.
func WriteJSON(w io.Writer, v any) error {
	line, err := marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// ReadPairs reads a file of labelled pairs. Pairs belong to the same question if
// they have the same id or, without one, the same text. name is the file's, for
// errors.
func ReadPairs(r io.Reader, name string) (pairs []Pair, questions []string, err error) {
	index := make(map[[2]string]int)
	err = eachLine(r, name, func(_ int, line []byte) error {
		var p struct {
			StoredPair
			Same *bool `json:"same"`
		}
		if err := json.NewDecoder(bytes.NewReader(line)).Decode(&p); err != nil {
			return err
		}
		if p.Same == nil {
			return fmt.Errorf("field same is missing")
		}
		key := [2]string{p.ID, p.Question}
		if p.ID != "" {
			key[1] = ""
		}
		q, ok := index[key]
		if !ok {
			q = len(questions)
			index[key] = q
			questions = append(questions, p.Question)
		}
		pairs = append(pairs, Pair{Question: q, A: p.A, B: p.B, Same: *p.Same})
		return nil
	})
	if err == nil && len(pairs) == 0 {
		err = fmt.Errorf("%s: no pairs in it", name)
	}
	if err != nil {
		return nil, nil, err
	}
	return pairs, questions, nil
}
