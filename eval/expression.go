package eval

import (
	"math"
	"strconv"
	"strings"
)

// sameValue reports whether two expressions have the same value wherever both have
// one: at a few fixed points, one number for each letter. It is false if either is
// no expression.
func sameValue(g, w string) bool {
	if wordy(g) || wordy(w) {
		return false
	}
	finite := 0
	for point := range 5 {
		x, okX := evaluate(g, point)
		y, okY := evaluate(w, point)
		if !okX || !okY {
			return false
		}
		if math.IsNaN(x) || math.IsInf(x, 0) || math.IsNaN(y) || math.IsInf(y, 0) {
			if math.IsNaN(x) != math.IsNaN(y) || math.IsInf(x, 0) != math.IsInf(y, 0) {
				return false
			}
			continue
		}
		if math.Abs(x-y) > 1e-9*max(1, math.Abs(x), math.Abs(y)) {
			return false
		}
		finite++
	}
	return finite > 0
}

// wordy reports whether s has a word in it that is no function: letters side by
// side are a product, and the letters of a word commute.
func wordy(s string) bool {
	run := 0
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			for i+1 < len(s) && isLetter(s[i+1]) {
				i++
			}
			run = 0
			continue
		}
		if name := functionAt(s[i:]); name != "" {
			i += len(name) - 1
			run = 0
			continue
		}
		if run++; !isLetter(s[i]) {
			run = 0
		}
		if run >= 3 {
			return true
		}
	}
	return false
}

// functions are those an expression may call, longest names first.
var functions = []struct {
	name string
	f    func(float64) float64
}{
	{"sqrt", math.Sqrt}, {"sin", math.Sin}, {"cos", math.Cos}, {"tan", math.Tan},
	{"log", math.Log10}, {"exp", math.Exp}, {"ln", math.Log},
}

// functionAt returns the name of the function that s begins with.
func functionAt(s string) string {
	for _, f := range functions {
		if strings.HasPrefix(s, f.name) {
			return f.name
		}
	}
	return ""
}

// evaluate computes an expression at a point; false if it is none. The grammar is
//
//	sum     = [ "+" | "-" ] product { ( "+" | "-" ) product }
//	product = power { [ "*" | "/" ] power }
//	power   = atom [ "!" ] [ "^" [ "-" ] atom ]
//	atom    = number | letter | "(" sum ")" | "{" sum "}" | "[" sum "]" | "|" sum "|"
//	        | \pi | \infty | \frac atom atom | \sqrt [ "[" sum "]" ] atom | function [ "^" atom ] power
//
// where e and \pi are the constants and an atom after \frac may be one digit.
func evaluate(s string, point int) (value float64, ok bool) {
	e := expression{s: s, point: point}
	value = e.sum()
	return value, !e.failed && e.at == len(s)
}

type expression struct {
	s      string
	at     int
	point  int
	depth  int
	bars   int // of absolute values that are open
	failed bool
}

func (e *expression) fail() float64 {
	e.failed = true
	return math.NaN()
}

// take moves past a text, if it comes next.
func (e *expression) take(text string) bool {
	if e.failed || !strings.HasPrefix(e.s[e.at:], text) {
		return false
	}
	e.at += len(text)
	return true
}

// command is take for a LaTeX command, which ends before the next letter's end.
func (e *expression) command(name string) bool {
	rest := e.s[e.at:]
	if !strings.HasPrefix(rest, name) || len(rest) > len(name) && isLetter(rest[len(name)]) {
		return false
	}
	return e.take(name)
}

func (e *expression) peek() byte {
	if e.failed || e.at >= len(e.s) {
		return 0
	}
	return e.s[e.at]
}

func (e *expression) sum() float64 {
	if e.depth++; e.depth > 50 {
		return e.fail()
	}
	defer func() { e.depth-- }()
	sign := 1.0
	if e.take("-") {
		sign = -1
	} else {
		e.take("+")
	}
	x := sign * e.product()
	for !e.failed {
		switch {
		case e.take("+"):
			x += e.product()
		case e.take("-"):
			x -= e.product()
		default:
			return x
		}
	}
	return x
}

func (e *expression) product() float64 {
	x := e.power()
	for !e.failed {
		switch {
		case e.take("*"):
			x *= e.power()
		case e.take("/"):
			x /= e.power()
		case e.begins():
			x *= e.power()
		default:
			return x
		}
	}
	return x
}

// begins reports whether an atom comes next, as a factor without a sign.
func (e *expression) begins() bool {
	c := e.peek()
	return isLetter(c) || isDigit(c) || c == '(' || c == '{' || c == '[' || c == '\\' || c == '|' && e.bars == 0
}

func (e *expression) power() float64 {
	x := e.atom()
	if e.take("!") {
		x = math.Gamma(x + 1)
	}
	if e.take("^") {
		sign := 1.0
		if e.take("-") {
			sign = -1
		}
		x = math.Pow(x, sign*e.atom())
	}
	return x
}

func (e *expression) atom() float64 {
	switch c := e.peek(); {
	case isDigit(c) || c == '.':
		return e.number()
	case c == '(':
		return e.bracket("(", ")")
	case c == '{':
		return e.bracket("{", "}")
	case c == '[':
		return e.bracket("[", "]")
	case c == '|' && e.bars == 0:
		e.bars++
		x := math.Abs(e.bracket("|", "|"))
		e.bars--
		return x
	case c == '\\':
		return e.latex()
	case functionAt(e.s[min(e.at, len(e.s)):]) != "":
		return e.call()
	case isLetter(c):
		e.at++
		return letter(c, e.point)
	}
	return e.fail()
}

// letter is the value of a variable at a point: 1 to 3 or, at every other point,
// -3 to -1; no two letters have the same.
func letter(c byte, point int) float64 {
	if c == 'e' {
		return math.E
	}
	_, fraction := math.Modf(float64(int(c)*(point+3)) * math.Phi)
	if point%2 == 1 {
		return -1 - 2*fraction
	}
	return 1 + 2*fraction
}

func (e *expression) number() float64 {
	start := e.at
	for isDigit(e.peek()) {
		e.at++
	}
	if e.peek() == '.' {
		e.at++
		for isDigit(e.peek()) {
			e.at++
		}
	}
	x, err := strconv.ParseFloat(e.s[start:e.at], 64)
	if err != nil {
		return e.fail()
	}
	return x
}

func (e *expression) bracket(open, shut string) float64 {
	e.take(open)
	x := e.sum()
	if !e.take(shut) {
		return e.fail()
	}
	return x
}

func (e *expression) latex() float64 {
	switch {
	case e.command(`\pi`):
		return math.Pi
	case e.command(`\infty`):
		return letter('\\', e.point)
	case e.take(`\frac`):
		x := e.argument()
		return x / e.argument()
	case e.take(`\sqrt`):
		root := 2.0
		if e.peek() == '[' {
			root = e.bracket("[", "]")
		}
		x := e.argument()
		if root == 2 {
			return math.Sqrt(x)
		}
		if x < 0 && math.Mod(root, 2) == 1 {
			return -math.Pow(-x, 1/root)
		}
		return math.Pow(x, 1/root)
	case e.take(`\`):
		if functionAt(e.s[e.at:]) != "" {
			return e.call()
		}
	}
	return e.fail()
}

// argument is what LaTeX takes as an argument: one sign, or what is in braces.
func (e *expression) argument() float64 {
	if c := e.peek(); isDigit(c) {
		e.at++
		return float64(c - '0')
	}
	return e.atom()
}

// call computes a function of the next power: \sin x, \sin^2(x), \ln{2}.
func (e *expression) call() float64 {
	name := functionAt(e.s[e.at:])
	e.at += len(name)
	exponent := 1.0
	if e.take("^") {
		exponent = e.argument()
	}
	if e.depth++; e.depth > 50 {
		return e.fail()
	}
	x := e.power()
	e.depth--
	for _, f := range functions {
		if f.name == name {
			return math.Pow(f.f(x), exponent)
		}
	}
	return e.fail()
}
