package jinja

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Filters of numbers.

func absolute(_ *renderer, v Value, a args) Value {
	a.bind()
	if f, ok := v.(float64); ok {
		return math.Abs(f)
	}
	i, ok := whole(v)
	if !ok {
		fail("a %s has no absolute value", typeName(v))
	}
	if i < 0 {
		return negate("-", i)
	}
	return i
}

// parseInt is Python's int of a string in a base from 2 to 36, or 0.
func parseInt(s string, base int) (Value, bool) {
	s = strings.TrimFunc(s, isSpace)
	if strings.HasPrefix(s, "_") || strings.HasSuffix(s, "_") || strings.Contains(s, "__") {
		return nil, false
	}
	digits := strings.ReplaceAll(s, "_", "")
	if prefix := strings.TrimLeft(strings.ToLower(digits), "+-"); len(prefix) > 2 && prefix[0] == '0' {
		if map[byte]int{'x': 16, 'o': 8, 'b': 2}[prefix[1]] == base {
			digits = strings.Replace(digits, digits[len(digits)-len(prefix):][:2], "", 1)
		}
	}
	i, err := strconv.ParseInt(digits, base, 64)
	if err == nil {
		return i, true
	}
	if len(digits) > maxDigits {
		return nil, false
	}
	n, ok := new(big.Int).SetString(digits, base)
	if !ok {
		return nil, false
	}
	return integer(n.String()), true
}

// parseFloat is Python's float of a string.
func parseFloat(s string) (float64, bool) {
	s = strings.TrimFunc(s, isSpace)
	if strings.ContainsAny(s, "xXpP") { // Go's hexadecimal floats
		return 0, false
	}
	if strings.HasPrefix(s, "_") || strings.HasSuffix(s, "_") || strings.Contains(s, "__") {
		return 0, false
	}
	if strings.EqualFold(s, "-nan") || strings.EqualFold(s, "+nan") {
		return math.NaN(), true
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	return f, err == nil || math.IsInf(f, 0)
}

func truncated(f float64) (Value, bool) {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return nil, false
	case math.Abs(f) < 1<<63:
		return int64(f), true
	}
	n, _ := big.NewFloat(f).Int(nil)
	return integer(n.String()), true
}

func toInt(r *renderer, v Value, a args) Value {
	p := a.bind("default", "base")
	var f float64
	switch v := v.(type) {
	case *undefined:
		v.fail()
	case integer:
		return v
	case Text:
		base := p.whole(1, 10)
		r.scan(len(v.s))
		if base < 0 || base == 1 || base > 36 {
			fail("there are no digits of base %d", base)
		}
		if i, ok := parseInt(v.s, base); ok {
			return i
		}
		var ok bool
		if f, ok = parseFloat(v.s); !ok {
			return p.or(0, int64(0))
		}
	default:
		if i, ok := whole(v); ok {
			return i
		}
		var ok bool
		if f, ok = v.(float64); !ok {
			return p.or(0, int64(0))
		}
		if math.IsInf(f, 0) {
			fail("infinity is no integer")
		}
	}
	if i, ok := truncated(f); ok {
		return i
	}
	return p.or(0, int64(0))
}

func toFloat(r *renderer, v Value, a args) Value {
	p := a.bind("default")
	switch v := v.(type) {
	case *undefined:
		v.fail()
	case Text:
		r.scan(len(v.s))
		if f, ok := parseFloat(v.s); ok {
			return f
		}
	default:
		if f, ok := asFloat(v); ok {
			return f
		}
	}
	return p.or(0, 0.0)
}

func round(_ *renderer, v Value, a args) Value {
	p := a.bind("precision", "method")
	precision, method := p.whole(0, 0), p.textOr(1, "common").s
	if i, ok := v.(integer); ok {
		return i
	}
	f, ok := asFloat(v)
	if !ok {
		fail("a %s cannot be rounded", typeName(v))
	}
	_, isFloat := v.(float64)
	scale := math.Pow(10, float64(precision))
	switch method {
	case "common":
		switch {
		case !isFloat && precision >= 0:
			i, _ := whole(v)
			return i
		case !isFloat:
			return int64(math.RoundToEven(f*scale) / scale)
		case precision >= 0 && precision < 400:
			rounded, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', precision, 64), 64)
			return rounded
		case precision >= 400:
			return f
		}
		return math.RoundToEven(f*scale) / scale
	case "ceil":
		return math.Ceil(f*scale) / scale
	case "floor":
		return math.Floor(f*scale) / scale
	}
	fail("the method is %q; want common, ceil or floor", excerpt(method))
	return nil
}

func fileSize(r *renderer, v Value, a args) Value {
	binary := a.bind("binary").truth(0, false)
	size := toFloat(r, v, args{}).(float64)
	base, units := 1000.0, []string{"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"}
	if binary {
		base, units = 1024, []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"}
	}
	switch {
	case size == 1:
		return Own("1 Byte")
	case size < base:
		return Own(fmt.Sprintf("%d Bytes", int64(size)))
	}
	unit := base
	for i, name := range units {
		if unit *= base; size < unit || i == len(units)-1 {
			return Own(fmt.Sprintf("%.1f %s", base*size/unit, name))
		}
	}
	return nil
}
