package prune

import "strings"

// ExtractFinal finds the answer of a trace that thought before it spoke. What it
// said counts. What it thought does only if it said nothing, or marked an answer in
// its thoughts and none in what it said, which is more than a mere answer.
func ExtractFinal(reasoning, content string) (answer string, method Method) {
	answer, method = Extract(content)
	if method == MethodBoxed || method == MethodPhrase || reasoning == "" || isAnswer(content) {
		return answer, method
	}
	thought, how := Extract(reasoning)
	if method == MethodNone || how == MethodBoxed {
		return thought, how
	}
	return answer, method
}

// isAnswer reports whether a text is a number or a choice and no more.
func isAnswer(text string) bool {
	whole := Normalise(strings.Trim(text, " \t\r\n*_`.$"))
	return isNumber(whole) || isChoice(whole)
}
