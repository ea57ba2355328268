package prune

import "testing"

func TestNormalise(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""}, {" ", ""}, {"42", "42"}, {"1,234", "1234"}, {"1234.0", "1234"}, {"1,234.00", "1234"},
		{"+5", "5"}, {"-0", "0"}, {"007", "7"}, {"$5", "5"}, {"$5.50", "5.5"}, {"-$5", "-5"}, {"$-5$", "-5"}, {"$-5", "-5"},
		{"50%", "50"}, {`50\%`, "50"}, {"1/2", "0.5"}, {`\frac{1}{2}`, "0.5"}, {`\dfrac{2}{6}`, "1/3"}, {`\frac12`, "0.5"},
		{`-\frac{1}{3}`, "-1/3"}, {"42.", "42"}, {"42 apples", "42"}, {`42\text{ apples}`, "42"}, {`5 \mathrm{cm}`, "5"},
		{"1e3", "1000"}, {"1e999999999", "1e999999999"}, {`1.5 \times 10^{3}`, "1500"}, {"2 x 10^-2", "0.02"},
		{"x = 5", "5"}, {"3x", "3x"}, {"(B)", "B"}, {"B.", "B"}, {"b", "b"}, {"(b)", "B"}, {`\text{(C)}`, "C"},
		{"1 1/2", "1.5"}, {`1\frac{1}{2}`, "1.5"}, {"1/0", "1/0"}, {"5 million", "5 million"}, {"Paris", "paris"},
		{"1,23", "1,23"}, {"\u22125", "-5"}, {".5", "0.5"}, {"12,345,678", "12345678"}, {"**42**", "42"}, {`\boxed{42}`, "42"},
		{"5 hours 30 minutes", "5 hours 30 minutes"}, {"5 cm^2", "5"}, {"5 km/h", "5"}, {"90^\\circ", "90"},
	} {
		if got := Normalise(c.in); got != c.want {
			t.Errorf("Normalise(%q) = %q; want %q", c.in, got, c.want)
		}
	}
}

func TestExtract(t *testing.T) {
	for _, c := range []struct {
		in, want string
		method   Method
	}{
		{"So the answer is 12.\n</think>\n\nThe answer is \\boxed{12}.", "12", MethodBoxed},
		{`\boxed{1} then \boxed{\frac{1}{2}}`, "0.5", MethodBoxed}, {`\boxed{7} and \boxed{8`, "7", MethodBoxed},
		{"#### 1,234", "1234", MethodPhrase}, {"The answer is 42 apples.", "42", MethodPhrase},
		{"Final answer: **(B)**", "B", MethodPhrase}, {"the answer is 3 + 4 = 7.", "7", MethodPhrase},
		{"The answer to this is not known. 5 - 3 gives 2", "2", MethodNumber}, {"take x2 and 5-3", "3", MethodNumber},
		{"the 2nd of 7, -3 and 1,234.5.", "1234.5", MethodNumber}, {"I pick (C)", "C", MethodChoice}, {"no idea", "", MethodNone}, {"", "", MethodNone},
	} {
		got, method := Extract(c.in)
		if got != c.want || method != c.method {
			t.Errorf("Extract(%q) = %q, %v; want %q, %v", c.in, got, method, c.want, c.method)
		}
	}
}

func FuzzExtract(f *testing.F) {
	f.Add(`\boxed{\text{ 5\,000 }}`)
	f.Add("answer is: \\(\\frac{12}{-4}\\) cm^2 #### 1e9 (A)")
	f.Add("$$x = {,}.5.$$")
	f.Fuzz(func(t *testing.T, s string) {
		Extract(s)
		a := Normalise(s)
		if b := Normalise(a); a != b {
			t.Errorf("Normalise(%q) = %q, of which Normalise gives %q", s, a, b)
		}
		if got := Normalise(" " + s + "\n"); got != a {
			t.Errorf("Normalise with blanks around %q = %q; want %q", s, got, a)
		}
	})
}
