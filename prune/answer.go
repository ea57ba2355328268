package prune

import "strings"

// Method says how an answer was found in a text.
type Method uint8

const (
	MethodNone   Method = iota // no answer found
	MethodBoxed                // the last \boxed{…}
	MethodPhrase               // "the answer is …", "#### …"
	MethodNumber               // the last number of the text: a guess
	MethodChoice               // the last "(C)" of a text without numbers: a guess
)

var methodNames = [...]string{"none", "boxed", "phrase", "number", "choice"}

func (m Method) String() string { return methodNames[m] }

// These bound the work per place where an answer may be, and with it make
// extraction linear.
const (
	maxBoxed  = 1000 // bytes of a \boxed{…}
	maxPhrase = 200  // bytes looked at after the word "answer"
)

// Extract finds the final answer in what a trace wrote and normalises it. It
// takes time linear in the length of the text.
func Extract(text string) (answer string, method Method) {
	if s := Normalise(lastBoxed(text)); s != "" {
		return s, MethodBoxed
	}
	if s := lastPhrase(text); s != "" {
		return s, MethodPhrase
	}
	if s := lastNumber(text); s != "" {
		return s, MethodNumber
	}
	if s := lastChoice(text); s != "" {
		return s, MethodChoice
	}
	return "", MethodNone
}

// lastBoxed returns the contents of the last \boxed{…} or \fbox{…} that is
// closed and not empty, inner braces included; "" if there is none.
func lastBoxed(text string) string {
	for end := len(text); ; {
		i := strings.LastIndex(text[:end], "box")
		if i < 1 {
			return ""
		}
		var rest string
		switch {
		case text[i-1] == '\\' && strings.HasPrefix(text[i:], "boxed"):
			rest = text[i+len("boxed"):]
		case strings.HasSuffix(text[:i], `\f`):
			rest = text[i+len("box"):]
		}
		rest = strings.TrimLeft(rest[:min(len(rest), maxBoxed)], " ")
		if n := closingBrace(rest); n > 0 && strings.TrimSpace(rest[1:n]) != "" {
			return rest[1:n]
		}
		end = i
	}
}

// closingBrace returns the index of the brace that closes the one at s[0], 0 if
// there is none.
func closingBrace(s string) int {
	if s == "" || s[0] != '{' {
		return 0
	}
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++ // \{ and \} are signs, not braces
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return 0
}

// lastPhrase returns the normalised number, choice letter or yes/no that follows
// the last "answer is", "answer:", "answer =" or "####" that is followed by one.
func lastPhrase(text string) string {
	for end := len(text); ; {
		i := lastIndexPhrase(text[:end])
		if i < 0 {
			return ""
		}
		rest := text[i:]
		rest = rest[:min(len(rest), maxPhrase)]
		if after, ok := strings.CutPrefix(rest, "####"); ok {
			rest = after
		} else {
			rest = afterIs(rest[len("answer"):])
		}
		if s := stated(rest); s != "" {
			return s
		}
		end = i
	}
}

// lastIndexPhrase returns where the last "####" or "answer", in any case, is.
func lastIndexPhrase(text string) int {
	for i := len(text) - 1; i >= 0; i-- {
		switch text[i] {
		case '#':
			if strings.HasPrefix(text[i:], "####") {
				return i
			}
		case 'a', 'A':
			if len(text)-i >= len("answer") && strings.EqualFold(text[i:i+len("answer")], "answer") {
				return i
			}
		}
	}
	return -1
}

// afterIs returns what stands behind the first "is", ":" or "=" of the clause.
func afterIs(s string) string {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ':', '=':
			return s[i+1:]
		case '\n':
			return ""
		case 'i', 'I':
			if i > 0 && i+2 < len(s) && !isLetter(s[i-1]) && (s[i+1] == 's' || s[i+1] == 'S') && !isLetter(s[i+2]) {
				return strings.TrimLeft(s[i+2:], ": ")
			}
		}
	}
	return ""
}

// stated returns the normalised answer that a clause begins with or, if it holds
// a calculation, ends with: "42 apples.", "**(B)**", "$3 + 4 = 7$".
func stated(s string) string {
	s = clause(s)
	if i := strings.LastIndexByte(s, '='); i >= 0 {
		s = s[i+1:]
	}
	s = strings.Trim(s, " \t\r*_`\"'")
	whole := Normalise(s)
	if isNumber(whole) || isChoice(whole) {
		return whole
	}
	switch first, _, _ := strings.Cut(whole, " "); strings.Trim(first, ",.;") {
	case "yes", "no", "true", "false":
		return strings.Trim(first, ",.;")
	}
	if c := leadingChoice(s); c != "" {
		return c
	}
	for i := 0; i < len(s); {
		if n := numberAt(s, i); n > i {
			return Normalise(s[i:n])
		}
		i++
	}
	return ""
}

// clause cuts s at the end of its line or sentence.
func clause(s string) string {
	s = strings.TrimLeft(s, " \t\r\n*")
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\n':
			return s[:i]
		case '.', ';', '!', '?':
			if i+1 == len(s) || strings.IndexByte(" \t\r\n*$)", s[i+1]) >= 0 {
				return s[:i]
			}
		}
	}
	return s
}

// lastNumber returns the last number of a text, normalised.
func lastNumber(text string) string {
	last := ""
	for i := 0; i < len(text); {
		if n := numberAt(text, i); n > i {
			last = text[i:n]
			i = n
		} else {
			i++
		}
	}
	return Normalise(last)
}

// numberAt returns the end of the number that starts at s[i], i if none does: a
// sign that is no operator, digits with or without thousands separators and a
// decimal point, or two whole numbers with a slash. A number may not be part of
// a word (x2, 2nd), and digits are taken whole.
func numberAt(s string, i int) int {
	start := i
	before := byte(' ')
	if i > 0 {
		before = s[i-1]
	}
	if n := len(sign(s[i:])); n > 0 {
		if isOperator(s, i) {
			return start
		}
		if i += n; i < len(s) && s[i] == '$' {
			i++
		}
	} else if isDigit(before) || isLetter(before) || before == '_' || before == '.' && i > 1 && isDigit(s[i-2]) {
		return start
	}
	whole := i
	i = digits(s, i)
	if i == len(s) && i == whole {
		return start
	}
	if i == whole && (i+1 >= len(s) || s[i] != '.' || !isDigit(s[i+1])) {
		return start
	}
	if n := i - whole; 1 <= n && n <= 3 {
		// What is longer is no answer, and would be read again from every group on.
		for i-whole < maxAnswer && i+3 < len(s) && s[i] == ',' && digits(s, i+1) == i+4 {
			i += 4
		}
	}
	plain := true
	if i+1 < len(s) && s[i] == '.' && isDigit(s[i+1]) {
		i, plain = digits(s, i+1), false
	}
	if plain && i+1 < len(s) && s[i] == '/' && isDigit(s[i+1]) {
		i = digits(s, i+1)
	}
	if i < len(s) {
		switch rest := s[i:]; {
		case strings.HasPrefix(rest, "st"), strings.HasPrefix(rest, "nd"), strings.HasPrefix(rest, "rd"), strings.HasPrefix(rest, "th"):
			if len(rest) == 2 || !isLetter(rest[2]) {
				return start
			}
		case rest[0] == '_':
			return start
		}
	}
	return i
}

// isOperator reports whether the sign at s[i] follows an operand: a number, a
// bracket or a variable, but not a word ("it is -3").
func isOperator(s string, i int) bool {
	j := i
	for j > 0 && i-j < 3 && s[j-1] == ' ' {
		j--
	}
	if j == 0 {
		return false
	}
	switch before := s[j-1]; {
	case isDigit(before), before == ')', before == ']', before == '}':
		return true
	case isLetter(before):
		return j == i || j == 1 || !isLetter(s[j-2])
	}
	return false
}

// digits returns the end of the run of digits at s[i].
func digits(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

func isDigit(b byte) bool  { return '0' <= b && b <= '9' }
func isLetter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }

// lastChoice returns the letter of the last "(A)" to "(E)" of a text.
func lastChoice(text string) string {
	for i := len(text) - 3; i >= 0; i-- {
		if text[i] == '(' && text[i+2] == ')' && isChoice(text[i+1:i+2]) {
			return text[i+1 : i+2]
		}
	}
	return ""
}

// leadingChoice returns the choice letter that s begins with: "B", "(B)", "B)",
// "B." or "option B", before anything else.
func leadingChoice(s string) string {
	for _, prefix := range []string{"option", "Option", "choice", "Choice"} {
		s = strings.TrimPrefix(s, prefix)
	}
	s = strings.TrimLeft(s, " *")
	if after, ok := strings.CutPrefix(s, "("); ok && len(after) > 1 && after[1] == ')' && isChoice(after[:1]) {
		return after[:1]
	}
	if len(s) > 1 && isChoice(s[:1]) && strings.IndexByte(").:,", s[1]) >= 0 {
		return s[:1]
	}
	return ""
}

// isChoice reports whether s is a letter from A to E.
func isChoice(s string) bool { return len(s) == 1 && 'A' <= s[0] && s[0] <= 'E' }
