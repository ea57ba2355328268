package jinja

import (
	"math"
	"strings"
)

// arithmetic is a binary operator of Python's.
func (r *renderer) arithmetic(op string, a, b Value) Value {
	if t, ok := a.(Text); ok && op == "%" {
		return r.printf(t, b)
	}
	for _, v := range []Value{a, b} {
		if u, ok := v.(*undefined); ok {
			u.fail()
		}
	}
	if x, ok := whole(a); ok {
		if y, ok := whole(b); ok {
			return wholeArithmetic(op, x, y)
		}
	}
	if x, ok := asFloat(a); ok {
		if y, ok := asFloat(b); ok {
			return realArithmetic(op, x, y)
		}
	}
	switch op {
	case "+":
		if v, ok := r.join(a, b); ok {
			return v
		}
	case "*":
		if n, ok := whole(b); ok {
			if v, ok := r.times(a, n); ok {
				return v
			}
		}
		if n, ok := whole(a); ok {
			if v, ok := r.times(b, n); ok {
				return v
			}
		}
	}
	fail("%s cannot stand between a %s and a %s", op, typeName(a), typeName(b))
	return nil
}

// join is + of strings and of lists.
func (r *renderer) join(a, b Value) (Value, bool) {
	switch a := a.(type) {
	case Text:
		b, ok := b.(Text)
		if !ok {
			return nil, false
		}
		if a.safe || b.safe {
			a, b = r.escaped(a), r.escaped(b)
		}
		sum := builder{r: r}
		sum.add(a)
		sum.add(b)
		t := sum.text()
		t.safe = a.safe
		return t, true
	case *List:
		b, ok := b.(*List)
		if !ok || a.tuple != b.tuple {
			return nil, false
		}
		r.chargeMany(len(a.items)+len(b.items), itemSize)
		items := make([]Value, 0, len(a.items)+len(b.items))
		return &List{append(append(items, a.items...), b.items...), a.tuple}, true
	}
	return nil, false
}

// times is * of a string or list.
func (r *renderer) times(v Value, n int64) (Value, bool) {
	n = min(max(n, 0), math.MaxInt32)
	switch v := v.(type) {
	case Text:
		b := builder{r: r}
		if v.s != "" {
			b.repeat(v, int(n))
		}
		t := b.text()
		t.safe = v.safe
		return t, true
	case *List:
		product := &List{tuple: v.tuple}
		if len(v.items) > 0 {
			r.chargeMany(int(n), len(v.items)*itemSize)
			for range n {
				product.items = append(product.items, v.items...)
			}
		}
		return product, true
	}
	return nil, false
}

func wholeArithmetic(op string, x, y int64) Value {
	switch op {
	case "+":
		if sum := x + y; (sum > x) == (y > 0) {
			return sum
		}
	case "-":
		if difference := x - y; (difference < x) == (y > 0) {
			return difference
		}
	case "*":
		if x == 0 || y == 0 {
			return int64(0)
		}
		if product := x * y; product/y == x && !(x == math.MinInt64 && y == -1) && !(y == math.MinInt64 && x == -1) {
			return product
		}
	case "/":
		return realArithmetic(op, float64(x), float64(y))
	case "//", "%":
		if y == 0 {
			fail("division by zero")
		}
		if x == math.MinInt64 && y == -1 {
			break
		}
		quotient, rest := x/y, x%y
		if rest != 0 && (rest < 0) != (y < 0) {
			quotient, rest = quotient-1, rest+y
		}
		if op == "%" {
			return rest
		}
		return quotient
	case "**":
		if y < 0 {
			return realArithmetic(op, float64(x), float64(y))
		}
		return power(x, y)
	}
	fail("the result of %d %s %d is too large", x, op, y)
	return nil
}

// power is x to a y that is not negative.
func power(x, y int64) Value {
	if x == 0 || x == 1 || x == -1 {
		y = min(y, 2+y%2)
	}
	result := int64(1)
	for range y {
		product := result * x
		if x != 0 && product/x != result {
			fail("the result of %d ** %d is too large", x, y)
		}
		result = product
	}
	return result
}

func realArithmetic(op string, x, y float64) Value {
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "**":
		if x < 0 && y != math.Trunc(y) {
			fail("the result is not a real number")
		}
		if x == 0 && y < 0 {
			fail("division by zero")
		}
		result := math.Pow(x, y)
		if math.IsInf(result, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
			fail("the result is too large")
		}
		return result
	}
	if y == 0 {
		fail("division by zero")
	}
	if op == "/" {
		return x / y
	}
	rest := math.Mod(x, y)
	if rest != 0 && (rest < 0) != (y < 0) {
		rest += y
	}
	if op == "%" {
		if rest == 0 {
			return math.Copysign(0, y)
		}
		return rest
	}
	return math.Round((x - rest) / y)
}

// negate is a unary operator.
func negate(op string, v Value) Value {
	if u, ok := v.(*undefined); ok {
		u.fail()
	}
	if i, ok := whole(v); ok {
		switch {
		case op == "+":
			return i
		case i == math.MinInt64:
			fail("the result is too large")
		}
		return -i
	}
	if f, ok := v.(float64); ok {
		if op == "+" {
			return f
		}
		return -f
	}
	if i, ok := v.(integer); ok {
		if op == "+" {
			return i
		}
		if digits, ok := strings.CutPrefix(string(i), "-"); ok {
			return integer(digits)
		}
		return "-" + i
	}
	fail("%s cannot stand before a %s", op, typeName(v))
	return nil
}
