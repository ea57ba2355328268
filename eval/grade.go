package eval

import (
	"strings"

	"deepprune/prune"
)

// Grade reports whether an answer is the expected one. Beyond what is equal to
// prune.Normalise it knows lists and sets (in any order), tuples, intervals and
// their unions, matrices, letters of choices, and expressions in simple LaTeX,
// which are equal if they have the same values (see expression). It is strict: a
// rounded decimal is not the fraction, 50 is not 0.5 with a percent sign.
func Grade(got, want string) bool {
	g, w := prune.Normalise(got), prune.Normalise(want)
	if g == "" || w == "" {
		return false
	}
	if len(w) == 1 && isLetter(w[0]) && len(w) < len(g) {
		if c := strings.TrimSpace(g[1:]); c[0] == '.' || c[0] == ')' || c[0] == ':' {
			g = g[:1] // "b. what it stands for"
		}
	}
	if strings.EqualFold(g, w) {
		return true
	}
	if isNumber(g) && isNumber(w) {
		return false // both are in the one form that their number has
	}
	return alike(tidy(g), tidy(w), maxNesting)
}

// isNumber reports whether s is a number as prune.Normalise writes it.
func isNumber(s string) bool {
	digits := 0
	for i := 0; i < len(s); i++ {
		switch {
		case isDigit(s[i]):
			digits++
		case s[i] == '-' && i == 0, (s[i] == '.' || s[i] == '/') && digits > 0:
		default:
			return false
		}
	}
	return digits > 0
}

// maxNesting bounds the depth to which answers are taken apart.
const maxNesting = 6

// tidier writes what LaTeX has several words for in one way.
var tidier = strings.NewReplacer(
	" ", "", `\left`, "", `\right`, "", `\dfrac`, `\frac`, `\tfrac`, `\frac`,
	`\cdot`, "*", `\times`, "*", "×", "*", "·", "*", "−", "-", "–", "-", "÷", "/", `\div`, "/",
	"∞", `\infty`, "+∞", `\infty`, `+\infty`, `\infty`, "∪", `\cup`, "π", `\pi`, "√", `\sqrt`, "±", `\pm`,
	`\{`, "{", `\}`, "}", `\leq`, "<=", `\le`, "<=", "≤", "<=", `\geq`, ">=", `\ge`, ">=", "≥", ">=",
	`\lbrace`, "{", `\rbrace`, "}", "²", "^2", "³", "^3",
)

// tidy removes differences of spelling.
func tidy(s string) string {
	for _, word := range []string{" and ", " or ", ";"} {
		s = strings.ReplaceAll(s, word, ",")
	}
	return tidier.Replace(s)
}

// alike compares two answers part by part.
func alike(g, w string, depth int) bool {
	switch {
	case g == w:
		return g != ""
	case depth == 0 || g == "" || w == "":
		return false
	}
	depth--
	g, w = unbrace(g), unbrace(w)
	if gs, ws := split(g, `\cup`), split(w, `\cup`); len(gs) > 1 || len(ws) > 1 {
		return matchAny(gs, ws, depth)
	}
	if gm, wm := matrix(g), matrix(w); gm != nil || wm != nil {
		return matchRows(gm, wm, depth)
	}
	// (1, 2] in which the order counts.
	if gi, wi := fenced(g), fenced(w); gi != "" || wi != "" {
		gs, ws := split(gi, ","), split(wi, ",")
		if len(gs) > 1 || len(ws) > 1 {
			return gi != "" && wi != "" && g[0] == w[0] && g[len(g)-1] == w[len(w)-1] && matchEach(gs, ws, depth)
		}
	}
	if gs, ws := split(g, ","), split(w, ","); len(gs) > 1 || len(ws) > 1 {
		return matchAny(gs, ws, depth)
	}
	if gs, ws := signs(g), signs(w); len(gs) > 1 || len(ws) > 1 {
		return matchAny(gs, ws, depth)
	}
	// Parts may be anything that a whole answer may be: "1/2" in "(1/2, 3)".
	if x, y := prune.Normalise(g), prune.Normalise(w); x == y {
		return x != ""
	}
	if gs, ws := split(g, "="), split(w, "="); len(gs) == 2 && len(ws) == 2 {
		return matchEach(gs, ws, depth) || matchEach([]string{gs[1], gs[0]}, ws, depth)
	} else if value := named(gs); value != "" {
		return alike(value, w, depth)
	} else if value := named(ws); value != "" {
		return alike(g, value, depth)
	}
	return sameValue(g, w)
}

// named returns the side of an equation that the other one only names, "" if
// neither does.
func named(sides []string) string {
	switch {
	case len(sides) != 2:
		return ""
	case isName(sides[0]):
		return sides[1]
	case isName(sides[1]):
		return sides[0]
	}
	return ""
}

// isName reports whether s is y or f(x).
func isName(s string) bool {
	return len(s) == 1 && isLetter(s[0]) || len(s) == 4 && s[1] == '(' && s[3] == ')' && isLetter(s[0]) && isLetter(s[2])
}

// unbrace strips one pair of braces around all of s.
func unbrace(s string) string {
	if len(s) > 2 && s[0] == '{' && closing(s, 0) == len(s)-1 {
		return s[1 : len(s)-1]
	}
	return s
}

// fenced returns what stands between the brackets around all of s, "" if there
// are none. Intervals have brackets of two kinds.
func fenced(s string) string {
	if len(s) > 2 && (s[0] == '(' || s[0] == '[') && closing(s, 0) == len(s)-1 {
		return s[1 : len(s)-1]
	}
	return ""
}

// closing returns the index of the bracket that closes the one at s[i], of
// whatever kind, or -1.
func closing(s string, i int) int {
	depth := 0
	for ; i < len(s); i++ {
		switch s[i] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// split splits s at a separator outside of brackets. The thousands of a number are
// no list: Normalise has taken them out of an answer that is one number.
func split(s, separator string) []string {
	var parts []string
	depth, start := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		}
		if depth == 0 && strings.HasPrefix(s[i:], separator) && !comparison(s, i, separator) {
			parts = append(parts, s[start:i])
			start = i + len(separator)
			i = start - 1
		}
	}
	return append(parts, s[start:])
}

// comparison reports whether the = at s[i] belongs to <= or >=.
func comparison(s string, i int, separator string) bool {
	return separator == "=" && i > 0 && (s[i-1] == '<' || s[i-1] == '>')
}

// signs are the two values of a ± expression, or s alone.
func signs(s string) []string {
	if strings.Count(s, `\pm`) != 1 {
		return []string{s}
	}
	return []string{strings.Replace(s, `\pm`, "+", 1), strings.Replace(s, `\pm`, "-", 1)}
}

// matchEach compares two lists in order.
func matchEach(g, w []string, depth int) bool {
	if len(g) != len(w) {
		return false
	}
	for i := range g {
		if !alike(g[i], w[i], depth) {
			return false
		}
	}
	return true
}

// matchAny compares two lists in any order.
func matchAny(g, w []string, depth int) bool {
	// A list may have a member that stands for two.
	g, w = expand(g), expand(w)
	if len(g) != len(w) || len(g) > 32 {
		return false
	}
	used := make([]bool, len(w))
next:
	for _, x := range g {
		for i, y := range w {
			if !used[i] && alike(x, y, depth) {
				used[i] = true
				continue next
			}
		}
		return false
	}
	return true
}

func expand(list []string) []string {
	var all []string
	for _, s := range list {
		all = append(all, signs(s)...)
	}
	return all
}

// matrix returns the rows of \begin{pmatrix} … \end{pmatrix}, nil for none.
func matrix(s string) []string {
	for _, kind := range []string{"pmatrix", "bmatrix", "vmatrix", "matrix"} {
		inside, ok := strings.CutPrefix(s, `\begin{`+kind+`}`)
		if !ok {
			continue
		}
		if inside, ok = strings.CutSuffix(inside, `\end{`+kind+`}`); ok {
			return split(strings.TrimSuffix(rowEnds(inside), "\n"), "\n")
		}
	}
	return nil
}

// rowEnds makes the ends of rows line breaks. They are two backslashes, of which
// Normalise takes one with the blank behind it for a blank.
func rowEnds(s string) string {
	b := []byte(strings.ReplaceAll(s, `\\`, "\n"))
	for i, c := range b {
		if c == '\\' && i+1 < len(b) && !isLetter(b[i+1]) {
			b[i] = '\n'
		}
	}
	return string(b)
}

// matchRows compares two matrices; nil is none.
func matchRows(g, w []string, depth int) bool {
	if len(g) != len(w) {
		return false
	}
	for i := range g {
		if !matchEach(split(g[i], "&"), split(w[i], "&"), depth) {
			return false
		}
	}
	return true
}

func isLetter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }
func isDigit(b byte) bool  { return '0' <= b && b <= '9' }
