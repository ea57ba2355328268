package constrain

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// largeVocabulary has 150,000 tokens of the kinds that a tokenizer for many
// languages has: words with and without a blank, numbers, punctuation, runs of white
// space, other scripts.
func largeVocabulary(t testing.TB) *Vocabulary {
	rng := rand.New(rand.NewPCG(1, 1))
	const size = 150_000
	tokens := make([][]byte, 256, size)
	for i := range tokens {
		tokens[i] = []byte{byte(i)}
	}
	marks := []string{`"`, `":`, `",`, `"}`, `},`, `],`, `{"`, `["`, `()`, `\"`, `\n`, `/`, `.`, `--`, `"]`, `":"`}
	for i := 0; len(tokens) < size-1; i++ {
		var b strings.Builder
		switch i % 16 {
		case 0:
			b.WriteString(strings.Repeat(" ", 1+i/16%128))
		case 1:
			b.WriteString("\n" + strings.Repeat(" ", i/16%40))
		case 2:
			b.WriteString(marks[rng.IntN(len(marks))] + marks[rng.IntN(len(marks))])
		case 3:
			for range 1 + rng.IntN(4) {
				b.WriteRune(rune(0x4E00 + rng.IntN(0x2000)))
			}
		case 4:
			b.WriteString(marks[rng.IntN(len(marks))] + string(rune('a'+rng.IntN(26))))
		default:
			if i%2 == 0 {
				b.WriteByte(' ')
			}
			for range 2 + rng.IntN(10) {
				b.WriteByte("etaoinshrdlucmfwyp"[min(rng.IntN(18), rng.IntN(18))])
			}
		}
		tokens = append(tokens, []byte(b.String()))
	}
	v, err := NewVocabulary(size, func(dst []byte, id int32) []byte {
		if id == size-1 {
			return dst
		}
		return append(dst, tokens[id]...)
	}, []int32{size - 1})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const benchSchema = `{"type":"object","properties":{"title":{"type":"string"},"year":{"type":"integer"},"authors":{"type":"array","items":
	{"type":"object","properties":{"name":{"type":"string","maxLength":200},"role":{"enum":["editor","writer"]}},"required":["name"]}}},"required":["title","year"]}`

// BenchmarkMask is what a mask costs: of a state that is known, of one of a new
// place in a known terminal, and of all from the beginning.
func BenchmarkMask(b *testing.B) {
	v := largeVocabulary(b)
	g, err := JSONSchema([]byte(benchSchema))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("known", func(b *testing.B) {
		m := NewMatcher(g, v)
		s := after(m, `{"title":"x`)
		for b.Loop() {
			m.Allowed(s)
		}
	})
	b.Run("new place", func(b *testing.B) {
		m := NewMatcher(g, v)
		m.Allowed(after(m, `{"title":"x`))
		for b.Loop() {
			b.StopTimer()
			kept := m.inside
			m.forget()
			m.inside = kept
			s := after(m, `{"title":"x","year":3,"authors":[{"name":"y`)
			b.StartTimer()
			m.Allowed(s)
		}
	})
	b.Run("from nothing", func(b *testing.B) {
		m := NewMatcher(g, v)
		for b.Loop() {
			b.StopTimer()
			m.forget()
			v.common = nil
			s := after(m, `{"title":"x`)
			b.StartTimer()
			m.Allowed(s)
		}
	})
	b.Run("advance", func(b *testing.B) {
		m := NewMatcher(g, v)
		s := after(m, `{"title":"x`)
		for b.Loop() {
			m.Advance(s, 'e')
		}
	})
}

func BenchmarkVocabulary(b *testing.B) {
	for b.Loop() {
		largeVocabulary(b)
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := JSONSchema([]byte(benchSchema)); err != nil {
			b.Fatal(err)
		}
	}
}
