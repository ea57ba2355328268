package constrain

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

const (
	maxWhole    = 19 // digits before the point
	maxFraction = 17 // behind it
)

var (
	digit   = between('0', '9')
	nonzero = between('1', '9')

	// wholeDigits is a number of digits without a zero in front.
	wholeDigits = alternate{exactly("0"), concat{nonzero, times(digit, 0, maxWhole-1)}}
	minus       = optional(exactly("-"))

	anyInteger = must(compileRegex(concat{minus, wholeDigits}, false, nil))
	anyNumber  = must(compileRegex(concat{
		minus, wholeDigits,
		optional(concat{exactly("."), times(digit, 1, maxFraction)}),
		optional(concat{oneChar("eE"), optional(oneChar("+-")), times(digit, 1, 2)}),
	}, false, nil))
)

// bounds is what minimum, maximum and their exclusive forms ask for; nil: nothing.
type bounds struct {
	low, high                   *big.Rat
	lowExclusive, highExclusive bool
}

func (b *bounds) none() bool { return b.low == nil && b.high == nil }

// atLeast and atMost tighten a bound.
func (b *bounds) atLeast(x *big.Rat, exclusive bool) {
	c := 1
	if b.low != nil {
		c = x.Cmp(b.low)
	}
	if c > 0 {
		b.low, b.lowExclusive = x, exclusive
	} else if c == 0 {
		b.lowExclusive = b.lowExclusive || exclusive
	}
}

func (b *bounds) atMost(x *big.Rat, exclusive bool) {
	c := -1
	if b.high != nil {
		c = x.Cmp(b.high)
	}
	if c < 0 {
		b.high, b.highExclusive = x, exclusive
	} else if c == 0 {
		b.highExclusive = b.highExclusive || exclusive
	}
}

// parseBound reads the number of a bound, of up to 18 digits before the point and
// maxFraction behind it.
func parseBound(text string) (*big.Rat, error) {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || len(text) > 60 || x > 1e18 || x < -1e18 {
		return nil, fmt.Errorf("%w: a bound of %.60s; want one between -1e18 and 1e18", ErrUnsupported, text)
	}
	if _, exponent, ok := strings.Cut(strings.ToLower(text), "e"); ok {
		if n, err := strconv.Atoi(exponent); err != nil || n < -maxFraction || n > 18 {
			return nil, fmt.Errorf("%w: a bound of %s, with an exponent beyond %d and 18", ErrUnsupported, text, -maxFraction)
		}
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, fmt.Errorf("%q is no number", text)
	}
	scaled := new(big.Rat).Mul(r, new(big.Rat).SetInt(power(maxFraction)))
	if !scaled.IsInt() {
		return nil, fmt.Errorf("%w: a bound of %s, with more than %d digits behind the point", ErrUnsupported, text, maxFraction)
	}
	return r, nil
}

func power(n int64) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil) }

// integersWithin is the automaton of the integers within bounds.
func integersWithin(b bounds, spent *budget) (*dfa, error) {
	if b.none() {
		return anyInteger, nil
	}
	limit := new(big.Int).Sub(power(maxWhole), big.NewInt(1))
	low, high := new(big.Int).Neg(limit), limit
	one := big.NewInt(1)
	if b.low != nil {
		low = ceiling(b.low)
		if b.lowExclusive && b.low.IsInt() {
			low.Add(low, one)
		}
	}
	if b.high != nil {
		high = new(big.Int).Neg(ceiling(new(big.Rat).Neg(b.high)))
		if b.highExclusive && b.high.IsInt() {
			high.Sub(high, one)
		}
	}
	if low.Cmp(high) > 0 {
		return nil, errEmpty
	}
	var all alternate
	if low.Sign() < 0 {
		least := one
		if high.Sign() < 0 {
			least = new(big.Int).Neg(high)
		}
		all = append(all, concat{exactly("-"), wholeBetween(least, new(big.Int).Neg(low))})
	}
	if high.Sign() >= 0 {
		least := new(big.Int)
		if low.Sign() > 0 {
			least = low
		}
		all = append(all, wholeBetween(least, high))
	}
	return compileRegex(all, false, spent)
}

// ceiling is the least integer that is not below x.
func ceiling(x *big.Rat) *big.Int {
	q, m := new(big.Int).DivMod(x.Num(), x.Denom(), new(big.Int)) // Euclidean: m >= 0
	if m.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	return q
}

// wholeBetween is the whole numbers from lo to hi, which are not negative.
func wholeBetween(lo, hi *big.Int) regex {
	var all alternate
	a, b := lo.String(), hi.String()
	for n := len(a); n <= len(b); n++ {
		from, to := "1"+strings.Repeat("0", n-1), strings.Repeat("9", n)
		if n == len(a) {
			from = a
		}
		if n == len(b) {
			to = b
		}
		all = append(all, digitsBetween(from, to))
	}
	return all
}

// digitsBetween is the runs of digits from a to b, which are as long.
func digitsBetween(a, b string) regex {
	if a == "" {
		return concat{}
	}
	if strings.Trim(a, "0") == "" && strings.Trim(b, "9") == "" {
		return times(digit, len(a), len(a))
	}
	x, y, n := rune(a[0]), rune(b[0]), len(a)-1
	if x == y {
		return concat{between(x, x), digitsBetween(a[1:], b[1:])}
	}
	all := alternate{
		concat{between(x, x), digitsBetween(a[1:], strings.Repeat("9", n))},
		concat{between(y, y), digitsBetween(strings.Repeat("0", n), b[1:])},
	}
	if x+1 < y {
		all = append(all, concat{between(x+1, y-1), times(digit, n, n)})
	}
	return all
}

// numbersWithin is the automaton of the numbers within bounds, without exponents if
// there are bounds.
func numbersWithin(b bounds, spent *budget) (*dfa, error) {
	if b.none() {
		return anyNumber, nil
	}
	if b.low != nil && b.high != nil {
		if c := b.low.Cmp(b.high); c > 0 || c == 0 && (b.lowExclusive || b.highExclusive) {
			return nil, errEmpty
		}
	}
	zero := new(big.Rat)
	var parts []*dfa
	// side is the numbers that are not negative from low to high, nil for no bound.
	side := func(sign string, low, high *big.Rat, lowExclusive, highExclusive bool) error {
		if high != nil && high.Sign() < 0 {
			return nil
		}
		if low == nil || low.Sign() < 0 {
			low, lowExclusive = zero, false
		}
		d, err := compileRegex(concat{exactly(sign), decimalsFrom(low, lowExclusive)}, false, spent)
		if err == nil && high != nil {
			var below *dfa
			if below, err = compileRegex(concat{exactly(sign), decimalsTo(high, highExclusive)}, false, spent); err == nil {
				d, err = intersect(d, below, spent)
			}
		}
		switch {
		case errors.Is(err, errEmpty):
			return nil
		case err == nil:
			parts = append(parts, d)
		}
		return err
	}
	if err := side("", b.low, b.high, b.lowExclusive, b.highExclusive); err != nil {
		return nil, err
	}
	if b.low == nil || b.low.Sign() < 0 {
		if err := side("-", negated(b.high), negated(b.low), b.highExclusive, b.lowExclusive); err != nil {
			return nil, err
		}
	}
	return union(parts, spent)
}

func negated(x *big.Rat) *big.Rat {
	if x == nil {
		return nil
	}
	return new(big.Rat).Neg(x)
}

// decimal is a number that is not negative as digits before and behind the point,
// without zeros at the end.
func decimal(x *big.Rat) (whole *big.Int, fraction string) {
	text := x.FloatString(maxFraction)
	before, behind, _ := strings.Cut(text, ".")
	whole, _ = new(big.Int).SetString(before, 10)
	return whole, strings.TrimRight(behind, "0")
}

// someFraction is a point and any digits, or nothing.
var someFraction = optional(concat{exactly("."), times(digit, 1, maxFraction)})

// decimalsFrom is the numbers from x on, or above it.
func decimalsFrom(x *big.Rat, exclusive bool) regex {
	whole, fraction := decimal(x)
	all := alternate{
		concat{wholeBetween(new(big.Int).Add(whole, big.NewInt(1)), new(big.Int).Sub(power(maxWhole), big.NewInt(1))), someFraction},
		concat{exactly(whole.String() + "."), fractionFrom(fraction, exclusive, maxFraction)},
	}
	if fraction == "" && !exclusive {
		all = append(all, exactly(whole.String()))
	}
	return all
}

// fractionFrom is the up to n digits behind a point that are at least f, or more.
func fractionFrom(f string, exclusive bool, n int) regex {
	if f == "" {
		if !exclusive {
			if n == maxFraction { // a point is followed by something
				return times(digit, 1, n)
			}
			return times(digit, 0, n)
		}
		var all alternate // zeros, something else, anything
		for zeros := range n {
			all = append(all, concat{exactly(strings.Repeat("0", zeros)), nonzero, times(digit, 0, n-zeros-1)})
		}
		return all
	}
	first := rune(f[0])
	all := alternate{concat{between(first, first), fractionFrom(f[1:], exclusive, n-1)}}
	if first < '9' {
		all = append(all, concat{between(first+1, '9'), times(digit, 0, n-1)})
	}
	return all
}

// decimalsTo is the numbers from 0 to x, or below it.
func decimalsTo(x *big.Rat, exclusive bool) regex {
	whole, fraction := decimal(x)
	var all alternate
	if whole.Sign() > 0 {
		all = append(all, concat{wholeBetween(new(big.Int), new(big.Int).Sub(whole, big.NewInt(1))), someFraction})
	}
	if fraction != "" || !exclusive {
		all = append(all, concat{exactly(whole.String()), optional(concat{exactly("."), fractionTo(fraction, exclusive, maxFraction)})})
	}
	return all
}

// fractionTo is the up to n digits behind a point that are at most f, or less;
// f has no zeros at the end, and is not empty if it is exclusive.
func fractionTo(f string, exclusive bool, n int) regex {
	if f == "" { // only more zeros
		if n == maxFraction {
			return times(exactly("0"), 1, n)
		}
		return times(exactly("0"), 0, n)
	}
	first := rune(f[0])
	var all alternate
	if first > '0' {
		all = append(all, concat{between('0', first-1), times(digit, 0, n-1)})
	}
	switch {
	case len(f) > 1: // what ends here is less
		all = append(all, concat{between(first, first), optional(fractionTo(f[1:], exclusive, n-1))})
	case !exclusive:
		all = append(all, concat{between(first, first), times(exactly("0"), 0, n-1)})
	}
	return all
}
