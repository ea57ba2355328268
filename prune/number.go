package prune

import (
	"math/big"
	"strconv"
	"strings"
)

// maxExponent bounds the powers of ten of a number in scientific notation: a
// trace may write 1e999999999.
const maxExponent = 100

// isNumber reports whether s is the canonical form of a number.
func isNumber(s string) bool {
	n, ok := parseNumber(s)
	return ok && n == s
}

// parseNumber returns the canonical form of the number that s is: a whole
// number, a decimal if it has a finite one, otherwise a reduced fraction. It
// understands signs, currency signs, thousands separators, %, fractions and mixed
// numbers, plain or LaTeX, powers of ten, and drops units.
func parseNumber(s string) (canonical string, ok bool) {
	s, negative := cutSign(s)
	for _, c := range []string{"$", "€", "£"} {
		if after, ok := strings.CutPrefix(s, c); ok {
			s = strings.TrimLeft(after, " ")
			if !negative {
				s, negative = cutSign(s)
			}
			break
		}
	}
	x, rest, ok := rational(s)
	if !ok {
		return "", false
	}
	if trimmed := strings.TrimLeft(rest, " "); strings.HasPrefix(trimmed, "%") {
		rest = trimmed[1:]
	}
	if rest != "" && !isUnit(rest) {
		return "", false
	}
	if negative {
		x.Neg(x)
	}
	return format(x), true
}

// sign returns the sign that s begins with.
func sign(s string) string {
	for _, sign := range []string{"-", "+", "\u2212"} {
		if strings.HasPrefix(s, sign) {
			return sign
		}
	}
	return ""
}

func cutSign(s string) (rest string, negative bool) {
	c := sign(s)
	if c == "" {
		return s, false
	}
	return strings.TrimLeft(s[len(c):], " "), c != "+"
}

// rational reads an unsigned number from the beginning of s.
func rational(s string) (x *big.Rat, rest string, ok bool) {
	if strings.HasPrefix(s, `\frac`) {
		return latexFraction(s)
	}
	x, rest, whole, ok := decimal(s)
	if !ok {
		return nil, s, false
	}
	if whole {
		if strings.HasPrefix(rest, `\frac`) {
			if part, rest, ok := latexFraction(rest); ok {
				return x.Add(x, part), rest, true
			}
			return nil, s, false
		}
		if y, after, ok := denominator(rest); ok {
			return x.Quo(x, y), after, true
		}
		if after, ok := strings.CutPrefix(rest, " "); ok { // 1 1/2
			if y, after, whole, ok := decimal(after); ok && whole {
				if z, after, ok := denominator(after); ok {
					return x.Add(x, y.Quo(y, z)), after, true
				}
			}
		}
	}
	if n, after, ok := powerOfTen(rest); ok {
		p := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(n, -n))), nil))
		if n < 0 {
			return x.Quo(x, p), after, true
		}
		return x.Mul(x, p), after, true
	}
	return x, rest, true
}

// decimal reads digits, with or without thousands separators and a fraction.
func decimal(s string) (x *big.Rat, rest string, whole, ok bool) {
	i := digits(s, 0)
	grouped := 1 <= i && i <= 3 && i < len(s) && s[i] == ','
	for grouped && i+3 < len(s) && s[i] == ',' && digits(s, i+1) == i+4 {
		i += 4
	}
	whole = true
	if i < len(s) && s[i] == '.' {
		if end := digits(s, i+1); end > i+1 {
			i, whole = end, false
		}
	}
	if i == 0 {
		return nil, s, false, false
	}
	x, ok = new(big.Rat).SetString(strings.ReplaceAll(s[:i], ",", ""))
	return x, s[i:], whole, ok
}

// denominator reads "/ 2".
func denominator(s string) (x *big.Rat, rest string, ok bool) {
	after, ok := strings.CutPrefix(strings.TrimLeft(s, " "), "/")
	if !ok {
		return nil, s, false
	}
	x, rest, whole, ok := decimal(strings.TrimLeft(after, " "))
	if !ok || !whole || x.Sign() == 0 {
		return nil, s, false
	}
	return x, rest, true
}

// latexFraction reads \frac{1}{2} or \frac12.
func latexFraction(s string) (x *big.Rat, rest string, ok bool) {
	rest = strings.TrimPrefix(s, `\frac`)
	var parts [2]*big.Rat
	for i := range parts {
		var arg string
		rest = strings.TrimLeft(rest, " ")
		if n := closingBrace(rest); n > 0 {
			arg, rest = rest[1:n], rest[n+1:]
		} else if rest != "" && isDigit(rest[0]) {
			arg, rest = rest[:1], rest[1:]
		}
		arg, negative := cutSign(strings.TrimSpace(arg))
		v, after, _, ok := decimal(arg)
		if !ok || after != "" {
			return nil, s, false
		}
		if negative {
			v.Neg(v)
		}
		parts[i] = v
	}
	if parts[1].Sign() == 0 {
		return nil, s, false
	}
	return parts[0].Quo(parts[0], parts[1]), rest, true
}

// powerOfTen reads e5, E-5, \times 10^{5}, × 10^5 or * 10^5.
func powerOfTen(s string) (n int, rest string, ok bool) {
	if s != "" && s[0]|0x20 == 'e' {
		return exponent(s[1:])
	}
	s = strings.TrimLeft(s, " ")
	for _, times := range []string{`\times`, `\cdot`, "×", "*", "x"} {
		after, ok := strings.CutPrefix(s, times)
		if !ok {
			continue
		}
		if s, ok = strings.CutPrefix(strings.TrimLeft(after, " "), "10^"); !ok {
			break
		}
		if end := closingBrace(s); end > 0 {
			n, rest, ok = exponent(s[1:end])
			return n, s[end+1:], ok && rest == ""
		}
		return exponent(s)
	}
	return 0, s, false
}

// exponent reads a whole number of at most maxExponent.
func exponent(s string) (n int, rest string, ok bool) {
	s, negative := cutSign(s)
	end := digits(s, 0)
	n, err := strconv.Atoi(s[:end])
	if err != nil || n > maxExponent {
		return 0, s, false
	}
	if negative {
		n = -n
	}
	return n, s[end:], true
}

// format writes x in canonical form.
func format(x *big.Rat) string {
	if x.IsInt() {
		return x.Num().String()
	}
	// 2^a 5^b has a decimal form of max(a, b) places.
	rest := new(big.Int).Set(x.Denom())
	places := 0
	for _, prime := range []int64{2, 5} {
		p, q, r, n := big.NewInt(prime), new(big.Int), new(big.Int), 0
		for q.QuoRem(rest, p, r); r.Sign() == 0; q.QuoRem(rest, p, r) {
			rest.Set(q)
			n++
		}
		places = max(places, n)
	}
	if rest.IsInt64() && rest.Int64() == 1 {
		return x.FloatString(places)
	}
	return x.RatString()
}

// attached are units that may follow a number without a blank: 3x is algebra.
var attached = map[string]bool{
	"cm": true, "mm": true, "km": true, "kg": true, "mg": true, "ml": true, "mL": true,
	"mph": true, "ft": true, "lb": true, "lbs": true, "hrs": true, "min": true,
}

// letters are the units of one letter.
var letters = map[string]bool{"m": true, "g": true, "s": true, "h": true, "l": true, "L": true}

// notUnits are words after which a number is not what it was.
var notUnits = map[string]bool{
	"and": true, "or": true, "to": true, "pi": true, "times": true, "plus": true, "minus": true,
	"divided": true, "mod": true, "modulo": true, "over": true, "hundred": true, "thousand": true,
	"million": true, "billion": true, "trillion": true, "dozen": true, "half": true, "am": true,
	"pm": true, "if": true, "is": true, "sqrt": true, "less": true, "more": true,
}

// isUnit reports whether what follows a number is a unit of measure or the name
// of what was counted, such that the number alone is the answer.
func isUnit(s string) bool {
	if attached[s] {
		return true
	}
	rest, ok := strings.CutPrefix(s, " ")
	if !ok {
		return false
	}
	for i, word := range strings.Fields(rest) {
		name := strings.TrimRight(word, ".,")
		if base, power, ok := strings.Cut(name, "^"); ok && (power == "2" || power == "3" || power == "{2}" || power == "{3}") {
			name = base
		}
		if name == "" || notUnits[lower(name)] || i == 0 && len(name) == 1 && !letters[name] {
			return false
		}
		for j := 0; j < len(name); j++ {
			if c := name[j]; !isLetter(c) && c < 0x80 && (c != '/' && c != '-' && c != '\'' || j == 0 && c != '/') {
				return false
			}
		}
	}
	return true
}
