package eval

import (
	"strings"
	"testing"
)

// right are answers and what was expected: equal ones on each line.
const right = `
42 | 42.0 | +42 | 042 | 42. | $42$ | \boxed{42} | 42 apples | x = 42 | \text{42} | **42** | 84/2 | \frac{84}{2} | 4.2e1 | 42,000/1000
1,234 | 1234 | 1{,}234 | 1234.00 | $1,234 | 1.234 \times 10^3 | \$1234
-7 | −7 | - 7 | -\frac{14}{2} | -7.0 | (-7)
0 | -0 | 0.0 | 0/5
0.5 | 1/2 | \frac12 | \frac{1}{2} | \dfrac{1}{2} | \tfrac12 | .5 | 0.50 | 2/4 | 2^{-1} | \frac{\sqrt{4}}{4}
1/3 | 2/6 | \frac{1}{3} | \frac{2}{6} | 3^{-1}
3/2 | 1.5 | 1\frac{1}{2} | 1 1/2 | \frac{3}{2} | \frac32
50% | 50\% | 50 % | 50
\frac{\pi}{2} | \pi/2 | π/2 | \frac12\pi | 0.5\pi | \frac{1}{2}\pi | \dfrac{\pi}{2}
2\sqrt{3} | \sqrt{12} | 2*\sqrt{3} | 2\cdot\sqrt3 | 2√3 | \sqrt{4}\sqrt{3} | \frac{6}{\sqrt{3}}
\frac{\sqrt{2}}{2} | \frac{1}{\sqrt{2}} | \sqrt{2}/2 | \sqrt{\frac{1}{2}} | 2^{-1/2}
\sqrt[3]{8} | 2 | 8^{1/3}
\sqrt[3]{5} | 5^{1/3} | \sqrt[3]{5.0}
1+\sqrt{2} | \sqrt{2}+1 | \sqrt2 + 1 | (1+\sqrt{2})
2^{10} | 1024 | 2^10
\frac{5!}{2} | 60 | 5!/2
x^2+2x+1 | (x+1)^2 | 1 + 2x + x^2 | x^2 + 2x + 1 | x²+2x+1 | f(x)=x^2+2x+1 | (1+x)(x+1)
2x(x-1) | 2x^2-2x | -2x+2x^2 | 2x*(x-1)
\frac{x+1}{x-1} | (x+1)/(x-1) | \frac{1+x}{x-1} | 1+\frac{2}{x-1}
\sin^2 x | (\sin x)^2 | 1-\cos^2 x | \sin^2(x) | 1 - (\cos(x))^2
\ln 2 | \ln(2) | \ln{2} | ln(2)
e^2 | e^{2} | e*e
ab | ba | a b | a\cdot b | b*a
|x-1| | |1-x| | \sqrt{(x-1)^2}
y=2x+1 | 2x+1 | y = 1 + 2x | 2x+1=y
(1,2) | (1, 2) | ( 1 , 2 ) | (1.0, 4/2) | \left(1,2\right) | (\frac{2}{2},\sqrt{4})
(0,1] | (0, 1] | \left(0,1\right] | (0,\frac{2}{2}]
[0,\infty) | [0, \infty) | [0,+\infty) | [0, ∞) | \left[0,\infty\right)
(-\infty,2)\cup(3,\infty) | (-\infty, 2) \cup (3, \infty) | (3,\infty)\cup(-\infty,2) | (-∞,2)∪(3,∞)
[-2,-1]\cup[1,2] | [1,2] \cup [-2,-1]
1,2 | 2,1 | 1 and 2 | 2 or 1 | \{1,2\} | {2, 1} | 1, 2 | \{2, 1\} | 1;2
1,2,3 | 3,1,2 | \{3,2,1\} | 1, 2 and 3
1\pm\sqrt{2} | 1+\sqrt{2},1-\sqrt{2} | 1-\sqrt2, 1+\sqrt2 | 1±\sqrt{2}
\pm 3 | 3,-3 | -3, 3 | ±3
(1,2),(3,4) | (3,4),(1,2) | (3, 4), (1, 2) | (1,2) and (3,4)
\begin{pmatrix}1&2\\3&4\end{pmatrix} | \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} | \begin{pmatrix}1&\frac{4}{2}\\3&4\end{pmatrix} | \begin{pmatrix}1&2\\3&4\\\end{pmatrix}
B | (B) | b | (b) | B) | b) | \text{B} | \text{(B)} | **B** | B. | $B$ | (B) Paris
A | a | (A) | \boxed{A}
C | c | (C).
F | f
yes | Yes | YES | **yes** | yes.
\text{even} | even | Even | EVEN
Monday | monday | \text{Monday}
90^\circ | 90 | 90° | 90 degrees
5 cm | 5 | 5\text{ cm} | 5 \mathrm{cm}
1011_2 | 1011_2
x \le 3 | x\leq 3 | x ≤ 3
3:2 | 3:2
`

// wrong are answers that are not that of the line's first column.
const wrong = `
42 | 43 | 24 | -42 | 4.2 | 42.1 | 420 | 4,2 | 42,42 | (42,1) | forty | x | | \frac{42}{2} | 42^2
1234 | 1,23 | 123.4 | 12,34
0.5 | 0.51 | 1/3 | 5 | -0.5 | 2 | \frac{2}{1} | 1/2,1/2
1/3 | 0.33 | 0.333 | 3 | 0.3333
50% | 0.5 | 5
\pi | 3.14 | 3.1416 | 22/7 | 2\pi | \pi^2 | -\pi
2\sqrt{3} | 3\sqrt{2} | 2\sqrt{2} | \sqrt{3} | 2*3 | 3.46 | 23
\sqrt{2} | \sqrt{-2} | 2 | 1.414
x^2+2x+1 | x^2+2x | x^2-2x+1 | (x-1)^2 | y^2+2y+1 | x^2+2x+2 | x | 1
2x | x2x | 2y | x^2 | 2 | 2+x
(1,2) | (2,1) | [1,2] | (1,2] | 1,2 | {1,2} | (1,2,3) | (1,3) | 1 | 12
(0,1] | [0,1) | (0,1) | [0,1] | (0,1],(2,3] | 0,1
[0,\infty) | (0,\infty) | [0,-\infty) | [1,\infty) | \infty
(-\infty,2)\cup(3,\infty) | (-\infty,2) | (-\infty,2]\cup(3,\infty) | (-\infty,2)\cup(4,\infty)
1,2 | 1,3 | 1 | 1,2,3 | 1,1 | 12 | 1,2,2
1\pm\sqrt{2} | 1+\sqrt{2} | 1\pm\sqrt{3} | \pm\sqrt{2} | 1-\sqrt{2}
\begin{pmatrix}1&2\\3&4\end{pmatrix} | \begin{pmatrix}1&3\\2&4\end{pmatrix} | \begin{pmatrix}1&2&3&4\end{pmatrix} | 1,2,3,4 | \begin{pmatrix}1&2\\3&5\end{pmatrix}
B | A | C | D | AB | Paris | (C) B | 2 | bad
C | 3 | (A) | see
yes | no | yes and no | y | sey
even | odd | never | neve
stop | pots | post
\ln 2 | \log 2 | 2 | \ln 3 | 0.693
|x| | x | -x
y=2x+1 | y=2x | x=2y+1 | y=2x-1
1011_2 | 1011 | 1011_3 | 11
3:2 | 2:3 | 3/2 | 32
\sqrt | \frac | x^ | (( | 1//2 | )( | \frac{1}{0}
x<3 | x>3 | x\le 3 | 3
`

func answers(table string) (lines [][]string) {
	for _, line := range strings.Split(strings.TrimSpace(table), "\n") {
		if strings.Contains(line, "|x") { // bars are written in the answers
			line = strings.ReplaceAll(line, " | ", "\x00")
		}
		parts := strings.Split(strings.ReplaceAll(line, " | ", "\x00"), "\x00")
		lines = append(lines, parts)
	}
	return lines
}

func TestGrade(t *testing.T) {
	cases := 0
	for _, line := range answers(right) {
		for _, got := range line {
			for _, want := range line[:1] {
				cases += 2
				if !Grade(got, want) {
					t.Errorf("Grade(%q, %q) = false", got, want)
				}
				if !Grade(want, got) {
					t.Errorf("Grade(%q, %q) = false, the other way round true", want, got)
				}
			}
		}
	}
	for _, line := range answers(wrong) {
		for _, got := range line[1:] {
			cases++
			if Grade(got, line[0]) {
				t.Errorf("Grade(%q, %q) = true", got, line[0])
			}
		}
	}
	if cases < 300 {
		t.Errorf("%d cases", cases)
	}
}

// TestGradeChoice: what is expected is a letter, what is given may say more.
func TestGradeChoice(t *testing.T) {
	for _, c := range []struct {
		got, want string
		right     bool
	}{
		{"B. Paris", "B", true}, {"B: 42", "B", true}, {"f. six", "F", true}, {"b) Paris", "B", true},
		{"A. B", "B", false}, {"Bob", "B", false}, {"B or C", "B", false}, {"", "B", false},
	} {
		if got := Grade(c.got, c.want); got != c.right {
			t.Errorf("Grade(%q, %q) = %v", c.got, c.want, got)
		}
	}
}

func TestGradeNothing(t *testing.T) {
	for _, s := range []string{"", " ", `\boxed{}`} {
		if Grade(s, s) || Grade(s, "1") || Grade("1", s) {
			t.Errorf("%q is an answer", s)
		}
	}
}

func FuzzGrade(f *testing.F) {
	for _, line := range append(answers(right), answers(wrong)...) {
		f.Add(line[0], line[len(line)-1])
	}
	f.Add(strings.Repeat("(", 200), strings.Repeat(`\frac`, 40))
	f.Add(strings.Repeat("-", 200)+"1", `\sqrt[`)
	f.Add("sinsinsinsin", "e^e^e^|")
	f.Fuzz(func(t *testing.T, a, b string) {
		if got, back := Grade(a, b), Grade(b, a); got != back && len(a) > 1 && len(b) > 1 {
			t.Errorf("Grade(%q, %q) = %v, the other way round %v", a, b, got, back)
		}
	})
}
