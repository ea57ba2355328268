package prune

import (
	"regexp"
	"strings"
	"testing"
)

func TestWordCounter(t *testing.T) {
	for _, c := range []struct {
		text string
		want int
	}{
		{"", 0},
		{"so", 0}, // may go on
		{"so ", 1},
		{"Wait, so it is 4.", 2},
		{"WAIT! Hmm... Thus; since: (because)", 5},
		{"some sofa also soso", 0},
		{"alternatively alternativelyx xalternatively ", 1},
		{"so_so so2 2so so-so so's ", 3},
		{"caf\u00e9so so\u00e9 \u00e9so ", 0},
		{"so\nso\tso.", 3},
		{"averylongwordthatcontainsnothingofinterest but ", 1},
	} {
		var n WordCounter
		if got := n.Add([]byte(c.text)); got != c.want {
			t.Errorf("Add(%q) = %d; want %d", c.text, got, c.want)
		}
	}
}

func TestReasoningWordsFitTheCounter(t *testing.T) {
	for word := range reasoningWords {
		var n WordCounter
		if n.Add([]byte(strings.ToUpper(word)+" ")) != 1 || !IsReasoningWord(word) {
			t.Errorf("%q is not counted", word)
		}
	}
}

func TestWordCounterDoesNotAllocate(t *testing.T) {
	var n WordCounter
	piece := []byte("Wait, so 3 + 4 = 7, thus alternatively")
	if got := testing.AllocsPerRun(100, func() { n.Add(piece) }); got != 0 {
		t.Errorf("Add allocates %v times; want 0", got)
	}
}

func FuzzWordCounter(f *testing.F) {
	f.Add("Wait, so it is. Alternatively", uint64(7))
	f.Add("so\xffso so\u00e9", uint64(0xffff))
	words := regexp.MustCompile(`[a-zA-Z0-9_\x80-\xff]+`)
	f.Fuzz(func(t *testing.T, text string, cuts uint64) {
		var whole, pieces WordCounter
		want := whole.Add([]byte(text))
		for i, from := 0, 0; i < len(text); i++ {
			if cuts>>(i%64)&1 == 1 || i == len(text)-1 {
				pieces.Add([]byte(text[from : i+1]))
				from = i + 1
			}
		}
		if got := pieces.Count(); got != want {
			t.Errorf("%q in pieces has %d words; want %d", text, got, want)
		}
		// The plain way: cut into words, but leave out one that may go on. Bytes
		// are spread to runes, since the expression cannot match bytes.
		spread := make([]rune, len(text))
		for i := range len(text) {
			spread[i] = rune(text[i])
		}
		plain := 0
		for _, at := range words.FindAllStringIndex(string(spread), -1) {
			if at[1] < len(string(spread)) && IsReasoningWord(strings.ToLower(string(spread)[at[0]:at[1]])) {
				plain++
			}
		}
		if want != plain {
			t.Errorf("%q has %d words; want %d", text, want, plain)
		}
	})
}
