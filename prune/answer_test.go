package prune

import (
	"strings"
	"testing"
)

func TestNormalise(t *testing.T) {
	for want, variants := range map[string][]string{
		"":     {"", " ", "\n\t"},
		"0":    {"0", "-0", "+0", "0.0", "00", "-0.00", "0/5", "$0", "0%", "0,000", "0e5", "\u22120", "0 apples", ".0"},
		"5":    {"5", "+5", "05", "5.", "5.0", "5.000", " 5 ", "$5", "$ 5", "$5.00", `\$5`, "5%", "5 %", `5\%`, "€5", "£5", "10/2", "x = 5", "x=5", "n = 5.", "$x = 5$", `\(5\)`, `\[5\]`, "**5**", "`5`", `"5"`, "{5}", `\text{5}`, `\boxed{5}`, "$5$", "$$5$$", "5,", "5;", "5!", `5\,`, `\frac{10}{2}`, `\frac{5}{1}`},
		"-5":   {"-5", "- 5", "\u22125", "-5.0", "-$5", "$-5", "$-5$", `-\$5`, "-10/2", `-\frac{10}{2}`, `\frac{-10}{2}`, `\frac{10}{-2}`, "x = -5", "-5 degrees", `-5^\circ`, "-5°"},
		"42":   {"42", "42 apples", "42 apples.", "42 cm", "42cm", "42 km/h", "42 cm^2", "42 m^{2}", "42 square feet", "42 miles per hour", `42\text{ apples}`, `42 \text{ cm}`, `42\,\text{cm}`, `42 \mathrm{kg}`, "42 dollars", "42 m", "42 g", "42 L", "42 percent", `42^{\circ}`, "42 degrees", "$42 per week", "42 children's tickets", "042", "0042.0", `\left42\right`},
		"1234": {"1234", "1,234", "1,234.0", "1234.00", "$1,234", "$1,234.00", "1,234 apples", "1{,}234", `1\,234`, `\$1,234`, "+1,234", "01234", "2468/2", "1.234e3", "12.34e2", `1.234 \times 10^3`, `1.234\times10^{3}`, "1.234 x 10^3", "1.234 × 10^3", "1.234*10^3", "1234e0", "123400e-2", "123400E-2", "1.234E+3"},

		"1234567":                {"1,234,567", "1234567", "1,234,567.000"},
		"123456789012345678901":  {"123456789012345678901", "123,456,789,012,345,678,901", "123456789012345678901.0"},
		"0.5":                    {"0.5", ".5", "1/2", "2/4", "0.50", "+.5", "$0.50", `\frac{1}{2}`, `\dfrac{1}{2}`, `\tfrac{1}{2}`, `\frac12`, `\frac 1 2`, "50/100", "5e-1", "1 / 2", `\dfrac{2}{4}`, "00.5", "0.5 hours", "1/2 cup"},
		"-0.5":                   {"-0.5", "-.5", "-1/2", `-\frac{1}{2}`, `\frac{-1}{2}`, "-0.500"},
		"1.5":                    {"1.5", "3/2", "1 1/2", `1\frac{1}{2}`, `1 \frac{1}{2}`, "1 1/2 cups", "1.50", `\frac{3}{2}`, "15e-1", "$1.50"},
		"1/3":                    {"1/3", "2/6", `\frac{1}{3}`, `\frac13`, "33/99", "1/3 of a cup"},
		"-2/3":                   {"-2/3", `-\frac{2}{3}`, "-4/6", `\frac{-2}{3}`, `\frac{2}{-3}`},
		"0.02":                   {"0.02", "2e-2", "2 x 10^-2", `2 \times 10^{-2}`, "1/50", "0.020", ".02"},
		"0.125":                  {"1/8", "0.125", ".1250"},
		"10000000000":            {"1e10", "10,000,000,000", `1 \times 10^{10}`},
		"1234.5":                 {"1,234.5", "1234.50", "$1,234.50"},
		"1000":                   {"1e3", "1,000", "1000.", "10e2"},
		"100":                    {"100%", "100 %", "100.0%", "1e2"},
		"3.14":                   {"3.14", "314/100", "3.140", "x = 3.14"},
		"A":                      {"A", "(A)", "A.", "(A).", "A)", "(a)", `\text{A}`, `\text{(A)}`, `\textbf{(A)}`, "**A**", "$A$", `\mathrm{A}`, "(A),"},
		"(a) or (b)":             {"(A) or (B)"},
		"E":                      {"E", "(E)", "(e)", "E."},
		"b":                      {"b", "b."},
		"f":                      {"F", "f"},
		"(f)":                    {"(F)"},
		"paris":                  {"Paris", "paris.", " PARIS ", `\text{Paris}`, "**Paris**", `"Paris"`},
		"new york":               {"New York", "new  york", "New\nYork."},
		"3x":                     {"3x", "3X", "$3x$"},
		"x+1":                    {"x+1", "$x+1$", `\(x+1\)`, "X+1."},
		`\sqrt{2}`:               {`\sqrt{2}`, `\sqrt {2}`, `$\sqrt{2}$`, `\sqrt{ 2 }`},
		`2\pi`:                   {`2\pi`, `2 \pi`, `$2\,\pi$`},
		"1e999999999":            {"1e999999999", "1E999999999"},
		"1e101":                  {"1e101"},
		"1/0":                    {"1/0"},
		`\frac{1}{0}`:            {`\frac{1}{0}`},
		"5 million":              {"5 million", "5 Million"},
		"5 hours 30 minutes":     {"5 hours 30 minutes"},
		"3:30":                   {"3:30"},
		"3 to 4":                 {"3 to 4"},
		"5 and 6":                {"5 and 6"},
		"1,23":                   {"1,23"},
		"1, 2":                   {"1, 2"},
		"1,2,3":                  {"1,2,3"},
		"12,34,567":              {"12,34,567"},
		"1234,567":               {"1234,567"},
		"1.2.3":                  {"1.2.3"},
		"--5":                    {"--5"},
		"2^10":                   {"2^10"},
		"5 x":                    {"5 x"},
		"3-4":                    {"3-4"},
		"x = y":                  {},
		"none":                   {"None", "none."},
		strings.Repeat("a", 300): {strings.Repeat("A", 300)},
		strings.Repeat("9", 200): {strings.Repeat("9", 200), strings.Repeat("9", 200) + ".0", "+" + strings.Repeat("9", 200)},
	} {
		for _, in := range variants {
			if got := Normalise(in); got != want {
				t.Errorf("Normalise(%q) = %q; want %q", in, got, want)
			}
		}
	}
}

func TestExtract(t *testing.T) {
	for _, c := range []struct {
		in, want string
		method   Method
	}{
		{"So the answer is 12.\n</think>\n\nThe answer is \\boxed{13}.", "13", MethodBoxed},
		{`\boxed{1} then \boxed{\frac{1}{2}}`, "0.5", MethodBoxed},
		{`\boxed{7} and \boxed{8`, "7", MethodBoxed},
		{`\boxed{7} and \boxed{}`, "7", MethodBoxed},
		{`\boxed{7} and \boxed{ }.`, "7", MethodBoxed},
		{`\boxed {7}`, "7", MethodBoxed},
		{`\fbox{7}`, "7", MethodBoxed},
		{`\boxed{\boxed{7}}`, "7", MethodBoxed},
		{`\boxed{\text{Paris}}`, "paris", MethodBoxed},
		{`\boxed{\text{(B) } 12}`, "B", MethodBoxed},
		{`\boxed{x = 12}`, "12", MethodBoxed},
		{`\boxed{\{1, 2\}}`, `\{1,2\}`, MethodBoxed},
		{`\boxed{\frac{\sqrt{3}}{2}}`, `\frac{\sqrt{3}}{2}`, MethodBoxed},
		{`$\boxed{1{,}024}$ dollars`, "1024", MethodBoxed},
		{`\boxed{B}`, "B", MethodBoxed},
		{`boxed{7} unboxed 8`, "8", MethodNumber},
		{`\boxed 7`, "7", MethodNumber},
		{`\boxed{` + strings.Repeat("7", 2000) + `} but 8`, "8", MethodNumber},

		{"#### 1,234", "1234", MethodPhrase},
		{"5 + 6 = 11\n#### 11", "11", MethodPhrase},
		{"#### -7 apples\n", "-7", MethodPhrase},
		{"####7", "7", MethodPhrase},
		{"##### 7", "7", MethodPhrase},
		{"The answer is 42 apples.", "42", MethodPhrase},
		{"The answer is 42.", "42", MethodPhrase},
		{"The answer is 4.2.", "4.2", MethodPhrase},
		{"The answer is: 42", "42", MethodPhrase},
		{"the final answer is $42$.", "42", MethodPhrase},
		{"The final answer is **42**.", "42", MethodPhrase},
		{"**Answer:** 42", "42", MethodPhrase},
		{"**Final Answer**: $1,200.50", "1200.5", MethodPhrase},
		{"ANSWER: 42", "42", MethodPhrase},
		{"Answer = 42", "42", MethodPhrase},
		{"Answer:\n42", "42", MethodPhrase},
		{"Final answer: **(B)**", "B", MethodPhrase},
		{"The answer is (C).", "C", MethodPhrase},
		{"The answer is C.", "C", MethodPhrase},
		{"The answer is C", "C", MethodPhrase},
		{"The correct answer is option D, since 5 > 4", "D", MethodPhrase},
		{"The answer is (D) 12 apples", "D", MethodPhrase},
		{"answer: B) 12", "B", MethodPhrase},
		{"the answer is 3 + 4 = 7.", "7", MethodPhrase},
		{"The answer is 1/2.", "0.5", MethodPhrase},
		{`The answer is \(\frac{1}{3}\).`, "1/3", MethodPhrase},
		{"The answer is -5.", "-5", MethodPhrase},
		{"The answer is $-5.", "-5", MethodPhrase},
		{"The answer is about 42 or so.", "42", MethodPhrase},
		{"The answer to the question is 42. I used 17 steps.", "42", MethodPhrase},
		{"The answer is 41. Wait, no. The answer is 42. Checked 2 times.", "42", MethodPhrase},
		{"The answer is 42. That answer is right.", "42", MethodPhrase},
		{"Is it so? The answer is yes.", "yes", MethodPhrase},
		{"The answer is No, because 7 > 5", "no", MethodPhrase},
		{"The answer is 2,5", "2", MethodPhrase},

		{"The answer to this is not known. 5 - 3 gives 2", "2", MethodNumber},
		{"We get 7.", "7", MethodNumber},
		{"take x2 and 5-3", "3", MethodNumber},
		{"5 - 3", "3", MethodNumber},
		{"5 and -3", "-3", MethodNumber},
		{"it is -3", "-3", MethodNumber},
		{"it is \u22123", "-3", MethodNumber},
		{"(a)-3", "3", MethodNumber},
		{"the 2nd of 7, -3 and 1,234.5.", "1234.5", MethodNumber},
		{"7 then the 3rd", "7", MethodNumber},
		{"7 for the 21st time", "7", MethodNumber},
		{"got 7 (see x_2)", "7", MethodNumber},
		{"7km", "7", MethodNumber},
		{"1, 2", "2", MethodNumber},
		{"1,23", "23", MethodNumber},
		{"a total of 3/4", "0.75", MethodNumber},
		{"v1.5 of 7 and v1.5", "7", MethodNumber},
		{"costs $1,234.50!", "1234.5", MethodNumber},
		{"loses -$20", "-20", MethodNumber},
		{"0.5", "0.5", MethodNumber},
		{"about .5", "0.5", MethodNumber},
		{"1.2.3", "1.2", MethodNumber},
		{"99 bottles", "99", MethodNumber},
		{"7-", "7", MethodNumber},
		{"7 -", "7", MethodNumber},
		{"7.", "7", MethodNumber},
		{"7/", "7", MethodNumber},

		{"I pick (C)", "C", MethodChoice},
		{"(A) or (B)? (B).", "B", MethodChoice},
		{"(F)", "", MethodNone},
		{"no idea", "", MethodNone},
		{"the answer is", "", MethodNone},
		{"answer", "", MethodNone},
		{"", "", MethodNone},
		{`\boxed{`, "", MethodNone},
		{"####", "", MethodNone},
	} {
		got, method := Extract(c.in)
		if got != c.want || method != c.method {
			t.Errorf("Extract(%q) = %q, %v; want %q, %v", c.in, got, method, c.want, c.method)
		}
	}
}

// What is not linear hangs here.
func TestExtractHugeTexts(t *testing.T) {
	for _, piece := range []string{`\boxed{`, `\boxed{}`, "answer is ", "####", "(", "{", "1,", "1", "-", ".", "9.", `\text{`, "answer:1/", "$", " ", "(A", "1 - "} {
		Extract(strings.Repeat(piece, 1<<17/len(piece)))
		Normalise(strings.Repeat(piece, 1<<17/len(piece)))
	}
	// Groups of three digits without end, which turn out to be part of a name.
	Extract("1" + strings.Repeat(",111", 1<<18) + "_")
}

func FuzzExtract(f *testing.F) {
	for _, s := range []string{
		`\boxed{\text{ 5\,000 }}`, "answer is: \\(\\frac{12}{-4}\\) cm^2 #### 1e9 (A)", "$$x = {,}.5.$$", "1 1/2 cups",
		"\\boxed{\xff\u2212 1{,}000\\%}", "**(b)**", "1.5 \\times 10^{-3}", "answer = yes", "#### $-1,234.50",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if answer, method := Extract(s); (answer == "") != (method == MethodNone) {
			t.Errorf("Extract(%q) = %q, %v", s, answer, method)
		} else if again := Normalise(answer); again != answer {
			t.Errorf("Extract(%q) = %q, of which Normalise gives %q", s, answer, again)
		}
		a := Normalise(s)
		if b := Normalise(a); a != b {
			t.Errorf("Normalise(%q) = %q, of which Normalise gives %q", s, a, b)
		}
		if got := Normalise(" " + s + "\n"); got != a {
			t.Errorf("Normalise with blanks around %q = %q; want %q", s, got, a)
		}
	})
}
