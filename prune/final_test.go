package prune

import "testing"

func TestExtractFinal(t *testing.T) {
	for _, test := range []struct {
		reasoning, content, want string
		method                   Method
	}{
		{`maybe \boxed{5}, no, 7`, `So \boxed{7}.`, "7", MethodBoxed},
		{`\boxed{5}`, "The answer is 7.", "7", MethodPhrase},
		{`\boxed{5} apples`, "That is 5 apples in 3 boxes", "5", MethodBoxed},
		{`\boxed{5}?`, "**7**.\n", "7", MethodNumber},
		{"the answer is 5", "It makes 7", "7", MethodNumber},
		{"the answer is 5", "", "5", MethodPhrase},
		{"some 8 of them", "I do not know.", "8", MethodNumber},
		{"", "It makes 7", "7", MethodNumber},
		{"", "", "", MethodNone},
	} {
		if got, method := ExtractFinal(test.reasoning, test.content); got != test.want || method != test.method {
			t.Errorf("ExtractFinal(%q, %q) = %q, %v; want %q, %v", test.reasoning, test.content, got, method, test.want, test.method)
		}
	}
}
