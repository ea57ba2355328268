package constrain

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// compile is a grammar that must compile.
func compile(t testing.TB, schema string) *Grammar {
	t.Helper()
	g, err := JSONSchema([]byte(schema))
	if err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	return g
}

// byteVocabulary has a token for each byte and the further ones; the last ends a text.
func byteVocabulary(t testing.TB, tokens ...string) *Vocabulary {
	t.Helper()
	size := 256 + len(tokens) + 1
	v, err := NewVocabulary(size, func(dst []byte, id int32) []byte {
		switch {
		case id < 256:
			return append(dst, byte(id))
		case int(id) < size-1:
			return append(dst, tokens[id-256]...)
		}
		return dst
	}, []int32{int32(size - 1)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// after is the state after a text, nil if it is no beginning of one in the language.
func after(m *Matcher, text string) *State {
	s := m.Start()
	for i := range len(text) {
		if s = m.Advance(s, int32(text[i])); s == nil {
			return nil
		}
	}
	return s
}

func accepts(m *Matcher, text string) bool {
	s := after(m, text)
	return s != nil && s.Accepting()
}

func TestLanguages(t *testing.T) {
	v := byteVocabulary(t)
	for _, c := range []struct {
		schema  string
		in, out []string
	}{
		{`{"type":"object"}`,
			[]string{`{}`, `{"a":1}`, `{"a": [1, {"b": null}], "c": "\u00e9\ud83d\ude00\n"}`, "{\n  \"a\": true\n}", `{"é":-1.5e-3}`},
			[]string{``, `[]`, `1`, `{`, `{"a"}`, `{"a":01}`, `{"a":1,}`, `{"a":"\ud83d"}`, `{"a":"\x"}`, "{\"a\":\"\n\"}", `{"a":1}}`, `{"a":  1}`, "{\"a\":\"\xff\"}"}},
		{`true`, []string{`1`, `"x"`, `[]`, `{}`, `[[[{"a":{}}]]]`, `null`, ` 1`}, []string{`nul`, `[`, `tru`, `  1`}},
		{`{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a"]}`,
			[]string{`{"a":1}`, `{"a":1,"b":"x"}`, `{"a": -12, "b": ""}`},
			[]string{`{}`, `{"b":"x"}`, `{"b":"x","a":1}`, `{"a":1.5}`, `{"a":1,"c":2}`, `{"a":1,"b":2}`, `{"a":1,"a":1}`}},
		{`{"properties":{"a":{"type":"integer"},"b":{}}}`, []string{`{}`, `{"a":1}`, `{"b":[]}`, `{"a":0,"b":{}}`}, []string{`{,"a":1}`, `{"a":1,}`, `{"b":1 ,}`}},
		{`{"properties":{"ab":{"type":"integer"}},"additionalProperties":{"type":"string"}}`,
			[]string{`{}`, `{"ab":1}`, `{"a":"x"}`, `{"abc":"x"}`, `{"ab":1,"":"x","é":"y"}`, `{"b":"x"}`}, []string{`{"ab":"x"}`, `{"a":1}`, `{"\u0061b":"x"}`}},
		{`{"enum":["a",1,null,{"x":[true]},"\""]}`, []string{`"a"`, `1`, `null`, `{"x":[true]}`, `"\""`}, []string{`"b"`, `11`, `{}`, `"`}},
		{`{"type":["string","null"],"enum":["a",1,null]}`, []string{`"a"`, `null`}, []string{`1`}},
		{`{"const":"é"}`, []string{`"é"`}, []string{`"e"`, `"\u00e9"`}},
		{`{"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":3}`, []string{`[1]`, `[1,2]`, `[1, 2, 3]`}, []string{`[]`, `[1,2,3,4]`, `["a"]`, `[1,]`}},
		{`{"type":"array","items":{"type":"boolean"},"minItems":2}`, []string{`[true,false]`, `[true,true,true]`}, []string{`[]`, `[true]`}},
		{`{"type":"array","maxItems":0}`, []string{`[]`}, []string{`[1]`}},
		{`{"prefixItems":[{"type":"integer"},{"type":"string"}]}`, []string{`[]`, `[1]`, `[1,"a"]`}, []string{`["a"]`, `[1,"a",1]`}},
		{`{"prefixItems":[{"type":"integer"}],"items":{"type":"string"},"minItems":2}`, []string{`[1,"a"]`, `[1,"a","b"]`}, []string{`[1]`, `[1,1]`}},
		{`{"anyOf":[{"type":"string","maxLength":1},{"type":"integer"}]}`, []string{`""`, `"a"`, `7`}, []string{`"ab"`, `true`}},
		{`{"type":"object","properties":{"k":{"type":"string"}},"required":["k"],"oneOf":[{"properties":{"k":{"const":"a"},"x":{"type":"null"}}},{"properties":{"k":{"const":"b"}}}]}`,
			[]string{`{"k":"a"}`, `{"k":"a","x":null}`, `{"k":"b"}`}, []string{`{}`, `{"k":"c"}`, `{"k":"b","x":null}`}},
		{`{"allOf":[{"properties":{"a":{"type":"number"}},"required":["a"]},{"properties":{"a":{"type":"integer"},"b":{"maxLength":0}}}]}`,
			[]string{`{"a":1}`, `{"a":1,"b":""}`}, []string{`{}`, `{"a":1.5}`, `{"a":1,"b":"x"}`}},
		{`{"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"v":{"type":"integer"},"next":{"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}},"required":["v","next"]}}}`,
			[]string{`{"v":1,"next":null}`, `{"v":1,"next":{"v":2,"next":null}}`}, []string{`{"v":1}`, `{"v":1,"next":{}}`}},
		{`{"type":"array","items":{"$ref":"#"}}`, []string{`[]`, `[[],[[]]]`}, []string{`[1]`, `[[]`}},
		{`{"type":"string","pattern":"^[a-c]+\\d{2}$"}`, []string{`"a12"`, `"abc00"`}, []string{`""`, `"a1"`, `"d12"`, `"a123"`}},
		{`{"type":"string","pattern":"b"}`, []string{`"b"`, `"abc"`, `"\"b\n"`}, []string{`""`, `"ac"`}},
		{`{"type":"string","pattern":"^(x|yz)*$|^q","maxLength":3}`, []string{`""`, `"xyz"`, `"q--"`}, []string{`"xyzx"`, `"qqqq"`, `"zy"`}},
		{`{"type":"string","pattern":"^.\\s\\u00e9[^\\n-z]$"}`, []string{`"a é{"`, `"\"\té{"`}, []string{`"aé{"`, `"a éb"`}},
		{`{"type":"string","minLength":2,"maxLength":3}`, []string{`"ab"`, `"éé"`, `"\u0041bc"`, `"\ud83d\ude00b"`, `"😀😀😀"`}, []string{`"a"`, `"abcd"`, `"é"`, `"\u0041"`}},
		{`{"type":"string","format":"date"}`, []string{`"2024-02-28"`, `"1999-12-31"`}, []string{`"2024-02-30"`, `"2024-13-01"`, `"24-01-01"`}},
		{`{"type":"string","format":"uuid"}`, []string{`"01234567-89ab-cdef-0123-456789abcdef"`}, []string{`"01234567"`}},
		{`{"type":"string","format":"date-time"}`, []string{`"2024-02-28T23:59:59.5Z"`, `"2024-02-28T00:00:00+02:00"`}, []string{`"2024-02-28"`, `"2024-02-28T24:00:00Z"`}},
		{`{"type":"integer","minimum":-5,"maximum":17}`, []string{`-5`, `0`, `9`, `10`, `17`}, []string{`-6`, `18`, `20`, `100`, `01`, `1.0`}},
		{`{"type":"integer","exclusiveMinimum":9.5,"exclusiveMaximum":1e3}`, []string{`10`, `99`, `999`}, []string{`9`, `1000`, `-10`}},
		{`{"type":"number","minimum":0.25,"exclusiveMaximum":1.5}`, []string{`0.25`, `0.250`, `0.3`, `1`, `1.0`, `1.4999`, `0.26`}, []string{`0.2`, `0.249`, `1.5`, `1.50`, `2`, `-1`, `0`, `1e0`}},
		{`{"type":"number","maximum":-2,"exclusiveMinimum":-3.5}`, []string{`-2`, `-2.0`, `-3`, `-3.49`}, []string{`-1.9`, `-3.5`, `2`, `-4`, `-1`}},
		{`{"type":"number","exclusiveMinimum":0}`, []string{`0.1`, `1`, `0.001`, `12345.6`}, []string{`0`, `0.0`, `-1`, `-0.1`, `-0`}},
	} {
		m := NewMatcher(compile(t, c.schema), v)
		for _, text := range c.in {
			if !accepts(m, text) {
				t.Errorf("%s: %s is not accepted", c.schema, text)
			}
		}
		for _, text := range c.out {
			if accepts(m, text) {
				t.Errorf("%s: %s is accepted", c.schema, text)
			}
		}
	}
}

func TestSchemasThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		schema, names string
		unsupported   bool
	}{
		{`{`, "EOF", false},
		{`{} {}`, "follows", false},
		{`3`, "schema is an object", false},
		{`{"type":"objekt"}`, "#/type", false},
		{`{"not":{}}`, "#/not", true},
		{`{"properties":{"a":{"uniqueItems":true}}}`, "#/properties/a/uniqueItems", true},
		{`{"patternProperties":{}}`, "#/patternProperties", true},
		{`{"minProperties":1}`, "#/minProperties", true},
		{`{"items":{"multipleOf":0.5}}`, "#/items/multipleOf", true},
		{`{"format":"regex"}`, "regex", true},
		{`{"if":{}}`, "#/if", true},
		{`{"bogus/~":1}`, "#/bogus~1~0", true},
		{`{"pattern":"(?=x)"}`, "#/pattern", true},
		{`{"pattern":"\\bx"}`, "#/pattern", true},
		{`{"pattern":"("}`, "#/pattern", false},
		{`{"pattern":"a**"}`, "#/pattern", false},
		{`{"pattern":"[b-a]"}`, "#/pattern", false},
		{`{"$ref":"http://example.com/x"}`, "#/$ref", true},
		{`{"$ref":"#/nowhere"}`, "nowhere", false},
		{`{"enum":[1],"minimum":0}`, "#/enum", true},
		{`{"enum":[]}`, "nothing satisfies", false},
		{`false`, "nothing satisfies", false},
		{`{"type":"integer","minimum":2,"maximum":1}`, "nothing satisfies", false},
		{`{"type":"string","minLength":2,"maxLength":1}`, "nothing satisfies", false},
		{`{"properties":{"a":false},"required":["a"]}`, "nothing satisfies", false},
		{`{"properties":{"a":{"$ref":"#"}},"required":["a"]}`, "nothing satisfies", false},
		{`{"anyOf":[{"$ref":"#"},{"type":"string"}]}`, "refers to itself", true},
		{`{"minItems":-1}`, "#/minItems", false},
		{`{"maxLength":1.5}`, "#/maxLength", false},
		{`{"minItems":1e6}`, "too large", false},
		{`{"minimum":1e30}`, "#/minimum", true},
		{`{"required":[1]}`, "#/required", false},
		{`{"a":1,"a":2}`, "two members", false},
		{strings.Repeat(`{"items":`, 200) + `{}` + strings.Repeat(`}`, 200), "nested deeper", false},
	} {
		_, err := JSONSchema([]byte(c.schema))
		if err == nil || !strings.Contains(err.Error(), c.names) || errors.Is(err, ErrUnsupported) != c.unsupported {
			t.Errorf("%.80s: %v; want an error that names %q, unsupported: %v", c.schema, err, c.names, c.unsupported)
		}
	}
}

// TestHostileSchemas: what would take for ever, or all memory, is refused, or is
// narrowed, soon.
func TestHostileSchemas(t *testing.T) {
	refs := `{"$ref":"#/$defs/a0","$defs":{`
	for i := range 40 {
		refs += fmt.Sprintf(`"a%d":{"properties":{"x":{"$ref":"#/$defs/a%d"},"y":{"$ref":"#/$defs/a%d"}}},`, i, i+1, i+1)
	}
	refs += `"a40":{}}}`
	choices := `{"anyOf":[{"allOf":[`
	for i := range 12 {
		if i > 0 {
			choices += ","
		}
		choices += fmt.Sprintf(`{"anyOf":[{"properties":{"a%d":{"type":"string"}}},{"properties":{"a%d":{"type":"null"}}},{"properties":{"b%d":true}}]}`, i, i, i)
	}
	choices += `]}]}`
	doubled := `{"$ref":"#/$defs/a0","$defs":{`
	for i := range 30 {
		doubled += fmt.Sprintf(`"a%d":{"anyOf":[{"properties":{"x":{"$ref":"#/$defs/a%d"}},"required":["x"]},{"properties":{"x":{"$ref":"#/$defs/a%d"},"y":{}},"required":["x"]}]},`, i, i+1, i+1)
	}
	doubled += `"a30":{"type":"null"}}}`
	var names, values []string
	for i := range 20_000 {
		names = append(names, fmt.Sprintf(`"n%d":{}`, i))
		values = append(values, fmt.Sprintf(`"v%d"`, i))
	}
	bounds := make([]string, 5000)
	for i := range bounds {
		bounds[i] = fmt.Sprintf(`{"minimum":%d.123456789,"maximum":%d.987654321}`, i, i+3)
	}
	for name, schema := range map[string]string{
		"references that double": refs,
		"choices of choices":     choices,
		"branches that double":   doubled,
		"20,000 properties":      `{"properties":{` + strings.Join(names, ",") + `}}`,
		"20,000 values":          `{"enum":[` + strings.Join(values, ",") + `]}`,
		"5,000 pairs of bounds":  `{"anyOf":[` + strings.Join(bounds, ",") + `]}`,
		"a pattern that doubles": `{"pattern":"^(a|b)*a(a|b){20}$"}`,
		"a pattern of patterns":  `{"pattern":"^((((x{100}){100}){100}){100})$"}`,
		"any of unbounded":       `{"pattern":"` + strings.Repeat("(a*)*", 400) + `"}`,
		"a long string":          `{"minLength":1000000,"maxLength":5000000}`,
	} {
		began := time.Now()
		g, err := JSONSchema([]byte(schema))
		if err == nil {
			m := NewMatcher(g, byteVocabulary(t, `":`, `{"`, `","`, `"}`, `{"x":{"x":`, "ab"))
			walk(t, m, rand.New(rand.NewPCG(1, 2)), 60)
		}
		t.Logf("%s: %v, %v", name, err, time.Since(began))
		if d := time.Since(began); d > 30*time.Second {
			t.Errorf("%s: took %v", name, d)
		}
	}
}

// walk writes a text token by token as the masks allow, and checks each mask against
// every token. It ends when the text is complete, or after most tokens by the
// shortest way to the end; "" if that is not found.
func walk(t testing.TB, m *Matcher, rng *rand.Rand, most int) string {
	t.Helper()
	var text []byte
	s := m.Start()
	for n := 0; ; n++ {
		mask := m.Allowed(s)
		var allowed []int32
		for id := range int32(len(m.v.texts)) {
			bit := mask[id/32]>>(id%32)&1 == 1
			end := slices.Contains(m.v.ends, id)
			want := !end && m.Advance(s, id) != nil || end && s.Accepting()
			if bit != want {
				t.Fatalf("after %q token %d, %q: allowed %v; want %v", text, id, m.v.texts[id], bit, want)
			}
			if bit {
				allowed = append(allowed, id)
			}
		}
		if len(allowed) == 0 && !s.Ends() {
			t.Fatalf("after %q nothing is allowed", text)
		}
		if s.Accepting() && (s.Ends() || rng.IntN(4) == 0) {
			return string(text)
		}
		if n >= most {
			rest := m.shortest(s)
			if rest == "" && !s.Accepting() {
				return ""
			}
			return string(text) + rest
		}
		id := allowed[rng.IntN(len(allowed))]
		if slices.Contains(m.v.ends, id) {
			return string(text)
		}
		text = append(text, m.v.texts[id]...)
		s = m.Advance(s, id)
	}
}

// shortest is a shortest text that completes s, found by trying all.
func (m *Matcher) shortest(s *State) string {
	type step struct {
		from int
		b    byte
		s    *State
	}
	all := []step{{-1, 0, s}}
	seen := map[*State]bool{s: true}
	for i := 0; i < len(all) && i < 4000; i++ {
		if all[i].s.Accepting() {
			var text []byte
			for j := i; j > 0; j = all[j].from {
				text = append(text, all[j].b)
			}
			slices.Reverse(text)
			return string(text)
		}
		for _, b := range []byte("\"}],:{[0123456789-.abcdefghijklmnopqrstuvwxyzTZP@\\/\x80\x90\xa0\xa9\xc3") {
			if to := m.Advance(all[i].s, int32(b)); to != nil && !seen[to] {
				seen[to] = true
				all = append(all, step{i, b, to})
			}
		}
	}
	return ""
}

func TestJSONObjectIsJSON(t *testing.T) {
	m := NewMatcher(JSONObject(), byteVocabulary(t, `":`, `{"`, `","`, `"}`, "ab", "\\u", "é", `": [`, "}}", "]]", "true", `"a":{"b":[`, "\n  ", "12"))
	rng := rand.New(rand.NewPCG(rand.Uint64(), 1))
	for range 60 {
		text := walk(t, m, rng, 40)
		if text == "" {
			t.Fatal("no way to the end was found")
		}
		var v map[string]any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	}
}
