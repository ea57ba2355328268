package eval

import (
	"math/rand/v2"
	"slices"
)

// Balance says how often a training set shows pairs with the same answer, of which
// there are most, and pairs with different answers.
type Balance struct {
	// Most bounds the pairs of a question, drawn at random; 0 for all.
	Most int
	// SamePerDifferent bounds the pairs with the same answer to so many for each
	// pair with different answers of the question, and one more if it has none of
	// these; 0 for no bound. Those that stay are drawn at random.
	SamePerDifferent float64
	// Repeat is how often each pair with different answers is there (the paper's
	// oversampling: 2); 0 means 1.
	Repeat int
}

// TrainingPairs are the pairs of a question for training. They depend on the
// question, the balance and the seed alone. cut gives the prefix of a trace.
func (b Balance) TrainingPairs(s *Sampled, question int, seed uint64, cut func(*SampledTrace) string) []Pair {
	pairs := AppendPairs(nil, s, question, b.Most, seed, cut)
	rng := rand.New(rand.NewPCG(s.Question.Seed(seed), 2))
	var same, different []Pair
	for _, p := range pairs {
		if p.Same {
			same = append(same, p)
		} else {
			different = append(different, p)
		}
	}
	if b.SamePerDifferent > 0 {
		keep := max(1, int(b.SamePerDifferent*float64(len(different))))
		if keep < len(same) {
			kept := make([]Pair, 0, keep)
			for _, i := range sample(rng, len(same), keep) {
				kept = append(kept, same[i])
			}
			same = kept
		}
	}
	for n := len(different); b.Repeat > 1 && len(different) < n*b.Repeat; {
		different = append(different, different[:n]...)
	}
	pairs = slices.Concat(same, different)
	rng.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
	return pairs
}

// InShare reports whether a question is drawn into a share of a data set: for a
// split by question, so that no question is on both sides.
func (q *Question) InShare(share float64, seed uint64) bool {
	return rand.New(rand.NewPCG(q.Seed(seed), 3)).Float64() < share
}

// Message is a turn of a chat.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Instruction is a pair in the form that the usual fine-tuning tools read: what
// the judge is asked, and what it shall answer.
type Instruction struct {
	Messages []Message `json:"messages"`
}
