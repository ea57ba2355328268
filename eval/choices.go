package eval

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"deepprune/prune"
)

// maxChoices is how many letters there are.
const maxChoices = 26

// shuffleChoices moves the choices of a question, if it has any, from its other
// fields into its text, in an order drawn by seed.
func (q *Question) shuffleChoices(seed uint64) error {
	choices, right, err := q.takeChoices()
	if err != nil || choices == nil {
		return err
	}
	if len(choices) < 2 || len(choices) > maxChoices {
		return fmt.Errorf("field choices: %d of them; want 2 to %d", len(choices), maxChoices)
	}
	order := rand.New(rand.NewPCG(q.Seed(seed), 4)).Perm(len(choices))
	var b strings.Builder
	b.WriteString(q.Text + "\n")
	for place, i := range order {
		letter := string(rune('A' + place))
		fmt.Fprintf(&b, "\n%s) %s", letter, strings.TrimSpace(choices[i]))
		if i == right {
			q.Answer = letter
		}
	}
	q.Text = b.String()
	return nil
}

// takeChoices removes the fields that hold the choices. right is the index of the
// right one, -1 if the line does not say; choices is nil if there are none.
func (q *Question) takeChoices() (choices []string, right int, err error) {
	correct, err := take(q.Extra, "correct answer")
	if err != nil {
		return nil, 0, err
	}
	if correct != "" {
		choices = []string{correct}
		for n := 1; ; n++ {
			wrong, err := take(q.Extra, "incorrect answer "+strconv.Itoa(n))
			if err != nil {
				return nil, 0, err
			}
			if wrong == "" {
				return choices, 0, nil
			}
			choices = append(choices, wrong)
		}
	}
	raw := takeRaw(q.Extra, "choices")
	if raw == nil {
		return nil, 0, nil
	}
	if json.Unmarshal(raw, &choices) != nil {
		var labelled struct{ Text []string }
		if err := json.Unmarshal(raw, &labelled); err != nil || labelled.Text == nil {
			return nil, 0, fmt.Errorf("field choices is no list of strings")
		}
		choices = labelled.Text
	}
	if q.Answer == "" {
		return choices, -1, nil
	}
	if right := rightChoice(choices, q.Answer); right >= 0 {
		return choices, right, nil
	}
	return nil, 0, fmt.Errorf("field answer: %q is none of the %d choices", q.Answer, len(choices))
}

// rightChoice finds the choice that an answer names by its text, letter or index
// from 0, in this order; -1 if there is none.
func rightChoice(choices []string, answer string) int {
	if i := slices.Index(choices, answer); i >= 0 {
		return i
	}
	if letter := prune.Normalise(answer); len(letter) == 1 && isLetter(letter[0]) {
		if i := int(letter[0]|0x20) - 'a'; i < len(choices) {
			return i
		}
	}
	if i, err := strconv.Atoi(answer); err == nil && 0 <= i && i < len(choices) {
		return i
	}
	return -1
}
