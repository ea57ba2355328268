package prune

// Reasoning words mark the turns of a chain of thought. The paper counts them to
// place its checkpoint ("wait", "thus", "since", …, the whole list unpublished).
// The list is part of the interface: it moves every checkpoint that counts words.
var reasoningWords = map[string]bool{
	"actually":      true,
	"alternatively": true,
	"because":       true,
	"but":           true,
	"check":         true,
	"hence":         true,
	"hmm":           true,
	"however":       true,
	"maybe":         true,
	"since":         true,
	"so":            true,
	"therefore":     true,
	"thus":          true,
	"verify":        true,
	"wait":          true,
}

// maxWord is the length of the longest reasoning word.
const maxWord = len("alternatively")

// IsReasoningWord reports whether a lower-case word is one.
func IsReasoningWord(word string) bool { return reasoningWords[word] }

// WordCounter counts the reasoning words of a text that arrives in pieces, which
// may split words and characters anywhere. A word counts when the byte after it
// has arrived: "so" may still become "some". The zero value is ready to use;
// copying it copies its state.
type WordCounter struct {
	count int
	n     int // bytes of the current word; more than maxWord: too long to be one
	word  [maxWord]byte
}

// Add counts the words of the next piece and returns the count so far. It does
// not allocate.
func (c *WordCounter) Add(piece []byte) int {
	for _, b := range piece {
		switch {
		case 'A' <= b && b <= 'Z':
			c.letter(b + 'a' - 'A')
		case 'a' <= b && b <= 'z':
			c.letter(b)
		case b == '_', '0' <= b && b <= '9', b >= 0x80:
			c.n = maxWord + 1 // part of a word, but of none of ours
		default:
			if 0 < c.n && c.n <= maxWord && reasoningWords[string(c.word[:c.n])] {
				c.count++
			}
			c.n = 0
		}
	}
	return c.count
}

func (c *WordCounter) letter(b byte) {
	if c.n < maxWord {
		c.word[c.n] = b
	}
	c.n = min(c.n+1, maxWord+1)
}

// Count is the number of words so far.
func (c *WordCounter) Count() int { return c.count }
