package prune

// ExtractFinal finds the answer of a trace that thought before it spoke. What it
// said counts; what it thought does if it said nothing that is marked as an
// answer, and marked one in its thoughts, or said nothing at all.
func ExtractFinal(reasoning, content string) (answer string, method Method) {
	answer, method = Extract(content)
	if method == MethodBoxed || method == MethodPhrase || reasoning == "" {
		return answer, method
	}
	thought, how := Extract(reasoning)
	if method == MethodNone || how == MethodBoxed {
		return thought, how
	}
	return answer, method
}
