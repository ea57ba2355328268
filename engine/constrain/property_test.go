package constrain

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// valid is a small validator of its own, on decoded values. It says why a value
// does not satisfy a schema, "" if it does.
func valid(root, schema, v any) string {
	s, ok := schema.(map[string]any)
	if !ok {
		if schema.(bool) {
			return ""
		}
		return "false"
	}
	if ref, ok := s["$ref"].(string); ok {
		target := root
		for _, part := range strings.Split(strings.TrimPrefix(ref, "#"), "/")[1:] {
			target = target.(map[string]any)[part]
		}
		if why := valid(root, target, v); why != "" {
			return why
		}
	}
	if list, ok := s["allOf"].([]any); ok {
		for _, sub := range list {
			if why := valid(root, sub, v); why != "" {
				return why
			}
		}
	}
	if list, ok := s["anyOf"].([]any); ok {
		if !slices.ContainsFunc(list, func(sub any) bool { return valid(root, sub, v) == "" }) {
			return fmt.Sprintf("anyOf: %v", v)
		}
	}
	if list, ok := s["enum"].([]any); ok {
		text, _ := json.Marshal(v)
		if !slices.ContainsFunc(list, func(e any) bool { other, _ := json.Marshal(e); return string(text) == string(other) }) {
			return fmt.Sprintf("enum: %s", text)
		}
	}
	if t, ok := s["type"].(string); ok && !hasType(t, v) {
		return fmt.Sprintf("type %s: %v", t, v)
	}
	number := func(name string) (float64, bool) { x, ok := s[name].(float64); return x, ok }
	switch v := v.(type) {
	case float64:
		if x, ok := number("minimum"); ok && v < x {
			return fmt.Sprintf("minimum %v: %v", x, v)
		}
		if x, ok := number("maximum"); ok && v > x {
			return fmt.Sprintf("maximum %v: %v", x, v)
		}
		if x, ok := number("exclusiveMinimum"); ok && v <= x {
			return fmt.Sprintf("exclusiveMinimum %v: %v", x, v)
		}
		if x, ok := number("exclusiveMaximum"); ok && v >= x {
			return fmt.Sprintf("exclusiveMaximum %v: %v", x, v)
		}
	case string:
		n := float64(utf8.RuneCountInString(v))
		if x, ok := number("minLength"); ok && n < x {
			return fmt.Sprintf("minLength %v: %q", x, v)
		}
		if x, ok := number("maxLength"); ok && n > x {
			return fmt.Sprintf("maxLength %v: %q", x, v)
		}
		if p, ok := s["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(v) {
			return fmt.Sprintf("pattern %s: %q", p, v)
		}
	case []any:
		if x, ok := number("minItems"); ok && float64(len(v)) < x {
			return "minItems"
		}
		if x, ok := number("maxItems"); ok && float64(len(v)) > x {
			return "maxItems"
		}
		prefix, _ := s["prefixItems"].([]any)
		for i, item := range v {
			var sub any = true
			if i < len(prefix) {
				sub = prefix[i]
			} else if rest, ok := s["items"]; ok {
				sub = rest
			}
			if why := valid(root, sub, item); why != "" {
				return fmt.Sprintf("item %d: %s", i, why)
			}
		}
	case map[string]any:
		properties, _ := s["properties"].(map[string]any)
		required, _ := s["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				return fmt.Sprintf("required %s", name)
			}
		}
		for name, member := range v {
			sub, ok := properties[name]
			if !ok {
				if sub, ok = s["additionalProperties"]; !ok {
					sub = true
				}
			}
			if why := valid(root, sub, member); why != "" {
				return fmt.Sprintf("%s: %s", name, why)
			}
		}
	}
	return ""
}

func hasType(t string, v any) bool {
	switch v := v.(type) {
	case nil:
		return t == "null"
	case bool:
		return t == "boolean"
	case float64:
		return t == "number" || t == "integer" && v == math.Trunc(v)
	case string:
		return t == "string"
	case []any:
		return t == "array"
	}
	return t == "object"
}

// schemas makes random schemas.
type schemas struct{ *rand.Rand }

func (r schemas) maybe(m map[string]any, name string, value any) {
	if r.IntN(2) == 0 {
		m[name] = value
	}
}

func (r schemas) schema(depth int) any {
	kinds := 12
	if depth <= 0 {
		kinds = 7
	}
	switch r.IntN(kinds) {
	case 0:
		s := map[string]any{"type": "integer"}
		low := r.IntN(400) - 200
		r.maybe(s, "minimum", low)
		r.maybe(s, "maximum", low+r.IntN(300))
		return s
	case 1:
		s := map[string]any{"type": "number"}
		low := float64(r.IntN(4000)-2000) / 8
		r.maybe(s, []string{"minimum", "exclusiveMinimum"}[r.IntN(2)], low)
		r.maybe(s, []string{"maximum", "exclusiveMaximum"}[r.IntN(2)], low+float64(1+r.IntN(100))/16)
		return s
	case 2:
		s := map[string]any{"type": "string"}
		low := r.IntN(4)
		r.maybe(s, "minLength", low)
		r.maybe(s, "maxLength", low+r.IntN(12))
		return s
	case 3:
		return map[string]any{"type": "string", "pattern": []string{`^a+b?$`, `[0-9]{2}`, `^(x|"y\\)+$`, `^\w{1,5}-\d*$`, `é|^$`}[r.IntN(5)]}
	case 4:
		return map[string]any{"enum": []any{"a", "abc", 1.5, nil, true, []any{}, "é\"\n", map[string]any{"k": "v"}}[:1+r.IntN(8)]}
	case 5:
		return map[string]any{"type": []string{"null", "boolean"}[r.IntN(2)]}
	case 6:
		if r.IntN(4) == 0 {
			return true
		}
		return map[string]any{"type": "string", "maxLength": 3}
	case 7, 8:
		s := map[string]any{"type": "array", "items": r.schema(depth - 1)}
		low := r.IntN(3)
		r.maybe(s, "minItems", low)
		r.maybe(s, "maxItems", low+r.IntN(3))
		if r.IntN(3) == 0 {
			s["prefixItems"] = []any{r.schema(depth - 1), r.schema(0)}
		}
		return s
	case 9:
		return map[string]any{"anyOf": []any{r.schema(depth - 1), r.schema(depth - 1)}}
	}
	return r.object(depth)
}

var names = []string{"a", "ab", "b", "é", "q\"", "name"}

func (r schemas) object(depth int) any {
	properties := make(map[string]any)
	required := []any{}
	for _, i := range r.Perm(len(names))[:r.IntN(len(names))] {
		properties[names[i]] = r.schema(depth - 1)
		if r.IntN(2) == 0 {
			required = append(required, names[i])
		}
	}
	s := map[string]any{"type": "object", "properties": properties, "required": required}
	switch r.IntN(6) {
	case 0:
		s["additionalProperties"] = r.schema(depth - 1)
	case 1:
		properties["next"] = map[string]any{"anyOf": []any{map[string]any{"$ref": "#"}, map[string]any{"type": "null"}}}
	case 2:
		return map[string]any{"allOf": []any{s, map[string]any{"properties": map[string]any{"a": true, "z": map[string]any{"type": "null"}}}}}
	case 3:
		s["additionalProperties"] = false
	}
	return s
}

// words are tokens as a tokenizer has them, over several parts of JSON.
var words = []string{
	`{"`, `":`, `": `, `","`, `", "`, `"}`, `"},{"`, `[]`, `{}`, `[[`, `]]`, `}}`, "\n ", "\n  ", "  ", `,"a":`, `"a":"`, `"ab`, "true", "false", "null",
	"12", "00", "1.", ".5", "-1", "e1", `\"`, `\n`, `\u00`, "\\ud83d\\ude", "\xc3", "é", "\xa9\"", "aab", "xx-", "-9", "99", `","b":[`, "name", "z\":null}",
}

// TestWalksAreValid: whatever is written under the masks of a random schema is JSON
// that satisfies it, and a way to the end always exists.
func TestWalksAreValid(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := schemas{rand.New(rand.NewPCG(seed, 0))}
	v := byteVocabulary(t, words...)
	compiled, walks := 0, 0
	for range 50 {
		text, err := json.Marshal(r.schema(3))
		if err != nil {
			t.Fatal(err)
		}
		g, err := JSONSchema(text)
		if err != nil {
			if !strings.Contains(err.Error(), "nothing satisfies") {
				t.Fatalf("%s: %v", text, err)
			}
			continue
		}
		compiled++
		m := NewMatcher(g, v)
		var schema any
		if err := json.Unmarshal(text, &schema); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			written := walk(t, m, r.Rand, 25)
			if written == "" {
				continue // no way was found in the time given
			}
			walks++
			var value any
			if err := json.Unmarshal([]byte(written), &value); err != nil {
				t.Fatalf("%s: %q: %v", text, written, err)
			}
			if why := valid(schema, schema, value); why != "" {
				t.Fatalf("%s: %q: %s", text, written, why)
			}
		}
	}
	if compiled < 25 || walks < 40 {
		t.Errorf("%d schemas, %d walks; the test shows little", compiled, walks)
	}
}

// TestRejectedIsNotExtendable enumerates every text over a small alphabet up to a
// length. A beginning that the matcher rejects begins no text that is in the
// language by a definition of its own; one that it admits can be completed.
func TestRejectedIsNotExtendable(t *testing.T) {
	v := byteVocabulary(t)
	for _, c := range []struct {
		schema, alphabet string
		most             int
		in               func(text string) bool
	}{
		{`{"type":"integer","minimum":-12,"maximum":105}`, "-0159", 4, func(text string) bool {
			var n int
			err := json.Unmarshal([]byte(text), &n)
			return err == nil && n >= -12 && n <= 105 && !strings.HasPrefix(text, "-0")
		}},
		{`{"type":"number","minimum":0.5,"exclusiveMaximum":1.5}`, "-015.", 5, func(text string) bool {
			var x float64
			err := json.Unmarshal([]byte(text), &x)
			return err == nil && x >= 0.5 && x < 1.5
		}},
		{`{"type":"string","pattern":"^(a|ab)*b?$","maxLength":4}`, `"ab`, 7, func(text string) bool {
			var s string
			err := json.Unmarshal([]byte(text), &s)
			return err == nil && len(s) <= 4 && regexp.MustCompile(`^(a|ab)*b?$`).MatchString(s)
		}},
		{`{"type":"array","items":{"anyOf":[{"const":1},{"$ref":"#"}]},"maxItems":2}`, "[],1", 8, func(text string) bool {
			var list any
			return json.Unmarshal([]byte(text), &list) == nil && shortLists(list, true)
		}},
		{`{"properties":{"a":{"const":1},"b":{"type":"null"}},"required":["b"]}`, `{}"ab:1nul,`, 0, nil},
	} {
		m := NewMatcher(compile(t, c.schema), v)
		if c.in == nil {
			if got := m.shortest(m.Start()); got == "" {
				t.Errorf("%s: nothing completes the empty text", c.schema)
			}
			continue
		}
		begins := make(map[string]bool) // the beginnings of what is in
		var texts []string
		var all func(text string)
		all = func(text string) {
			texts = append(texts, text)
			if c.in(text) {
				for i := range len(text) + 1 {
					begins[text[:i]] = true
				}
			}
			if len(text) < c.most {
				for i := range len(c.alphabet) {
					all(text + c.alphabet[i:i+1])
				}
			}
		}
		all("")
		for _, text := range texts {
			s := after(m, text)
			if begins[text] && s == nil {
				t.Fatalf("%s: %q is rejected, and begins a text", c.schema, text)
			}
			if got := s != nil && s.Accepting(); got != c.in(text) {
				t.Fatalf("%s: %q accepted: %v; want %v", c.schema, text, got, c.in(text))
			}
			if s != nil && m.shortest(s) == "" && !s.Accepting() {
				t.Fatalf("%s: %q is admitted, and nothing completes it", c.schema, text)
			}
		}
	}
}

func shortLists(v any, list bool) bool {
	items, ok := v.([]any)
	if !ok {
		return !list && v == 1.0
	}
	return len(items) <= 2 && !slices.ContainsFunc(items, func(item any) bool { return !shortLists(item, false) })
}

func FuzzJSONSchema(f *testing.F) {
	for _, s := range []string{
		`{}`, `true`, `{"type":"object","properties":{"a":{"type":"string","pattern":"^a[^b]+$","maxLength":9}},"required":["a"]}`,
		`{"anyOf":[{"$ref":"#/$defs/x"},{"enum":[1,"a"]}],"$defs":{"x":{"type":"array","items":{"$ref":"#"},"minItems":1}}}`,
		`{"type":"number","exclusiveMinimum":-0.5,"maximum":12e2}`, `{"allOf":[{"$ref":"#"},{"format":"uuid"}]}`,
	} {
		f.Add([]byte(s), uint64(1))
	}
	v := byteVocabulary(f, words...)
	f.Fuzz(func(t *testing.T, schema []byte, seed uint64) {
		if len(schema) > 4096 {
			return
		}
		g, err := JSONSchema(schema)
		if err != nil {
			return
		}
		if text := walk(t, NewMatcher(g, v), rand.New(rand.NewPCG(seed, 0)), 20); text != "" && !json.Valid([]byte(text)) {
			t.Errorf("%s: %q is not JSON", schema, text)
		}
	})
}

func FuzzPattern(f *testing.F) {
	for _, p := range []string{`^a|b$`, `[^\w-z]{2,3}?`, `(?:x(?<n>y)+)*`, `\u00e9\x41\.`} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		if r, err := parsePattern(pattern); err == nil && len(pattern) < 1000 {
			compileRegex(r, true, &budget{1 << 22})
		}
	})
}
