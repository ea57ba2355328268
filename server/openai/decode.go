package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a body: what schemas and arguments of tools need,
// and no more.
const maxDepth = 100

// object is a JSON object whose fields are taken one by one, each with its type
// and range. The first thing that is wrong stays in err; what is taken afterwards
// is of no use. A field that is null is as one that is not there.
type object struct {
	path   string // of the object with its dot, "messages[2].", "" at the top
	fields map[string]json.RawMessage
	err    *error
}

// parseObject reads a body.
func parseObject(body []byte) (object, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return object{}, Invalid("", "invalid_json", "The body is empty; it should be a JSON object.")
	}
	if !utf8.Valid(body) {
		return object{}, Invalid("", "invalid_utf8", "The body is not valid UTF-8.")
	}
	if err := checkDepth(body); err != nil {
		return object{}, err
	}
	o := object{err: new(error)}
	if err := json.Unmarshal(body, &o.fields); err != nil {
		if typeErr := (*json.UnmarshalTypeError)(nil); errors.As(err, &typeErr) {
			return object{}, Invalid("", "invalid_type", "The body is %s; it should be a JSON object.", article(typeErr.Value))
		}
		return object{}, Invalid("", "invalid_json", "The body could not be parsed as JSON: %s.", err)
	}
	if o.fields == nil {
		return object{}, Invalid("", "invalid_type", "The body is null; it should be a JSON object.")
	}
	return o, nil
}

// checkDepth bounds nesting before anything recurses into it.
func checkDepth(text []byte) error {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted:
			if c == '\\' {
				i++
			} else if c == '"' {
				quoted = false
			}
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return Invalid("", "too_deep", "The body is nested more than %d levels deep.", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// fail keeps the first error.
func (o object) fail(err *Error) {
	if *o.err == nil {
		*o.err = err
	}
}

// wrong says that a field is of another type.
func (o object) wrong(name, want string) {
	o.fail(Invalid(o.path+name, "invalid_type", "Invalid type for '%s%s': expected %s, but got %s instead.", o.path, name, want, kind(o.fields[name])))
}

// invalid says that the value of a field makes no sense.
func (o object) invalid(name, code, format string, args ...any) {
	o.fail(Invalid(o.path+name, code, "Invalid '%s%s': %s", o.path, name, fmt.Sprintf(format, args...)))
}

// missing says that a field should be there.
func (o object) missing(name string) {
	o.fail(Invalid(o.path+name, "missing_required_parameter", "Missing required parameter: '%s%s'.", o.path, name))
}

// has reports whether a field is there.
func (o object) has(name string) bool {
	v, ok := o.fields[name]
	return ok && string(v) != "null"
}

// text takes a string, "" if there is none.
func (o object) text(name string) (s string) {
	if o.has(name) && json.Unmarshal(o.fields[name], &s) != nil {
		o.wrong(name, "a string")
	}
	return s
}

// required takes a string that must be there and not be empty.
func (o object) required(name string) string {
	s := o.text(name)
	if !o.has(name) {
		o.missing(name)
	} else if s == "" {
		o.invalid(name, "empty_string", "it is empty.")
	}
	return s
}

// flag takes a boolean, false if there is none.
func (o object) flag(name string) (b bool) {
	if o.has(name) && json.Unmarshal(o.fields[name], &b) != nil {
		o.wrong(name, "a boolean")
	}
	return b
}

// decimal takes a number between low and high, nil if there is none.
func (o object) decimal(name string, low, high float64) *float64 {
	if !o.has(name) {
		return nil
	}
	raw := o.fields[name]
	if kind(raw) != "a number" {
		o.wrong(name, "a number")
		return nil
	}
	v, err := strconv.ParseFloat(string(raw), 64)
	switch {
	case err != nil: // out of range of all numbers
		o.invalid(name, "decimal_out_of_range", "%s is not a number that can be used.", cut(raw))
		return nil
	case v < low:
		o.invalid(name, "decimal_below_min_value", "decimal below minimum value. Expected a value >= %v, but got %s instead.", low, cut(raw))
	case v > high:
		o.invalid(name, "decimal_above_max_value", "decimal above maximum value. Expected a value <= %v, but got %s instead.", high, cut(raw))
	}
	return &v
}

// integer takes a whole number between low and high, nil if there is none.
func (o object) integer(name string, low, high int64) *int64 {
	if !o.has(name) {
		return nil
	}
	raw := o.fields[name]
	if kind(raw) != "a number" {
		o.wrong(name, "an integer")
		return nil
	}
	v, err := whole(raw)
	beyond := errors.Is(err, strconv.ErrRange)
	switch {
	case beyond && raw[0] == '-', err == nil && v < low:
		o.invalid(name, "integer_below_min_value", "integer below minimum value. Expected a value >= %d, but got %s instead.", low, cut(raw))
	case beyond, err == nil && v > high:
		o.invalid(name, "integer_above_max_value", "integer above maximum value. Expected a value <= %d, but got %s instead.", high, cut(raw))
	case err != nil:
		o.fail(Invalid(o.path+name, "invalid_type", "Invalid type for '%s%s': expected an integer, but got %s instead.", o.path, name, cut(raw)))
		return nil
	}
	return &v
}

// whole reads a whole number, which some clients write as 3.0. The error is
// strconv.ErrRange for one that is no int64.
func whole(raw []byte) (int64, error) {
	v, err := strconv.ParseInt(string(raw), 10, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) {
		return v, err
	}
	x, err := strconv.ParseFloat(string(raw), 64)
	switch {
	case err != nil:
		return 0, err
	case x != math.Trunc(x):
		return 0, strconv.ErrSyntax
	case math.Abs(x) > 1<<53:
		return 0, strconv.ErrRange
	}
	return int64(x), nil
}

// child takes an object, ok if there is one.
func (o object) child(name string) (c object, ok bool) {
	if !o.has(name) {
		return c, false
	}
	c = object{path: o.path + name + ".", err: o.err}
	if json.Unmarshal(o.fields[name], &c.fields) != nil {
		o.wrong(name, "an object")
		return c, false
	}
	return c, true
}

// list takes an array of at most limit values, nil if there is none.
func (o object) list(name string, limit int) (values []json.RawMessage) {
	if !o.has(name) {
		return nil
	}
	if json.Unmarshal(o.fields[name], &values) != nil {
		o.wrong(name, "an array")
		return nil
	}
	if len(values) > limit {
		o.invalid(name, "array_above_max_length", "array too long. Expected an array with maximum length %d, but got an array with length %d instead.", limit, len(values))
		return nil
	}
	return values
}

// at is value i of an array as an object; one that is none is an error.
func (o object) at(name string, i int, raw json.RawMessage) object {
	c := object{path: fmt.Sprintf("%s%s[%d].", o.path, name, i), err: o.err}
	if json.Unmarshal(raw, &c.fields) != nil || c.fields == nil {
		o.fail(Invalid(fmt.Sprintf("%s%s[%d]", o.path, name, i), "invalid_type", "Invalid type for '%s%s[%d]': expected an object, but got %s instead.", o.path, name, i, kind(raw)))
	}
	return c
}

// texts takes a string or an array of strings, none of them empty.
func (o object) texts(name string, limit int) []string {
	if !o.has(name) {
		return nil
	}
	var one string
	if json.Unmarshal(o.fields[name], &one) == nil {
		if one == "" {
			o.invalid(name, "empty_string", "it is empty.")
		}
		return []string{one}
	}
	if kind(o.fields[name]) != "an array" {
		o.wrong(name, "a string or an array of strings")
		return nil
	}
	var texts []string
	for i, raw := range o.list(name, limit) {
		if json.Unmarshal(raw, &one) != nil || string(raw) == "null" {
			o.fail(Invalid(fmt.Sprintf("%s%s[%d]", o.path, name, i), "invalid_type", "Invalid type for '%s%s[%d]': expected a string, but got %s instead.", o.path, name, i, kind(raw)))
			return nil
		}
		if one == "" {
			o.invalid(fmt.Sprintf("%s[%d]", name, i), "empty_string", "it is empty.")
		}
		texts = append(texts, one)
	}
	return texts
}

// ids takes an array of token ids.
func (o object) ids(name string, raw json.RawMessage, limit int) []int32 {
	var values []json.RawMessage
	if json.Unmarshal(raw, &values) != nil {
		o.wrong(name, "an array of token ids")
		return nil
	}
	if len(values) > limit {
		o.invalid(name, "array_above_max_length", "array too long. Expected at most %d token ids, but got %d.", limit, len(values))
		return nil
	}
	ids := make([]int32, len(values))
	for i, raw := range values {
		v, err := whole(raw)
		if err != nil || v < 0 || v > math.MaxInt32 {
			o.invalid(fmt.Sprintf("%s[%d]", name, i), "invalid_token", "%s is not a token id.", cut(raw))
			return nil
		}
		ids[i] = int32(v)
	}
	return ids
}

// kind is the type of a JSON value, in words.
func kind(raw []byte) string {
	if len(raw) == 0 {
		return "nothing"
	}
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// article is a type as encoding/json names it, as it is said in a sentence.
func article(t string) string {
	switch t {
	case "array":
		return "an array"
	case "bool":
		return "a boolean"
	}
	return "a " + t
}

// cut is a value, short enough for a message.
func cut(raw []byte) string {
	const most = 40
	if len(raw) > most {
		return string(raw[:most]) + "…"
	}
	return string(raw)
}
