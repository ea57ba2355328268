package prune

import "strings"

// maxAnswer is the length in bytes above which an answer is no longer looked
// into, only trimmed.
const maxAnswer = 256

// Normalise brings answers that mean the same to the same form: numbers to a
// whole number ("1,234.00" to "1234"), a decimal ("1/2" to "0.5") or a reduced
// fraction ("2/6" to "1/3"), choices to their letter ("(b)" to "B"), all else to
// lower case without markup. Numbers are exact; one with a unit or a currency
// loses it. Normalise(Normalise(s)) == Normalise(s).
func Normalise(s string) string {
	// Every pass strips one layer or changes nothing. The bound is for answers
	// that nest very deeply: they stay as they are then, consistently.
	for {
		next := normalise(s)
		if next == s {
			return s
		}
		s = next
	}
}

// normalise strips one layer. What it returns is canonical, or shorter than s, or
// different from it in letters' case or blanks only.
func normalise(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxAnswer {
		return lower(s)
	}
	if isChoice(s) || isNumber(s) {
		return s
	}
	s = stripMarkup(s)
	if isChoice(s) {
		return s
	}
	if c := labelled(s); c != "" {
		return c
	}
	if number, ok := parseNumber(s); ok {
		return number
	}
	if strings.ContainsRune(s, '\\') {
		s = strings.ReplaceAll(s, " ", "")
	}
	return lower(s)
}

// labelled returns the choice of "(b)", "b)" or "(B) what it stands for".
func labelled(s string) string {
	label, rest, _ := strings.Cut(s, " ")
	n := len(label)
	bracketed := n == 3 && label[0] == '('
	if n < 2 || label[n-1] != ')' || !bracketed && n != 2 || rest != "" && (!bracketed || strings.Contains(rest, "(")) {
		return ""
	}
	if c := strings.ToUpper(label[n-2 : n-1]); isChoice(c) {
		return c
	}
	return ""
}

// lower is strings.ToLower for ASCII alone, which never changes the length.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// spacing is LaTeX that only sets things apart, or another way to write the same.
var spacing = strings.NewReplacer(
	`\left`, "", `\right`, "", `\,`, "", `\;`, "", `\!`, "", `\:`, "", `\quad`, "", `\ `, " ",
	`{,}`, ",", `\dfrac`, `\frac`, `\tfrac`, `\frac`, `\%`, "%", `\$`, "$",
	`^\circ`, "", `^{\circ}`, "", "°", "", "~", " ", "\u00a0", " ",
)

// wrappers are the LaTeX commands whose argument is what counts.
var wrappers = []string{`\text{`, `\textbf{`, `\mathrm{`, `\mathbf{`, `\mbox{`, `\boxed{`, `\fbox{`}

// fences are signs around an answer that do not belong to it.
var fences = [][2]string{{"$$", "$$"}, {"$", "$"}, {`\(`, `\)`}, {`\[`, `\]`}, {"**", "**"}, {"*", "*"}, {"`", "`"}, {`"`, `"`}, {"{", "}"}}

// stripMarkup takes away one layer of what surrounds an answer.
func stripMarkup(s string) string {
	s = strings.TrimSpace(spacing.Replace(s))
	s = strings.TrimRight(s, ".,;:! ")
	for _, f := range fences {
		if len(s) > len(f[0])+len(f[1]) && strings.HasPrefix(s, f[0]) && strings.HasSuffix(s, f[1]) {
			inside := s[len(f[0]) : len(s)-len(f[1])]
			if !strings.Contains(inside, f[0]) && !strings.Contains(inside, f[1]) {
				return strings.TrimSpace(inside)
			}
		}
	}
	for _, w := range wrappers {
		if i := strings.Index(s, w); i >= 0 {
			open := i + len(w) - 1
			if n := closingBrace(s[open:]); n > 0 {
				return strings.TrimSpace(s[:i] + s[open+1:open+n] + s[open+n+1:])
			}
		}
	}
	if name, value, ok := strings.Cut(s, "="); ok { // x = 5
		if name = strings.TrimSpace(name); len(name) == 1 && isLetter(name[0]) && strings.TrimSpace(value) != "" {
			return strings.TrimSpace(value)
		}
	}
	return s
}
